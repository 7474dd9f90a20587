//! `y` from `x`: one task per bag and group of channels.

use std::hint::black_box;
use std::ops::Range;

use rayon::prelude::*;

use super::super::lanes::{self, Kernel, WIDTH, column_windows, dispatch, splat};
use super::super::real::Real;
use super::super::strip::{STEPS, Strip, group_width, spans};
use super::chunk::{Block, ChunkGates, QUAD, Quad, Step, advance, stage};
use super::{Scan, Size};

/// Channels that a task has at least, if there are as many.
const UNIT: usize = 32;

/// The states before every chunk.
pub(crate) struct Kept<T> {
    size: Size,
    /// Channels per group.
    width: usize,
    /// Per bag and group of channels: `[chunks, blocks, quads]`.
    states: Vec<Vec<Quad<T>>>,
}

impl<T> Kept<T> {
    /// Those of the sixteen channels from `first` on, before a chunk of a bag.
    pub(super) fn before(&self, (bag, chunk): (usize, usize), first: usize) -> &[Quad<T>] {
        let Size { channels, state, .. } = self.size;
        let width = self.width;
        let group = first / width;
        let n_blocks = width.min(channels - group * width).div_ceil(WIDTH);
        let block = chunk * n_blocks + first % width / WIDTH;
        let n_quads = state.div_ceil(QUAD);
        let states = &self.states[bag * channels.div_ceil(width) + group];
        &states[block * n_quads..(block + 1) * n_quads]
    }
}

/// `y` `[b, L, E]`, and the states on its way, empty unless `keeps`.
pub(crate) fn run<T: Real>(scan: Scan<'_, T>, keeps: bool) -> (Vec<T>, Kept<T>) {
    let (size, mut y) = (scan.size, vec![T::zero(); scan.x.len()]);
    let width = group_width(size.channels, UNIT, scan.pieces());
    let bags = y.chunks_exact_mut(size.length * size.channels).enumerate();
    let tasks = bags.flat_map(|(bag, y)| {
        let windows = column_windows(y, size.channels, width).into_iter();
        windows.zip((0..size.channels).step_by(width)).map(move |(y, first)| {
            let channels = first..size.channels.min(first + width);
            Task { bag: scan.bag(bag), channels, y, keeps }
        })
    });
    let tasks: Vec<Task<'_, T>> = tasks.collect();
    let states = tasks.into_par_iter().map(dispatch).collect();
    (y, Kept { size, width, states })
}

struct Task<'a, T> {
    bag: Scan<'a, T>,
    channels: Range<usize>,
    y: Vec<&'a mut [T]>,
    keeps: bool,
}

impl<T: Real> Kernel for Task<'_, T> {
    /// The states before every chunk.
    type Output = Vec<Quad<T>>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let Self { bag, channels, y: mut rows, keeps } = self;
        let size = bag.size;
        let blocks = Block::of(&bag, channels.clone());
        let n_quads = size.state.div_ceil(QUAD);
        let mut states = vec![[splat(T::zero()); QUAD]; blocks.len() * n_quads];
        let n_kept = if keeps { spans(size.length).len() * states.len() } else { 0 };
        let mut kept = Vec::with_capacity(n_kept);
        let mut gates = ChunkGates::new(size);
        let (mut x, mut y) = (Strip::new(channels.len(), STEPS), Strip::new(channels.len(), STEPS));
        let mut buffer = [Step::zero(); STEPS];
        for span in spans(size.length) {
            if keeps {
                kept.extend_from_slice(&states);
            }
            let tokens = span.clone().map(|step| bag.path.token(step, size.length));
            gates.fill(&bag, span.clone());
            x.read(0, tokens.clone().map(|it| &bag.x[it * size.channels..][channels.clone()]));
            let steps = &mut buffer[..span.len()];
            let lanes = x.blocks().zip(y.blocks_mut());
            let blocks = blocks.iter().zip(states.chunks_exact_mut(n_quads));
            for ((block, states), (x, y)) in blocks.zip(lanes) {
                stage::<T, FMA>(steps, block, &bag, x, tokens.clone());
                for (y, x) in y.iter_mut().zip(x) {
                    // Behind a black box the compiler multiplies register by register; of all steps at once it would gather single lanes.
                    *y = lanes::mul(block.skip, black_box(x));
                }
                let quads = states.iter_mut().zip(&block.decay).zip(gates.quads());
                for ((state, decay), gates) in quads {
                    advance::<T, FMA>(state, decay, gates, steps, y);
                }
            }
            y.write_to(&mut rows, tokens);
        }
        kept
    }
}
