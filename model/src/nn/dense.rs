//! Linear layers on a tape: `y = x W^T + b` over the last axis, the weight `[out, in]` as PyTorch keeps it.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::fused::Fused;
use super::image_product::{Cotangent, Panels, Walk, forward, forward_onto, weight_gradient};
use super::lanes::add_onto;
use super::tape::add_all;
use super::vectors::Vectors;

/// Rows per task: enough to reuse weights from the cache. Results do not depend on it.
const ROWS: usize = 64;
/// Rows whose gradients are summed in one go. Sums depend on it, not on the number of threads.
const BAND_ROWS: usize = 32;

/// `x` `[.., in]`, weight `[out, in]` (the inputs may be spread over several axes), bias `[out]` to `[.., out]`.
pub(crate) struct Dense;

/// The same without a bias.
pub(crate) struct Projection;

/// Sizes of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    inputs: usize,
    outputs: usize,
}

impl Sizes {
    /// Of `x` and weight, and the shape of the result; `None` if they do not fit.
    fn of(x: &[usize], weight: &[usize]) -> Option<(Self, Shape)> {
        match (x, weight) {
            (&[ref leading @ .., inputs], &[outputs, ref rest @ ..])
                if rest.iter().product::<usize>() == inputs =>
            {
                let shape: Vec<usize> = leading.iter().copied().chain([outputs]).collect();
                Some((Self { inputs, outputs }, shape.into()))
            }
            _ => None,
        }
    }

    /// What rows of inputs are multiplied by.
    fn panels<T: Vectors>(self, weight: &[T]) -> Panels<T> {
        Panels::pack(weight, (self.inputs, self.outputs), |k| k, self.inputs)
    }

    /// What rows of gradients are multiplied by.
    fn turned<T: Vectors>(self, weight: &[T]) -> Panels<T> {
        Panels::pack(weight, (self.outputs, self.inputs), |k| k * self.inputs, 1)
    }
}

impl Fused for Dense {
    const NAME: &'static str = "linear layer";
    type Plan = Sizes;

    fn plan(&self, [x, weight, bias]: [&[usize]; 3]) -> Result<(Sizes, Shape)> {
        match Sizes::of(x, weight) {
            Some((sizes, shape)) if *bias == [sizes.outputs] => Ok((sizes, shape)),
            _ => bail!(
                "linear layer: expected [.., in], [out, in] and [out], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, sizes: &Sizes, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        product(x, &sizes.panels(weight).plus(bias))
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
        let mut db = vec![T::zero(); bias.len()];
        for row in dy.chunks_exact(sizes.outputs) {
            add_onto(&mut db, row);
        }
        let [dx, dw] = gradients(asks_x, *sizes, [x, weight], dy);
        [dx, dw, db]
    }
}

impl Fused<2> for Projection {
    const NAME: &'static str = "projection";
    type Plan = Sizes;

    fn plan(&self, [x, weight]: [&[usize]; 2]) -> Result<(Sizes, Shape)> {
        match Sizes::of(x, weight) {
            Some(found) => Ok(found),
            None => {
                bail!("projection: expected [.., in] and [out, in], found {x:?} and {weight:?}")
            }
        }
    }

    fn forward<T: Vectors>(&self, sizes: &Sizes, [x, weight]: [&[T]; 2]) -> Vec<T> {
        product(x, &sizes.panels(weight))
    }

    fn backward<T: Vectors>(
        &self,
        sizes: &Sizes,
        inputs: [&[T]; 2],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        self.backward_of([true; 2], sizes, inputs, y, dy)
    }

    fn backward_of<T: Vectors>(
        &self,
        [asks_x, _]: [bool; 2],
        sizes: &Sizes,
        inputs: [&[T]; 2],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        gradients(asks_x, *sizes, inputs, dy)
    }
}

/// Gradients in `x`, empty unless asked for, and in the weight.
fn gradients<T: Vectors>(
    asks_x: bool,
    sizes: Sizes,
    [x, weight]: [&[T]; 2],
    dy: &[T],
) -> [Vec<T>; 2] {
    let of_x = || if asks_x { product(dy, &sizes.turned(weight)) } else { Vec::new() };
    rayon::join(of_x, || weight_of(x, dy, sizes.outputs)).into()
}

/// Rows times packed weights.
fn product<T: Vectors>(x: &[T], panels: &Panels<T>) -> Vec<T> {
    let mut y = vec![T::zero(); x.len() / panels.inner() * panels.outputs()];
    in_rows(x, panels, &mut y, forward);
    y
}

type InRows<T> = fn(&[T], Walk, &Panels<T>, &mut [T], usize);

fn in_rows<T: Vectors>(x: &[T], panels: &Panels<T>, y: &mut [T], compute: InRows<T>) {
    let (inner, outputs) = (panels.inner(), panels.outputs());
    y.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * inner)).for_each(|(y, x)| {
        let y_step = y.len();
        compute(x, walk(1, x.len() / inner, inner), panels, y, y_step);
    });
}

/// `x W^T` for `x` `[.., in]` and `W` `[out, in]`.
pub(super) fn project<T: Vectors>(x: &[T], weight: &[T], outputs: usize) -> Vec<T> {
    let inputs = weight.len() / outputs;
    let sizes = Sizes { inputs, outputs };
    product(x, &sizes.panels(weight))
}

/// Adds `dy W` to `dx`: the gradient that [`project`] hands back.
pub(super) fn project_back<T: Vectors>(dy: &[T], weight: &[T], outputs: usize, dx: &mut [T]) {
    let inputs = weight.len() / outputs;
    let sizes = Sizes { inputs, outputs };
    in_rows(dy, &sizes.turned(weight), dx, forward_onto);
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
pub(super) fn weight_of<T: Vectors>(x: &[T], dy: &[T], outputs: usize) -> Vec<T> {
    let rows = dy.len() / outputs;
    let inputs = x.len() / rows;
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
    add_onto(&mut sum, &rest);
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
        let mut y = a.to_vec();
        add_all(&mut y, &[b]);
        y
    }

    fn backward<T: Vectors>(&self, (): &(), _: [&[T]; 2], _y: &[T], dy: &[T]) -> [Vec<T>; 2] {
        [dy.to_vec(), dy.to_vec()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::fused::{apply, apply2};
    use super::super::linear::project as project_by_library;
    use super::super::storage::{tensor, to_vec};
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};
    use candle_core::Tensor;

    #[test]
    fn a_linear_layer_is_a_matrix_product_and_a_shift() {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (33, 40, 70), (130, 17, 33)] {
            let x = normal(&[rows, inputs], 1);
            let (weight, bias) = (normal(&[outputs, inputs], 2), normal(&[outputs], 3));
            let want = project_by_library(&x, &weight).unwrap().broadcast_add(&bias).unwrap();
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
    fn a_projection_hands_back_what_it_is_made_of() {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (70, 40, 44)] {
            let (x, weight) = (normal(&[rows, inputs], 1), normal(&[outputs, inputs], 2));
            let projected = |t: &[Tensor]| apply2(Projection, [&t[0], &t[1]]);
            let want = project_by_library(&x, &weight).unwrap();
            let values = |t: &Tensor| to_vec::<f64>(t).unwrap();
            assert_near(&projected(&[x.clone(), weight.clone()]).unwrap(), &want, 1e-12, "product");
            if rows < 70 {
                assert_gradients(&[x.clone(), weight.clone()], projected);
            }
            let mut onto = values(&x);
            project_back(&values(&want), &values(&weight), outputs, &mut onto);
            let want = (want.matmul(&weight).unwrap() + &x).unwrap();
            assert_near(&tensor(onto, x.shape()).unwrap(), &want, 1e-12, "handed back");
        }
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
