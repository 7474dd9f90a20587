//! A group of channels along some steps of a path, laid out for vector registers.
//!
//! The tokens of a path lie far apart. Each is read once, all channels of the group together, before anything is computed from it, so that
//! the memory works on many of them at a time.

use std::ops::Range;

use super::lanes::{Lanes, WIDTH, add, load, splat, store};
use super::real::Real;

/// Steps worked on together: what they need fits the first caches.
pub(super) const STEPS: usize = 32;

/// Channels per task, a multiple of `unit`: as many as leave two tasks to every thread, if there are `pieces` pieces of such work beside each
/// other. The wider a task, the longer is what it reads of a token.
pub(super) fn group_width(channels: usize, unit: usize, pieces: usize) -> usize {
    let tasks = (2 * rayon::current_num_threads()).div_ceil(pieces);
    unit * channels.div_ceil(unit).div_ceil(tasks)
}

/// Spans of [`STEPS`] steps out of `length`, the last one shorter.
pub(super) fn spans(
    length: usize,
) -> impl DoubleEndedIterator<Item = Range<usize>> + ExactSizeIterator {
    let span = move |at| at * STEPS..length.min((at + 1) * STEPS);
    (0..length.div_ceil(STEPS)).map(span)
}

/// Sixteen channels after the other, each step by step.
pub(super) struct Strip<T> {
    /// Per sixteen channels.
    steps: usize,
    /// `[blocks, steps]`.
    lanes: Vec<Lanes<T>>,
}

impl<T: Real> Strip<T> {
    /// Zeros.
    pub(super) fn new(channels: usize, steps: usize) -> Self {
        Self { steps, lanes: vec![splat(T::zero()); steps * channels.div_ceil(WIDTH)] }
    }

    /// The steps of every sixteen channels.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[Lanes<T>]> {
        self.lanes.chunks_exact(self.steps)
    }

    /// As [`Self::blocks`], to be written.
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut [Lanes<T>]> {
        self.lanes.chunks_exact_mut(self.steps)
    }

    /// Takes over the channels of tokens, behind `missing` steps of zeros.
    #[inline(always)]
    pub(super) fn read<'x>(&mut self, missing: usize, tokens: impl Iterator<Item = &'x [T]>) {
        for block in self.blocks_mut() {
            block[..missing].fill(splat(T::zero()));
        }
        for (at, token) in (missing..).zip(tokens) {
            let to = self.lanes[at..].iter_mut().step_by(self.steps);
            to.zip(token.chunks(WIDTH)).for_each(|(to, channels)| *to = load(channels));
        }
    }

    /// Writes the first steps over the channels of the rows `tokens`.
    #[inline(always)]
    pub(super) fn write_to(&self, rows: &mut [&mut [T]], tokens: impl Iterator<Item = usize>) {
        for (at, token) in tokens.enumerate() {
            let from = self.lanes[at..].iter().step_by(self.steps);
            from.zip(rows[token].chunks_mut(WIDTH)).for_each(|(from, to)| store(from, to));
        }
    }

    /// As [`Self::write_to`], added to what the rows hold.
    #[inline(always)]
    pub(super) fn add_to(&self, rows: &mut [&mut [T]], tokens: impl Iterator<Item = usize>) {
        for (at, token) in tokens.enumerate() {
            let from = self.lanes[at..].iter().step_by(self.steps);
            for (from, to) in from.zip(rows[token].chunks_mut(WIDTH)) {
                store(&add(load(to), from), to);
            }
        }
    }
}
