//! One real transform at a time with its buffers, and the nodes a learned filter is stored at.

use std::sync::{Arc, PoisonError};

use candle_core::{Error, Result};
use realfft::num_complex::Complex;
use realfft::num_traits::Zero as _;
use realfft::{ComplexToReal, RealToComplex};

use super::super::real::Real;

/// Forward and inverse transform of one length.
pub(super) struct Transform<T> {
    length: usize,
    forward: Arc<dyn RealToComplex<T>>,
    inverse: Arc<dyn ComplexToReal<T>>,
}

/// Buffers of one thread.
pub(super) struct Work<T> {
    signal: Vec<T>,
    /// `L / 2 + 1` bins.
    pub(super) spectrum: Vec<Complex<T>>,
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

    pub(super) fn work(&self) -> Work<T> {
        let scratch = self.forward.get_scratch_len().max(self.inverse.get_scratch_len());
        Work {
            signal: vec![T::zero(); self.length],
            spectrum: vec![Complex::zero(); self.length / 2 + 1],
            scratch: vec![Complex::zero(); scratch],
        }
    }

    /// Spectrum of a signal, not normalized.
    pub(super) fn forward<'a>(
        &self,
        work: &mut Work<T>,
        signal: impl Iterator<Item = &'a T>,
    ) -> Result<()> {
        work.signal.iter_mut().zip(signal).for_each(|(to, from)| *to = *from);
        self.forward
            .process_with_scratch(&mut work.signal, &mut work.spectrum, &mut work.scratch)
            .map_err(Error::wrap)
    }

    /// Signal of a spectrum, by `1 / L`. The imaginary parts at 0 and Nyquist have no effect.
    pub(super) fn inverse<'a>(&self, work: &'a mut Work<T>) -> Result<&'a [T]> {
        let scale = T::one() / T::of(self.length as f64);
        for (bin, value) in work.spectrum.iter_mut().enumerate() {
            let im = if edge(bin, self.length) { T::zero() } else { value.im * scale };
            *value = Complex::new(value.re * scale, im);
        }
        self.inverse
            .process_with_scratch(&mut work.spectrum, &mut work.signal, &mut work.scratch)
            .map_err(Error::wrap)?;
        Ok(&work.signal)
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

/// Gradient of one channel's filter.
pub(super) struct Gradient<T> {
    pub(super) re: Vec<T>,
    pub(super) im: Vec<T>,
}

impl<T: Real> Gradient<T> {
    pub(super) fn zero(count: usize) -> Self {
        Self { re: vec![T::zero(); count], im: vec![T::zero(); count] }
    }

    /// Spreads a bin's gradient over its two nodes.
    pub(super) fn add(&mut self, node: &Node<T>, bin: Complex<T>) {
        let share = [(node.first, T::one() - node.weight), (node.first + 1, node.weight)];
        for (at, weight) in share {
            self.re[at] += weight * bin.re;
            self.im[at] += weight * bin.im;
        }
    }
}
