//! Transforms of sixteen neighbouring channels, two real ones in one complex transform, and the nodes a learned filter is
//! stored at.
//!
//! With `z = a + ib` for real `a` and `b`: `A_k = (Z_k + conj Z_{L-k}) / 2` and `B_k = (Z_k - conj Z_{L-k}) / 2i`. So
//! odd lengths, which every square grid with its class token has, cost no more than even ones.

use std::sync::{Arc, PoisonError};

use rustfft::Fft;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Zero as _;

use super::super::lanes::WIDTH;
use super::super::real::Real;

/// Tokens laid out at a time: what they hold of a pair of channels fills a line of the cache. Token by token, the lines of all pairs would
/// push each other out.
const TOKENS: usize = 8;

/// Forward and inverse transform of one length.
pub(super) struct Transform<T> {
    length: usize,
    forward: Arc<dyn Fft<T>>,
    inverse: Arc<dyn Fft<T>>,
}

/// Up to [`WIDTH`] channels of one bag, as signals or as spectra.
pub(super) struct Block<T> {
    /// `[pairs, L]`.
    pairs: Vec<Vec<Complex<T>>>,
    scratch: Vec<Complex<T>>,
}

impl<T: Real> Transform<T> {
    pub(super) fn new(length: usize) -> Self {
        let mut planner = T::fft_planner().lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            length,
            forward: planner.plan_fft_forward(length),
            inverse: planner.plan_fft_inverse(length),
        }
    }

    /// Room for the channels of one thread.
    pub(super) fn block(&self) -> Block<T> {
        let scratch = self.forward.get_inplace_scratch_len();
        let scratch = scratch.max(self.inverse.get_inplace_scratch_len());
        Block {
            pairs: vec![vec![Complex::zero(); self.length]; WIDTH / 2],
            scratch: vec![Complex::zero(); scratch],
        }
    }

    /// Spectra of the channels from `first` on of one bag `[L, channels]`, not normalized.
    pub(super) fn forward(
        &self,
        block: &mut Block<T>,
        rows: &[T],
        (first, channels): (usize, usize),
    ) {
        let width = WIDTH.min(channels - first);
        for (at, rows) in rows.chunks(TOKENS * channels).enumerate() {
            for (pair, first) in block.pairs.iter_mut().zip((first..first + width).step_by(2)) {
                let second = (first + 1 < channels).then_some(first + 1);
                let tokens = pair[at * TOKENS..].iter_mut().zip(rows.chunks_exact(channels));
                for (z, row) in tokens {
                    *z = Complex::new(row[first], second.map_or(T::zero(), |it| row[it]));
                }
            }
        }
        for pair in &mut block.pairs[..width.div_ceil(2)] {
            self.forward.process_with_scratch(pair, &mut block.scratch);
        }
    }

    /// Signals of spectra, by `1 / L`, to one row of channels per token. The imaginary parts at 0 and Nyquist have no
    /// effect.
    pub(super) fn inverse(&self, block: &mut Block<T>, rows: &mut [&mut [T]]) {
        let scale = T::one() / T::of(self.length as f64);
        let width = rows.first().map_or(0, |row| row.len());
        for pair in &mut block.pairs[..width.div_ceil(2)] {
            self.inverse.process_with_scratch(pair, &mut block.scratch);
        }
        for (at, rows) in rows.chunks_mut(TOKENS).enumerate() {
            for (pair, first) in block.pairs.iter().zip((0..width).step_by(2)) {
                for (z, row) in pair[at * TOKENS..].iter().zip(rows.iter_mut()) {
                    let channels = row[first..].iter_mut().zip([z.re, z.im]);
                    channels.for_each(|(to, value)| *to = value * scale);
                }
            }
        }
    }
}

impl<T: Real> Block<T> {
    /// *L*.
    pub(super) fn length(&self) -> usize {
        self.pairs.first().map_or(0, Vec::len)
    }

    /// Bin `bin` of both channels of a pair.
    #[inline(always)]
    pub(super) fn bin(&self, pair: usize, bin: usize) -> [Complex<T>; 2] {
        let values = &self.pairs[pair];
        let (z, mirrored) = (values[bin], values[(values.len() - bin) % values.len()].conj());
        let half = T::of(0.5);
        let (sum, difference) = (z + mirrored, z - mirrored);
        [sum * half, Complex::new(difference.im, -difference.re) * half]
    }

    /// Replaces bin `bin` of both channels of a pair, and its mirror image.
    #[inline(always)]
    pub(super) fn set_bin(&mut self, pair: usize, bin: usize, [a, b]: [Complex<T>; 2]) {
        let values = &mut self.pairs[pair];
        let length = values.len();
        if edge(bin, length) {
            values[bin] = Complex::new(a.re, b.re);
        } else {
            values[bin] = Complex::new(a.re - b.im, a.im + b.re);
            values[length - bin] = Complex::new(a.re + b.im, b.re - a.im);
        }
    }
}

/// Whether a bin is 0 or Nyquist and so stands for one frequency, not for a pair.
pub(super) fn edge(bin: usize, length: usize) -> bool {
    bin == 0 || 2 * bin == length
}

/// Where a bin lies between two nodes.
pub(super) struct Node<T> {
    pub(super) first: usize,
    /// Weight of the node after `first`.
    pub(super) weight: T,
}

/// Every bin of a transform of length `length` among `count >= 2` equally spaced nodes.
pub(super) fn nodes<T: Real>(length: usize, count: usize) -> Vec<Node<T>> {
    let at = |bin: usize| {
        let position = 2.0 * bin as f64 / length as f64 * (count - 1) as f64;
        let first = (position.floor() as usize).min(count - 2);
        Node { first, weight: T::of(position - first as f64) }
    };
    (0..=length / 2).map(at).collect()
}
