//! Convolution of single pixels, for few outputs: what a segmentation network decides by.
//!
//! Images `[b, h, w, C]`, weights `[O, C, 1, 1]` as PyTorch keeps them, bias `[O]`.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::lanes::{Kernel, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// Pixels per task.
const BLOCK: usize = 4096;

/// `x` `[b, h, w, C]`, `weight` `[O, C, 1, 1]`, `bias` `[O]` to `[b, h, w, O]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn pointwise_conv(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(PointwiseConv, [x, weight, bias])
}

/// [`pointwise_conv`].
pub(crate) struct PointwiseConv;

impl Fused for PointwiseConv {
    const NAME: &'static str = "pointwise conv";
    /// Channels of the image.
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(usize, Shape)> {
        match dims {
            [&[images, rows, columns, inputs], &[outputs, c, 1, 1], &[o]]
                if c == inputs && o == outputs =>
            {
                Ok((inputs, (images, rows, columns, outputs).into()))
            }
            [x, weight, bias] => bail!(
                "pointwise conv: expected [b, h, w, C], [O, C, 1, 1] and [O], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, inputs: &usize, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        let outputs = bias.len();
        let mut y = vec![T::zero(); x.len() / inputs * outputs];
        y.par_chunks_mut(BLOCK * outputs)
            .zip(x.par_chunks(BLOCK * inputs))
            .for_each(|(y, x)| dispatch(Decide { x, weight, bias, y }));
        y
    }

    fn backward<T: Vectors>(
        &self,
        inputs: &usize,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let outputs = bias.len();
        let mut dx = vec![T::zero(); x.len()];
        let blocks = x.par_chunks(BLOCK * inputs).zip(dy.par_chunks(BLOCK * outputs));
        let parts: Vec<Vec<T>> = dx
            .par_chunks_mut(BLOCK * inputs)
            .zip(blocks)
            .map(|(dx, (x, dy))| dispatch(Blame { x, weight, dy, outputs, dx }))
            .collect();
        let mut sums = vec![0.0; weight.len() + outputs];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part.wide());
        }
        let sums: Vec<T> = sums.into_iter().map(T::of).collect();
        let (dw, db) = sums.split_at(weight.len());
        [dx, dw.to_vec(), db.to_vec()]
    }
}

/// Outputs of a block of pixels.
struct Decide<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for Decide<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let inputs = self.weight.len() / self.bias.len();
        let outputs = self.y.chunks_exact_mut(self.bias.len());
        for (x, y) in self.x.chunks_exact(inputs).zip(outputs) {
            let filters = self.weight.chunks_exact(inputs).zip(self.bias);
            for (y, (filter, bias)) in y.iter_mut().zip(filters) {
                *y = *bias + x.iter().zip(filter).map(|(x, w)| *x * *w).sum::<T>();
            }
        }
    }
}

/// Gradients in a block of pixels, and the block's share of those in weights, then biases.
struct Blame<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    dy: &'a [T],
    outputs: usize,
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Blame<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Vec<T> {
        let inputs = self.weight.len() / self.outputs;
        let mut sums = vec![T::zero(); self.weight.len() + self.outputs];
        let (dw, db) = sums.split_at_mut(self.weight.len());
        let pixels = self.x.chunks_exact(inputs).zip(self.dx.chunks_exact_mut(inputs));
        for ((x, dx), dy) in pixels.zip(self.dy.chunks_exact(self.outputs)) {
            for (o, dy) in dy.iter().enumerate() {
                let (filter, dw) =
                    (&self.weight[o * inputs..][..inputs], &mut dw[o * inputs..][..inputs]);
                for c in 0..inputs {
                    dx[c] = dy.fma::<FMA>(filter[c], dx[c]);
                    dw[c] = dy.fma::<FMA>(x[c], dw[c]);
                }
                db[o] += *dy;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::linear::project;
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn every_pixel_is_a_matrix_product() {
        for (b, h, w, c, o) in [(1, 1, 1, 1, 1), (2, 3, 5, 4, 3), (1, 70, 90, 17, 2)] {
            let (x, weight, bias) =
                (normal(&[b, h, w, c], 1), normal(&[o, c, 1, 1], 2), normal(&[o], 3));
            let want = project(&x, &weight.reshape((o, c)).unwrap()).unwrap();
            let want = want.broadcast_add(&bias).unwrap();
            assert_near(&pointwise_conv(&x, &weight, &bias).unwrap(), &want, 1e-12, "pointwise");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (b, h, w, c, o) in [(1, 1, 1, 1, 1), (2, 3, 2, 3, 2), (1, 2, 3, 5, 1)] {
            let inputs = [normal(&[b, h, w, c], 4), normal(&[o, c, 1, 1], 5), normal(&[o], 6)];
            assert_gradients(&inputs, |t| pointwise_conv(&t[0], &t[1], &t[2]));
        }
    }

    #[test]
    fn weights_of_another_image_are_refused() {
        let error =
            pointwise_conv(&normal(&[1, 2, 2, 3], 7), &normal(&[1, 4, 1, 1], 8), &normal(&[1], 9));
        assert!(error.unwrap_err().to_string().contains("found [1, 2, 2, 3]"));
    }
}
