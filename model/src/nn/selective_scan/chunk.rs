//! What both passes share: parameters of sixteen channels, and one chunk of steps laid out for them.

use std::ops::Range;

use super::super::lanes::{self, Lanes, WIDTH, splat};
use super::super::real::Real;
use super::{CHUNK, Inputs, Size};

/// States worked on together; a state size that is not a multiple is padded with zeros.
pub(super) const QUAD: usize = 4;

/// [`QUAD`] states of sixteen channels.
pub(super) type Quad<T> = [Lanes<T>; QUAD];

/// Parameters of up to sixteen channels; missing channels and states are 0 and stay 0.
pub(super) struct Block<T> {
    /// First channel and how many.
    pub(super) channels: Range<usize>,
    /// `A * log2(e)`, so that `exp(delta A) = 2^(delta a)`.
    pub(super) decay: Vec<Quad<T>>,
    /// `D`.
    pub(super) skip: Lanes<T>,
    /// `b_dt`.
    pub(super) dt_bias: Lanes<T>,
}

impl<T: Real> Block<T> {
    /// The blocks of a range of channels.
    pub(super) fn of(inputs: &Inputs<'_, T>, channels: Range<usize>) -> Vec<Self> {
        let blocks = channels.clone().step_by(WIDTH);
        blocks.map(|first| Self::new(inputs, first..channels.end.min(first + WIDTH))).collect()
    }

    fn new(inputs: &Inputs<'_, T>, channels: Range<usize>) -> Self {
        let state = inputs.size.state;
        let log2_e = T::of(std::f64::consts::LOG2_E);
        let mut decay = vec![[splat(T::zero()); QUAD]; state.div_ceil(QUAD)];
        let rows = inputs.decay[channels.start * state..channels.end * state].chunks_exact(state);
        for (lane, row) in rows.enumerate() {
            for (n, a) in row.iter().enumerate() {
                decay[n / QUAD][n % QUAD][lane] = *a * log2_e;
            }
        }
        Self {
            decay,
            skip: lanes::load(&inputs.skip[channels.clone()]),
            dt_bias: lanes::load(&inputs.dt_bias[channels.clone()]),
            channels,
        }
    }
}

/// `B` and `C` of one step for [`QUAD`] states.
#[derive(Clone, Copy)]
pub(super) struct Gates<T> {
    pub(super) b: [T; QUAD],
    pub(super) c: [T; QUAD],
}

/// The gates of one chunk in visiting order: per quad of states, then per step.
pub(super) struct ChunkGates<T>(Vec<Vec<Gates<T>>>);

impl<T: Real> ChunkGates<T> {
    pub(super) fn new(size: Size) -> Self {
        let zero = Gates { b: [T::zero(); QUAD], c: [T::zero(); QUAD] };
        Self(vec![vec![zero; CHUNK]; size.state.div_ceil(QUAD)])
    }

    /// Reads the steps `steps` of a bag's rows `[B, C]`.
    pub(super) fn fill(&mut self, rows: &[T], steps: Range<usize>, size: Size) {
        for (at, step) in steps.enumerate() {
            let token = size.direction.token(step, size.length);
            let row = &rows[token * size.gates()..(token + 1) * size.gates()];
            let (b, c) = row.split_at(size.state);
            for (n, (b, c)) in b.iter().zip(c).enumerate() {
                let gates = &mut self.0[n / QUAD][at];
                gates.b[n % QUAD] = *b;
                gates.c[n % QUAD] = *c;
            }
        }
    }

    /// Of every quad of states.
    pub(super) fn quads(&self) -> &[Vec<Gates<T>>] {
        &self.0
    }
}

/// One step of sixteen channels.
#[derive(Clone, Copy)]
pub(super) struct Step<T> {
    /// `x_t`.
    pub(super) x: Lanes<T>,
    /// `delta_t` before softplus.
    pub(super) raw: Lanes<T>,
    /// `delta_t`.
    pub(super) delta: Lanes<T>,
    /// `delta_t x_t`.
    pub(super) drive: Lanes<T>,
    /// `y_t`, growing quad by quad.
    pub(super) y: Lanes<T>,
}

impl<T: Real> Step<T> {
    pub(super) fn zero() -> Self {
        let zero = splat(T::zero());
        Self { x: zero, raw: zero, delta: zero, drive: zero, y: zero }
    }
}

/// Fills `to` with the steps `steps` of a bag for the channels of `block`.
#[inline(always)]
pub(super) fn stage<T: Real>(
    to: &mut [Step<T>],
    block: &Block<T>,
    bag: &Inputs<'_, T>,
    steps: Range<usize>,
) {
    let size = bag.size;
    for (to, step) in to.iter_mut().zip(steps) {
        let token = size.direction.token(step, size.length) * size.channels;
        let window = token + block.channels.start..token + block.channels.end;
        let x = lanes::load(&bag.x[window.clone()]);
        let raw = lanes::add(lanes::load(&bag.raw[window]), &block.dt_bias);
        let delta = lanes::map(raw, T::softplus);
        *to = Step { x, raw, delta, drive: lanes::mul(delta, &x), y: lanes::mul(block.skip, &x) };
    }
}

/// Walks four states through the staged steps and adds their share of `y`.
#[inline(always)]
pub(super) fn advance<T: Real, const FMA: bool>(
    state: &mut Quad<T>,
    decay: &Quad<T>,
    gates: &[Gates<T>],
    steps: &mut [Step<T>],
) {
    let mut h = *state;
    for (step, gates) in steps.iter_mut().zip(gates) {
        for n in 0..QUAD {
            let kept = lanes::map(lanes::mul(step.delta, &decay[n]), T::exp2_fast);
            let input = lanes::mul(step.drive, &splat(gates.b[n]));
            h[n] = lanes::fma::<T, FMA>(kept, &h[n], &input);
            step.y = lanes::fma::<T, FMA>(h[n], &splat(gates.c[n]), &step.y);
        }
    }
    *state = h;
}

/// The chunks of a sequence, in visiting order.
pub(super) fn chunks(
    length: usize,
) -> impl DoubleEndedIterator<Item = Range<usize>> + ExactSizeIterator {
    (0..length.div_ceil(CHUNK)).map(move |i| i * CHUNK..length.min((i + 1) * CHUNK))
}
