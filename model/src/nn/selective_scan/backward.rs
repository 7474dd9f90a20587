//! Gradients by the adjoint recurrence `g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}` (MODELS 4.1).

use std::ops::Range;

use rayon::prelude::*;

use super::super::lanes::{self, Kernel, Lanes, column_windows, dispatch, fma, mul, splat, store};
use super::super::real::Real;
use super::chunk::{Block, Gates, QUAD, Quad, Rows, Step, advance, chunks, raw_delta, stage};
use super::{CHUNK, GROUP, Inputs, Size};

/// Gradients in `x`, `projected` and the packed parameters.
pub(super) fn run<T: Real>(inputs: Inputs<'_, T>, dy: &[T]) -> (Vec<T>, Vec<T>, Vec<T>) {
    let size = inputs.size;
    let mut dx = vec![T::zero(); inputs.x.len()];
    let bag_len = size.length * size.channels;
    let tasks: Vec<Task<'_, T>> = dx
        .chunks_exact_mut(bag_len)
        .zip(dy.chunks_exact(bag_len))
        .enumerate()
        .flat_map(|(bag, (dx, dy))| {
            let windows = column_windows(dx, size.channels, GROUP).into_iter().enumerate();
            windows.map(move |(group, dx)| Task { inputs, bag, group, dy, dx })
        })
        .collect();
    let parts: Vec<Part<T>> = tasks.into_par_iter().map(dispatch).collect();

    let mut d_projected = vec![T::zero(); inputs.projected.len()];
    let mut d_params = vec![T::zero(); inputs.params.len()];
    for part in parts {
        let row_start = part.bag * size.length * size.row();
        add(&mut d_projected[row_start..], &part.d_rows);
        add(&mut d_params[part.group * GROUP * size.params()..], &part.d_params);
    }
    (dx, d_projected, d_params)
}

fn add<T: Real>(to: &mut [T], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
}

struct Task<'a, T> {
    inputs: Inputs<'a, T>,
    bag: usize,
    group: usize,
    dy: &'a [T],
    dx: Vec<&'a mut [T]>,
}

/// A task's share of the sums over channels and over bags.
struct Part<T> {
    bag: usize,
    group: usize,
    d_rows: Vec<T>,
    d_params: Vec<T>,
}

/// What flows back through one step of sixteen channels.
#[derive(Clone, Copy)]
struct StepGrad<T> {
    dy: Lanes<T>,
    /// Derivative of softplus at this step.
    slope: Lanes<T>,
    /// Gradient in `delta_t x_t`.
    drive: Lanes<T>,
    /// Sum over states of the gradient in `delta_t a`, times `a`.
    decay: Lanes<T>,
}

/// The state before a step and what is kept of it.
#[derive(Clone, Copy)]
struct Trace<T> {
    before: Quad<T>,
    kept: Quad<T>,
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
    dt_weight: Vec<Lanes<T>>,
}

impl<T: Real> BlockGrad<T> {
    fn zero(size: Size) -> Self {
        let zero = splat(T::zero());
        let quads = vec![[zero; QUAD]; size.state.div_ceil(QUAD)];
        Self {
            carried: quads.clone(),
            decay: quads,
            skip: zero,
            dt_bias: zero,
            dt_weight: vec![zero; size.rank],
        }
    }

    /// Appends the rows `[A, D, bias, weight]` of the block's channels.
    fn append_to(&self, rows: &mut Vec<T>, block: &Block<T>, size: Size) {
        for lane in 0..block.channels.len() {
            rows.extend((0..size.state).map(|n| self.decay[n / QUAD][n % QUAD][lane]));
            rows.extend([self.skip[lane], self.dt_bias[lane]]);
            rows.extend(self.dt_weight.iter().map(|w| w[lane]));
        }
    }
}

/// Scratch of one task, reused for every chunk.
struct Scratch<T> {
    rows: Rows<T>,
    steps: Vec<Step<T>>,
    grads: Vec<StepGrad<T>>,
    trace: Vec<Trace<T>>,
    /// Per quad of states, then per step.
    gates: Vec<Vec<GateGrad<T>>>,
    /// `[steps, R]`.
    dt: Vec<Lanes<T>>,
}

impl<T: Real> Scratch<T> {
    fn new(size: Size) -> Self {
        let zero = splat(T::zero());
        let quad = [zero; QUAD];
        Self {
            rows: Rows::new(size),
            steps: vec![Step::zero(); CHUNK],
            grads: vec![StepGrad { dy: zero, slope: zero, drive: zero, decay: zero }; CHUNK],
            trace: vec![Trace { before: quad, kept: quad }; CHUNK],
            gates: vec![vec![GateGrad { b: quad, c: quad }; CHUNK]; size.state.div_ceil(QUAD)],
            dt: vec![zero; CHUNK * size.rank],
        }
    }

    fn clear_sums(&mut self) {
        let zero = splat(T::zero());
        let gates = GateGrad { b: [zero; QUAD], c: [zero; QUAD] };
        self.gates.iter_mut().for_each(|steps| steps.fill(gates));
        self.dt.fill(zero);
    }
}

impl<T: Real> Kernel for Task<'_, T> {
    type Output = Part<T>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Part<T> {
        let size = self.inputs.size;
        let first = self.group * GROUP;
        let blocks = Block::of(&self.inputs, first..size.channels.min(first + GROUP));
        let mut scratch = Scratch::new(size);
        let kept = self.kept_states::<FMA>(&blocks, &mut scratch);
        let mut grads: Vec<BlockGrad<T>> = blocks.iter().map(|_| BlockGrad::zero(size)).collect();
        let mut d_rows = vec![T::zero(); size.length * size.row()];
        for (chunk, span) in chunks(size.length).enumerate().rev() {
            let (_, projected) = self.inputs.bag(self.bag);
            scratch.rows.fill(projected, span.clone(), size);
            scratch.clear_sums();
            for (at, (block, grad)) in blocks.iter().zip(&mut grads).enumerate() {
                let states = &kept[chunk * blocks.len() + at];
                self.block::<FMA>(block, states, grad, &mut scratch, span.clone());
            }
            scatter_rows(&scratch, &mut d_rows, span, size);
        }
        let mut d_params = Vec::new();
        for (block, grad) in blocks.iter().zip(&grads) {
            grad.append_to(&mut d_params, block, size);
        }
        Part { bag: self.bag, group: self.group, d_rows, d_params }
    }
}

impl<T: Real> Task<'_, T> {
    /// The state before every chunk: `[chunks, blocks]`.
    #[inline(always)]
    fn kept_states<const FMA: bool>(
        &self,
        blocks: &[Block<T>],
        scratch: &mut Scratch<T>,
    ) -> Vec<Vec<Quad<T>>> {
        let size = self.inputs.size;
        let (x, projected) = self.inputs.bag(self.bag);
        let zero = vec![[splat(T::zero()); QUAD]; size.state.div_ceil(QUAD)];
        let mut kept = vec![zero; blocks.len()];
        let last = size.length.saturating_sub(1) / CHUNK;
        for (chunk, span) in chunks(size.length).enumerate().take(last) {
            scratch.rows.fill(projected, span.clone(), size);
            for (at, block) in blocks.iter().enumerate() {
                let dt = &scratch.rows.dt;
                stage::<T, FMA>(&mut scratch.steps, block, x, dt, span.clone(), size);
                let mut states = kept[chunk * blocks.len() + at].clone();
                let quads = states.iter_mut().zip(&block.decay).zip(&scratch.rows.gates);
                for ((state, decay), gates) in quads {
                    advance::<T, FMA>(state, decay, gates, &mut scratch.steps);
                }
                kept.push(states);
            }
        }
        kept
    }

    /// One chunk of one block, last step first.
    #[inline(always)]
    fn block<const FMA: bool>(
        &mut self,
        block: &Block<T>,
        states: &[Quad<T>],
        grad: &mut BlockGrad<T>,
        scratch: &mut Scratch<T>,
        span: Range<usize>,
    ) {
        let size = self.inputs.size;
        let (x, _) = self.inputs.bag(self.bag);
        let Scratch { rows, steps, grads, trace, gates, dt } = scratch;
        let steps = &mut steps[..span.len()];
        let grads = &mut grads[..span.len()];
        let trace = &mut trace[..span.len()];
        stage::<T, FMA>(steps, block, x, &rows.dt, span.clone(), size);
        for (at, (to, index)) in grads.iter_mut().zip(span.clone()).enumerate() {
            let token = size.direction.token(index, size.length) * size.channels;
            let dy = &self.dy[token + block.channels.start..token + block.channels.end];
            let raw = raw_delta::<T, FMA>(block, &rows.dt[at * size.rank..(at + 1) * size.rank]);
            let (slope, zero) = (lanes::map(raw, T::sigmoid), splat(T::zero()));
            *to = StepGrad { dy: lanes::load(dy), slope, drive: zero, decay: zero };
        }
        for (q, state) in states.iter().enumerate() {
            let (decay, gate) = (&block.decay[q], &rows.gates[q][..steps.len()]);
            remember::<T, FMA>(trace, *state, decay, gate, steps);
            let quad = QuadGrad {
                carried: &mut grad.carried[q],
                decay: &mut grad.decay[q],
                gates: &mut gates[q][..steps.len()],
            };
            quad.run::<FMA>(decay, gate, trace, steps, grads);
        }
        let window =
            block.channels.start - self.group * GROUP..block.channels.end - self.group * GROUP;
        let ln_2 = splat(T::of(std::f64::consts::LN_2));
        for (at, index) in span.enumerate() {
            let (step, back) = (&steps[at], &grads[at]);
            let delta = fma::<T, FMA>(back.drive, &step.x, &mul(back.decay, &ln_2));
            let raw = mul(delta, &back.slope);
            let dx = fma::<T, FMA>(back.drive, &step.delta, &mul(block.skip, &back.dy));
            let token = size.direction.token(index, size.length);
            store(&dx, &mut self.dx[token][window.clone()]);
            grad.skip = fma::<T, FMA>(back.dy, &step.x, &grad.skip);
            grad.dt_bias = fma::<T, FMA>(raw, &splat(T::one()), &grad.dt_bias);
            let range = at * size.rank..(at + 1) * size.rank;
            let sums = dt[range.clone()].iter_mut().zip(&rows.dt[range]);
            let weights = grad.dt_weight.iter_mut().zip(&block.dt_weight);
            for ((sum, dt), (d_weight, weight)) in sums.zip(weights) {
                *sum = fma::<T, FMA>(raw, weight, sum);
                *d_weight = fma::<T, FMA>(raw, &splat(*dt), d_weight);
            }
        }
    }
}

/// Walks the states through the chunk again, keeping each step's.
#[inline(always)]
fn remember<T: Real, const FMA: bool>(
    trace: &mut [Trace<T>],
    mut h: Quad<T>,
    decay: &Quad<T>,
    gates: &[Gates<T>],
    steps: &[Step<T>],
) {
    for (trace, (step, gates)) in trace.iter_mut().zip(steps.iter().zip(gates)) {
        for n in 0..QUAD {
            let kept = lanes::map(mul(step.delta, &decay[n]), T::exp2_fast);
            trace.before[n] = h[n];
            trace.kept[n] = kept;
            h[n] = fma::<T, FMA>(kept, &h[n], &mul(step.drive, &splat(gates.b[n])));
        }
    }
}

/// Where the gradients of four states go.
struct QuadGrad<'a, T> {
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
        let mut carried = *self.carried;
        let mut d_decay = *self.decay;
        let rows = steps.iter().zip(gates).zip(trace);
        let sums = grads.iter_mut().zip(self.gates);
        for (((step, gates), trace), (grad, sum)) in rows.zip(sums).rev() {
            for n in 0..QUAD {
                let b = splat(gates.b[n]);
                let remembered = mul(trace.kept[n], &trace.before[n]);
                let h = fma::<T, FMA>(step.drive, &b, &remembered);
                let g = fma::<T, FMA>(grad.dy, &splat(gates.c[n]), &carried[n]);
                sum.c[n] = fma::<T, FMA>(grad.dy, &h, &sum.c[n]);
                sum.b[n] = fma::<T, FMA>(g, &step.drive, &sum.b[n]);
                grad.drive = fma::<T, FMA>(g, &b, &grad.drive);
                let exponent = mul(g, &remembered);
                grad.decay = fma::<T, FMA>(exponent, &decay[n], &grad.decay);
                d_decay[n] = fma::<T, FMA>(exponent, &step.delta, &d_decay[n]);
                carried[n] = mul(g, &trace.kept[n]);
            }
        }
        *self.carried = carried;
        *self.decay = d_decay;
    }
}

/// Sums the lanes of a finished chunk into the gradient of its rows `[dt, B, C]`.
#[inline(always)]
fn scatter_rows<T: Real>(scratch: &Scratch<T>, d_rows: &mut [T], span: Range<usize>, size: Size) {
    for (at, index) in span.enumerate() {
        let token = size.direction.token(index, size.length);
        let row = &mut d_rows[token * size.row()..(token + 1) * size.row()];
        let (dt, gates) = row.split_at_mut(size.rank);
        let (b, c) = gates.split_at_mut(size.state);
        let sums = &scratch.dt[at * size.rank..(at + 1) * size.rank];
        dt.iter_mut().zip(sums).for_each(|(to, lanes)| *to = lanes::sum(lanes));
        for (n, (b, c)) in b.iter_mut().zip(c).enumerate() {
            let sums = &scratch.gates[n / QUAD][at];
            *b = lanes::sum(&sums.b[n % QUAD]);
            *c = lanes::sum(&sums.c[n % QUAD]);
        }
    }
}
