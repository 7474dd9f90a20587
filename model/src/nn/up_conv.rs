//! Transposed convolution 2 x 2 with stride 2: every pixel becomes four.
//!
//! Images `[b, h, w, C]`, weights `[C, O, 2, 2]` as PyTorch keeps them, bias `[O]`. Both pixels of one
//! output row lie side by side, so each of the two output rows is one matrix product.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::image_product::{Cotangent, Panels, Walk, band_rows, forward, weight_gradient};
use super::lanes::add_onto;
use super::vectors::Vectors;

/// `x` `[b, h, w, C]`, `weight` `[C, O, 2, 2]`, `bias` `[O]` to `[b, 2h, 2w, O]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn up_conv(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(UpConv, [x, weight, bias])
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct UpShape {
    images: usize,
    rows: usize,
    columns: usize,
    inputs: usize,
    outputs: usize,
}

impl UpShape {
    /// Values of the two output pixels side by side.
    fn pair(self) -> usize {
        2 * self.outputs
    }

    /// Values of an output row.
    fn y_row(self) -> usize {
        self.columns * self.pair()
    }

    fn walk(self) -> Walk {
        let row = self.columns * self.inputs;
        Walk {
            rows: self.rows,
            columns: self.columns,
            row_step: row,
            pixel_step: self.inputs,
            runs: 1,
            run_len: self.inputs,
            run_step: 0,
        }
    }

    /// The four pixels that one input pixel became, in two runs.
    fn walk_back(self) -> Walk {
        Walk {
            row_step: 2 * self.y_row(),
            pixel_step: self.pair(),
            runs: 2,
            run_len: self.pair(),
            run_step: self.y_row(),
            ..self.walk()
        }
    }
}

/// `[C, O, row, column]` to `[row, C, column, O]`.
fn by_row<T: Vectors>(weight: &[T], shape: UpShape) -> [Vec<T>; 2] {
    let UpShape { inputs, outputs, .. } = shape;
    [0, 1].map(|row| {
        let mut matrix = Vec::with_capacity(inputs * shape.pair());
        for filters in weight.chunks_exact(4 * outputs) {
            for column in 0..2 {
                matrix.extend(filters.iter().skip(2 * row + column).step_by(4));
            }
        }
        matrix
    })
}

fn spread<T: Vectors>(x: &[T], weight: &[T], bias: &[T], shape: UpShape) -> Vec<T> {
    let (inputs, pair, y_row) = (shape.inputs, shape.pair(), shape.y_row());
    let (scale, shift) = (vec![T::one(); pair], [bias, bias].concat());
    let panels = by_row(weight, shape).map(|matrix| {
        Panels::pack(&matrix, (inputs, pair), |k| k * pair, 1).finish(&scale, &shift, false)
    });
    let (x_row, band) =
        (shape.columns * inputs, band_rows(shape.images, shape.rows, shape.columns));
    let mut y = vec![T::zero(); shape.images * shape.rows * 2 * y_row];
    y.par_chunks_mut(band * 2 * y_row).zip(x.par_chunks(band * x_row)).for_each(|(y, x)| {
        let walk = Walk { rows: x.len() / x_row, ..shape.walk() };
        for (row, panels) in panels.iter().enumerate() {
            forward(x, walk, panels, &mut y[row * y_row..], 2 * y_row);
        }
    });
    y
}

/// Gradient in `x`.
fn gather<T: Vectors>(dy: &[T], weight: &[T], shape: UpShape) -> Vec<T> {
    let (inputs, pair, y_row) = (shape.inputs, shape.pair(), shape.y_row());
    let rows = by_row(weight, shape).concat(); // [row, C, column, O]
    let first = |k: usize| k / pair * inputs * pair + k % pair;
    let panels = Panels::pack(&rows, (2 * pair, inputs), first, pair);
    let (x_row, band) =
        (shape.columns * inputs, band_rows(shape.images, shape.rows, shape.columns));
    let mut dx = vec![T::zero(); shape.images * shape.rows * x_row];
    dx.par_chunks_mut(band * x_row).zip(dy.par_chunks(band * 2 * y_row)).for_each(|(dx, dy)| {
        let walk = Walk { rows: dx.len() / x_row, ..shape.walk_back() };
        forward(dy, walk, &panels, dx, x_row);
    });
    dx
}

/// Gradient in the weights, `[C, O, row, column]`.
fn weights<T: Vectors>(x: &[T], dy: &[T], shape: UpShape) -> Vec<T> {
    let UpShape { inputs, outputs, .. } = shape;
    let (pair, y_row) = (shape.pair(), shape.y_row());
    let mut dw = vec![T::zero(); inputs * outputs * 4];
    for row in 0..2 {
        let image = shape.rows * 2 * y_row;
        let dy =
            Cotangent { values: &dy[row * y_row..], image, row_step: 2 * y_row, outputs: pair };
        let walk = shape.walk();
        let part = weight_gradient(x, walk.rows * walk.row_step, walk, dy); // [C, column, O]
        for (filters, part) in dw.chunks_exact_mut(4 * outputs).zip(part.chunks_exact(pair)) {
            for (at, value) in part.iter().enumerate() {
                filters[at % outputs * 4 + 2 * row + at / outputs] = *value;
            }
        }
    }
    dw
}

/// Sums over all pixels, per output; rows in order, so that they do not depend on the number of threads.
fn sums<T: Vectors>(dy: &[T], shape: UpShape) -> Vec<T> {
    let of_row = |row: &[T]| {
        let mut sums = vec![T::zero(); shape.outputs];
        for pixel in row.chunks_exact(shape.outputs) {
            add_onto(&mut sums, pixel);
        }
        sums
    };
    let rows: Vec<Vec<T>> = dy.par_chunks_exact(shape.y_row().max(1)).map(of_row).collect();
    let mut total = vec![0.0; shape.outputs];
    for row in rows {
        total.iter_mut().zip(row).for_each(|(total, sum)| *total += sum.wide());
    }
    total.into_iter().map(T::of).collect()
}

/// [`up_conv`].
pub(crate) struct UpConv;

impl Fused for UpConv {
    const NAME: &'static str = "up_conv";
    type Plan = UpShape;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(UpShape, Shape)> {
        match dims {
            [&[images, rows, columns, inputs], &[c, outputs, 2, 2], &[o]]
                if c == inputs && o == outputs =>
            {
                let shape = UpShape { images, rows, columns, inputs, outputs };
                Ok((shape, (images, 2 * rows, 2 * columns, outputs).into()))
            }
            [x, weight, bias] => bail!(
                "up_conv: expected [b, h, w, C], [C, O, 2, 2] and [O], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, shape: &UpShape, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        spread(x, weight, bias, *shape)
    }

    fn backward<T: Vectors>(
        &self,
        shape: &UpShape,
        [x, weight, _]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        [gather(dy, weight, *shape), weights(x, dy, *shape), sums(dy, *shape)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn every_size_gives_the_value_of_the_definition() {
        for (b, h, w, c, o) in [(1, 1, 1, 1, 1), (2, 3, 5, 4, 3), (1, 7, 9, 17, 20)] {
            let (x, weight, bias) =
                (normal(&[b, h, w, c], 1), normal(&[c, o, 2, 2], 2), normal(&[o], 3));
            let first = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let plain = first.conv_transpose2d(&weight, 0, 0, 2, 1).unwrap();
            let want = plain.permute((0, 2, 3, 1)).unwrap().broadcast_add(&bias).unwrap();
            let y = up_conv(&x, &weight, &bias).unwrap();
            assert_near(&y, &want.contiguous().unwrap(), 1e-12, "up");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (b, h, w, c, o) in [(1, 1, 1, 1, 1), (2, 3, 2, 3, 2), (1, 2, 3, 2, 10)] {
            let inputs = [normal(&[b, h, w, c], 4), normal(&[c, o, 2, 2], 5), normal(&[o], 6)];
            assert_gradients(&inputs, |t| up_conv(&t[0], &t[1], &t[2]));
        }
    }
}
