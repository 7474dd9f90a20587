//! Convolution of every channel with a filter of its own, several channels per register.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::EncoderError;
use super::conv::{Activation, Padding, fold_norm};
use super::feature_map::FeatureMap;
use super::weights::Weights;

/// Channels come in multiples of the widest register.
const MAX_LANES: usize = 16;

/// A depthwise convolution, "same" padding, with its batch norm folded in.
#[derive(Debug)]
pub(super) struct Depthwise {
    kernel: usize,
    stride: usize,
    /// `[kernel, kernel, channels]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Depthwise {
    /// Takes `<conv>.weight` `[channels, 1, kernel, kernel]` and the batch norm `<norm>.*`.
    pub(super) fn load(
        file: &mut Weights<'_>,
        conv: &str,
        norm: &str,
        (channels, kernel, stride): (usize, usize, usize),
        activation: Activation,
    ) -> Result<Self, EncoderError> {
        assert!(channels.is_multiple_of(MAX_LANES), "{channels} channels fill whole registers");
        let raw = file.take(&format!("{conv}.weight"), &[channels, 1, kernel, kernel])?;
        let (scale, bias) = fold_norm(file, norm, channels)?;
        let area = kernel * kernel;
        let value = |at: usize| raw[at % channels * area + at / channels] * scale[at % channels];
        let weights = (0..raw.len()).map(value).collect();
        Ok(Self { kernel, stride, weights, bias, activation })
    }

    /// The convolution of `input`, into `output`.
    pub(super) fn forward(&self, input: &FeatureMap, output: &mut FeatureMap) {
        let (height, above) = Padding::Same.place(input.height, self.kernel, self.stride);
        let (width, before) = Padding::Same.place(input.width, self.kernel, self.stride);
        output.reshape(input.count, height, width, input.channels);
        let image_len = input.height * input.width * input.channels;
        let rows = output.values.chunks_exact_mut(width * input.channels);
        for (at, target) in rows.enumerate() {
            let image = &input.values[at / height * image_len..][..image_len];
            let vertical = self.taps(at % height, above, input.height);
            let size = (input.width, before);
            Arch::new().dispatch(Row { layer: self, image, size, vertical, target });
        }
    }

    /// The taps that output `at` has inside an axis of `len` with `zeros` before it.
    fn taps(&self, at: usize, zeros: usize, len: usize) -> Taps {
        let start = at * self.stride;
        let first = zeros.saturating_sub(start);
        Taps { taps: first..self.kernel.min(len + zeros - start), source: start + first - zeros }
    }
}

/// A run of taps that lie inside the input, along one axis.
#[derive(Clone, Debug)]
struct Taps {
    taps: Range<usize>,
    /// Input position under the first.
    source: usize,
}

impl Taps {
    /// Every tap with the input position under it.
    #[inline(always)]
    fn positions(&self) -> impl Iterator<Item = (usize, usize)> {
        self.taps.clone().zip(self.source..)
    }
}

/// One row of output pixels to be computed.
struct Row<'a> {
    layer: &'a Depthwise,
    /// `[height, width, channels]`.
    image: &'a [f32],
    /// Width of the image, and zeros before it.
    size: (usize, usize),
    vertical: Taps,
    target: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, image, size: (width, zeros), vertical, target } = self;
        let finish = layer.activation.finish(false);
        let (low, high) = (simd.splat_f32s(finish.low), simd.splat_f32s(finish.high));
        let (image, weights) = (S::as_simd_f32s(image).0, S::as_simd_f32s(&layer.weights).0);
        let bias = S::as_simd_f32s(&layer.bias).0;
        let registers = bias.len();
        let pixels = S::as_mut_simd_f32s(target).0.chunks_exact_mut(registers);
        for (x, pixel) in pixels.enumerate() {
            let horizontal = layer.taps(x, zeros, width);
            for (register, (target, bias)) in pixel.iter_mut().zip(bias).enumerate() {
                let mut sum = *bias;
                for (tap_y, y) in vertical.positions() {
                    let row = &image[y * width * registers + register..];
                    let filter = &weights[tap_y * layer.kernel * registers + register..];
                    sum = row_sum(simd, (row, filter), registers, &horizontal, sum);
                }
                *target = simd.min_f32s(simd.max_f32s(sum, low), high);
            }
        }
    }
}

/// Adds one row of taps to `sum`: `row` and `filter` begin at the register of their first pixel and
/// tap, and hold one pixel every `step` registers.
#[inline(always)]
fn row_sum<S: Simd>(
    simd: S,
    (row, filter): (&[S::f32s], &[S::f32s]),
    step: usize,
    taps: &Taps,
    sum: S::f32s,
) -> S::f32s {
    taps.positions()
        .fold(sum, |sum, (tap, x)| simd.mul_add_f32s(row[x * step], filter[tap * step], sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * step) % 11) as f32 - 5.0).collect()
    }

    /// The output from the definition, as `[count, height, width, channels]`.
    fn by_hand(layer: &Depthwise, input: &FeatureMap) -> Vec<f32> {
        let Depthwise { kernel, stride, .. } = *layer;
        let (rows, above) = Padding::Same.place(input.height, kernel, stride);
        let (across, before) = Padding::Same.place(input.width, kernel, stride);
        let channels = input.channels;
        let cell = |at: usize| {
            let (channel, pixel) = (at % channels, at / channels);
            let (x, y, image) = (pixel % across, pixel / across % rows, pixel / across / rows);
            let tap = |tap: usize| {
                let source_y = (y * stride + tap / kernel).wrapping_sub(above);
                let source_x = (x * stride + tap % kernel).wrapping_sub(before);
                let inside = source_y < input.height && source_x < input.width;
                let value =
                    inside.then(|| input.row(image, source_y)[source_x * channels + channel]);
                value.unwrap_or(0.0) * layer.weights[tap * channels + channel]
            };
            let sum: f32 = layer.bias[channel] + (0..kernel * kernel).map(tap).sum::<f32>();
            sum.clamp(0.0, 6.0)
        };
        (0..input.count * rows * across * channels).map(cell).collect()
    }

    #[test]
    fn every_form_gives_the_value_of_the_definition() {
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            for (height, width) in [(1, 1), (2, 5), (9, 8)] {
                let weights = numbers(kernel * kernel * 48, 7);
                let activation = Activation::Relu6;
                let bias = numbers(48, 3);
                let layer = Depthwise { kernel, stride, weights, bias, activation };
                let values = numbers(2 * height * width * 48, 5);
                let input = FeatureMap { values, count: 2, height, width, channels: 48 };
                let mut output = FeatureMap::default();
                layer.forward(&input, &mut output);
                assert_eq!(output.values, by_hand(&layer, &input), "{kernel} {stride} {height}");
            }
        }
    }
}
