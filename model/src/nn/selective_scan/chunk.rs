//! What both passes share: parameters of sixteen channels, and one chunk of steps laid out for them.

use std::ops::Range;

use super::super::lanes::{self, Lanes, WIDTH, splat};
use super::super::real::Real;
use super::super::strip::STEPS;
use super::{Scan, Size};

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
    /// `W_dt`, per number of `dt`.
    pub(super) dt_weight: Vec<Lanes<T>>,
}

impl<T: Real> Block<T> {
    /// The blocks of a range of channels.
    pub(super) fn of(scan: &Scan<'_, T>, channels: Range<usize>) -> Vec<Self> {
        let blocks = channels.clone().step_by(WIDTH);
        blocks.map(|first| Self::new(scan, first..channels.end.min(first + WIDTH))).collect()
    }

    fn new(scan: &Scan<'_, T>, channels: Range<usize>) -> Self {
        let Size { state, rank, .. } = scan.size;
        let log2_e = T::of(std::f64::consts::LOG2_E);
        let mut decay = vec![[splat(T::zero()); QUAD]; state.div_ceil(QUAD)];
        let mut dt_weight = vec![splat(T::zero()); rank];
        for (lane, channel) in channels.clone().enumerate() {
            for (n, a) in scan.decay[channel * state..][..state].iter().enumerate() {
                decay[n / QUAD][n % QUAD][lane] = *a * log2_e;
            }
            let weights = &scan.dt_weight[channel * rank..][..rank];
            dt_weight.iter_mut().zip(weights).for_each(|(to, weight)| to[lane] = *weight);
        }
        Self {
            decay,
            skip: lanes::load(&scan.skip[channels.clone()]),
            dt_bias: lanes::load(&scan.dt_bias[channels.clone()]),
            dt_weight,
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
        Self(vec![vec![zero; STEPS]; size.state.div_ceil(QUAD)])
    }

    /// Reads the steps `steps` of one bag.
    #[inline(always)]
    pub(super) fn fill(&mut self, bag: &Scan<'_, T>, steps: Range<usize>) {
        let Size { length, state, rank, .. } = bag.size;
        for (at, step) in steps.enumerate() {
            let token = bag.path.token(step, length);
            let row = &bag.rows[token * bag.size.row() + rank..][..2 * state];
            let (b, c) = row.split_at(state);
            for (quad, (b, c)) in self.0.iter_mut().zip(b.chunks(QUAD).zip(c.chunks(QUAD))) {
                quad[at] = Gates { b: four_from(b), c: four_from(c) };
            }
        }
    }

    /// Of every quad of states.
    pub(super) fn quads(&self) -> &[Vec<Gates<T>>] {
        &self.0
    }
}

/// The next four numbers, zeros for those that are missing.
#[inline(always)]
pub(super) fn four_from<T: Real>(numbers: &[T]) -> [T; QUAD] {
    if let Some(four) = numbers.first_chunk() {
        return *four;
    }
    let mut four = [T::zero(); QUAD];
    four.iter_mut().zip(numbers).for_each(|(to, number)| *to = *number);
    four
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
}

impl<T: Real> Step<T> {
    pub(super) fn zero() -> Self {
        let zero = splat(T::zero());
        Self { x: zero, raw: zero, delta: zero, drive: zero }
    }
}

/// Fills `to` with the steps at `tokens` of a bag for the channels of `block`, where `xs` is what they hold.
#[inline(always)]
pub(super) fn stage<T: Real, const FMA: bool>(
    to: &mut [Step<T>],
    block: &Block<T>,
    bag: &Scan<'_, T>,
    xs: &[Lanes<T>],
    mut tokens: impl Iterator<Item = usize>,
) {
    for (to, xs) in to.chunks_mut(QUAD).zip(xs.chunks(QUAD)) {
        let dts = std::array::from_fn(|_| {
            let token = tokens.next();
            token.map_or(&[][..], |it| &bag.rows[it * bag.size.row()..][..bag.size.rank])
        });
        let raws = raw_step_sizes::<T, FMA>(block, dts);
        for ((to, x), raw) in to.iter_mut().zip(xs).zip(raws) {
            let delta = lanes::map(raw, T::softplus::<FMA>);
            *to = Step { x: *x, raw, delta, drive: lanes::mul(delta, x) };
        }
    }
}

/// `W_dt dt + b_dt` of four steps; what stands for a missing step has no meaning.
#[inline(always)]
fn raw_step_sizes<T: Real, const FMA: bool>(block: &Block<T>, dts: [&[T]; QUAD]) -> Quad<T> {
    let mut raws = [block.dt_bias; QUAD];
    match dts.map(|dt| dt.get(..block.dt_weight.len())) {
        [Some(a), Some(b), Some(c), Some(d)] => {
            for (at, weight) in block.dt_weight.iter().enumerate() {
                for (raw, dt) in raws.iter_mut().zip([a, b, c, d]) {
                    *raw = lanes::fma::<T, FMA>(*weight, &splat(dt[at]), raw);
                }
            }
        }
        _ => {
            for (raw, dt) in raws.iter_mut().zip(dts) {
                for (weight, dt) in block.dt_weight.iter().zip(dt) {
                    *raw = lanes::fma::<T, FMA>(*weight, &splat(*dt), raw);
                }
            }
        }
    }
    raws
}

/// Walks four states through the staged steps and adds their share of `y`.
#[inline(always)]
pub(super) fn advance<T: Real, const FMA: bool>(
    state: &mut Quad<T>,
    decay: &Quad<T>,
    gates: &[Gates<T>],
    steps: &[Step<T>],
    ys: &mut [Lanes<T>],
) {
    let mut h = *state;
    for ((step, gates), y) in steps.iter().zip(gates).zip(ys) {
        let mut sum = *y;
        for n in 0..QUAD {
            let kept = lanes::map(lanes::mul(step.delta, &decay[n]), T::exp2_fast::<FMA>);
            let input = lanes::mul(step.drive, &splat(gates.b[n]));
            h[n] = lanes::fma::<T, FMA>(kept, &h[n], &input);
            sum = lanes::fma::<T, FMA>(h[n], &splat(gates.c[n]), &sum);
        }
        *y = sum;
    }
    *state = h;
}
