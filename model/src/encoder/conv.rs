//! Convolution as matrix product: `[output pixels, kernel² · inputs] x [kernel² · inputs, outputs]`.
//!
//! Channel last, so that gathering the left matrix is a copy of whole pixels. It is gathered for a few
//! hundred pixels at a time, into a buffer that stays in the cache. Batch norm is folded into weights
//! and bias; bias and ReLU are applied while a tile's result is still in the cache.

use std::ops::Range;

use super::EncoderError;
use super::feature_map::FeatureMap;
use super::weights::Weights;
use crate::nn::gemm::{Matrix, Target, multiply};

/// Output pixels per matrix product.
const TILE_PIXELS: usize = 256;

/// Form of a square convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Zeros around the input on every side.
    pub(super) padding: usize,
}

impl ConvShape {
    fn out_len(self, len: usize) -> usize {
        (len + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Inputs that one output value sees.
    fn depth(self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// Whether an output pixel sees exactly the input pixel at its own place.
    fn is_pointwise(self) -> bool {
        (self.kernel, self.stride, self.padding) == (1, 1, 0)
    }
}

/// What follows the linear part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Identity,
    Relu,
}

/// A convolution with its batch norm folded in.
#[derive(Debug)]
pub(super) struct Conv {
    shape: ConvShape,
    /// `[kernel, kernel, inputs, outputs]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
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
        Ok(Self { shape, weights, bias, activation })
    }

    /// The convolution of `input`, into `output`. `columns` is scratch.
    pub(super) fn forward(
        &self,
        input: &FeatureMap,
        output: &mut FeatureMap,
        columns: &mut Vec<f32>,
    ) {
        let height = self.shape.out_len(input.height);
        let width = self.shape.out_len(input.width);
        output.reshape(input.count, height, width, self.shape.outputs);
        self.run(input, output, Target::Overwrite, columns);
    }

    /// Adds the convolution of `input` to `sum`, then activates: a residual connection.
    pub(super) fn add_to(&self, input: &FeatureMap, sum: &mut FeatureMap, columns: &mut Vec<f32>) {
        self.run(input, sum, Target::Accumulate, columns);
    }

    fn run(
        &self,
        input: &FeatureMap,
        output: &mut FeatureMap,
        mode: Target,
        columns: &mut Vec<f32>,
    ) {
        let (depth, outputs) = (self.shape.depth(), self.shape.outputs);
        let right = Matrix::new(&self.weights, depth, outputs);
        let (height, width, pixels) = (output.height, output.width, output.pixels());
        let tiles = output.values.chunks_mut(TILE_PIXELS * outputs);
        for (tile, start) in tiles.zip((0..pixels).step_by(TILE_PIXELS)) {
            let range = start..pixels.min(start + TILE_PIXELS);
            let left = if self.shape.is_pointwise() {
                &input.values[range.start * depth..range.end * depth]
            } else {
                columns.resize(range.len() * depth, 0.0);
                self.gather(input, range.clone(), (height, width), columns);
                columns.as_slice()
            };
            multiply(tile, mode, Matrix::new(left, range.len(), depth), right);
            self.finish(tile);
        }
    }

    /// Copies what output pixels `range` of a map of `(height, width)` see, `[pixels, depth]`.
    fn gather(
        &self,
        input: &FeatureMap,
        range: Range<usize>,
        (height, width): (usize, usize),
        columns: &mut [f32],
    ) {
        let ConvShape { kernel, stride, padding, .. } = self.shape;
        for (pixel, seen) in range.zip(columns.chunks_exact_mut(self.shape.depth())) {
            let (x, y, image) = (pixel % width, pixel / width % height, pixel / width / height);
            let rows = seen.chunks_exact_mut(kernel * input.channels);
            for (seen, padded_y) in rows.zip(y * stride..) {
                match padded_y.checked_sub(padding).filter(|it| *it < input.height) {
                    Some(source_y) => self.gather_row(input.row(image, source_y), x, seen),
                    None => seen.fill(0.0),
                }
            }
        }
    }

    /// Copies the pixels of `row` that lie under the kernel of output column `x`, zeros outside.
    fn gather_row(&self, row: &[f32], x: usize, seen: &mut [f32]) {
        let channels = self.shape.inputs;
        let left = (x * self.shape.stride * channels, self.shape.padding * channels);
        let skipped = left.1.saturating_sub(left.0).min(seen.len());
        let source = &row[left.0.saturating_sub(left.1).min(row.len())..];
        let copied = source.len().min(seen.len() - skipped);
        seen[..skipped].fill(0.0);
        seen[skipped..skipped + copied].copy_from_slice(&source[..copied]);
        seen[skipped + copied..].fill(0.0);
    }

    /// Bias and activation, in place.
    fn finish(&self, tile: &mut [f32]) {
        let floor = match self.activation {
            Activation::Identity => f32::NEG_INFINITY,
            Activation::Relu => 0.0,
        };
        for pixel in tile.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in pixel.iter_mut().zip(&self.bias) {
                *value = (*value + bias).max(floor);
            }
        }
    }
}

/// Scale and offset per channel that the batch norm `<norm>.*` amounts to.
fn fold_norm(
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

    /// One output value from the definition, bias and ReLU included.
    fn by_hand(conv: &Conv, input: &FeatureMap, image: usize, y: usize, x: usize, o: usize) -> f32 {
        let ConvShape { inputs, outputs, kernel, stride, padding } = conv.shape;
        let mut sum = conv.bias[o];
        for tap in 0..kernel * kernel * inputs {
            let (ky, kx, c) = (tap / inputs / kernel, tap / inputs % kernel, tap % inputs);
            let (sy, sx) =
                ((y * stride + ky).wrapping_sub(padding), (x * stride + kx).wrapping_sub(padding));
            if sy < input.height && sx < input.width {
                sum += input.row(image, sy)[sx * inputs + c] * conv.weights[tap * outputs + o];
            }
        }
        sum.max(0.0)
    }

    #[test]
    fn every_form_gives_the_value_of_the_definition() {
        for (kernel, stride, padding) in [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3)] {
            for (height, width) in [(1, 1), (2, 5), (19, 17)] {
                let shape = ConvShape { inputs: 3, outputs: 4, kernel, stride, padding };
                let weights = numbers(shape.depth() * 4, 7);
                let bias = numbers(4, 3);
                let conv = Conv { shape, weights, bias, activation: Activation::Relu };
                let values = numbers(2 * height * width * 3, 5);
                let input = FeatureMap { values, count: 2, height, width, channels: 3 };
                let mut output = FeatureMap::default();
                conv.forward(&input, &mut output, &mut Vec::new());
                let (rows, across) = (output.height, output.width);
                for (at, value) in output.values.iter().enumerate() {
                    let (o, x, y) = (at % 4, at / 4 % across, at / 4 / across % rows);
                    let expected = by_hand(&conv, &input, at / 4 / across / rows, y, x, o);
                    assert_eq!(*value, expected, "{shape:?} {height} {width}");
                }
            }
        }
    }

    #[test]
    fn adding_keeps_the_residual() {
        let shape = ConvShape { inputs: 1, outputs: 1, kernel: 1, stride: 1, padding: 0 };
        let activation = Activation::Relu;
        let conv = Conv { shape, weights: vec![2.0], bias: vec![1.0], activation };
        let map =
            |values: Vec<f32>| FeatureMap { values, count: 1, height: 1, width: 2, channels: 1 };
        let mut sum = map(vec![10.0, -50.0]);
        conv.add_to(&map(vec![3.0, 4.0]), &mut sum, &mut Vec::new());
        assert_eq!(sum.values, [17.0, 0.0]);
    }
}
