//! Gradients by the adjoint recurrence `g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}` (MODELS 4.1).

use std::ops::Range;

use rayon::prelude::*;

use super::super::lanes::{self, Kernel, Lanes, column_windows, dispatch, fma, mul, splat, store};
use super::super::real::Real;
use super::chunk::{Block, ChunkGates, Gates, QUAD, Quad, Step, advance, chunks, stage};
use super::{CHUNK, GROUP, Inputs, Size};

/// Gradients in `x`, `raw` and the packed gates and parameters.
pub(super) fn run<T: Real>(inputs: Inputs<'_, T>, dy: &[T]) -> [Vec<T>; 3] {
    let size = inputs.size;
    let mut dx = vec![T::zero(); inputs.x.len()];
    let mut d_raw = vec![T::zero(); inputs.raw.len()];
    let bag_len = size.length * size.channels;
    let bags = dx.chunks_exact_mut(bag_len).zip(d_raw.chunks_exact_mut(bag_len));
    let tasks: Vec<Task<'_, T>> = bags
        .zip(dy.chunks_exact(bag_len))
        .enumerate()
        .flat_map(|(bag, ((dx, d_raw), dy))| {
            let windows = |of| column_windows(of, size.channels, GROUP).into_iter();
            let windows = windows(dx).zip(windows(d_raw)).enumerate();
            windows.map(move |(group, (dx, d_raw))| Task { inputs, bag, group, dy, dx, d_raw })
        })
        .collect();
    let parts: Vec<Part<T>> = tasks.into_par_iter().map(dispatch).collect();

    let mut d_packed = vec![T::zero(); inputs.gates.len() + size.params()];
    let (d_gates, d_params) = d_packed.split_at_mut(inputs.gates.len());
    let (d_decay, rest) = d_params.split_at_mut(size.channels * size.state);
    let (d_skip, d_bias) = rest.split_at_mut(size.channels);
    for part in parts {
        let first = part.group * GROUP;
        add(&mut d_gates[part.bag * size.length * size.gates()..], &part.d_gates);
        add(&mut d_decay[first * size.state..], &part.d_decay);
        add(&mut d_skip[first..], &part.d_skip);
        add(&mut d_bias[first..], &part.d_bias);
    }
    [dx, d_raw, d_packed]
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
    d_raw: Vec<&'a mut [T]>,
}

/// A task's share of the sums over channels and over bags.
struct Part<T> {
    bag: usize,
    group: usize,
    d_gates: Vec<T>,
    d_decay: Vec<T>,
    d_skip: Vec<T>,
    d_bias: Vec<T>,
}

/// What flows back through one step of sixteen channels.
#[derive(Clone, Copy)]
struct StepGrad<T> {
    dy: Lanes<T>,
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
}

impl<T: Real> BlockGrad<T> {
    fn zero(size: Size) -> Self {
        let zero = splat(T::zero());
        let quads = vec![[zero; QUAD]; size.state.div_ceil(QUAD)];
        Self { carried: quads.clone(), decay: quads, skip: zero, dt_bias: zero }
    }

    /// Appends those of the block's channels.
    fn append_to(&self, part: &mut Part<T>, block: &Block<T>, size: Size) {
        let n = block.channels.len();
        for lane in 0..n {
            part.d_decay.extend((0..size.state).map(|n| self.decay[n / QUAD][n % QUAD][lane]));
        }
        part.d_skip.extend_from_slice(&self.skip[..n]);
        part.d_bias.extend_from_slice(&self.dt_bias[..n]);
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
}

impl<T: Real> Scratch<T> {
    fn new(size: Size) -> Self {
        let zero = splat(T::zero());
        let quad = [zero; QUAD];
        Self {
            gates: ChunkGates::new(size),
            steps: vec![Step::zero(); CHUNK],
            grads: vec![StepGrad { dy: zero, drive: zero, decay: zero }; CHUNK],
            trace: vec![Trace { before: quad, kept: quad }; CHUNK],
            d_gates: vec![vec![GateGrad { b: quad, c: quad }; CHUNK]; size.state.div_ceil(QUAD)],
        }
    }

    fn clear_sums(&mut self) {
        let zero = splat(T::zero());
        let gates = GateGrad { b: [zero; QUAD], c: [zero; QUAD] };
        self.d_gates.iter_mut().for_each(|steps| steps.fill(gates));
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
        let mut d_gates = vec![T::zero(); size.length * size.gates()];
        for (chunk, span) in chunks(size.length).enumerate().rev() {
            scratch.gates.fill(self.inputs.bag(self.bag).gates, span.clone(), size);
            scratch.clear_sums();
            for (at, (block, grad)) in blocks.iter().zip(&mut grads).enumerate() {
                let states = &kept[chunk * blocks.len() + at];
                self.block::<FMA>(block, states, grad, &mut scratch, span.clone());
            }
            scatter_gates(&scratch.d_gates, &mut d_gates, span, size);
        }
        let (d_decay, d_skip, d_bias) = (Vec::new(), Vec::new(), Vec::new());
        let mut part = Part { bag: self.bag, group: self.group, d_gates, d_decay, d_skip, d_bias };
        for (block, grad) in blocks.iter().zip(&grads) {
            grad.append_to(&mut part, block, size);
        }
        part
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
        let bag = self.inputs.bag(self.bag);
        let zero = vec![[splat(T::zero()); QUAD]; size.state.div_ceil(QUAD)];
        let mut kept = vec![zero; blocks.len()];
        let last = size.length.saturating_sub(1) / CHUNK;
        for (chunk, span) in chunks(size.length).enumerate().take(last) {
            scratch.gates.fill(bag.gates, span.clone(), size);
            for (at, block) in blocks.iter().enumerate() {
                stage(&mut scratch.steps, block, &bag, span.clone());
                let mut states = kept[chunk * blocks.len() + at].clone();
                let quads = states.iter_mut().zip(&block.decay).zip(scratch.gates.quads());
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
        let bag = self.inputs.bag(self.bag);
        let size = bag.size;
        let tokens = span.clone().map(|step| size.direction.token(step, size.length));
        let Scratch { gates, steps, grads, trace, d_gates } = scratch;
        let steps = &mut steps[..span.len()];
        let grads = &mut grads[..span.len()];
        let trace = &mut trace[..span.len()];
        stage(steps, block, &bag, span.clone());
        let zero = splat(T::zero());
        for (to, token) in grads.iter_mut().zip(tokens.clone()) {
            let start = token * size.channels;
            let dy = &self.dy[start + block.channels.start..start + block.channels.end];
            *to = StepGrad { dy: lanes::load(dy), drive: zero, decay: zero };
        }
        for (q, state) in states.iter().enumerate() {
            let (decay, gate) = (&block.decay[q], &gates.quads()[q][..steps.len()]);
            remember::<T, FMA>(trace, *state, decay, gate, steps);
            let quad = QuadGrad {
                carried: &mut grad.carried[q],
                decay: &mut grad.decay[q],
                gates: &mut d_gates[q][..steps.len()],
            };
            quad.run::<FMA>(decay, gate, trace, steps, grads);
        }
        let first = self.group * GROUP;
        let window = block.channels.start - first..block.channels.end - first;
        let ln_2 = splat(T::of(std::f64::consts::LN_2));
        for (token, (step, back)) in tokens.zip(steps.iter().zip(grads.iter())) {
            let d_delta = fma::<T, FMA>(back.drive, &step.x, &mul(back.decay, &ln_2));
            let d_raw = mul(d_delta, &lanes::map(step.raw, T::sigmoid));
            let dx = fma::<T, FMA>(back.drive, &step.delta, &mul(block.skip, &back.dy));
            store(&dx, &mut self.dx[token][window.clone()]);
            store(&d_raw, &mut self.d_raw[token][window.clone()]);
            grad.skip = fma::<T, FMA>(back.dy, &step.x, &grad.skip);
            grad.dt_bias = lanes::add(grad.dt_bias, &d_raw);
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

/// Sums the lanes of a finished chunk into the gradient of its rows `[B, C]`.
#[inline(always)]
fn scatter_gates<T: Real>(
    sums: &[Vec<GateGrad<T>>],
    d_gates: &mut [T],
    span: Range<usize>,
    size: Size,
) {
    for (at, index) in span.enumerate() {
        let token = size.direction.token(index, size.length);
        let row = &mut d_gates[token * size.gates()..(token + 1) * size.gates()];
        let (b, c) = row.split_at_mut(size.state);
        for (n, (b, c)) in b.iter_mut().zip(c).enumerate() {
            let sums = &sums[n / QUAD][at];
            *b = lanes::sum(&sums.b[n % QUAD]);
            *c = lanes::sum(&sums.c[n % QUAD]);
        }
    }
}
