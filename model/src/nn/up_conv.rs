//! Transposed convolution 2 x 2 with stride 2: every pixel becomes four.
//!
//! Images `[b, h, w, C]`, weights `[C, O, 2, 2]` as PyTorch keeps them, bias `[O]`. Both pixels of one
//! output row lie side by side, so each of the two output rows is one matrix product.

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::image_product::{Cotangent, Panels, Walk, band_rows, forward, weight_gradient};
use super::storage::{on_cpu, read, slice, tensor};
use super::vectors::Vectors;

/// `x` `[b, h, w, C]`, `weight` `[C, O, 2, 2]`, `bias` `[O]` to `[b, 2h, 2w, O]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn up_conv(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    on_cpu([x, weight, bias], |[x, weight, bias]| x.apply_op3(&weight, &bias, UpConv))
}

#[derive(Clone, Copy, Debug)]
struct UpShape {
    images: usize,
    rows: usize,
    columns: usize,
    inputs: usize,
    outputs: usize,
}

impl UpShape {
    fn of(x: &[usize], weight: &[usize], bias: &[usize]) -> Result<Self> {
        match (x, weight, bias) {
            (&[images, rows, columns, inputs], &[c, outputs, 2, 2], &[o])
                if c == inputs && o == outputs =>
            {
                Ok(Self { images, rows, columns, inputs, outputs })
            }
            _ => bail!(
                "up_conv: expected [b, h, w, C], [C, O, 2, 2] and [O], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

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

struct UpConv;

impl CustomOp3 for UpConv {
    fn name(&self) -> &'static str {
        "up-conv"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = UpShape::of(x_layout.dims(), weight_layout.dims(), bias_layout.dims())?;
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(spread::<f32>(
                slice(x, x_layout)?,
                slice(weight, weight_layout)?,
                slice(bias, bias_layout)?,
                shape,
            )),
            CpuStorage::F64(_) => CpuStorage::F64(spread::<f64>(
                slice(x, x_layout)?,
                slice(weight, weight_layout)?,
                slice(bias, bias_layout)?,
                shape,
            )),
            _ => bail!("up_conv: expected f32 or f64"),
        };
        Ok((y, (shape.images, 2 * shape.rows, 2 * shape.columns, shape.outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        match x.dtype() {
            DType::F64 => gradients::<f64>(x, weight, bias, &dy),
            _ => gradients::<f32>(x, weight, bias, &dy),
        }
    }
}

fn gradients<T: Vectors>(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    dy: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let shape = UpShape::of(x.dims(), weight.dims(), bias.dims())?;
    let db = dy.sum((0, 1, 2))?;
    read::<T, _>(dy, |dy| {
        let dw = read(x, |x| tensor(weights::<T>(x, dy, shape), weight.shape()))?;
        let dx = read(weight, |weight| tensor(gather::<T>(dy, weight, shape), x.shape()))?;
        Ok((Some(dx), Some(dw), Some(db)))
    })
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
