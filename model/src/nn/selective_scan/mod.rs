//! The selective scan of one direction with its step-size projection (Alg. 2, lines 14-17).
//!
//! For a token sequence `x` and per token a row `[dt, B, C]`:
//! `delta_t = softplus(W_dt dt_t + b_dt)`, `h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t`, `h_0 = 0`,
//! `y_t = <C_t, h_t> + D x_t`, per channel with its own state of `S` numbers.
//!
//! `W_dt dt_t` is a matrix product over all tokens; everything after it is one fused operation.
//! The state stays in registers, sixteen channels at a time. For the gradient only the state at every
//! [`CHUNK`]-th step is kept; the steps between are computed again, so memory grows with `L / CHUNK`.
//! Sums over channels and bags are taken in a fixed order: results do not depend on the number of threads.

mod backward;
mod chunk;
mod forward;
#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor, bail};

use super::ScanDirection;
use super::fused::{Fused, apply};
use super::linear::project;
use super::real::Real;
use super::vectors::Vectors;

/// Steps between two kept states.
const CHUNK: usize = 64;

/// Channels per task.
const GROUP: usize = 64;

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

impl ScanParams<'_> {
    /// Parts that are one after the other in one vector cannot be told apart there.
    fn check(&self, channels: usize) -> Result<()> {
        let state = self.decay.dim(1)?;
        let rank = self.dt_weight.dim(1)?;
        let fits = self.decay.dims() == [channels, state]
            && self.skip.dims() == [channels]
            && self.dt_bias.dims() == [channels]
            && self.dt_weight.dims() == [channels, rank];
        if !fits {
            bail!(
                "selective scan of {channels} channels: found A {:?}, D {:?}, b_dt {:?}, W_dt {:?}",
                self.decay.dims(),
                self.skip.dims(),
                self.dt_bias.dims(),
                self.dt_weight.dims()
            )
        }
        Ok(())
    }
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
    let state = params.decay.dim(1)?;
    let rank = params.dt_weight.dim(1)?;
    let (batch, length, channels) = x.dims3()?;
    if projected.dims() != [batch, length, rank + 2 * state] {
        bail!(
            "selective scan of {x:?}: expected rows {:?}, found {:?}",
            [batch, length, rank + 2 * state],
            projected.dims()
        )
    }
    params.check(channels)?;
    let raw = project(&projected.narrow(2, 0, rank)?.contiguous()?, params.dt_weight)?;
    let gates = projected.narrow(2, rank, 2 * state)?.contiguous()?.flatten_all()?;
    let decay = params.decay.flatten_all()?;
    let packed = Tensor::cat(&[&gates, &decay, params.skip, params.dt_bias], 0)?;
    let size = Size { length, channels, state, direction };
    apply(Scan { size }, [x, &raw, &packed])
}

#[derive(Clone, Copy, Debug)]
struct Size {
    length: usize,
    channels: usize,
    state: usize,
    direction: ScanDirection,
}

impl Size {
    /// Numbers `[B, C]` per token.
    fn gates(&self) -> usize {
        2 * self.state
    }

    /// Numbers `A`, `D` and bias of all channels.
    fn params(&self) -> usize {
        self.channels * (self.state + 2)
    }
}

/// The op's inputs as slices.
#[derive(Clone, Copy, Debug)]
struct Inputs<'a, T> {
    /// `[b, L, E]`.
    x: &'a [T],
    /// `W_dt dt`, `[b, L, E]`.
    raw: &'a [T],
    /// `[b, L, 2S]`.
    gates: &'a [T],
    /// `A`, `[E, S]`.
    decay: &'a [T],
    /// `D`, `[E]`.
    skip: &'a [T],
    /// `b_dt`, `[E]`.
    dt_bias: &'a [T],
    size: Size,
}

impl<'a, T: Real> Inputs<'a, T> {
    /// `packed` is gates, `A`, `D` and bias, one after the other.
    fn new(x: &'a [T], raw: &'a [T], packed: &'a [T], size: Size) -> Self {
        let (gates, params) = packed.split_at(packed.len() - size.params());
        let (decay, rest) = params.split_at(size.channels * size.state);
        let (skip, dt_bias) = rest.split_at(size.channels);
        Self { x, raw, gates, decay, skip, dt_bias, size }
    }

    /// One bag alone.
    fn bag(&self, bag: usize) -> Self {
        let (tokens, gates) =
            (self.size.length * self.size.channels, self.size.length * self.size.gates());
        let tokens = bag * tokens..(bag + 1) * tokens;
        Self {
            x: &self.x[tokens.clone()],
            raw: &self.raw[tokens],
            gates: &self.gates[bag * gates..(bag + 1) * gates],
            ..*self
        }
    }
}

struct Scan {
    size: Size,
}

impl Fused for Scan {
    const NAME: &'static str = "selective scan";
    type Plan = ();

    fn plan(&self, [x, ..]: [&[usize]; 3]) -> Result<((), Shape)> {
        Ok(((), x.into()))
    }

    fn forward<T: Vectors>(&self, (): &(), [x, raw, packed]: [&[T]; 3]) -> Vec<T> {
        forward::run(Inputs::new(x, raw, packed, self.size))
    }

    fn backward<T: Vectors>(
        &self,
        (): &(),
        [x, raw, packed]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        backward::run(Inputs::new(x, raw, packed, self.size), dy)
    }
}
