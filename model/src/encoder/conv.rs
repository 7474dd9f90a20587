//! Convolution as matrix product: `[output pixels, kernel² · inputs] x [kernel² · inputs, outputs]`.
//!
//! Channel last, so that gathering the left matrix is a copy of whole pixels. It is gathered for a few
//! hundred pixels at a time, into a buffer that stays in the cache. Batch norm is folded into weights
//! and bias.

use std::ops::Range;

use super::EncoderError;
use super::affine::{Affine, Finish};
use super::feature_map::FeatureMap;
use super::weights::Weights;

/// Output pixels per matrix product.
const TILE_PIXELS: usize = 256;

/// Form of a square convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: Padding,
}

/// Zeros around the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// As many on every side.
    Even(usize),
    /// TensorFlow's "same": the output has `1 / stride` of the input's size, and where the zeros cannot
    /// be even, one more lies behind than before.
    Same,
}

impl Padding {
    /// Length of the output along one axis, and zeros before the input's first pixel.
    pub(super) fn place(self, len: usize, kernel: usize, stride: usize) -> (usize, usize) {
        match self {
            Self::Even(padding) => ((len + 2 * padding - kernel) / stride + 1, padding),
            Self::Same => {
                let out_len = len.div_ceil(stride);
                (out_len, ((out_len - 1) * stride + kernel).saturating_sub(len) / 2)
            }
        }
    }
}

impl ConvShape {
    /// Output length and zeros before the input, along an axis of `len`.
    fn place(self, len: usize) -> (usize, usize) {
        self.padding.place(len, self.kernel, self.stride)
    }

    /// Inputs that one output value sees.
    fn depth(self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// Whether an output pixel sees exactly the input pixel at its own place.
    fn is_pointwise(self) -> bool {
        self.kernel == 1 && self.stride == 1
    }
}

/// What follows the linear part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Identity,
    Relu,
    /// `ReLU` that saturates at 6.
    Relu6,
}

impl Activation {
    /// The activation as a clamp.
    pub(super) fn finish(self, adds: bool) -> Finish {
        let (low, high) = match self {
            Self::Identity => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        };
        Finish { adds, low, high }
    }
}

/// A convolution with its batch norm folded in.
#[derive(Debug)]
pub(super) struct Conv {
    shape: ConvShape,
    /// Weights `[kernel, kernel, inputs, outputs]`.
    affine: Affine,
    activation: Activation,
}

impl Conv {
    /// Takes `<conv>.weight` `[outputs, inputs, kernel, kernel]` and the batch norm `<norm>.*`.
    pub(super) fn load(
        file: &mut Weights<'_>,
        conv: &str,
        norm: &str,
        shape: ConvShape,
        activation: Activation,
    ) -> Result<Self, EncoderError> {
        let ConvShape { inputs, outputs, kernel, .. } = shape;
        let raw = file.take(&format!("{conv}.weight"), &[outputs, inputs, kernel, kernel])?;
        let (scale, bias) = fold_norm(file, norm, outputs)?;
        let area = kernel * kernel;
        let mut weights = vec![0.0; raw.len()];
        for (output, (filter, scale)) in raw.chunks_exact(inputs * area).zip(&scale).enumerate() {
            for (at, value) in filter.iter().enumerate() {
                let (input, tap) = (at / area, at % area);
                weights[(tap * inputs + input) * outputs + output] = value * scale;
            }
        }
        Ok(Self { shape, affine: Affine::new(&weights, &bias), activation })
    }

    /// The convolution of `input`, into `output`. `columns` is scratch.
    pub(super) fn forward(
        &self,
        input: &FeatureMap,
        output: &mut FeatureMap,
        columns: &mut Vec<f32>,
    ) {
        let ((height, _), (width, _)) =
            (self.shape.place(input.height), self.shape.place(input.width));
        output.reshape(input.count, height, width, self.shape.outputs);
        self.run(input, output, self.activation.finish(false), columns);
    }

    /// Adds the convolution of `input` to `sum`, then activates: a residual connection.
    pub(super) fn add_to(&self, input: &FeatureMap, sum: &mut FeatureMap, columns: &mut Vec<f32>) {
        self.run(input, sum, self.activation.finish(true), columns);
    }

    fn run(
        &self,
        input: &FeatureMap,
        output: &mut FeatureMap,
        finish: Finish,
        columns: &mut Vec<f32>,
    ) {
        let depth = self.shape.depth();
        let mut start = 0;
        for tile in output.values.chunks_mut(TILE_PIXELS * self.affine.outputs()) {
            let range = start..start + tile.len() / self.affine.outputs();
            start = range.end;
            if self.shape.is_pointwise() {
                let seen = &input.values[range.start * depth..range.end * depth];
                self.affine.apply(seen, tile, finish);
            } else {
                columns.resize(range.len() * depth, 0.0);
                self.gather(input, range, columns);
                self.affine.apply(columns, tile, finish);
            }
        }
    }

    /// Copies what the output pixels `range` see, `[pixels, depth]`.
    fn gather(&self, input: &FeatureMap, range: Range<usize>, columns: &mut [f32]) {
        let ConvShape { kernel, stride, .. } = self.shape;
        let (height, above) = self.shape.place(input.height);
        let (width, before) = self.shape.place(input.width);
        for (pixel, seen) in range.zip(columns.chunks_exact_mut(self.shape.depth())) {
            let (x, y, image) = (pixel % width, pixel / width % height, pixel / width / height);
            let rows = seen.chunks_exact_mut(kernel * input.channels);
            for (seen, padded_y) in rows.zip(y * stride..) {
                match padded_y.checked_sub(above).filter(|it| *it < input.height) {
                    Some(source_y) => {
                        let row = input.row(image, source_y);
                        let (start, zeros) = (x * stride * input.channels, before * input.channels);
                        copy_padded(row, start, zeros, seen);
                    }
                    None => seen.fill(0.0),
                }
            }
        }
    }
}

/// Copies the values of `row`, with `zeros` before it and any number behind, from `start` on.
fn copy_padded(row: &[f32], start: usize, zeros: usize, seen: &mut [f32]) {
    let skipped = zeros.saturating_sub(start).min(seen.len());
    let source = &row[start.saturating_sub(zeros).min(row.len())..];
    let copied = source.len().min(seen.len() - skipped);
    seen[..skipped].fill(0.0);
    seen[skipped..skipped + copied].copy_from_slice(&source[..copied]);
    seen[skipped + copied..].fill(0.0);
}

/// Scale and offset per channel that the batch norm `<norm>.*` amounts to.
pub(super) fn fold_norm(
    file: &mut Weights<'_>,
    norm: &str,
    channels: usize,
) -> Result<(Vec<f32>, Vec<f32>), EncoderError> {
    let mut take = |part: &str| file.take(&format!("{norm}.{part}"), &[channels]);
    let (weight, bias) = (take("weight")?, take("bias")?);
    let (mean, variance) = (take("running_mean")?, take("running_var")?);
    let epsilon = file.described("bn_eps", "a number", 1e-5_f32)?;
    let scale: Vec<f32> = weight
        .iter()
        .zip(&variance)
        .map(|(it, variance)| it / (variance + epsilon).sqrt())
        .collect();
    if !scale.iter().all(|it| it.is_finite()) {
        return Err(EncoderError::NotFinite(format!("{norm}.running_var")));
    }
    let offset = bias
        .iter()
        .zip(mean.iter().zip(&scale))
        .map(|(it, (mean, scale))| it - mean * scale)
        .collect();
    Ok((scale, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * step) % 11) as f32 - 5.0).collect()
    }

    /// The output from the definition, ReLU included, as `[count, height, width, outputs]`.
    fn by_hand(shape: ConvShape, weights: &[f32], bias: &[f32], input: &FeatureMap) -> Vec<f32> {
        let ConvShape { inputs, outputs, kernel, stride, .. } = shape;
        let (rows, above) = shape.place(input.height);
        let (across, before) = shape.place(input.width);
        let cell = |at: usize| {
            let (output, pixel) = (at % outputs, at / outputs);
            let (x, y, image) = (pixel % across, pixel / across % rows, pixel / across / rows);
            let mut sum = bias[output];
            for tap in 0..kernel * kernel * inputs {
                let (ky, kx, channel) =
                    (tap / inputs / kernel, tap / inputs % kernel, tap % inputs);
                let source_y = (y * stride + ky).wrapping_sub(above);
                let source_x = (x * stride + kx).wrapping_sub(before);
                if source_y < input.height && source_x < input.width {
                    let value = input.row(image, source_y)[source_x * inputs + channel];
                    sum += value * weights[tap * outputs + output];
                }
            }
            sum.max(0.0)
        };
        (0..input.count * rows * across * outputs).map(cell).collect()
    }

    #[test]
    fn every_form_gives_the_value_of_the_definition() {
        let even = [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3)];
        let even = even.map(|(kernel, stride, zeros)| (kernel, stride, Padding::Even(zeros)));
        let same = [(3, 2, Padding::Same), (5, 2, Padding::Same), (5, 1, Padding::Same)];
        for (kernel, stride, padding) in even.into_iter().chain(same) {
            for (height, width) in [(1, 1), (2, 5), (19, 17)] {
                let shape = ConvShape { inputs: 3, outputs: 4, kernel, stride, padding };
                let (weights, bias) = (numbers(shape.depth() * 4, 7), numbers(4, 3));
                let affine = Affine::new(&weights, &bias);
                let conv = Conv { shape, affine, activation: Activation::Relu };
                let values = numbers(2 * height * width * 3, 5);
                let input = FeatureMap { values, count: 2, height, width, channels: 3 };
                let mut output = FeatureMap::default();
                conv.forward(&input, &mut output, &mut Vec::new());
                let expected = by_hand(shape, &weights, &bias, &input);
                assert_eq!(output.values, expected, "{shape:?} {height} {width}");
            }
        }
    }

    #[test]
    fn adding_keeps_the_residual() {
        let shape =
            ConvShape { inputs: 1, outputs: 1, kernel: 1, stride: 1, padding: Padding::Same };
        let affine = Affine::new(&[2.0], &[1.0]);
        let conv = Conv { shape, affine, activation: Activation::Relu };
        let map =
            |values: Vec<f32>| FeatureMap { values, count: 1, height: 1, width: 2, channels: 1 };
        let mut sum = map(vec![10.0, -50.0]);
        conv.add_to(&map(vec![3.0, 4.0]), &mut sum, &mut Vec::new());
        assert_eq!(sum.values, [17.0, 0.0]);
    }

    #[test]
    fn same_padding_puts_the_odd_zero_behind() {
        assert_eq!(Padding::Same.place(224, 3, 2), (112, 0));
        assert_eq!(Padding::Same.place(225, 3, 2), (113, 1));
        assert_eq!(Padding::Same.place(224, 5, 2), (112, 1));
        assert_eq!(Padding::Same.place(7, 5, 1), (7, 2));
        assert_eq!(Padding::Same.place(1, 5, 2), (1, 2));
    }
}
