//! 3 x 3 convolution with a ring of zeros, stride 1, no bias: what a U-Net is made of.
//!
//! Images are channel last, `[b, h, w, C]`; weights `[O, C, 3, 3]` as PyTorch keeps them. The zeros are
//! copied around the image once; after that every pixel sees three runs of neighbouring values. The
//! gradient in the image is the same convolution with the weights turned by half a turn.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::image_product::{Cotangent, Panels, Walk, band_rows, forward, weight_gradient};
use super::storage::{on_cpu, read, slice, tensor};
use super::vectors::Vectors;

/// Weights per pair of channels.
const TAPS: usize = 9;

/// `x` `[b, h, w, C]`, `weight` `[O, C, 3, 3]` to `[b, h, w, O]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn conv3x3(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    on_cpu([x, weight], |[x, weight]| x.apply_op2(&weight, Conv3x3))
}

/// `max(0, conv3x3(x, weight) * scale + shift)` with `scale` and `shift` `[O]`, in one pass and without a
/// gradient: convolution, batch norm and `ReLU` of a trained network.
///
/// # Errors
/// If shapes disagree or the type is not `f32`.
pub(crate) fn conv3x3_rectified(
    x: &Tensor,
    weight: &Tensor,
    scale: &[f32],
    shift: &[f32],
) -> Result<Tensor> {
    on_cpu([x, weight], |[x, weight]| {
        let shape = ImageShape::of(x.dims(), weight.dims())?;
        let y = read::<f32, _>(&weight, |weight| {
            let panels = straight(weight, shape).finish(scale, shift, true);
            read(&x, |x| Ok(convolve(x, shape, &panels)))
        })?;
        tensor(y, (shape.images, shape.rows, shape.columns, shape.outputs))
    })
}

/// Sizes of an image batch and of what becomes of it.
#[derive(Clone, Copy, Debug)]
struct ImageShape {
    images: usize,
    rows: usize,
    columns: usize,
    inputs: usize,
    outputs: usize,
}

impl ImageShape {
    fn of(x: &[usize], weight: &[usize]) -> Result<Self> {
        match (x, weight) {
            (&[images, rows, columns, inputs], &[outputs, c, 3, 3]) if c == inputs => {
                Ok(Self { images, rows, columns, inputs, outputs })
            }
            _ => {
                bail!("conv3x3: expected [b, h, w, C] and [O, C, 3, 3], found {x:?} and {weight:?}")
            }
        }
    }

    /// The shape of the gradient on its way back.
    fn reversed(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs, ..self }
    }

    /// Values per padded row.
    fn padded_row(self) -> usize {
        (self.columns + 2) * self.inputs
    }

    /// What the pixels see in a padded image.
    fn walk(self) -> Walk {
        Walk {
            rows: self.rows,
            columns: self.columns,
            row_step: self.padded_row(),
            pixel_step: self.inputs,
            runs: 3,
            run_len: 3 * self.inputs,
            run_step: self.padded_row(),
        }
    }
}

/// Weights for the way forward: what pixels see is ordered by row, column, channel.
fn straight<T: Vectors>(weight: &[T], shape: ImageShape) -> Panels<T> {
    let inputs = shape.inputs;
    let first = |k: usize| k % inputs * TAPS + k / inputs;
    Panels::pack(weight, (TAPS * inputs, shape.outputs), first, TAPS * inputs)
}

/// Weights for the way back.
fn turned<T: Vectors>(weight: &[T], shape: ImageShape) -> Panels<T> {
    let ImageShape { inputs, outputs, .. } = shape;
    let first = |k: usize| k % outputs * inputs * TAPS + TAPS - 1 - k / outputs;
    Panels::pack(weight, (TAPS * outputs, inputs), first, TAPS)
}

/// The images with a ring of zeros, `[b, h + 2, w + 2, C]`.
fn padded<T: Vectors>(x: &[T], shape: ImageShape) -> Vec<T> {
    let (rows, row) = (shape.rows + 2, shape.columns * shape.inputs);
    let mut padded = vec![T::zero(); shape.images * rows * shape.padded_row()];
    padded.par_chunks_exact_mut(shape.padded_row()).enumerate().for_each(|(at, to)| {
        let (image, y) = (at / rows, at % rows);
        if (1..=shape.rows).contains(&y) {
            let from = &x[(image * shape.rows + y - 1) * row..][..row];
            to[shape.inputs..shape.inputs + row].copy_from_slice(from);
        }
    });
    padded
}

fn convolve<T: Vectors>(x: &[T], shape: ImageShape, panels: &Panels<T>) -> Vec<T> {
    let ImageShape { images, rows, columns, outputs, .. } = shape;
    let padded = padded(x, shape);
    let padded_image = padded.len() / images.max(1);
    let y_row = columns * outputs;
    let band = band_rows(images, rows, columns);
    let mut y = vec![T::zero(); images * rows * y_row];
    let bands = y.par_chunks_exact_mut(rows * y_row).enumerate().flat_map(|(image, y)| {
        y.par_chunks_mut(band * y_row).enumerate().map(move |(at, y)| (image, at * band, y))
    });
    bands.for_each(|(image, row, y)| {
        let x = &padded[image * padded_image + row * shape.padded_row()..];
        let walk = Walk { rows: y.len() / y_row, ..shape.walk() };
        forward(x, walk, panels, y, y_row);
    });
    y
}

/// `[ky, kx, C, O]` to `[O, C, ky, kx]`.
fn by_output<T: Vectors>(gradient: &[T], shape: ImageShape) -> Vec<T> {
    let ImageShape { inputs, outputs, .. } = shape;
    let mut by_output = vec![T::zero(); gradient.len()];
    by_output.par_chunks_exact_mut(TAPS * inputs).enumerate().for_each(|(output, filter)| {
        for (c, taps) in filter.chunks_exact_mut(TAPS).enumerate() {
            for (tap, value) in taps.iter_mut().enumerate() {
                *value = gradient[(tap * inputs + c) * outputs + output];
            }
        }
    });
    by_output
}

struct Conv3x3;

impl CustomOp2 for Conv3x3 {
    fn name(&self) -> &'static str {
        "conv3x3"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = ImageShape::of(x_layout.dims(), weight_layout.dims())?;
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(convolve::<f32>(
                slice(x, x_layout)?,
                shape,
                &straight(slice(weight, weight_layout)?, shape),
            )),
            CpuStorage::F64(_) => CpuStorage::F64(convolve::<f64>(
                slice(x, x_layout)?,
                shape,
                &straight(slice(weight, weight_layout)?, shape),
            )),
            _ => bail!("conv3x3: expected f32 or f64"),
        };
        Ok((y, (shape.images, shape.rows, shape.columns, shape.outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        match x.dtype() {
            DType::F64 => gradients::<f64>(x, weight, &dy),
            _ => gradients::<f32>(x, weight, &dy),
        }
    }
}

/// Gradients in `x`, unless nobody asks for it, and in `weight`.
fn gradients<T: Vectors>(
    x: &Tensor,
    weight: &Tensor,
    dy: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let shape = ImageShape::of(x.dims(), weight.dims())?;
    read::<T, _>(dy, |dy| {
        let dw = read(x, |x| {
            let padded = padded(x, shape);
            let y_row = shape.columns * shape.outputs;
            let (image, outputs) = (shape.rows * y_row, shape.outputs);
            let dy = Cotangent { values: dy, image, row_step: y_row, outputs };
            let padded_image = (shape.rows + 2) * shape.padded_row();
            let dw = weight_gradient(&padded, padded_image, shape.walk(), dy);
            tensor(by_output(&dw, shape), weight.shape())
        })?;
        if !x.track_op() {
            return Ok((None, Some(dw)));
        }
        let panels = read(weight, |weight| Ok(turned::<T>(weight, shape)))?;
        let dx = tensor(convolve(dy, shape.reversed(), &panels), x.shape())?;
        Ok((Some(dx), Some(dw)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    /// Channel last to channel first and candle's own convolution, whose value is right.
    fn by_candle(x: &Tensor, weight: &Tensor) -> Tensor {
        let x = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        x.conv2d(weight, 1, 1, 1, 1).unwrap().permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
    }

    #[test]
    fn every_size_gives_the_value_of_the_definition() {
        let sizes = [(1, 1, 1, 1, 1), (2, 3, 5, 3, 4), (1, 9, 17, 5, 33), (2, 16, 16, 16, 40)];
        for (b, h, w, c, o) in sizes {
            let (x, weight) = (normal(&[b, h, w, c], 1), normal(&[o, c, 3, 3], 2));
            let want = by_candle(&x, &weight);
            assert_near(&conv3x3(&x, &weight).unwrap(), &want, 1e-12, "f64");
            let (x, weight) =
                (x.to_dtype(DType::F32).unwrap(), weight.to_dtype(DType::F32).unwrap());
            let single = conv3x3(&x, &weight).unwrap().to_dtype(DType::F64).unwrap();
            assert_near(&single, &want, 1e-5, "f32");
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (b, h, w, c, o) in [(1, 1, 1, 1, 1), (2, 4, 3, 3, 2), (1, 3, 5, 2, 17)] {
            let inputs = [normal(&[b, h, w, c], 3), normal(&[o, c, 3, 3], 4)];
            assert_gradients(&inputs, |t| conv3x3(&t[0], &t[1]));
        }
    }

    #[test]
    fn single_precision_gradients_are_those_of_double_precision() {
        let inputs = [normal(&[3, 21, 19, 20], 5), normal(&[35, 20, 3, 3], 6)];
        let cotangent = normal(&[3, 21, 19, 35], 7);
        let gradients = |dtype: DType| -> Vec<Tensor> {
            let vars = inputs
                .clone()
                .map(|it| candle_core::Var::from_tensor(&it.to_dtype(dtype).unwrap()).unwrap());
            let y = conv3x3(&vars[0], &vars[1]).unwrap();
            let loss = (y * cotangent.to_dtype(dtype).unwrap()).unwrap().sum_all().unwrap();
            let grads = loss.backward().unwrap();
            let of = |var: &candle_core::Var| grads.get(var).unwrap().to_dtype(DType::F64).unwrap();
            vars.iter().map(of).collect()
        };
        for (single, double) in gradients(DType::F32).iter().zip(&gradients(DType::F64)) {
            assert_near(single, double, 1e-5, "gradient");
        }
    }

    #[test]
    fn an_image_that_nobody_trains_gets_no_gradient() {
        let x = normal(&[1, 2, 2, 3], 8);
        let weight = candle_core::Var::from_tensor(&normal(&[2, 3, 3, 3], 9)).unwrap();
        let grads = conv3x3(&x, &weight).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(grads.get(&x).is_none() && grads.get(&weight).is_some());
    }

    #[test]
    fn the_fused_pass_scales_shifts_and_rectifies() {
        let (x, weight) = (normal(&[2, 6, 7, 3], 10), normal(&[18, 3, 3, 3], 11));
        let scale: Vec<f32> = (0..18).map(|i| 0.5 + i as f32 / 9.0).collect();
        let shift: Vec<f32> = (0..18).map(|i| i as f32 - 9.0).collect();
        let f32s = |it: &Tensor| it.to_dtype(DType::F32).unwrap();
        let fused = conv3x3_rectified(&f32s(&x), &f32s(&weight), &scale, &shift).unwrap();
        let row = |it: &[f32]| Tensor::from_slice(it, 18, x.device()).unwrap().to_dtype(DType::F64);
        let plain = by_candle(&x, &weight).broadcast_mul(&row(&scale).unwrap()).unwrap();
        let want = plain.broadcast_add(&row(&shift).unwrap()).unwrap().relu().unwrap();
        assert_near(&fused.to_dtype(DType::F64).unwrap(), &want, 1e-5, "fused");
    }

    #[test]
    fn channels_that_do_not_fit_are_refused() {
        let error = conv3x3(&normal(&[1, 2, 2, 3], 1), &normal(&[2, 4, 3, 3], 2)).unwrap_err();
        assert!(error.to_string().contains("[1, 2, 2, 3]"), "{error}");
    }
}
