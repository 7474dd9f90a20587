//! Linear layers on a tape: `y = x W^T + b` over the last axis, the weight `[out, in]` as PyTorch keeps it.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::fused::Fused;
use super::image_product::{Cotangent, Panels, Walk, forward, weight_gradient};
use super::vectors::Vectors;

/// Rows per task: enough to reuse weights from the cache. Results do not depend on it.
const ROWS: usize = 64;
/// Rows whose gradients are summed in one go. Sums depend on it, not on the number of threads.
const BAND_ROWS: usize = 32;

/// `x` `[.., in]`, weight `[out, in]` (the inputs may be spread over several axes), bias `[out]` to `[.., out]`.
pub(crate) struct Dense;

/// Sizes of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    rows: usize,
    inputs: usize,
    outputs: usize,
}

impl Fused for Dense {
    const NAME: &'static str = "linear layer";
    type Plan = Sizes;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(Sizes, Shape)> {
        match dims {
            [&[ref leading @ .., inputs], &[outputs, ref rest @ ..], &[bias]]
                if rest.iter().product::<usize>() == inputs && bias == outputs =>
            {
                let shape: Vec<usize> = leading.iter().copied().chain([outputs]).collect();
                let rows = leading.iter().product();
                Ok((Sizes { rows, inputs, outputs }, shape.into()))
            }
            [x, weight, bias] => bail!(
                "linear layer: expected [.., in], [out, in] and [out], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, sizes: &Sizes, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        let Sizes { inputs, outputs, .. } = *sizes;
        let panels = Panels::pack(weight, (inputs, outputs), |k| k, inputs).plus(bias);
        product(x, inputs, &panels, outputs)
    }

    fn backward<T: Vectors>(
        &self,
        sizes: &Sizes,
        inputs: [&[T]; 3],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        self.backward_of([true; 3], sizes, inputs, y, dy)
    }

    fn backward_of<T: Vectors>(
        &self,
        [asks_x, ..]: [bool; 3],
        sizes: &Sizes,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let Sizes { inputs, outputs, .. } = *sizes;
        let dx = if asks_x {
            let panels = Panels::pack(weight, (outputs, inputs), |k| k * inputs, 1);
            product(dy, outputs, &panels, inputs)
        } else {
            Vec::new()
        };
        let mut db = vec![T::zero(); bias.len()];
        for row in dy.chunks_exact(outputs) {
            db.iter_mut().zip(row).for_each(|(sum, value)| *sum += *value);
        }
        [dx, of_weight(x, dy, *sizes), db]
    }
}

/// Rows of `inner` values times packed weights.
fn product<T: Vectors>(x: &[T], inner: usize, panels: &Panels<T>, outputs: usize) -> Vec<T> {
    let mut y = vec![T::zero(); x.len() / inner * outputs];
    y.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * inner)).for_each(|(y, x)| {
        let walk = walk(1, x.len() / inner, inner);
        forward(x, walk, panels, y, y.len());
    });
    y
}

/// Rows of `inner` values as the rows of an image.
fn walk(rows: usize, columns: usize, inner: usize) -> Walk {
    Walk {
        rows,
        columns,
        row_step: columns * inner,
        pixel_step: inner,
        runs: 1,
        run_len: inner,
        run_step: inner,
    }
}

/// `dy^T x`, `[out, in]`.
fn of_weight<T: Vectors>(x: &[T], dy: &[T], sizes: Sizes) -> Vec<T> {
    let Sizes { rows, inputs, outputs } = sizes;
    let whole = rows / BAND_ROWS * BAND_ROWS;
    let part = |first: usize, bands: usize, columns: usize| {
        let values = &x[first * inputs..];
        let seen =
            Cotangent { values, image: values.len(), row_step: columns * inputs, outputs: inputs };
        let walk = walk(bands, columns, outputs);
        let dy = &dy[first * outputs..(first + bands * columns) * outputs];
        weight_gradient(dy, dy.len(), walk, seen)
    };
    if whole == rows {
        return part(0, rows / BAND_ROWS, BAND_ROWS);
    }
    let rest = part(whole, 1, rows - whole);
    if whole == 0 {
        return rest;
    }
    let mut sum = part(0, whole / BAND_ROWS, BAND_ROWS);
    sum.iter_mut().zip(rest).for_each(|(sum, more)| *sum += more);
    sum
}

/// `a + b`, tensors of one shape.
pub(crate) struct Sum;

impl Fused<2> for Sum {
    const NAME: &'static str = "sum";
    type Plan = ();

    fn plan(&self, [a, b]: [&[usize]; 2]) -> Result<((), Shape)> {
        if a != b {
            bail!("sum: expected two tensors of one shape, found {a:?} and {b:?}")
        }
        Ok(((), a.into()))
    }

    fn forward<T: Vectors>(&self, (): &(), [a, b]: [&[T]; 2]) -> Vec<T> {
        a.iter().zip(b).map(|(a, b)| *a + *b).collect()
    }

    fn backward<T: Vectors>(&self, (): &(), _: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        [dy.to_vec(), dy.to_vec()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::fused::{apply, apply2};
    use super::super::linear::project;
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn a_linear_layer_is_a_matrix_product_and_a_shift() {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (33, 40, 70), (130, 17, 33)] {
            let x = normal(&[rows, inputs], 1);
            let (weight, bias) = (normal(&[outputs, inputs], 2), normal(&[outputs], 3));
            let want = project(&x, &weight).unwrap().broadcast_add(&bias).unwrap();
            let ours = apply(Dense, [&x, &weight, &bias]).unwrap();
            assert_near(&ours, &want, 1e-12, "linear layer");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 2), (33, 2, 3), (64, 1, 2)] {
            let inputs =
                [normal(&[rows, inputs], 4), normal(&[outputs, inputs], 5), normal(&[outputs], 6)];
            assert_gradients(&inputs, |t| apply(Dense, [&t[0], &t[1], &t[2]]));
        }
        let inputs = [normal(&[2, 3], 7), normal(&[2, 3], 8)];
        assert_gradients(&inputs, |t| apply2(Sum, [&t[0], &t[1]]));
    }

    #[test]
    fn inputs_may_be_spread_over_several_axes() {
        let (x, weight, bias) =
            (normal(&[2, 4, 12], 9), normal(&[5, 3, 2, 2], 10), normal(&[5], 11));
        let flat = apply(Dense, [&x, &weight.reshape((5, 12)).unwrap(), &bias]).unwrap();
        assert_near(&apply(Dense, [&x, &weight, &bias]).unwrap(), &flat, 0.0, "spread");
        let error = apply(Dense, [&x, &normal(&[5, 11], 12), &bias]).unwrap_err().to_string();
        assert!(error.contains("found [2, 4, 12], [5, 11] and [5]"), "{error}");
    }
}
