//! RGB bytes to what a network sees: bilinear resize, then per-channel scale and offset.

use super::feature_map::FeatureMap;

/// Values per pixel of every encoder's input.
const CHANNELS: usize = 3;

/// `(byte / 255 - mean) / std` per channel, as the file of an encoder states it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalization {
    scale: [f32; CHANNELS],
    offset: [f32; CHANNELS],
}

impl Normalization {
    /// From the mean and standard deviation of images on `0.0..=1.0`.
    pub(super) fn new(mean: [f32; CHANNELS], std: [f32; CHANNELS]) -> Self {
        Self {
            scale: std.map(|std| 1.0 / (255.0 * std)),
            offset: std::array::from_fn(|channel| -mean[channel] / std[channel]),
        }
    }
}

/// The two source positions that one target position lies between, and the weight of the second.
#[derive(Clone, Copy, Debug)]
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

/// Half-pixel centers, edge clamped, no antialiasing: as PyTorch's `interpolate` with
/// `align_corners = false`.
fn taps(source_len: usize, target_len: usize) -> Vec<Tap> {
    let step = source_len as f32 / target_len as f32;
    (0..target_len)
        .map(|target| {
            let source = ((target as f32 + 0.5) * step - 0.5).max(0.0);
            let low = (source as usize).min(source_len - 1);
            Tap { low, high: (low + 1).min(source_len - 1), weight: source - low as f32 }
        })
        .collect()
}

/// Square patches of `side` px to `images` of `input_px`. Pixels between two are not rounded to bytes.
pub(super) fn preprocess(
    patches: &[u8],
    side: usize,
    input_px: usize,
    normalization: Normalization,
    images: &mut FeatureMap,
) {
    let patch_len = side * side * CHANNELS;
    images.reshape(patches.len() / patch_len, input_px, input_px, CHANNELS);
    let taps = taps(side, input_px);
    let targets = images.values.chunks_exact_mut(input_px * input_px * CHANNELS);
    for (patch, target) in patches.chunks_exact(patch_len).zip(targets) {
        for (vertical, row) in taps.iter().zip(target.chunks_exact_mut(input_px * CHANNELS)) {
            let at = |y: usize| &patch[y * side * CHANNELS..][..side * CHANNELS];
            let (upper, lower) = (at(vertical.low), at(vertical.high));
            for (horizontal, pixel) in taps.iter().zip(row.as_chunks_mut::<CHANNELS>().0) {
                let top = between(upper, *horizontal);
                let bottom = between(lower, *horizontal);
                *pixel = std::array::from_fn(|channel| {
                    let value = mix(top[channel], bottom[channel], vertical.weight);
                    value * normalization.scale[channel] + normalization.offset[channel]
                });
            }
        }
    }
}

/// The color at one place along a row of pixels, on 0..=255.
fn between(row: &[u8], tap: Tap) -> [f32; CHANNELS] {
    let (low, high) = (&row[tap.low * CHANNELS..], &row[tap.high * CHANNELS..]);
    std::array::from_fn(|channel| {
        mix(f32::from(low[channel]), f32::from(high[channel]), tap.weight)
    })
}

fn mix(low: f32, high: f32, weight: f32) -> f32 {
    low * (1.0 - weight) + high * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves values on 0..=255.
    const PLAIN: Normalization = Normalization { scale: [1.0; 3], offset: [0.0; 3] };

    fn resized(gray: &[u8], side: usize, input_px: usize) -> Vec<f32> {
        let rgb: Vec<u8> = gray.iter().flat_map(|it| [*it, 255 - *it, 7]).collect();
        let mut images = FeatureMap::default();
        preprocess(&rgb, side, input_px, PLAIN, &mut images);
        let pixels = images.values.as_chunks::<3>().0;
        assert!(pixels.iter().all(|[red, green, blue]| red + green == 255.0 && *blue == 7.0));
        pixels.iter().map(|it| it[0]).collect()
    }

    #[test]
    fn enlarging_places_pixels_by_their_centers() {
        let expected = [
            [0.0, 25.0, 75.0, 100.0],
            [50.0, 75.0, 125.0, 150.0],
            [150.0, 175.0, 225.0, 250.0],
            [200.0, 225.0, 275.0, 300.0],
        ];
        let expected = expected.as_flattened().iter().map(|it| it / 2.0).collect::<Vec<_>>();
        assert_eq!(resized(&[0, 50, 100, 150], 2, 4), expected);
    }

    #[test]
    fn shrinking_does_not_smooth() {
        // Each target pixel lies in the middle of four source pixels and sees no others.
        let gray: Vec<u8> = (0..16).map(|it| it * 16).collect();
        assert_eq!(resized(&gray, 4, 2), [40.0, 72.0, 168.0, 200.0]);
        // Source coordinate 1 of 0, 1, 2: the middle pixel alone.
        assert_eq!(resized(&[0, 0, 0, 9, 99, 9, 0, 0, 0], 3, 1), [99.0]);
    }

    #[test]
    fn the_same_size_changes_nothing() {
        assert_eq!(resized(&[3, 1, 4, 1], 2, 2), [3.0, 1.0, 4.0, 1.0]);
    }

    #[test]
    fn normalization_maps_the_mean_to_zero_and_one_deviation_to_one() {
        let mut images = FeatureMap::default();
        let normalization = Normalization::new([0.0, 51.0 / 255.0, 1.0], [0.5, 0.2, 0.25]);
        preprocess(&[255, 102, 255], 1, 1, normalization, &mut images);
        for (value, expected) in images.values.iter().zip([2.0, 1.0, 0.0]) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
    }
}
