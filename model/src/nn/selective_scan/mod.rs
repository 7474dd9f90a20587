//! The selective scan with its step-size projection (Alg. 2, lines 14-17), along a path.
//!
//! For a token sequence `x` and per token a row `[dt, B, C]`:
//! `delta_t = softplus(W_dt dt_t + b_dt)`, `h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t`, `h_0 = 0`,
//! `y_t = <C_t, h_t> + D x_t`, per channel with its own state of `S` numbers.
//!
//! The state stays in registers, sixteen channels at a time. For the gradient only the state at every
//! [`super::strip::STEPS`]-th step is kept; the steps between are computed again, so memory grows with `L / STEPS`.
//! Sums over channels and bags are taken in a fixed order: results do not depend on the number of threads.

mod backward;
mod chunk;
mod forward;
#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};

use super::real::Real;
use super::tape::{Back, Chain, Slot, Step, Tape, chained};
use super::vectors::Vectors;
use super::{Path, ScanDirection};
pub(super) use backward::Gradients;
pub(super) use backward::run as backward;
pub(super) use forward::Kept;
pub(super) use forward::run as forward;

/// What a direction has learned about its channels; `E` channels, state `S`, step-size rank `R`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanParams<'a> {
    /// `A`, `[E, S]`, negative.
    pub(crate) decay: &'a Tensor,
    /// `D`, `[E]`.
    pub(crate) skip: &'a Tensor,
    /// `b_dt`, `[E]`.
    pub(crate) dt_bias: &'a Tensor,
    /// `W_dt`, `[E, R]`.
    pub(crate) dt_weight: &'a Tensor,
}

/// `x` `[b, L, E]`, `projected` `[b, L, R + 2S]` (columns dt, B, C) to `y` `[b, L, E]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn selective_scan(
    x: &Tensor,
    projected: &Tensor,
    params: ScanParams<'_>,
    direction: ScanDirection,
) -> Result<Tensor> {
    let ScanParams { decay, skip, dt_bias, dt_weight } = params;
    let chain = Alone { path: Path::along(direction) };
    chained(chain, x, &[projected, decay, skip, dt_bias, dt_weight])
}

/// Sizes of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Tokens per bag.
    pub(super) length: usize,
    /// *E*.
    pub(super) channels: usize,
    /// *S*.
    pub(super) state: usize,
    /// *R*.
    pub(super) rank: usize,
}

impl Size {
    /// Of `x` and of what is learned.
    ///
    /// # Errors
    /// If shapes disagree.
    pub(super) fn of(
        x: &[usize],
        [decay, skip, dt_bias, dt_weight]: [&[usize]; 4],
    ) -> Result<Self> {
        match (x, decay, dt_weight) {
            (&[_, length, channels], &[e, state], &[n, rank])
                if e == channels && n == channels && *skip == [e] && *dt_bias == [e] =>
            {
                Ok(Self { length, channels, state, rank })
            }
            _ => bail!(
                "selective scan of {x:?}: found A {decay:?}, D {skip:?}, b_dt {dt_bias:?}, W_dt {dt_weight:?}"
            ),
        }
    }

    /// Numbers `[dt, B, C]` per token.
    pub(super) fn row(&self) -> usize {
        self.rank + 2 * self.state
    }
}

/// A scan of a batch of bags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a, T> {
    pub(super) size: Size,
    /// How many such scans are computed at a time, this one included.
    pub(super) at_once: usize,
    pub(super) path: &'a Path,
    /// `[b, L, E]`.
    pub(super) x: &'a [T],
    /// `[dt, B, C]`, `[b, L, R + 2S]`.
    pub(super) rows: &'a [T],
    /// `A`, `[E, S]`.
    pub(super) decay: &'a [T],
    /// `D`, `[E]`.
    pub(super) skip: &'a [T],
    /// `b_dt`, `[E]`.
    pub(super) dt_bias: &'a [T],
    /// `W_dt`, `[E, R]`.
    pub(super) dt_weight: &'a [T],
}

impl<T: Real> Scan<'_, T> {
    /// Pieces of work at a time: scans of one bag.
    fn pieces(&self) -> usize {
        let bags = self.x.len() / (self.size.length * self.size.channels).max(1);
        (self.at_once * bags).max(1)
    }

    /// Of one bag alone.
    fn bag(&self, bag: usize) -> Self {
        let (tokens, rows) =
            (self.size.length * self.size.channels, self.size.length * self.size.row());
        Self {
            x: &self.x[bag * tokens..(bag + 1) * tokens],
            rows: &self.rows[bag * rows..(bag + 1) * rows],
            ..*self
        }
    }
}

/// One scan by itself: `x` is the chain's input, its parameters are rows, `A`, `D`, `b_dt` and `W_dt`.
#[derive(Clone, Debug)]
struct Alone {
    path: Path,
}

/// The input and every parameter.
const SLOTS: [Slot; 6] =
    [Slot::INPUT, Slot::Given(1), Slot::Given(2), Slot::Given(3), Slot::Given(4), Slot::Given(5)];

impl Chain for Alone {
    const NAME: &'static str = "selective scan";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let [x, rows, params @ ..] = SLOTS.map(|slot| tape.shape(slot).clone());
        let params = [&params[0], &params[1], &params[2], &params[3]].map(|it| it.dims());
        let size = Size::of(x.dims(), params)?;
        let (batch, ..) = x.dims3()?;
        if rows.dims() != [batch, size.length, size.row()] {
            bail!(
                "selective scan of {x:?}: expected rows {:?}, found {rows:?}",
                [batch, size.length, size.row()]
            )
        }
        let scan = self.scan(size, SLOTS.map(|slot| tape.values(slot)));
        let (y, kept) = forward(scan, tape.is_recorded());
        Ok(tape.push(y, x, AloneStep { alone: self.clone(), size, kept }))
    }
}

impl Alone {
    fn scan<'a, T>(&'a self, size: Size, slots: [&'a [T]; 6]) -> Scan<'a, T> {
        let [x, rows, decay, skip, dt_bias, dt_weight] = slots;
        Scan { size, at_once: 1, path: &self.path, x, rows, decay, skip, dt_bias, dt_weight }
    }
}

struct AloneStep<T> {
    alone: Alone,
    size: Size,
    kept: Kept<T>,
}

impl<T: Vectors> Step<T> for AloneStep<T> {
    fn back(self: Box<Self>, of: &Back<'_, T>) -> Vec<(Slot, Vec<T>)> {
        let scan = self.alone.scan(self.size, SLOTS.map(|slot| of.values(slot)));
        let Gradients { x, rows, decay, skip, dt_bias, dt_weight } =
            backward(scan, &self.kept, of.dy);
        let gradients = SLOTS.into_iter().zip([x, rows, decay, skip, dt_bias, dt_weight]);
        gradients.filter(|(slot, _)| of.asks(*slot)).collect()
    }
}
