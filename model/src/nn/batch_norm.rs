//! Batch norm over all pixels, and the `ReLU` behind it, in one pass forward and two backward.
//!
//! Images `[b, h, w, C]`; statistics per channel, gathered in blocks that stay in the cache and joined in
//! double precision, so that a mean far from 0 costs no digits.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::fused::Fused;
use super::lanes::{Kernel, add_onto, dispatch};
use super::real::Real;
use super::tape::{Slot, Tape};
use super::vectors::Vectors;

/// Added to variances (PyTorch's default).
pub(crate) const EPSILON: f64 = 1e-5;
/// Pixels per task.
const BLOCK: usize = 512;

/// Mean and biased variance per channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
    /// Pixels that they are taken over.
    pub(crate) count: usize,
}

impl Moments {
    /// The variance of what the pixels are a sample of.
    pub(crate) fn unbiased_variance(&self) -> impl Iterator<Item = f64> + '_ {
        let n = self.count as f64;
        self.variance.iter().map(move |it| it * n / (n - 1.0).max(1.0))
    }
}

/// `relu((x - mean) / sqrt(variance + 1e-5) * weight + bias)` with the moments of `x` `[b, h, w, C]` itself, which are
/// given back too; `weight` and `bias` `[C]`. Differentiable through the moments.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn batch_norm_relu<T: Vectors>(
    tape: &mut Tape<'_, T>,
    [x, weight, bias]: [Slot; 3],
) -> Result<(Slot, Moments)> {
    let found = moments(tape.values(x), tape.values(weight).len());
    let y = tape.apply(BatchNormRelu { moments: found.clone() }, [x, weight, bias])?;
    Ok((y, found))
}

fn moments<T: Real>(x: &[T], channels: usize) -> Moments {
    let parts: Vec<(usize, Vec<T>, Vec<T>)> = x
        .par_chunks((BLOCK * channels).max(1))
        .map(|x| {
            let (mean, squares) = dispatch(BlockMoments { x, channels });
            (x.len() / channels, mean, squares)
        })
        .collect();
    let mut total = Moments { mean: vec![0.0; channels], variance: vec![0.0; channels], count: 0 };
    for (count, means, squares) in parts {
        let (old, new) = (total.count as f64, count as f64);
        let share = new / (old + new);
        for (c, (mean, square)) in means.iter().zip(&squares).enumerate() {
            let gap = mean.wide() - total.mean[c];
            total.mean[c] += gap * share;
            total.variance[c] += square.wide() + gap * gap * old * share;
        }
        total.count += count;
    }
    let n = total.count.max(1) as f64;
    total.variance.iter_mut().for_each(|it| *it /= n);
    total
}

/// Means, and sums of squared distances from them, of a block of pixels.
struct BlockMoments<'a, T> {
    x: &'a [T],
    channels: usize,
}

impl<T: Real> Kernel for BlockMoments<'_, T> {
    type Output = (Vec<T>, Vec<T>);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (Vec<T>, Vec<T>) {
        let (mut mean, mut squares) =
            (vec![T::zero(); self.channels], vec![T::zero(); self.channels]);
        for pixel in self.x.chunks_exact(self.channels) {
            add_onto(&mut mean, pixel);
        }
        let share = T::of(self.channels as f64 / self.x.len() as f64);
        mean.iter_mut().for_each(|it| *it *= share);
        for pixel in self.x.chunks_exact(self.channels) {
            for (square, (mean, x)) in squares.iter_mut().zip(mean.iter().zip(pixel)) {
                let gap = *x - *mean;
                *square = gap.fma::<FMA>(gap, *square);
            }
        }
        (mean, squares)
    }
}

struct BatchNormRelu {
    moments: Moments,
}

impl BatchNormRelu {
    /// `1 / sqrt(variance + epsilon)` per channel.
    fn inverse_deviation<T: Real>(&self) -> Vec<T> {
        self.moments.variance.iter().map(|it| T::of(1.0 / (it + EPSILON).sqrt())).collect()
    }

    fn mean<T: Real>(&self) -> Vec<T> {
        self.moments.mean.iter().map(|it| T::of(*it)).collect()
    }

    fn normalize<T: Real>(&self, x: &[T], weight: &[T], bias: &[T]) -> Vec<T> {
        let inverse = self.inverse_deviation::<T>();
        let scale: Vec<T> = inverse.iter().zip(weight).map(|(a, b)| *a * *b).collect();
        let (mean, channels) = (self.mean::<T>(), weight.len());
        let shift: Vec<T> =
            bias.iter().zip(mean.iter().zip(&scale)).map(|(b, (m, s))| *b - *m * *s).collect();
        let mut y = vec![T::zero(); x.len()];
        y.par_chunks_mut(BLOCK * channels)
            .zip(x.par_chunks(BLOCK * channels))
            .for_each(|(y, x)| dispatch(ScaleRelu { x, scale: &scale, shift: &shift, y }));
        y
    }

    fn gradients<T: Real>(&self, (x, y, dy): (&[T], &[T], &[T]), weight: &[T]) -> [Vec<T>; 3] {
        let (mean, inverse) = (self.mean::<T>(), self.inverse_deviation::<T>());
        let channels = weight.len();
        let parts: Vec<Vec<T>> = x
            .par_chunks(BLOCK * channels)
            .zip(y.par_chunks(BLOCK * channels).zip(dy.par_chunks(BLOCK * channels)))
            .map(|(x, (y, dy))| dispatch(Sums { x, y, dy, mean: &mean, inverse: &inverse }))
            .collect();
        let mut sums = vec![0.0; 2 * channels];
        for part in &parts {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part.wide());
        }
        let n = self.moments.count.max(1) as f64;
        let mut dx = vec![T::zero(); x.len()];
        let of_channel = |c: usize| {
            let (mean, inverse, weight) = (mean[c].wide(), inverse[c].wide(), weight[c]);
            let (d_bias, d_weight) = (sums[c] / n, sums[channels + c] / n);
            let slope = weight.wide() * inverse;
            // dx = slope * (g - d_bias - (x - mean) * inverse * d_weight), as a line in g and x.
            let along = -slope * inverse * d_weight;
            [T::of(slope), T::of(along), T::of(-slope * d_bias - along * mean)]
        };
        let lines: Vec<[T; 3]> = (0..channels).map(of_channel).collect();
        let column = |i: usize| -> Vec<T> { lines.iter().map(|it| it[i]).collect() };
        let (slope, along, offset) = (column(0), column(1), column(2));
        let seen = x
            .par_chunks(BLOCK * channels)
            .zip(y.par_chunks(BLOCK * channels).zip(dy.par_chunks(BLOCK * channels)));
        dx.par_chunks_mut(BLOCK * channels).zip(seen).for_each(|(dx, (x, (y, dy)))| {
            dispatch(Line { x, y, dy, slope: &slope, along: &along, offset: &offset, dx });
        });
        let to_real = |sums: &[f64]| sums.iter().map(|it| T::of(*it)).collect();
        [dx, to_real(&sums[channels..]), to_real(&sums[..channels])]
    }
}

impl Fused for BatchNormRelu {
    const NAME: &'static str = "batch norm";
    type Plan = ();

    fn plan(&self, [x, weight, bias]: [&[usize]; 3]) -> Result<((), Shape)> {
        match (x.last(), weight, bias) {
            (Some(c), [weights], [biases]) if c == weights && c == biases => Ok(((), x.into())),
            _ => bail!("batch norm: weights {weight:?}, biases {bias:?}, images {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, (): &(), [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        self.normalize(x, weight, bias)
    }

    fn backward<T: Vectors>(
        &self,
        (): &(),
        [x, weight, _]: [&[T]; 3],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        self.gradients((x, y, dy), weight)
    }
}

/// `y = max(0, x * scale + shift)` per channel.
struct ScaleRelu<'a, T> {
    x: &'a [T],
    scale: &'a [T],
    shift: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for ScaleRelu<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.scale.len();
        for (y, x) in self.y.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            for ((y, x), (scale, shift)) in
                y.iter_mut().zip(x).zip(self.scale.iter().zip(self.shift))
            {
                let value = x.fma::<FMA>(*scale, *shift);
                *y = if value > T::zero() { value } else { T::zero() };
            }
        }
    }
}

/// Per channel the sum of `g`, then of `g` times the normalized value, `g` the gradient behind the `ReLU`.
struct Sums<'a, T> {
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    mean: &'a [T],
    inverse: &'a [T],
}

impl<T: Real> Kernel for Sums<'_, T> {
    /// `[2, C]`.
    type Output = Vec<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Vec<T> {
        let channels = self.mean.len();
        let mut sums = vec![T::zero(); 2 * channels];
        let (plain, weighted) = sums.split_at_mut(channels);
        let pixels = self.x.chunks_exact(channels).zip(self.y.chunks_exact(channels));
        for ((x, y), dy) in pixels.zip(self.dy.chunks_exact(channels)) {
            for c in 0..channels {
                let g = if y[c] > T::zero() { dy[c] } else { T::zero() };
                plain[c] += g;
                weighted[c] = g.fma::<FMA>(x[c] - self.mean[c], weighted[c]);
            }
        }
        weighted.iter_mut().zip(self.inverse).for_each(|(sum, inverse)| *sum *= *inverse);
        sums
    }
}

/// `dx = slope * g + along * x + offset` per channel.
struct Line<'a, T> {
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    slope: &'a [T],
    along: &'a [T],
    offset: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Line<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let channels = self.slope.len();
        let pixels = self.x.chunks_exact(channels).zip(self.y.chunks_exact(channels));
        let pixels = pixels.zip(self.dy.chunks_exact(channels));
        for (dx, ((x, y), dy)) in self.dx.chunks_exact_mut(channels).zip(pixels) {
            for c in 0..channels {
                let g = if y[c] > T::zero() { dy[c] } else { T::zero() };
                let rest = x[c].fma::<FMA>(self.along[c], self.offset[c]);
                dx[c] = g.fma::<FMA>(self.slope[c], rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use candle_core::{DType, Device, Tensor};

    use super::super::tape::{Chain, chained};
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    struct Alone(Arc<Mutex<Option<Moments>>>);

    impl Chain for Alone {
        const NAME: &'static str = "batch norm alone";

        fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
            let inputs = [Slot::INPUT, Slot::parameter(0), Slot::parameter(1)];
            let (y, found) = batch_norm_relu(tape, inputs)?;
            *self.0.lock().unwrap() = Some(found);
            Ok(y)
        }
    }

    fn of_tensors(x: &Tensor, weight: &Tensor, bias: &Tensor) -> (Tensor, Moments) {
        let found = Arc::new(Mutex::new(None));
        let y = chained(Alone(Arc::clone(&found)), x, &[weight, bias]).unwrap();
        let found = found.lock().unwrap().take().unwrap();
        (y, found)
    }

    #[test]
    fn channels_come_out_centered_and_of_unit_variance_before_the_relu() {
        let x = normal(&[2, 30, 40, 5], 1);
        let (one, three) = (Tensor::ones(5, DType::F64, x.device()).unwrap(), 30.0);
        let bias = (&one * three).unwrap();
        let (y, found) = of_tensors(&x, &one, &bias);
        assert_eq!(found.count, 2400);
        let centered = (y - three).unwrap().reshape((2400, 5)).unwrap();
        let mean = centered.mean(0).unwrap();
        assert_near(&mean, &mean.zeros_like().unwrap(), 1e-12, "mean");
        let square = centered.sqr().unwrap().mean(0).unwrap();
        assert_near(&square, &one, 1e-4, "variance");
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_digits() {
        let x = (normal(&[1, 64, 64, 3], 2) + 1000.0).unwrap();
        let (weight, bias) = (normal(&[3], 3), normal(&[3], 4));
        let f32s = |it: &Tensor| it.to_dtype(DType::F32).unwrap();
        let (single, _) = of_tensors(&f32s(&x), &f32s(&weight), &f32s(&bias));
        let (double, _) = of_tensors(&x, &weight, &bias);
        assert_near(&single.to_dtype(DType::F64).unwrap(), &double, 1e-3, "single");
    }

    #[test]
    fn a_channel_that_never_changes_stays_finite() {
        let x = Tensor::ones((1, 4, 4, 2), DType::F32, &Device::Cpu).unwrap();
        let weight = Tensor::ones(2, DType::F32, x.device()).unwrap();
        let (y, found) = of_tensors(&x, &weight, &weight);
        let y: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
        assert!(y.iter().all(|it| (it - 1.0).abs() < 1e-3));
        assert_eq!(found.unbiased_variance().collect::<Vec<_>>(), [0.0, 0.0]);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [normal(&[2, 3, 4, 3], 5), normal(&[3], 6), normal(&[3], 7)];
        assert_gradients(&inputs, |t| Ok(of_tensors(&t[0], &t[1], &t[2]).0));
    }

    #[test]
    fn blocks_join_to_the_moments_of_the_whole() {
        let x: Vec<f64> = normal(&[3 * BLOCK + 17, 2], 8).flatten_all().unwrap().to_vec1().unwrap();
        let found = moments(&x, 2);
        let n = (x.len() / 2) as f64;
        let mean = x.iter().step_by(2).sum::<f64>() / n;
        let variance = x.iter().step_by(2).map(|it| (it - mean).powi(2)).sum::<f64>() / n;
        assert!(
            (found.mean[0] - mean).abs() < 1e-12 && (found.variance[0] - variance).abs() < 1e-12
        );
    }
}
