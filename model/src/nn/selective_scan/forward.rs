//! `y` from `x`: one task per bag and group of channels.

use rayon::prelude::*;

use super::super::lanes::{self, Kernel, WIDTH, column_windows, dispatch, splat, store};
use super::super::real::Real;
use super::chunk::{Block, ChunkGates, QUAD, Quad, Step, advance, stage};
use super::{CHUNK, Scan, Size};

/// Channels per task.
const GROUP: usize = 64;

/// The states before every chunk.
pub(crate) struct Kept<T> {
    size: Size,
    /// Per bag and group of channels, per scan: `[chunks, blocks, quads]`.
    states: Vec<Vec<Vec<Quad<T>>>>,
}

impl<T> Kept<T> {
    /// Those of the sixteen channels from `first` on, before a chunk of a bag's `scan`-th scan.
    pub(super) fn before(
        &self,
        (bag, scan, chunk): (usize, usize, usize),
        first: usize,
    ) -> &[Quad<T>] {
        let Size { channels, state, .. } = self.size;
        let group = first / GROUP;
        let n_blocks = GROUP.min(channels - group * GROUP).div_ceil(WIDTH);
        let block = chunk * n_blocks + first % GROUP / WIDTH;
        let n_quads = state.div_ceil(QUAD);
        let states = &self.states[bag * channels.div_ceil(GROUP) + group][scan];
        &states[block * n_quads..(block + 1) * n_quads]
    }
}

/// The sum of several scans of one size, `[b, L, E]`, and the states of their ways, empty unless `keeps`.
///
/// # Panics
/// Without a scan.
pub(crate) fn run<T: Real>(scans: &[Scan<'_, T>], keeps: bool) -> (Vec<T>, Kept<T>) {
    let (size, values) = (scans[0].size, scans[0].x.len());
    let mut y = vec![T::zero(); values];
    let bags = y.chunks_exact_mut(size.length * size.channels);
    let tasks: Vec<Task<'_, T>> = bags
        .enumerate()
        .flat_map(|(bag, y)| {
            let windows = column_windows(y, size.channels, GROUP).into_iter().enumerate();
            windows.map(move |(group, y)| Task { scans, bag, group, y, keeps })
        })
        .collect();
    let states = tasks.into_par_iter().map(dispatch).collect();
    (y, Kept { size, states })
}

struct Task<'a, T> {
    scans: &'a [Scan<'a, T>],
    bag: usize,
    group: usize,
    y: Vec<&'a mut [T]>,
    keeps: bool,
}

impl<T: Real> Kernel for Task<'_, T> {
    /// Per scan the states before every chunk.
    type Output = Vec<Vec<Quad<T>>>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Self::Output {
        let mut kept = Vec::with_capacity(self.scans.len());
        for scan in self.scans {
            kept.push(self.add::<FMA>(scan.bag(self.bag)));
        }
        kept
    }
}

impl<T: Real> Task<'_, T> {
    /// Adds one scan.
    #[inline(always)]
    fn add<const FMA: bool>(&mut self, bag: Scan<'_, T>) -> Vec<Quad<T>> {
        let size = bag.size;
        let first = self.group * GROUP;
        let blocks = Block::of(&bag, first..size.channels.min(first + GROUP));
        let n_quads = size.state.div_ceil(QUAD);
        let mut states = vec![[splat(T::zero()); QUAD]; blocks.len() * n_quads];
        let mut kept = Vec::new();
        let mut gates = ChunkGates::new(size);
        let mut buffer = [Step::zero(); CHUNK];
        for span in size.spans() {
            if self.keeps {
                kept.extend_from_slice(&states);
            }
            gates.fill(&bag, span.clone());
            let steps = &mut buffer[..span.len()];
            for (block, states) in blocks.iter().zip(states.chunks_exact_mut(n_quads)) {
                stage::<T, FMA>(steps, block, &bag, span.clone());
                let quads = states.iter_mut().zip(&block.decay).zip(gates.quads());
                for ((state, decay), gates) in quads {
                    advance::<T, FMA>(state, decay, gates, steps);
                }
                let window = block.channels.start - first..block.channels.end - first;
                for (step, index) in steps.iter().zip(span.clone()) {
                    let y = &mut self.y[bag.path.token(index, size.length)][window.clone()];
                    store(&lanes::add(lanes::load(y), &step.y), y);
                }
            }
        }
        kept
    }
}
