//! Gradients by the adjoint recurrence `g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}` (MODELS 4.1).

use std::hint::black_box;
use std::ops::Range;

use rayon::prelude::*;

use super::super::lanes::{
    self, Kernel, Lanes, WIDTH, add_onto, column_windows, dispatch, fma, mul, splat, store,
};
use super::super::real::Real;
use super::super::strip::{STEPS, Strip, group_width, spans};
use super::chunk::{Block, ChunkGates, Gates, QUAD, Quad, Step, four_from, stage};
use super::forward::Kept;
use super::{Scan, Size};

/// Most channels whose sums are taken in one go.
const WIDEST: usize = 192;

/// Channels whose sums are taken in one go: an even number of groups. Sums depend on it, not on the number of threads.
fn summed(channels: usize) -> usize {
    let groups = 2 * channels.div_ceil(2 * WIDEST);
    channels.div_ceil(groups).next_multiple_of(WIDTH)
}

/// Gradients in what a scan was given.
pub(crate) struct Gradients<T> {
    /// `[b, L, E]`.
    pub(crate) x: Vec<T>,
    /// `[b, L, R + 2S]`.
    pub(crate) rows: Vec<T>,
    /// `[E, S]`.
    pub(crate) decay: Vec<T>,
    /// `[E]`.
    pub(crate) skip: Vec<T>,
    /// `[E]`.
    pub(crate) dt_bias: Vec<T>,
    /// `[E, R]`.
    pub(crate) dt_weight: Vec<T>,
}

/// Gradients from the gradient `dy` in the result.
pub(crate) fn run<T: Real>(scan: Scan<'_, T>, kept: &Kept<T>, dy: &[T]) -> Gradients<T> {
    let mut gradients = Gradients::zero(&scan);
    let Size { length, channels, .. } = scan.size;
    let width = group_width(channels, summed(channels), scan.pieces());
    let bags = gradients.x.chunks_exact_mut(length * channels);
    let bags = bags.zip(dy.chunks_exact(length * channels)).enumerate();
    let tasks = bags.flat_map(|(bag, (dx, dy))| {
        let groups = column_windows(dx, channels, width).into_iter();
        let firsts = (0..channels).step_by(width);
        groups.zip(firsts).map(move |(dx, first)| {
            let channels = first..channels.min(first + width);
            Task { kept, of: (bag, channels), bag: scan.bag(bag), dy, dx }
        })
    });
    let tasks: Vec<Task<'_, T>> = tasks.collect();
    let parts: Vec<Part<T>> = tasks.into_par_iter().map(dispatch).collect();
    for part in parts {
        gradients.add(&part, scan.size);
    }
    gradients
}

impl<T: Real> Gradients<T> {
    fn zero(scan: &Scan<'_, T>) -> Self {
        let zeros = |of: &[T]| vec![T::zero(); of.len()];
        Self {
            x: zeros(scan.x),
            rows: zeros(scan.rows),
            decay: zeros(scan.decay),
            skip: zeros(scan.skip),
            dt_bias: zeros(scan.dt_bias),
            dt_weight: zeros(scan.dt_weight),
        }
    }

    fn add(&mut self, part: &Part<T>, size: Size) {
        let (bag, Range { start: first, .. }) = part.of;
        let rows = &mut self.rows[bag * size.length * size.row()..];
        part.rows.iter().for_each(|of_group| add_onto(rows, of_group));
        add_onto(&mut self.decay[first * size.state..], &part.decay);
        add_onto(&mut self.skip[first..], &part.skip);
        add_onto(&mut self.dt_bias[first..], &part.dt_bias);
        add_onto(&mut self.dt_weight[first * size.rank..], &part.dt_weight);
    }
}

struct Task<'a, T> {
    kept: &'a Kept<T>,
    /// Bag and channels.
    of: (usize, Range<usize>),
    bag: Scan<'a, T>,
    /// Of the bag.
    dy: &'a [T],
    dx: Vec<&'a mut [T]>,
}

/// A task's share of the sums over channels and over bags.
struct Part<T> {
    /// Bag and channels.
    of: (usize, Range<usize>),
    /// Per group of channels whose sums are taken in one go.
    rows: Vec<Vec<T>>,
    decay: Vec<T>,
    skip: Vec<T>,
    dt_bias: Vec<T>,
    dt_weight: Vec<T>,
}

/// What flows back through one step of sixteen channels.
#[derive(Clone, Copy)]
struct StepGrad<T> {
    dy: Lanes<T>,
    /// Gradient in `delta_t x_t`.
    drive: Lanes<T>,
    /// Sum over states of the gradient in `delta_t a`, times `a`.
    decay: Lanes<T>,
    /// Gradient in `delta_t` before softplus.
    raw: Lanes<T>,
}

/// The states before a step, and the share of them that it keeps.
#[derive(Clone, Copy)]
struct Trace<T> {
    before: Quad<T>,
    share: Quad<T>,
}

/// Per-lane gradients in `B` and `C` of one step; summed over lanes when the chunk is done.
#[derive(Clone, Copy)]
struct GateGrad<T> {
    b: Quad<T>,
    c: Quad<T>,
}

/// Gradients of a block's parameters, and the adjoint state carried to earlier chunks.
struct BlockGrad<T> {
    carried: Vec<Quad<T>>,
    decay: Vec<Quad<T>>,
    skip: Lanes<T>,
    dt_bias: Lanes<T>,
    /// Per number of `dt`, filled up to whole quads.
    dt_weight: Vec<Quad<T>>,
    /// `W_dt` of every lane's channel, sixteen numbers of `dt` at a time.
    by_channel: Vec<[Lanes<T>; WIDTH]>,
}

impl<T: Real> BlockGrad<T> {
    fn new(bag: &Scan<'_, T>, block: &Block<T>) -> Self {
        let Size { state, rank, .. } = bag.size;
        let zero = splat(T::zero());
        let quads = vec![[zero; QUAD]; state.div_ceil(QUAD)];
        let mut by_channel = vec![[zero; WIDTH]; rank.div_ceil(WIDTH)];
        for (lane, channel) in block.channels.clone().enumerate() {
            let weights = bag.dt_weight[channel * rank..][..rank].chunks(WIDTH);
            by_channel.iter_mut().zip(weights).for_each(|(to, from)| to[lane] = lanes::load(from));
        }
        Self {
            carried: quads.clone(),
            decay: quads,
            skip: zero,
            dt_bias: zero,
            dt_weight: vec![[zero; QUAD]; rank.div_ceil(QUAD)],
            by_channel,
        }
    }

    /// Appends those of the block's channels.
    fn append_to(&self, part: &mut Part<T>, block: &Block<T>, size: Size) {
        let n = block.channels.len();
        for lane in 0..n {
            part.decay.extend((0..size.state).map(|n| self.decay[n / QUAD][n % QUAD][lane]));
            let weight = self.dt_weight.as_flattened()[..size.rank].iter();
            part.dt_weight.extend(weight.map(|it| it[lane]));
        }
        part.skip.extend_from_slice(&self.skip[..n]);
        part.dt_bias.extend_from_slice(&self.dt_bias[..n]);
    }
}

/// Scratch of one task, reused for every chunk.
struct Scratch<T> {
    gates: ChunkGates<T>,
    steps: Vec<Step<T>>,
    grads: Vec<StepGrad<T>>,
    trace: Vec<Trace<T>>,
    /// Per quad of states, then per step.
    d_gates: Vec<Vec<GateGrad<T>>>,
    /// Gradient in `dt` of every step, filled up to whole lanes.
    d_dt: Vec<Vec<Lanes<T>>>,
}

impl<T: Real> Scratch<T> {
    fn new(size: Size) -> Self {
        let zero = splat(T::zero());
        let quad = [zero; QUAD];
        Self {
            gates: ChunkGates::new(size),
            steps: vec![Step::zero(); STEPS],
            grads: vec![StepGrad { dy: zero, drive: zero, decay: zero, raw: zero }; STEPS],
            trace: vec![Trace { before: quad, share: quad }; STEPS],
            d_gates: vec![vec![GateGrad { b: quad, c: quad }; STEPS]; size.state.div_ceil(QUAD)],
            d_dt: vec![vec![zero; size.rank.div_ceil(WIDTH)]; STEPS],
        }
    }

    fn clear_sums(&mut self) {
        let zero = splat(T::zero());
        let gates = GateGrad { b: [zero; QUAD], c: [zero; QUAD] };
        self.d_gates.iter_mut().for_each(|steps| steps.fill(gates));
        self.d_dt.iter_mut().for_each(|step| step.fill(zero));
    }
}

impl<T: Real> Kernel for Task<'_, T> {
    type Output = Part<T>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Part<T> {
        let size = self.bag.size;
        let (bag, channels) = self.of.clone();
        let blocks = Block::of(&self.bag, channels.clone());
        let mut scratch = Scratch::new(size);
        let strip = |_| Strip::new(channels.len(), STEPS);
        let [mut x, mut dy, mut dx] = std::array::from_fn(strip);
        let mut grads: Vec<BlockGrad<T>> =
            blocks.iter().map(|block| BlockGrad::new(&self.bag, block)).collect();
        let in_sum = summed(size.channels) / WIDTH;
        let of_group = vec![T::zero(); size.length * size.row()];
        let mut rows = vec![of_group; blocks.len().div_ceil(in_sum)];
        for (chunk, span) in spans(size.length).enumerate().rev() {
            scratch.gates.fill(&self.bag, span.clone());
            let tokens = span.clone().map(|step| self.bag.path.token(step, size.length));
            x.read(0, tokens.clone().map(|it| &self.bag.x[it * size.channels..][channels.clone()]));
            dy.read(0, tokens.clone().map(|it| &self.dy[it * size.channels..][channels.clone()]));
            let seen = x.blocks().zip(dy.blocks()).zip(dx.blocks_mut());
            let mut seen = seen.map(|((x, dy), dx)| Seen { x, dy, dx });
            let groups = blocks.chunks(in_sum).zip(grads.chunks_mut(in_sum));
            for ((blocks, grads), rows) in groups.zip(&mut rows) {
                scratch.clear_sums();
                for ((block, grad), seen) in blocks.iter().zip(grads).zip(seen.by_ref()) {
                    let states = self.kept.before((bag, chunk), block.channels.start);
                    self.block::<FMA>(block, states, grad, &mut scratch, span.clone(), seen);
                }
                self.put_down(&scratch, rows, span.clone());
            }
            drop(seen);
            dx.write_to(&mut self.dx, tokens);
        }
        let [decay, skip, dt_bias, dt_weight] = [const { Vec::new() }; 4];
        let mut part = Part { of: self.of, rows, decay, skip, dt_bias, dt_weight };
        for (block, grad) in blocks.iter().zip(&grads) {
            grad.append_to(&mut part, block, size);
        }
        part
    }
}

/// One chunk of one block: what went in, the gradient in what came out, and room for the gradient in what went in.
struct Seen<'a, T> {
    x: &'a [Lanes<T>],
    dy: &'a [Lanes<T>],
    dx: &'a mut [Lanes<T>],
}

impl<T: Real> Task<'_, T> {
    /// One chunk of one block, last step first.
    #[inline(always)]
    fn block<const FMA: bool>(
        &self,
        block: &Block<T>,
        states: &[Quad<T>],
        grad: &mut BlockGrad<T>,
        scratch: &mut Scratch<T>,
        span: Range<usize>,
        seen: Seen<'_, T>,
    ) {
        let bag = &self.bag;
        let size = bag.size;
        let tokens = span.clone().map(|step| bag.path.token(step, size.length));
        let Scratch { gates, steps, grads, trace, d_gates, d_dt } = scratch;
        let steps = &mut steps[..span.len()];
        let grads = &mut grads[..span.len()];
        let trace = &mut trace[..span.len()];
        stage::<T, FMA>(steps, block, bag, seen.x, tokens.clone());
        let zero = splat(T::zero());
        for (to, dy) in grads.iter_mut().zip(seen.dy) {
            *to = StepGrad { dy: *dy, drive: zero, decay: zero, raw: zero };
        }
        for (q, state) in states.iter().enumerate() {
            let (decay, gate) = (&block.decay[q], &gates.quads()[q][..steps.len()]);
            let last = remember::<T, FMA>(trace, *state, decay, gate, steps);
            let quad = QuadGrad {
                last,
                carried: &mut grad.carried[q],
                decay: &mut grad.decay[q],
                gates: &mut d_gates[q][..steps.len()],
            };
            quad.run::<FMA>(decay, gate, trace, steps, grads);
        }
        let ln_2 = splat(T::of(std::f64::consts::LN_2));
        for (dx, (step, back)) in seen.dx.iter_mut().zip(steps.iter().zip(grads.iter_mut())) {
            let d_delta = fma::<T, FMA>(back.drive, &step.x, &mul(back.decay, &ln_2));
            // The logistic function of x is e^(x - softplus x), which needs no division.
            let slope = lanes::map(lanes::sub(step.raw, &step.delta), T::exp_fast::<FMA>);
            back.raw = mul(d_delta, &slope);
            *dx = fma::<T, FMA>(back.drive, &step.delta, &mul(block.skip, &back.dy));
            grad.skip = fma::<T, FMA>(back.dy, &step.x, &grad.skip);
            grad.dt_bias = lanes::add(grad.dt_bias, &back.raw);
        }
        let dts = tokens.map(|token| &bag.rows[token * size.row()..][..size.rank]);
        step_size::<T, FMA>(grads, dts, grad, d_dt);
    }

    /// Sums the lanes of a finished chunk into the gradient of its rows `[dt, B, C]`.
    #[inline(always)]
    fn put_down(&self, sums: &Scratch<T>, rows: &mut [T], span: Range<usize>) {
        let size = self.bag.size;
        for (at, index) in span.enumerate() {
            let token = self.bag.path.token(index, size.length);
            let row = &mut rows[token * size.row()..(token + 1) * size.row()];
            let (dt, gates) = row.split_at_mut(size.rank);
            for (dt, sums) in dt.chunks_mut(WIDTH).zip(&sums.d_dt[at]) {
                store(sums, dt);
            }
            let (b, c) = gates.split_at_mut(size.state);
            // Behind a black box the compiler adds up each register; of all at once it would gather single lanes.
            for (n, (b, c)) in b.iter_mut().zip(c).enumerate() {
                let sums = &sums.d_gates[n / QUAD][at];
                *b = lanes::sum(black_box(&sums.b[n % QUAD]));
                *c = lanes::sum(black_box(&sums.c[n % QUAD]));
            }
        }
    }
}

/// Adds what the raw step sizes of a chunk, from rows `dts`, hand on to `W_dt` and to `dt`.
#[inline(always)]
fn step_size<'d, T: Real, const FMA: bool>(
    grads: &[StepGrad<T>],
    dts: impl Iterator<Item = &'d [T]> + Clone,
    grad: &mut BlockGrad<T>,
    d_dt: &mut [Vec<Lanes<T>>],
) {
    for (at, sums) in grad.dt_weight.iter_mut().enumerate() {
        let mut local = *sums;
        for (back, dt) in grads.iter().zip(dts.clone()) {
            let four = four_from(&dt[at * QUAD..]);
            for (sum, dt) in local.iter_mut().zip(four) {
                *sum = fma::<T, FMA>(back.raw, &splat(dt), sum);
            }
        }
        *sums = local;
    }
    for (at, weights) in grad.by_channel.iter().enumerate() {
        // Copied, so that they stay in registers.
        let weights = *weights;
        for (back, d_dt) in grads.iter().zip(d_dt.iter_mut()) {
            let mut local = d_dt[at];
            for (raw, weights) in back.raw.iter().zip(&weights) {
                local = fma::<T, FMA>(*weights, &splat(*raw), &local);
            }
            d_dt[at] = local;
        }
    }
}

/// Walks the states through the chunk again, noting what each step finds and keeps; returns the last ones.
#[inline(always)]
fn remember<T: Real, const FMA: bool>(
    trace: &mut [Trace<T>],
    mut h: Quad<T>,
    decay: &Quad<T>,
    gates: &[Gates<T>],
    steps: &[Step<T>],
) -> Quad<T> {
    for (trace, (step, gates)) in trace.iter_mut().zip(steps.iter().zip(gates)) {
        let Step { drive, delta, .. } = *step;
        for n in 0..QUAD {
            let share = lanes::map(mul(delta, &decay[n]), T::exp2_fast::<FMA>);
            (trace.before[n], trace.share[n]) = (h[n], share);
            h[n] = fma::<T, FMA>(share, &h[n], &mul(drive, &splat(gates.b[n])));
        }
    }
    h
}

/// Four states at the end of a chunk, and where their gradients go.
struct QuadGrad<'a, T> {
    last: Quad<T>,
    carried: &'a mut Quad<T>,
    decay: &'a mut Quad<T>,
    gates: &'a mut [GateGrad<T>],
}

impl<T: Real> QuadGrad<'_, T> {
    #[inline(always)]
    fn run<const FMA: bool>(
        self,
        decay: &Quad<T>,
        gates: &[Gates<T>],
        trace: &[Trace<T>],
        steps: &[Step<T>],
        grads: &mut [StepGrad<T>],
    ) {
        // All that several states share is copied, so that it stays in registers.
        let mut after = self.last;
        let mut carried = *self.carried;
        let mut d_decay = *self.decay;
        let decay = *decay;
        let rows = steps.iter().zip(gates).zip(trace);
        let sums = grads.iter_mut().zip(self.gates);
        for (((step, gates), trace), (grad, sum)) in rows.zip(sums).rev() {
            let (Step { drive, delta, .. }, dy) = (*step, grad.dy);
            let (mut d_drive, mut d_exponents) = (grad.drive, grad.decay);
            for n in 0..QUAD {
                let g = fma::<T, FMA>(dy, &splat(gates.c[n]), &carried[n]);
                sum.c[n] = fma::<T, FMA>(dy, &after[n], &sum.c[n]);
                sum.b[n] = fma::<T, FMA>(g, &drive, &sum.b[n]);
                d_drive = fma::<T, FMA>(g, &splat(gates.b[n]), &d_drive);
                carried[n] = mul(g, &trace.share[n]);
                after[n] = trace.before[n];
                let exponent = mul(carried[n], &after[n]);
                d_exponents = fma::<T, FMA>(exponent, &decay[n], &d_exponents);
                d_decay[n] = fma::<T, FMA>(exponent, &delta, &d_decay[n]);
            }
            (grad.drive, grad.decay) = (d_drive, d_exponents);
        }
        *self.carried = carried;
        *self.decay = d_decay;
    }
}
