//! Filters along the token axis by FFT: the learnable frequency-domain encoding (Alg. 1, Eqs 10-12)
//! and fixed bands (Table 5).
//!
//! `rfft` is not normalized, its inverse by `1 / L`. Frequencies are relative: 0 is the mean, 1 Nyquist.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;
use rustfft::num_complex::Complex;
use serde::{Deserialize, Serialize};

use super::fused::{Fused, apply1};
use super::lanes::{WIDTH, column_windows};
use super::real::Real;
use super::strip::group_width;
use super::vectors::Vectors;

mod inspect;
mod learned;
mod transform;

pub(crate) use inspect::{interpolated_filter, spectrum};
pub(crate) use learned::{learned_filter, learned_filter_on};
use transform::{Gain, Transform, amplify};

/// Where "low" ends, relative to Nyquist.
const LOW: f64 = 0.2;
/// Where "high" begins, relative to Nyquist.
const HIGH: f64 = 0.8;

/// A third of the spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below 0.2 of Nyquist.
    Low,
    /// From 0.2 to 0.8 of Nyquist, both included.
    Mid,
    /// Above 0.8 of Nyquist.
    High,
}

impl Band {
    /// Every band, from coarse to fine.
    pub const ALL: [Self; 3] = [Self::Low, Self::Mid, Self::High];

    /// Whether bin `bin` of a transform of length `length` belongs to the band.
    pub(crate) fn contains(self, bin: usize, length: usize) -> bool {
        let frequency = 2.0 * bin as f64 / length as f64;
        match self {
            Self::Low => frequency < LOW,
            Self::Mid => (LOW..=HIGH).contains(&frequency),
            Self::High => frequency > HIGH,
        }
    }
}

/// The part of `x` `[b, L, E]` that lies in `band`; the three bands sum to `x`.
///
/// # Errors
/// If the type is neither `f32` nor `f64`.
pub(crate) fn band_pass(x: &Tensor, band: Band) -> Result<Tensor> {
    apply1(BandPass { band, passage: Passage::default() }, x)
}

/// What passes beside a filter, and what does not reach it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passage {
    /// Whether the signal itself is added to what the filter makes of it.
    pub(crate) adds_signal: bool,
    /// Bands that are kept from the filter.
    pub(crate) without: Vec<Band>,
}

impl Passage {
    /// The gain beside the filter.
    fn beside<T: Real>(&self) -> T {
        if self.adds_signal { T::one() } else { T::zero() }
    }

    /// How much of a bin reaches the filter.
    fn reaches<T: Real>(&self, bin: usize, length: usize) -> T {
        let is_muted = self.without.iter().any(|band| band.contains(bin, length));
        if is_muted { T::zero() } else { T::one() }
    }
}

/// One band, on a tape.
pub(crate) struct BandPass {
    pub(crate) band: Band,
    pub(crate) passage: Passage,
}

impl BandPass {
    fn pass<T: Real>(&self, x: &[T], (length, channels): (usize, usize)) -> Vec<T> {
        let gain = |bin| {
            let is_passed = self.band.contains(bin, length);
            let passed = if is_passed { self.passage.reaches(bin, length) } else { T::zero() };
            Gain::of_both(Complex::new(self.passage.beside::<T>() + passed, T::zero()))
        };
        let gains: Vec<Gain<T>> = (0..=length / 2).map(gain).collect();
        let (y, _) = filter(x, (length, channels), |_| gains.clone(), false);
        y
    }
}

impl Fused<1> for BandPass {
    const NAME: &'static str = "band pass";
    /// Length and channels.
    type Plan = (usize, usize);

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((usize, usize), Shape)> {
        match *x {
            [_, length, channels] => Ok(((length, channels), x.into())),
            _ => bail!("band pass: expected [b, L, E], found {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, plan: &(usize, usize), [x]: [&[T]; 1]) -> Vec<T> {
        self.pass(x, *plan)
    }

    /// A real symmetric gain is its own adjoint.
    fn backward<T: Vectors>(
        &self,
        plan: &(usize, usize),
        _: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        [self.pass(dy, *plan)]
    }
}

/// Spectra of up to [`WIDTH`] channels of every bag, `[b, pairs, L]`.
type Spectra<T> = Vec<Complex<T>>;

/// Multiplies the spectrum of every channel of every bag by its gains, given for a channel and the one after it. Also the spectra of `x`,
/// for every [`WIDTH`] channels, empty unless `keeps`.
fn filter<T: Real>(
    x: &[T],
    (length, channels): (usize, usize),
    gains: impl Fn(usize) -> Vec<Gain<T>> + Sync,
    keeps: bool,
) -> (Vec<T>, Vec<Spectra<T>>) {
    let transform = Transform::new(length);
    let mut y = vec![T::zero(); x.len()];
    let bag = length * channels;
    let spectra = Group::all(&mut y, (length, channels)).into_par_iter().map(|mut group| {
        let (mut room, mut spectra) = (transform.room(), Vec::new());
        for window in group.windows() {
            let gains: Vec<Vec<Gain<T>>> = window.clone().step_by(2).map(&gains).collect();
            let mut amplified = transform.spectra(window.len());
            let mut kept = Vec::new();
            for (x, y) in x.chunks_exact(bag).zip(group.rows.chunks_exact_mut(length)) {
                let mut of_bag = transform.spectra(window.len());
                transform.forward(&mut room, x, window.clone(), &mut of_bag);
                let pairs = of_bag.chunks_exact(length).zip(amplified.chunks_exact_mut(length));
                pairs.zip(&gains).for_each(|((from, to), gains)| amplify(from, gains, to));
                transform.inverse(&mut room, &mut amplified, y, window.start - group.first);
                if keeps {
                    kept.append(&mut of_bag);
                }
            }
            spectra.push(kept);
        }
        spectra
    });
    let spectra: Vec<Vec<Spectra<T>>> = spectra.collect();
    (y, spectra.into_iter().flatten().collect())
}

/// Neighbouring channels of all tokens of all bags: one task.
struct Group<'a, T> {
    first: usize,
    rows: Vec<&'a mut [T]>,
}

impl<'a, T> Group<'a, T> {
    /// Of bags `[b, L, E]`.
    fn all(bags: &'a mut [T], (length, channels): (usize, usize)) -> Vec<Self> {
        let width = group_width(channels, WIDTH, (bags.len() / (length * channels)).max(1));
        let firsts = (0..channels).step_by(width);
        let groups = firsts.zip(column_windows(bags, channels, width));
        groups.map(|(first, rows)| Self { first, rows }).collect()
    }

    /// The channels that are transformed at a time.
    fn windows(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let end = self.first + self.rows.first().map_or(0, |row| row.len());
        (self.first..end).step_by(WIDTH).map(move |first| first..end.min(first + WIDTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::storage::tensor;
    use crate::testing::{assert_gradients, assert_near, normal};
    use candle_core::{DType, Device};

    #[test]
    fn gradients_equal_finite_differences_at_even_and_odd_lengths() {
        for length in [1, 2, 7, 12] {
            assert_gradients(&[normal(&[2, length, 3], 1)], |t| band_pass(&t[0], Band::Low));
        }
    }

    #[test]
    fn bands_sum_to_the_signal() {
        for length in [1, 2, 5, 92, 101] {
            let x = normal(&[1, length, 17], 4);
            let [low, mid, high] =
                [Band::Low, Band::Mid, Band::High].map(|band| band_pass(&x, band).unwrap());
            assert_near(&((low + mid).unwrap() + high).unwrap(), &x, 1e-12, "sum of bands");
        }
    }

    #[test]
    fn a_constant_is_low_and_an_alternation_is_high() {
        let ones = Tensor::ones((1, 8, 1), DType::F64, &Device::Cpu).unwrap();
        assert_near(&band_pass(&ones, Band::Low).unwrap(), &ones, 1e-12, "constant");
        let signs: Vec<f64> = (0..8).map(|t| if t % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let signs = tensor(signs, (1, 8, 1)).unwrap();
        assert_near(&band_pass(&signs, Band::High).unwrap(), &signs, 1e-12, "alternation");
    }
}
