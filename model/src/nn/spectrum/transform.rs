//! Transforms of sixteen neighbouring channels, two real ones in one complex transform.
//!
//! With `z = a + ib` for real `a` and `b`: `A_k = (Z_k + conj Z_{L-k}) / 2` and `i B_k = (Z_k - conj Z_{L-k}) / 2`. So
//! odd lengths, which every square grid with its class token has, cost no more than even ones.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use rustfft::Fft;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Zero as _;

use super::super::lanes::WIDTH;
use super::super::real::Real;

/// Tokens laid out at a time: what they hold of a pair of channels fills a line of the cache. Token by token, the lines of all pairs would
/// push each other out.
const TOKENS: usize = 8;

/// How many pairs `channels` channels make, the last one perhaps with nothing beside it.
pub(super) fn pairs(channels: usize) -> usize {
    channels.div_ceil(2)
}

/// Forward and inverse transform of one length.
pub(super) struct Transform<T> {
    length: usize,
    forward: Arc<dyn Fft<T>>,
    inverse: Arc<dyn Fft<T>>,
}

/// What one thread needs to transform up to [`WIDTH`] channels.
pub(super) struct Room<T> {
    /// `[pairs, L]`.
    signals: Vec<Complex<T>>,
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

    pub(super) fn room(&self) -> Room<T> {
        let scratch = self.forward.get_outofplace_scratch_len();
        let scratch = scratch.max(self.inverse.get_outofplace_scratch_len());
        Room { signals: self.spectra(WIDTH), scratch: vec![Complex::zero(); scratch] }
    }

    /// Zeros in place of the spectra of `channels` channels, `[pairs, L]`.
    pub(super) fn spectra(&self, channels: usize) -> Vec<Complex<T>> {
        vec![Complex::zero(); pairs(channels) * self.length]
    }

    /// Spectra `[pairs, L]` of some channels of one bag `[L, E]`, not normalized.
    pub(super) fn forward(
        &self,
        room: &mut Room<T>,
        rows: &[T],
        channels: Range<usize>,
        spectra: &mut [Complex<T>],
    ) {
        let Room { signals, scratch } = room;
        let columns = rows.len() / self.length;
        for (at, rows) in rows.chunks(TOKENS * columns).enumerate() {
            let firsts = channels.clone().step_by(2);
            for (signal, first) in signals.chunks_exact_mut(self.length).zip(firsts) {
                let second = (first + 1 < channels.end).then_some(first + 1);
                let tokens = signal[at * TOKENS..].iter_mut().zip(rows.chunks_exact(columns));
                for (z, row) in tokens {
                    *z = Complex::new(row[first], second.map_or(T::zero(), |it| row[it]));
                }
            }
        }
        for (from, to) in self.each(signals).zip(self.each(spectra)) {
            self.forward.process_outofplace_with_scratch(from, to, scratch);
        }
    }

    /// Signals of spectra `[pairs, L]`, which are used up, by `1 / L`, to the channels of rows, one per token, from `first` on. The imaginary
    /// parts at 0 and Nyquist have no effect.
    pub(super) fn inverse(
        &self,
        room: &mut Room<T>,
        spectra: &mut [Complex<T>],
        rows: &mut [&mut [T]],
        first: usize,
    ) {
        let Room { signals, scratch } = room;
        for (from, to) in self.each(spectra).zip(self.each(signals)) {
            self.inverse.process_outofplace_with_scratch(from, to, scratch);
        }
        let scale = T::one() / T::of(self.length as f64);
        let pairs = spectra.len() / self.length;
        for (at, rows) in rows.chunks_mut(TOKENS).enumerate() {
            let firsts = (first..).step_by(2).take(pairs);
            for (signal, first) in signals.chunks_exact(self.length).zip(firsts) {
                for (z, row) in signal[at * TOKENS..].iter().zip(rows.iter_mut()) {
                    let channels = row[first..].iter_mut().zip([z.re, z.im]);
                    channels.for_each(|(to, value)| *to = value * scale);
                }
            }
        }
    }

    /// Pair by pair.
    fn each<'a>(
        &self,
        pairs: &'a mut [Complex<T>],
    ) -> impl Iterator<Item = &'a mut [Complex<T>]> + use<'a, T> {
        pairs.chunks_exact_mut(self.length)
    }
}

/// Bin `bin` of both channels of a pair, from the spectrum of their pair.
#[inline(always)]
pub(super) fn split<T: Real>(spectrum: &[Complex<T>], bin: usize) -> [Complex<T>; 2] {
    let (z, mirrored) = (spectrum[bin], spectrum[(spectrum.len() - bin) % spectrum.len()].conj());
    let half = T::of(0.5);
    let difference = z - mirrored;
    [(z + mirrored) * half, Complex::new(difference.im, -difference.re) * half]
}

/// By what a bin of two channels is multiplied, `W_a` and `W_b`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gain<T> {
    /// `(W_a + W_b) / 2`.
    pub(super) mean: Complex<T>,
    /// `(W_a - W_b) / 2`.
    pub(super) apart: Complex<T>,
}

impl<T: Real> Gain<T> {
    /// The same for both channels.
    pub(super) fn of_both(gain: Complex<T>) -> Self {
        Self { mean: gain, apart: Complex::zero() }
    }

    /// That of the adjoint.
    pub(super) fn conj(self) -> Self {
        Self { mean: self.mean.conj(), apart: self.apart.conj() }
    }

    /// What stands at bin `k` from what stands there and the conjugate of what stands at `L - k`.
    #[inline(always)]
    fn times(self, z: Complex<T>, mirrored: Complex<T>) -> Complex<T> {
        self.mean * z + self.apart * mirrored
    }

    /// The same for a bin that is its own mirror image: its spectra are real, so of the gains only the real parts count.
    #[inline(always)]
    fn times_real(self, z: Complex<T>) -> Complex<T> {
        z * self.mean.re + z.conj() * self.apart.re
    }
}

/// Multiplies the bins of two channels, given and returned as the spectrum of their pair, by gains at `0..=L / 2`.
pub(super) fn amplify<T: Real>(
    spectrum: &[Complex<T>],
    gains: &[Gain<T>],
    amplified: &mut [Complex<T>],
) {
    let length = spectrum.len();
    for bin in edges(length) {
        amplified[bin] = gains[bin].times_real(spectrum[bin]);
    }
    let (low, high) = inner(length);
    let (below, above) = amplified.split_at_mut(high.start);
    let to = below[low.clone()].iter_mut().zip(above.iter_mut().rev());
    let from = spectrum[low.clone()].iter().zip(spectrum[high].iter().rev());
    for ((to, to_mirrored), ((z, mirrored), gain)) in to.zip(from.zip(&gains[low])) {
        let mirrored = mirrored.conj();
        *to = gain.times(*z, mirrored);
        *to_mirrored = gain.times(mirrored, *z).conj();
    }
}

/// Bin 0 and Nyquist, if there is one: those that stand for one frequency, not for a pair.
pub(super) fn edges(length: usize) -> impl Iterator<Item = usize> {
    let nyquist = (length.is_multiple_of(2)).then_some(length / 2);
    std::iter::once(0).chain(nyquist)
}

/// The bins between the edges, upwards, and their mirror images.
pub(super) fn inner(length: usize) -> (Range<usize>, Range<usize>) {
    (1..length.div_ceil(2), length / 2 + 1..length)
}
