//! Filters along the token axis by FFT: the learnable frequency-domain encoding (Alg. 1, Eqs 10-12)
//! and fixed bands (Table 5).
//!
//! `rfft` is not normalized, its inverse by `1 / L`. Frequencies are relative: 0 is the mean, 1 Nyquist.
//! A learned filter is stored at equally spaced frequencies and interpolated, so it fits any length.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Zero as _;
use serde::{Deserialize, Serialize};

use super::fused::{Fused, apply, apply1};
use super::lanes::{WIDTH, column_windows};
use super::real::Real;
use super::vectors::Vectors;

mod inspect;
mod transform;

pub(crate) use inspect::{interpolated_filter, spectrum};
use transform::{Block, Node, Transform, edge, nodes};

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

/// `irfft(W rfft(x))` per channel: `x` `[b, L, E]`; real and imaginary part of `W` at `G` nodes, each `[E, G]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn learned_filter(x: &Tensor, re: &Tensor, im: &Tensor) -> Result<Tensor> {
    apply(LearnedFilter { passage: Passage::default() }, [x, re, im])
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
            Complex::new(self.passage.beside::<T>() + passed, T::zero())
        };
        let gains: Vec<Complex<T>> = (0..=length / 2).map(gain).collect();
        filter(x, length, channels, |_, bin| gains[bin])
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

/// A learned filter, on a tape.
pub(crate) struct LearnedFilter {
    pub(crate) passage: Passage,
}

/// Length, channels and nodes.
pub(crate) struct FilterPlan {
    length: usize,
    channels: usize,
    count: usize,
}

impl Fused for LearnedFilter {
    const NAME: &'static str = "learned filter";
    type Plan = FilterPlan;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(FilterPlan, Shape)> {
        match dims {
            [x @ &[_, length, channels], re @ &[filters, count], im]
                if filters == channels && 2 <= count && re == im =>
            {
                Ok((FilterPlan { length, channels, count }, x.into()))
            }
            [x, re, im] => bail!(
                "learned filter of {x:?}: expected two of a row of at least 2 nodes per channel, found {re:?} and {im:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, plan: &FilterPlan, [x, re, im]: [&[T]; 3]) -> Vec<T> {
        let weights = Weights { re, im, count: plan.count, beside: self.passage.beside() };
        let bins = self.bins(plan);
        filter(x, plan.length, plan.channels, |channel, bin| weights.gain(channel, &bins[bin]))
    }

    fn backward<T: Vectors>(
        &self,
        plan: &FilterPlan,
        [x, re, im]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let weights = Weights { re, im, count: plan.count, beside: self.passage.beside() };
        let (dx, dw) = adjoint(x, (weights, &self.bins(plan)), dy, (plan.length, plan.channels));
        let part = |part: fn(&Complex<T>) -> T| dw.iter().flatten().map(part).collect();
        [dx, part(|w| w.re), part(|w| w.im)]
    }
}

impl LearnedFilter {
    fn bins<T: Real>(&self, plan: &FilterPlan) -> Vec<Bin<T>> {
        let nodes = nodes(plan.length, plan.count).into_iter().enumerate();
        let reach = |bin| self.passage.reaches(bin, plan.length);
        nodes.map(|(bin, node)| Bin { node, reach: reach(bin) }).collect()
    }
}

/// A bin of a learned filter.
struct Bin<T> {
    node: Node<T>,
    /// How much of it reaches the filter.
    reach: T,
}

/// A learned filter at its nodes, `[E, G]` each.
#[derive(Clone, Copy)]
struct Weights<'a, T> {
    re: &'a [T],
    im: &'a [T],
    /// *G*.
    count: usize,
    /// Gain beside the filter.
    beside: T,
}

impl<T: Real> Weights<'_, T> {
    /// All that becomes of a bin of a channel.
    #[inline(always)]
    fn gain(&self, channel: usize, bin: &Bin<T>) -> Complex<T> {
        self.at(channel, &bin.node) * bin.reach + self.beside
    }

    /// The filter of a channel between its nodes; 0 for a channel that does not exist.
    #[inline(always)]
    fn at(&self, channel: usize, node: &Node<T>) -> Complex<T> {
        let first = channel * self.count + node.first;
        let mix = |w: &[T]| w[0] + node.weight * (w[1] - w[0]);
        match (self.re.get(first..first + 2), self.im.get(first..first + 2)) {
            (Some(re), Some(im)) => Complex::new(mix(re), mix(im)),
            _ => Complex::zero(),
        }
    }
}

/// Multiplies the spectrum of every channel of every bag by `gain(channel, bin)`.
fn filter<T: Real>(
    x: &[T],
    length: usize,
    channels: usize,
    gain: impl Fn(usize, usize) -> Complex<T> + Sync,
) -> Vec<T> {
    let transform = Transform::new(length);
    let mut y = vec![T::zero(); x.len()];
    column_windows(&mut y, channels, WIDTH).into_par_iter().enumerate().for_each(|(at, mut y)| {
        let mut block = transform.block();
        let first = at * WIDTH;
        let bags = x.chunks_exact(length * channels);
        for (rows, y) in bags.zip(y.chunks_exact_mut(length)) {
            transform.forward(&mut block, rows, (first, channels));
            for pair in 0..pairs(y) {
                let channel = first + 2 * pair;
                for bin in 0..=length / 2 {
                    let [a, b] = block.bin(pair, bin);
                    let gains = [gain(channel, bin), gain(channel + 1, bin)];
                    block.set_bin(pair, bin, [a * gains[0], b * gains[1]]);
                }
            }
            transform.inverse(&mut block, y);
        }
    });
    y
}

/// How many pairs of channels rows hold.
fn pairs<T>(rows: &[&mut [T]]) -> usize {
    rows.first().map_or(0, |row| row.len().div_ceil(2))
}

/// With `Y = W X`: `dX = conj(W) dY`, and for a bin of multiplicity `c`: `dW = c / L conj(X) dY`. The second result holds
/// the gradients at the nodes, channel by channel.
fn adjoint<T: Real>(
    x: &[T],
    (weights, bins): (Weights<'_, T>, &[Bin<T>]),
    dy: &[T],
    (length, channels): (usize, usize),
) -> (Vec<T>, Vec<Vec<Complex<T>>>) {
    let transform = Transform::new(length);
    let mut dx = vec![T::zero(); x.len()];
    let bag = length * channels;
    let blocks = column_windows(&mut dx, channels, WIDTH).into_par_iter().enumerate();
    let gradients = blocks.map(|(at, mut dx)| {
        let (mut signal, mut back) = (transform.block(), transform.block());
        let first = at * WIDTH;
        let mut gradients =
            vec![
                [vec![Complex::zero(); weights.count], vec![Complex::zero(); weights.count]];
                pairs(&dx)
            ];
        let bags = x.chunks_exact(bag).zip(dy.chunks_exact(bag)).zip(dx.chunks_exact_mut(length));
        for ((x, dy), dx) in bags {
            transform.forward(&mut signal, x, (first, channels));
            transform.forward(&mut back, dy, (first, channels));
            for (pair, gradients) in gradients.iter_mut().enumerate() {
                adjoint_of_pair(&signal, &mut back, (pair, first), (weights, bins), gradients);
            }
            transform.inverse(&mut back, dx);
        }
        gradients
    });
    let gradients: Vec<Vec<[Vec<Complex<T>>; 2]>> = gradients.collect();
    let mut dw: Vec<Vec<Complex<T>>> = gradients.into_iter().flatten().flatten().collect();
    dw.truncate(channels);
    (dx, dw)
}

/// Turns the spectrum of `dy` of a pair of channels into that of `dx` and adds to the gradients at the nodes.
fn adjoint_of_pair<T: Real>(
    signal: &Block<T>,
    back: &mut Block<T>,
    (pair, first): (usize, usize),
    (weights, bins): (Weights<'_, T>, &[Bin<T>]),
    [da, db]: &mut [Vec<Complex<T>>; 2],
) {
    let (channel, length) = (first + 2 * pair, back.length());
    let once = T::of(1.0 / length as f64);
    for (bin, at) in bins.iter().enumerate() {
        let ([xa, xb], [dya, dyb]) = (signal.bin(pair, bin), back.bin(pair, bin));
        let share = at.reach * if edge(bin, length) { once } else { once + once };
        add(da, &at.node, xa.conj() * dya * share);
        add(db, &at.node, xb.conj() * dyb * share);
        let [wa, wb] = [weights.gain(channel, at), weights.gain(channel + 1, at)];
        back.set_bin(pair, bin, [wa.conj() * dya, wb.conj() * dyb]);
    }
}

/// Spreads a bin's gradient over its two nodes.
#[inline(always)]
fn add<T: Real>(gradient: &mut [Complex<T>], node: &Node<T>, bin: Complex<T>) {
    if let Some([first, second]) = gradient.get_mut(node.first..node.first + 2) {
        *first += bin * (T::one() - node.weight);
        *second += bin * node.weight;
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
            let inputs = [normal(&[2, length, 3], 1), normal(&[3, 4], 2), normal(&[3, 4], 3)];
            assert_gradients(&inputs, |t| learned_filter(&t[0], &t[1], &t[2]));
            assert_gradients(&inputs[..1], |t| band_pass(&t[0], Band::Low));
        }
    }

    #[test]
    fn a_signal_passes_beside_its_filter_and_mutes_reach_the_filter_alone() {
        let without = vec![Band::Low, Band::High];
        for length in [1, 2, 9, 12] {
            let inputs = [normal(&[2, length, 3], 1), normal(&[3, 4], 2), normal(&[3, 4], 3)];
            let [x, re, im] = &inputs;
            let passage = || Passage { adds_signal: true, without: without.clone() };
            let heard = band_pass(x, Band::Mid).unwrap();
            let learned =
                |t: &[Tensor]| apply(LearnedFilter { passage: passage() }, [&t[0], &t[1], &t[2]]);
            let want = (x + learned_filter(&heard, re, im).unwrap()).unwrap();
            assert_near(&learned(&inputs).unwrap(), &want, 1e-12, "learned");
            assert_gradients(&inputs, learned);
            for (band, heard) in [(Band::Mid, heard), (Band::Low, x.zeros_like().unwrap())] {
                let fixed = |t: &[Tensor]| apply1(BandPass { band, passage: passage() }, &t[0]);
                let want = (x + heard).unwrap();
                assert_near(&fixed(&inputs).unwrap(), &want, 1e-12, "fixed");
                assert_gradients(&inputs[..1], fixed);
            }
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
