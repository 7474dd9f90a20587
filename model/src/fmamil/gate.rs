//! Where the scans and the spectrum of a block meet (Eqs 14-15), on a tape: one pass over the tokens forward and one backward.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use crate::nn::fused::Fused;
use crate::nn::lanes::{Kernel, add_onto, dispatch, sum_zip};
use crate::nn::layer_norm::moments;
use crate::nn::real::Real;
use crate::nn::vectors::Vectors;

/// Tokens per task.
const ROWS: usize = 64;
/// Values per task where it does not matter whose they are.
const CHUNK: usize = 16 * 1024;

/// Scans `y` and gate `z`, `[b, L, E]` each, to `y silu(z)`.
pub(super) struct Gate;

impl Fused<2> for Gate {
    const NAME: &'static str = "gate";
    type Plan = ();

    fn plan(&self, [y, z]: [&[usize]; 2]) -> Result<((), Shape)> {
        if y != z {
            bail!("gate: expected two tensors of one shape, found {y:?} and {z:?}")
        }
        Ok(((), y.into()))
    }

    fn forward<T: Vectors>(&self, (): &(), [y, z]: [&[T]; 2]) -> Vec<T> {
        let mut out = vec![T::zero(); y.len()];
        let values = y.par_chunks(CHUNK).zip(z.par_chunks(CHUNK));
        let tasks = out.par_chunks_mut(CHUNK).zip(values);
        tasks.for_each(|(out, (y, z))| dispatch(Open { y, z, out }));
        out
    }

    fn backward<T: Vectors>(
        &self,
        (): &(),
        [y, z]: [&[T]; 2],
        _out: &[T],
        d_out: &[T],
    ) -> [Vec<T>; 2] {
        let [mut dy, mut dz] = [y, z].map(|it| vec![T::zero(); it.len()]);
        let values = y.par_chunks(CHUNK).zip(z.par_chunks(CHUNK)).zip(d_out.par_chunks(CHUNK));
        let tasks = dy.par_chunks_mut(CHUNK).zip(dz.par_chunks_mut(CHUNK)).zip(values);
        tasks.for_each(|((dy, dz), ((y, z), d_out))| dispatch(OpenBack { y, z, d_out, dy, dz }));
        [dy, dz]
    }
}

struct Open<'a, T> {
    y: &'a [T],
    z: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for Open<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (out, (y, z)) in self.out.iter_mut().zip(self.y.iter().zip(self.z)) {
            *out = *y * z.silu::<FMA>();
        }
    }
}

struct OpenBack<'a, T> {
    y: &'a [T],
    z: &'a [T],
    d_out: &'a [T],
    dy: &'a mut [T],
    dz: &'a mut [T],
}

impl<T: Real> Kernel for OpenBack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let values = self.d_out.iter().zip(self.y.iter().zip(self.z));
        for ((dy, dz), (d, (y, z))) in self.dy.iter_mut().zip(self.dz).zip(values) {
            let (open, slope) = z.silu_and_slope::<FMA>();
            *dy = *d * open;
            *dz = *d * *y * slope;
        }
    }
}

/// Scans `y`, gate `z` and encoded spectrum `f`, `[b, L, E]` each, scale and shift of the norm, `[E]`, to
/// `y silu(z) + norm(|f max_t silu(z_t)|)`: Eq. 14 pooled over all tokens and normalized over channels.
pub(super) struct SpectralGate {
    /// Added to variances.
    pub(super) eps: f64,
}

impl Fused<5> for SpectralGate {
    const NAME: &'static str = "spectral gate";
    /// Values per bag.
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 5]) -> Result<(usize, Shape)> {
        match dims {
            [y @ &[_, length, channels], z, f, &[scales], &[shifts]]
                if y == z && y == f && scales == channels && shifts == channels && 0 < length =>
            {
                Ok((length * channels, y.into()))
            }
            _ => bail!("spectral gate: expected three of [b, L, E] and two of [E], found {dims:?}"),
        }
    }

    fn forward<T: Vectors>(&self, bag: &usize, inputs: [&[T]; 5]) -> Vec<T> {
        let [y, z, f, scale, shift] = inputs;
        let rows = ROWS * scale.len();
        let mut out = vec![T::zero(); y.len()];
        for (at, out) in out.chunks_exact_mut(*bag).enumerate() {
            let [y, z, f] = [y, z, f].map(|it| &it[at * bag..(at + 1) * bag]);
            let peaks = peaks(z, scale.len());
            let values = y.par_chunks(rows).zip(z.par_chunks(rows)).zip(f.par_chunks(rows));
            out.par_chunks_mut(rows).zip(values).for_each(|(out, ((y, z), f))| {
                let tokens = Tokens { y, z, f, peaks: &peaks, scale, eps: self.eps };
                dispatch(Join { tokens, shift, out });
            });
        }
        out
    }

    fn backward<T: Vectors>(
        &self,
        bag: &usize,
        inputs: [&[T]; 5],
        _out: &[T],
        d_out: &[T],
    ) -> [Vec<T>; 5] {
        let [y, z, f, scale, shift] = inputs;
        let rows = ROWS * scale.len();
        let [mut dy, mut dz, mut df, mut d_scale, mut d_shift] =
            inputs.map(|it| vec![T::zero(); it.len()]);
        for at in 0..y.len() / bag {
            let window = at * bag..(at + 1) * bag;
            let [y, z, f, d_out] = [y, z, f, d_out].map(|it| &it[window.clone()]);
            let [dy, dz, df] = [&mut dy, &mut dz, &mut df].map(|it| &mut it[window.clone()]);
            let peaks = peaks(z, scale.len());
            let values = y.par_chunks(rows).zip(z.par_chunks(rows)).zip(f.par_chunks(rows));
            let gradients = dy.par_chunks_mut(rows).zip(dz.par_chunks_mut(rows));
            let parts: Vec<Part<T>> = gradients
                .zip(df.par_chunks_mut(rows))
                .zip(values.zip(d_out.par_chunks(rows)))
                .map(|(((dy, dz), df), (((y, z), f), d_out))| {
                    let tokens = Tokens { y, z, f, peaks: &peaks, scale, eps: self.eps };
                    dispatch(JoinBack { tokens, d_out, dy, dz, df })
                })
                .collect();
            let mut d_peaks = vec![T::zero(); shift.len()];
            for part in &parts {
                add_onto(&mut d_scale, &part.scale);
                add_onto(&mut d_shift, &part.shift);
                add_onto(&mut d_peaks, &part.peaks);
            }
            for (channel, (peak, d_peak)) in peaks.tokens.iter().zip(d_peaks).enumerate() {
                let at = *peak as usize * shift.len() + channel;
                dz[at] += d_peak * z[at].silu_slope::<false>();
            }
        }
        [dy, dz, df, d_scale, d_shift]
    }
}

/// The largest `silu(z)` of every channel.
struct Peaks<T> {
    values: Vec<T>,
    /// The first token where it is reached.
    tokens: Vec<u32>,
}

/// Of a bag `z` `[L, channels]`. `SiLU` falls and then rises, so that it is largest where `z` is largest or smallest.
fn peaks<T: Real>(z: &[T], channels: usize) -> Peaks<T> {
    let parts = z.par_chunks(ROWS * channels).enumerate();
    let parts: Vec<[Peaks<T>; 2]> = parts
        .map(|(part, z)| dispatch(Extremes { z, channels, first: (part * ROWS) as u32 }))
        .collect();
    let ends = parts.into_iter().reduce(|[mut top, mut bottom], [next_top, next_bottom]| {
        top.follow(&next_top, |a, b| a < b);
        bottom.follow(&next_bottom, |a, b| b < a);
        [top, bottom]
    });
    let [mut top, mut bottom] = ends.unwrap_or_else(|| {
        std::array::from_fn(|_| Peaks { values: Vec::new(), tokens: Vec::new() })
    });
    for it in top.values.iter_mut().chain(&mut bottom.values) {
        *it = it.silu::<false>();
    }
    top.follow(&bottom, |a, b| a < b);
    top
}

impl<T: Real> Peaks<T> {
    /// Takes over what `other` has farther out.
    #[inline(always)]
    fn follow(&mut self, other: &Self, is_farther: impl Fn(T, T) -> bool) {
        let others = other.values.iter().zip(&other.tokens);
        for ((value, token), (other, at)) in
            self.values.iter_mut().zip(&mut self.tokens).zip(others)
        {
            if is_farther(*value, *other) {
                (*value, *token) = (*other, *at);
            }
        }
    }
}

/// The largest and the smallest value of every channel.
struct Extremes<'a, T> {
    z: &'a [T],
    channels: usize,
    /// The token of the first row.
    first: u32,
}

impl<T: Real> Kernel for Extremes<'_, T> {
    type Output = [Peaks<T>; 2];

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let of_first = || Peaks {
            values: self.z[..self.channels].to_vec(),
            tokens: vec![self.first; self.channels],
        };
        let (mut top, mut bottom) = (of_first(), of_first());
        for (token, row) in (self.first..).zip(self.z.chunks_exact(self.channels)) {
            let tops = top.values.iter_mut().zip(&mut top.tokens);
            let bottoms = bottom.values.iter_mut().zip(&mut bottom.tokens);
            for ((top, bottom), z) in tops.zip(bottoms).zip(row) {
                let (is_higher, is_lower) = (*top.0 < *z, *z < *bottom.0);
                *top.0 = if is_higher { *z } else { *top.0 };
                *top.1 = if is_higher { token } else { *top.1 };
                *bottom.0 = if is_lower { *z } else { *bottom.0 };
                *bottom.1 = if is_lower { token } else { *bottom.1 };
            }
        }
        [top, bottom]
    }
}

/// Some tokens of a bag.
#[derive(Clone, Copy)]
struct Tokens<'a, T> {
    y: &'a [T],
    z: &'a [T],
    f: &'a [T],
    peaks: &'a Peaks<T>,
    scale: &'a [T],
    eps: f64,
}

impl<'a, T: Real> Tokens<'a, T> {
    /// `y`, `z` and `f` of every token.
    #[inline(always)]
    fn rows(self) -> impl Iterator<Item = [&'a [T]; 3]> {
        let n = self.scale.len();
        let rows = self.y.chunks_exact(n).zip(self.z.chunks_exact(n)).zip(self.f.chunks_exact(n));
        rows.map(|((y, z), f)| [y, z, f])
    }

    /// `|f max silu(z)|` of one token before the norm.
    #[inline(always)]
    fn heard(self, f: &[T], heard: &mut [T]) {
        for (heard, (f, peak)) in heard.iter_mut().zip(f.iter().zip(&self.peaks.values)) {
            *heard = (*f * *peak).abs();
        }
    }
}

struct Join<'a, T> {
    tokens: Tokens<'a, T>,
    shift: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for Join<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Tokens { scale, eps, .. } = self.tokens;
        let mut heard = vec![T::zero(); scale.len()];
        for (out, [y, z, f]) in self.out.chunks_exact_mut(scale.len()).zip(self.tokens.rows()) {
            self.tokens.heard(f, &mut heard);
            let (mean, inverse) = moments(&heard, eps);
            let affine = scale.iter().zip(self.shift);
            let values = heard.iter().zip(affine).zip(y.iter().zip(z));
            for (out, ((heard, (scale, shift)), (y, z))) in out.iter_mut().zip(values) {
                let normed = ((*heard - mean) * inverse).fma::<FMA>(*scale, *shift);
                *out = y.fma::<FMA>(z.silu::<FMA>(), normed);
            }
        }
    }
}

struct JoinBack<'a, T> {
    tokens: Tokens<'a, T>,
    d_out: &'a [T],
    dy: &'a mut [T],
    dz: &'a mut [T],
    df: &'a mut [T],
}

/// Sums over some tokens of the gradients in scale, shift and peaks.
struct Part<T> {
    scale: Vec<T>,
    shift: Vec<T>,
    peaks: Vec<T>,
}

impl<T: Real> Kernel for JoinBack<'_, T> {
    type Output = Part<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Part<T> {
        let Tokens { scale, peaks, eps, .. } = self.tokens;
        let n = scale.len();
        let share = T::one() / T::of(n as f64);
        let zeros = || vec![T::zero(); n];
        let mut part = Part { scale: zeros(), shift: zeros(), peaks: zeros() };
        let (mut centered, mut weighted) = (zeros(), zeros());
        let gradients = self.dy.chunks_exact_mut(n).zip(self.dz.chunks_exact_mut(n));
        let gradients = gradients.zip(self.df.chunks_exact_mut(n));
        let rows = self.tokens.rows().zip(self.d_out.chunks_exact(n));
        for (((dy, dz), df), ([y, z, f], d_out)) in gradients.zip(rows) {
            for ((dy, dz), (d, (y, z))) in
                dy.iter_mut().zip(dz).zip(d_out.iter().zip(y.iter().zip(z)))
            {
                let (open, slope) = z.silu_and_slope::<FMA>();
                *dy = *d * open;
                *dz = *d * *y * slope;
            }
            self.tokens.heard(f, &mut centered);
            let (mean, inverse) = moments(&centered, eps);
            let of_norm = part.scale.iter_mut().zip(&mut part.shift);
            let values = centered.iter_mut().zip(&mut weighted).zip(d_out.iter().zip(scale));
            for ((d_scale, d_shift), ((centered, weighted), (d, scale))) in of_norm.zip(values) {
                *centered = (*centered - mean) * inverse;
                *weighted = *d * *scale;
                *d_scale = d.fma::<FMA>(*centered, *d_scale);
                *d_shift += *d;
            }
            let mean_w = sum_zip(&weighted, &weighted, |w, _| w) * share;
            let mean_wc = sum_zip(&weighted, &centered, |w, c| w * c) * share;
            let heard = f.iter().zip(&peaks.values);
            let values = heard.zip(weighted.iter().zip(&centered));
            for ((df, d_peak), ((f, peak), (w, c))) in
                df.iter_mut().zip(&mut part.peaks).zip(values)
            {
                let d = inverse * (*w - mean_w - *c * mean_wc) * sign(*f * *peak);
                *df = d * *peak;
                *d_peak = d.fma::<FMA>(*f, *d_peak);
            }
        }
        part
    }
}

/// -1, 0 or 1: the slope of the absolute value, 0 at its kink.
#[inline(always)]
fn sign<T: Real>(x: T) -> T {
    let up = if T::zero() < x { T::one() } else { T::zero() };
    if x < T::zero() { -T::one() } else { up }
}

#[cfg(test)]
mod tests {
    use candle_core::{IndexOp as _, Tensor};

    use super::*;
    use crate::nn::activation::silu;
    use crate::nn::layer_norm::layer_norm;
    use crate::nn::tape::{Chain, Slot, Tape, chained};
    use crate::testing::{assert_gradients, assert_near, normal};

    const EPS: f64 = 1e-5;

    struct Gated;

    impl Chain for Gated {
        const NAME: &'static str = "gate";

        fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
            tape.apply(Gate, [Slot::INPUT, Slot::parameter(0)])
        }
    }

    struct Spectral;

    impl Chain for Spectral {
        const NAME: &'static str = "spectral gate";

        fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
            let [z, f, scale, shift] = [0, 1, 2, 3].map(Slot::parameter);
            tape.apply(SpectralGate { eps: EPS }, [Slot::INPUT, z, f, scale, shift])
        }
    }

    fn spectral(t: &[Tensor]) -> Result<Tensor> {
        chained(Spectral, &t[0], &[&t[1], &t[2], &t[3], &t[4]])
    }

    /// Eqs 14 and 15 in tensor operations.
    fn by_definition(t: &[Tensor]) -> Result<Tensor> {
        let open = silu(&t[1])?;
        let heard = t[2].broadcast_mul(&open.max_keepdim(1)?)?.abs()?;
        (&t[0] * open)? + layer_norm(&heard, &t[3], &t[4], EPS)?
    }

    fn inputs(batch: usize, length: usize, channels: usize) -> Vec<Tensor> {
        let tokens = (1..4).map(|seed| normal(&[batch, length, channels], seed));
        tokens.chain((4..6).map(|seed| normal(&[channels], seed))).collect()
    }

    #[test]
    fn the_gates_agree_with_their_definition() {
        for (batch, length, channels) in [(1, 1, 3), (2, 7, 5), (2, 150, 40)] {
            let t = inputs(batch, length, channels);
            assert_near(&spectral(&t).unwrap(), &by_definition(&t).unwrap(), 1e-12, "spectral");
            let want = (&t[0] * silu(&t[1]).unwrap()).unwrap();
            assert_near(&chained(Gated, &t[0], &[&t[1]]).unwrap(), &want, 1e-12, "gate");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (batch, length, channels) in [(1, 1, 3), (2, 5, 4), (1, 70, 7)] {
            let t = inputs(batch, length, channels);
            assert_gradients(&t, spectral);
            assert_gradients(&t[..2], |t| chained(Gated, &t[0], &[&t[1]]));
        }
    }

    #[test]
    fn a_gate_that_is_shut_everywhere_is_most_open_at_its_lowest_or_highest_value() {
        for lowest in [-9.0, -1.5] {
            let mut t = inputs(1, 3, 2);
            let z = [[lowest, -1.3], [-1.28, -0.4], [-1.1, lowest]];
            t[1] = Tensor::new(&[z], &candle_core::Device::Cpu).unwrap();
            assert_near(&spectral(&t).unwrap(), &by_definition(&t).unwrap(), 1e-12, "shut");
            assert_gradients(&t, spectral);
        }
    }

    #[test]
    fn a_silent_spectrum_leaves_the_shift_and_hands_nothing_back() {
        let mut t = inputs(1, 4, 3);
        t[2] =
            candle_core::Var::from_tensor(&t[2].zeros_like().unwrap()).unwrap().as_tensor().clone();
        let y = spectral(&t).unwrap();
        let open = (&t[0] * silu(&t[1]).unwrap()).unwrap();
        assert_near(&y, &open.broadcast_add(&t[4]).unwrap(), 1e-12, "shift");
        let gradient = y.sum_all().unwrap().backward().unwrap().get(&t[2]).unwrap().clone();
        assert_eq!(gradient.i((0, 0, 0)).unwrap().to_scalar::<f64>().unwrap(), 0.0);
        assert_near(&gradient, &t[2], 0.0, "gradient");
    }
}
