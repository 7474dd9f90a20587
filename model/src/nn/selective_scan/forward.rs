//! `y` from `x`: one task per bag and group of channels.

use rayon::prelude::*;

use super::super::lanes::{Kernel, column_windows, dispatch, splat, store};
use super::super::real::Real;
use super::chunk::{Block, ChunkGates, QUAD, Step, advance, chunks, stage};
use super::{CHUNK, GROUP, Inputs};

/// `[b, L, E]`.
pub(super) fn run<T: Real>(inputs: Inputs<'_, T>) -> Vec<T> {
    let size = inputs.size;
    let mut y = vec![T::zero(); inputs.x.len()];
    let bags = y.chunks_exact_mut(size.length * size.channels);
    let tasks: Vec<Task<'_, T>> = bags
        .enumerate()
        .flat_map(|(bag, y)| {
            let windows = column_windows(y, size.channels, GROUP).into_iter().enumerate();
            windows.map(move |(group, y)| Task { inputs, bag, group, y })
        })
        .collect();
    tasks.into_par_iter().for_each(dispatch);
    y
}

struct Task<'a, T> {
    inputs: Inputs<'a, T>,
    bag: usize,
    group: usize,
    y: Vec<&'a mut [T]>,
}

impl<T: Real> Kernel for Task<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let size = self.inputs.size;
        let bag = self.inputs.bag(self.bag);
        let first = self.group * GROUP;
        let blocks = Block::of(&self.inputs, first..size.channels.min(first + GROUP));
        let zero = [splat(T::zero()); QUAD];
        let mut states = vec![vec![zero; size.state.div_ceil(QUAD)]; blocks.len()];
        let mut gates = ChunkGates::new(size);
        let mut buffer = [Step::zero(); CHUNK];
        for span in chunks(size.length) {
            gates.fill(bag.gates, span.clone(), size);
            let steps = &mut buffer[..span.len()];
            for (block, states) in blocks.iter().zip(&mut states) {
                stage(steps, block, &bag, span.clone());
                let quads = states.iter_mut().zip(&block.decay).zip(gates.quads());
                for ((state, decay), gates) in quads {
                    advance::<T, FMA>(state, decay, gates, steps);
                }
                let window = block.channels.start - first..block.channels.end - first;
                for (step, index) in steps.iter().zip(span.clone()) {
                    let token = size.direction.token(index, size.length);
                    store(&step.y, &mut self.y[token][window.clone()]);
                }
            }
        }
    }
}
