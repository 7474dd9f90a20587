//! Layer norm over the last axis, biased variance, with a gradient (candle's fused one has none).

use candle_core::{D, Result, Shape, Tensor, bail};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::lanes::{Kernel, add_onto, dispatch, sum_zip};
use super::real::Real;
use super::tape::{Slot, Tape};
use super::vectors::Vectors;

/// Rows per task.
const ROWS: usize = 64;

/// Scale and shift after normalization; both `[channels]`.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// `weight` and `bias` from `vb`.
    pub(crate) fn new(channels: usize, eps: f64, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: vb.get(channels, "weight")?, bias: vb.get(channels, "bias")?, eps })
    }

    /// `[.., channels]`, same shape out.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }

    /// The same on a tape that was given [`Self::parameters`].
    pub(crate) fn on_tape<T: Vectors>(&self, tape: &mut Tape<'_, T>, x: Slot) -> Result<Slot> {
        let [weight, bias] = self.parameters();
        let inputs = [x, tape.parameter(weight)?, tape.parameter(bias)?];
        tape.apply(Normalization { eps: self.eps }, inputs)
    }

    /// Scale and shift.
    pub(crate) fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis.
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    apply(Normalization { eps }, [x, weight, bias])
}

/// The same without scale and shift.
pub(crate) fn standardize(x: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = x.dim(D::Minus1)?;
    let one = Tensor::ones(channels, x.dtype(), x.device())?;
    layer_norm(x, &one, &one.zeros_like()?, eps)
}

/// [`layer_norm`] on a tape.
pub(crate) struct Normalization {
    /// Added to variances.
    pub(crate) eps: f64,
}

impl Fused for Normalization {
    const NAME: &'static str = "layer norm";
    type Plan = ();

    fn plan(&self, dims: [&[usize]; 3]) -> Result<((), Shape)> {
        match dims {
            [x @ &[.., channels], &[w], &[b]] if w == channels && b == channels => {
                Ok(((), x.into()))
            }
            [x, weight, bias] => bail!(
                "layer norm of {x:?}: expected weight and bias of the last axis, found {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, (): &(), [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        forward(x, weight, bias, self.eps)
    }

    fn backward<T: Vectors>(
        &self,
        (): &(),
        [x, weight, _]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        backward(x, weight, dy, self.eps)
    }
}

fn forward<T: Real>(x: &[T], weight: &[T], bias: &[T], eps: f64) -> Vec<T> {
    let n = weight.len();
    let mut y = vec![T::zero(); x.len()];
    y.par_chunks_mut(ROWS * n)
        .zip(x.par_chunks(ROWS * n))
        .for_each(|(y, x)| dispatch(Forward { x, weight, bias, y, eps }));
    y
}

/// Gradients in `x`, weight and bias; the latter two summed in row order, so that they do not depend on
/// the number of threads.
fn backward<T: Real>(x: &[T], weight: &[T], dy: &[T], eps: f64) -> [Vec<T>; 3] {
    let n = weight.len();
    let mut dx = vec![T::zero(); x.len()];
    let parts: Vec<(Vec<T>, Vec<T>)> = dx
        .par_chunks_mut(ROWS * n)
        .zip(x.par_chunks(ROWS * n).zip(dy.par_chunks(ROWS * n)))
        .map(|(dx, (x, dy))| dispatch(Backward { x, weight, dy, dx, eps }))
        .collect();
    let (mut dw, mut db) = (vec![T::zero(); n], vec![T::zero(); n]);
    for (w, b) in &parts {
        add_onto(&mut dw, w);
        add_onto(&mut db, b);
    }
    [dx, dw, db]
}

/// Mean and `1 / sqrt(variance + eps)` of a row.
#[inline(always)]
pub(crate) fn moments<T: Real>(row: &[T], eps: f64) -> (T, T) {
    let scale = T::one() / T::of(row.len() as f64);
    let mean = sum_zip(row, row, |a, _| a) * scale;
    let variance = sum_zip(row, row, |a, _| (a - mean) * (a - mean)) * scale;
    (mean, T::one() / (variance + T::of(eps)).sqrt())
}

struct Forward<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
    eps: f64,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.weight.len();
        for (y, x) in self.y.chunks_exact_mut(n).zip(self.x.chunks_exact(n)) {
            let (mean, inverse) = moments(x, self.eps);
            let affine = self.weight.iter().zip(self.bias);
            for ((y, x), (w, b)) in y.iter_mut().zip(x).zip(affine) {
                *y = ((*x - mean) * inverse).fma::<FMA>(*w, *b);
            }
        }
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
    eps: f64,
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = (Vec<T>, Vec<T>);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let n = self.weight.len();
        let scale = T::one() / T::of(n as f64);
        let (mut dw, mut db) = (vec![T::zero(); n], vec![T::zero(); n]);
        let mut centered = vec![T::zero(); n];
        let mut weighted = vec![T::zero(); n];
        let rows = self.x.chunks_exact(n).zip(self.dy.chunks_exact(n));
        for (dx, (x, dy)) in self.dx.chunks_exact_mut(n).zip(rows) {
            let (mean, inverse) = moments(x, self.eps);
            for (c, x) in centered.iter_mut().zip(x) {
                *c = (*x - mean) * inverse;
            }
            for (g, (dy, w)) in weighted.iter_mut().zip(dy.iter().zip(self.weight)) {
                *g = *dy * *w;
            }
            for ((dw, db), (dy, c)) in dw.iter_mut().zip(&mut db).zip(dy.iter().zip(&centered)) {
                *dw = dy.fma::<FMA>(*c, *dw);
                *db += *dy;
            }
            let mean_g = sum_zip(&weighted, &weighted, |g, _| g) * scale;
            let mean_gc = sum_zip(&weighted, &centered, |g, c| g * c) * scale;
            for (dx, (g, c)) in dx.iter_mut().zip(weighted.iter().zip(&centered)) {
                *dx = inverse * (*g - mean_g - *c * mean_gc);
            }
        }
        (dw, db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, normal};

    #[test]
    fn layer_norm_agrees_with_its_definition() {
        let (x, w, b) = (normal(&[3, 2, 21], 1), normal(&[21], 2), normal(&[21], 3));
        let mean = x.mean_keepdim(D::Minus1).unwrap();
        let centered = x.broadcast_sub(&mean).unwrap();
        let deviation = (centered.sqr().unwrap().mean_keepdim(D::Minus1).unwrap() + 1e-5)
            .unwrap()
            .sqrt()
            .unwrap();
        let want = centered.broadcast_div(&deviation).unwrap();
        let want = want.broadcast_mul(&w).unwrap().broadcast_add(&b).unwrap();
        let ours = layer_norm(&x, &w, &b, 1e-5).unwrap();
        crate::testing::assert_near(&ours, &want, 1e-12, "layer norm");
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [normal(&[3, 21], 4), normal(&[21], 5), normal(&[21], 6)];
        assert_gradients(&inputs, |t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
    }

    #[test]
    fn a_constant_row_is_finite() {
        let x = Tensor::full(3.0f32, (1, 8), &candle_core::Device::Cpu).unwrap();
        let y: Vec<f32> = crate::nn::storage::to_vec(&standardize(&x, 1e-5).unwrap()).unwrap();
        assert_eq!(y, [0.0; 8]);
    }
}
