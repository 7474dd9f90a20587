//! 3 x 3 convolution with a ring of zeros, stride 1, no bias: what a U-Net is made of.
//!
//! Images are channel last, `[b, h, w, C]`; weights `[O, C, 3, 3]` as PyTorch keeps them. The channels may lie in two tensors,
//! as those of a skip connection do, which are never joined: rows are copied into a ring of zeros band by band, and after that
//! every pixel sees three runs of neighbouring values. The gradient in the image is the same convolution with the weights
//! turned by half a turn.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply2};
use super::image_product::{Cotangent, Panels, Walk, band_rows, forward, weight_gradient};
use super::storage::{on_cpu, read, tensor};
use super::vectors::Vectors;

/// Weights per pair of channels.
const TAPS: usize = 9;

/// Values of one tensor, and its channels.
type Part<'a, T> = (&'a [T], usize);

/// `x` `[b, h, w, C]`, `weight` `[O, C, 3, 3]` to `[b, h, w, O]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn conv3x3(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    apply2(Conv3x3, [x, weight])
}

/// `max(0, conv3x3(x, weight) * scale + shift)` with `scale` and `shift` `[O]`, in one pass and without a
/// gradient: convolution, batch norm and `ReLU` of a trained network. The channels of `x` are those of one tensor or of two.
///
/// # Errors
/// If shapes disagree or the type is not `f32`.
pub(crate) fn conv3x3_rectified(
    x: &[&Tensor],
    weight: &Tensor,
    scale: &[f32],
    shift: &[f32],
) -> Result<Tensor> {
    let [a, b] = match *x {
        [x] => [x, x],
        [a, b] => [a, b],
        _ => bail!("conv3x3: expected one or two images, found {}", x.len()),
    };
    on_cpu([a, b, weight], |[a, b, weight]| {
        let parts = &[a.dims(), b.dims()][..x.len()];
        let shape = ImageShape::of(parts, weight.dims())?;
        let panels = read::<f32, _>(&weight, |it| Ok(straight(it, shape)))?;
        let panels = panels.finish(scale, shift, true);
        let y = read(&a, |a_values| {
            read(&b, |b_values| {
                let parts = [(a_values, a.dim(3)?), (b_values, b.dim(3)?)];
                Ok(convolve(&parts[..x.len()], shape, &panels))
            })
        })?;
        tensor(y, shape.output())
    })
}

/// Sizes of an image batch and of what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageShape {
    images: usize,
    rows: usize,
    columns: usize,
    inputs: usize,
    outputs: usize,
}

impl ImageShape {
    /// Of images whose channels lie in tensors of these shapes.
    fn of(parts: &[&[usize]], weight: &[usize]) -> Result<Self> {
        let inputs = parts.iter().filter_map(|part| part.last()).sum();
        let fits = |part: &&[usize]| part.len() == 4 && part[..3] == parts[0][..3];
        match (parts, weight) {
            (&[&[images, rows, columns, _], ..], &[outputs, c, 3, 3])
                if c == inputs && parts.iter().all(fits) =>
            {
                Ok(Self { images, rows, columns, inputs, outputs })
            }
            _ => bail!(
                "conv3x3: expected [b, h, w, C] and [O, C, 3, 3], found {parts:?} and {weight:?}"
            ),
        }
    }

    /// Of the result.
    fn output(self) -> Shape {
        (self.images, self.rows, self.columns, self.outputs).into()
    }

    /// The shape of the gradient in so many channels on its way back.
    fn reversed(self, channels: usize) -> Self {
        Self { inputs: self.outputs, outputs: channels, ..self }
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

/// Weights for the way back to some of the input channels.
fn turned<T: Vectors>(weight: &[T], shape: ImageShape, channels: Range<usize>) -> Panels<T> {
    let ImageShape { inputs, outputs, .. } = shape;
    let first =
        |k: usize| k % outputs * inputs * TAPS + channels.start * TAPS + TAPS - 1 - k / outputs;
    Panels::pack(weight, (TAPS * outputs, channels.len()), first, TAPS)
}

/// Copies row `y` of an image between two zero pixels, the channels of all parts side by side; zeros for a row beyond the image.
/// What is left and right of the row is not touched.
fn pad_row<T: Vectors>(
    parts: &[Part<'_, T>],
    shape: ImageShape,
    image: usize,
    y: Option<usize>,
    padded: &mut [T],
) {
    let ImageShape { rows, columns, inputs, .. } = shape;
    let inner = &mut padded[inputs..(columns + 1) * inputs];
    let Some(y) = y.filter(|y| *y < rows) else { return inner.fill(T::zero()) };
    let mut from = 0;
    for (values, channels) in parts {
        let row = &values[(image * rows + y) * columns * channels..][..columns * channels];
        if *channels == inputs {
            inner.copy_from_slice(row);
            return;
        }
        for (to, pixel) in inner.chunks_exact_mut(inputs).zip(row.chunks_exact(*channels)) {
            to[from..from + channels].copy_from_slice(pixel);
        }
        from += channels;
    }
}

/// The images with a ring of zeros, `[b, h + 2, w + 2, C]`.
fn padded<T: Vectors>(x: &[T], shape: ImageShape) -> Vec<T> {
    let rows = shape.rows + 2;
    let mut padded = vec![T::zero(); shape.images * rows * shape.padded_row()];
    padded.par_chunks_exact_mut(shape.padded_row()).enumerate().for_each(|(at, to)| {
        pad_row(&[(x, shape.inputs)], shape, at / rows, (at % rows).checked_sub(1), to);
    });
    padded
}

fn convolve<T: Vectors>(parts: &[Part<'_, T>], shape: ImageShape, panels: &Panels<T>) -> Vec<T> {
    let ImageShape { images, rows, columns, outputs, .. } = shape;
    let (padded_row, y_row) = (shape.padded_row(), columns * outputs);
    let band = band_rows(images, rows, columns);
    let mut y = vec![T::zero(); images * rows * y_row];
    let bands = y.par_chunks_exact_mut(rows * y_row).enumerate().flat_map(|(image, y)| {
        y.par_chunks_mut(band * y_row).enumerate().map(move |(at, y)| (image, at * band, y))
    });
    bands.for_each_init(Vec::new, |padded, (image, first, y)| {
        let walk = Walk { rows: y.len() / y_row, ..shape.walk() };
        padded.resize((walk.rows + 2) * padded_row, T::zero());
        for (row, to) in padded.chunks_exact_mut(padded_row).enumerate() {
            pad_row(parts, shape, image, (first + row).checked_sub(1), to);
        }
        forward(padded, walk, panels, y, y_row);
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

/// The gradient in the weights.
fn weights_gradient<T: Vectors>(x: &[T], shape: ImageShape, dy: &[T]) -> Vec<T> {
    let padded = padded(x, shape);
    let (row_step, outputs) = (shape.columns * shape.outputs, shape.outputs);
    let dy = Cotangent { values: dy, image: shape.rows * row_step, row_step, outputs };
    let padded_image = (shape.rows + 2) * shape.padded_row();
    by_output(&weight_gradient(&padded, padded_image, shape.walk(), dy), shape)
}

/// The gradient in some of the input channels.
fn image_gradient<T: Vectors>(
    weight: &[T],
    shape: ImageShape,
    channels: Range<usize>,
    dy: &[T],
) -> Vec<T> {
    let back = shape.reversed(channels.len());
    convolve(&[(dy, shape.outputs)], back, &turned(weight, shape, channels))
}

/// [`conv3x3`].
pub(crate) struct Conv3x3;

impl Fused<2> for Conv3x3 {
    const NAME: &'static str = "conv3x3";
    type Plan = ImageShape;

    fn plan(&self, [x, weight]: [&[usize]; 2]) -> Result<(ImageShape, Shape)> {
        let shape = ImageShape::of(&[x], weight)?;
        Ok((shape, shape.output()))
    }

    fn forward<T: Vectors>(&self, shape: &ImageShape, [x, weight]: [&[T]; 2]) -> Vec<T> {
        convolve(&[(x, shape.inputs)], *shape, &straight(weight, *shape))
    }

    fn backward<T: Vectors>(
        &self,
        shape: &ImageShape,
        inputs: [&[T]; 2],
        y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        self.backward_of([true; 2], shape, inputs, y, dy)
    }

    fn backward_of<T: Vectors>(
        &self,
        [in_image, _]: [bool; 2],
        shape: &ImageShape,
        [x, weight]: [&[T]; 2],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        let dx =
            if in_image { image_gradient(weight, *shape, 0..shape.inputs, dy) } else { Vec::new() };
        [dx, weights_gradient(x, *shape, dy)]
    }
}

/// [`Conv3x3`] of the channels of two images, one behind the other.
pub(crate) struct Conv3x3OfTwo;

impl Fused for Conv3x3OfTwo {
    const NAME: &'static str = "conv3x3 of two";
    /// The shape, and the channels of the first image.
    type Plan = (ImageShape, usize);

    fn plan(&self, [a, b, weight]: [&[usize]; 3]) -> Result<(Self::Plan, Shape)> {
        let shape = ImageShape::of(&[a, b], weight)?;
        Ok(((shape, a[3]), shape.output()))
    }

    fn forward<T: Vectors>(&self, plan: &Self::Plan, [a, b, weight]: [&[T]; 3]) -> Vec<T> {
        let (shape, n) = *plan;
        convolve(&[(a, n), (b, shape.inputs - n)], shape, &straight(weight, shape))
    }

    fn backward<T: Vectors>(
        &self,
        plan: &Self::Plan,
        [a, b, weight]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let (shape, n) = *plan;
        let of = |x: &[T], inputs| weights_gradient(x, ImageShape { inputs, ..shape }, dy);
        let (dw_a, dw_b) = (of(a, n), of(b, shape.inputs - n));
        let filters = dw_a.chunks(TAPS * n).zip(dw_b.chunks(TAPS * (shape.inputs - n)));
        let dw = filters.flat_map(|(a, b)| [a, b].concat()).collect();
        let da = image_gradient(weight, shape, 0..n, dy);
        [da, image_gradient(weight, shape, n..shape.inputs, dy), dw]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::super::fused::apply;
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
        let fused = |x: &[&Tensor]| conv3x3_rectified(x, &f32s(&weight), &scale, &shift).unwrap();
        let row = |it: &[f32]| Tensor::from_slice(it, 18, x.device()).unwrap().to_dtype(DType::F64);
        let plain = by_candle(&x, &weight).broadcast_mul(&row(&scale).unwrap()).unwrap();
        let want = plain.broadcast_add(&row(&shift).unwrap()).unwrap().relu().unwrap();
        let (a, b) = (x.narrow(3, 0, 1).unwrap(), x.narrow(3, 1, 2).unwrap());
        for fused in [fused(&[&f32s(&x)]), fused(&[&f32s(&a), &f32s(&b)])] {
            assert_near(&fused.to_dtype(DType::F64).unwrap(), &want, 1e-5, "fused");
        }
    }

    #[test]
    fn two_images_side_by_side_are_one_of_all_their_channels() {
        for (b, h, w, first, second, o) in [(1, 1, 1, 1, 1, 1), (2, 4, 5, 3, 2, 3)] {
            let a = normal(&[b, h, w, first], 12);
            let inputs =
                [a, normal(&[b, h, w, second], 13), normal(&[o, first + second, 3, 3], 14)];
            let joined = Tensor::cat(&inputs[..2], 3).unwrap();
            let want = by_candle(&joined, &inputs[2]);
            let of_two = |t: &[Tensor]| apply(Conv3x3OfTwo, [&t[0], &t[1], &t[2]]);
            assert_near(&of_two(&inputs).unwrap(), &want, 1e-12, "value");
            assert_gradients(&inputs, of_two);
        }
    }

    #[test]
    fn channels_that_do_not_fit_are_refused() {
        let error = conv3x3(&normal(&[1, 2, 2, 3], 1), &normal(&[2, 4, 3, 3], 2)).unwrap_err();
        assert!(error.to_string().contains("[1, 2, 2, 3]"), "{error}");
        let (a, b) = (normal(&[1, 2, 2, 3], 1), normal(&[1, 2, 3, 1], 1));
        let weight = normal(&[2, 4, 3, 3], 2);
        let error = apply(Conv3x3OfTwo, [&a, &b, &weight]).unwrap_err();
        assert!(error.to_string().contains("[1, 2, 3, 1]"), "{error}");
    }
}
