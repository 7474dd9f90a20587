//! Cutting a heatmap at *t*: the mask and its area.

use serde::{Deserialize, Serialize};

use crate::coords::{Level0Rect, PixelSize};
use crate::heatmap::Heatmap;

/// The cut-off *t* in `0.0..=1.0`. A value is foreground if it exceeds *t*, strictly.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f32", into = "f32")]
pub struct BinaryThreshold(f32);

impl BinaryThreshold {
    /// The middle of the range.
    pub const HALF: Self = Self(0.5);

    /// Clamps into range; a NaN becomes [`Self::HALF`].
    pub fn clamped(value: f32) -> Self {
        if value.is_nan() { Self::HALF } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// The cut-off as a plain number.
    pub fn get(self) -> f32 {
        self.0
    }

    /// The cut-off in multiples of `1 /` [`FIELD_ONE`](crate::heatmap::FIELD_ONE), rounded down: a
    /// whole-number field value is foreground exactly if it exceeds this.
    pub fn quantized(self) -> u32 {
        crate::heatmap::quantized(self.0)
    }

    /// Whether `value` is foreground: it exceeds the cut-off.
    pub fn is_exceeded_by(self, value: f32) -> bool {
        self.0 < value
    }
}

impl Default for BinaryThreshold {
    fn default() -> Self {
        Self::HALF
    }
}

impl From<f32> for BinaryThreshold {
    fn from(value: f32) -> Self {
        Self::clamped(value)
    }
}

impl From<BinaryThreshold> for f32 {
    fn from(threshold: BinaryThreshold) -> Self {
        threshold.0
    }
}

/// Longest side of the raster that masks and areas are computed on.
pub const MASK_SIDE_MAX: u32 = 4096;

/// The raster that stands for `frame`: level-0 pixels where they fit into [`MASK_SIDE_MAX`], else
/// every `k`-th, with the smallest whole `k` that fits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a frame side is a positive number of slide pixels, far below 2^32"
)]
pub fn mask_raster(frame: Level0Rect) -> PixelSize {
    let step = (frame.width.max(frame.height) / f64::from(MASK_SIDE_MAX)).ceil().max(1.0);
    let pixels = |side: f64| (side / step).round().max(1.0) as u32;
    PixelSize { width: pixels(frame.width), height: pixels(frame.height) }
}

/// A heatmap cut at *t*, or any other yes-or-no raster that fills a part of the slide.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryMask {
    size: PixelSize,
    bits: Vec<bool>,
    frame: Level0Rect,
}

impl BinaryMask {
    /// `bits` row-major, `size.width * size.height` of them.
    pub fn new(size: PixelSize, bits: Vec<bool>, frame: Level0Rect) -> Option<Self> {
        (usize::try_from(size.area()).ok()? == bits.len()).then_some(Self { size, bits, frame })
    }

    /// Cuts `heatmap` at `threshold` on its [`mask_raster`].
    pub fn cut(heatmap: &Heatmap, threshold: BinaryThreshold) -> Self {
        let size = mask_raster(heatmap.frame());
        let bits = heatmap
            .resampled(size)
            .into_iter()
            .map(|value| threshold.is_exceeded_by(value))
            .collect();
        Self { size, bits, frame: heatmap.frame() }
    }

    /// Raster pixels across and down.
    pub fn size(&self) -> PixelSize {
        self.size
    }

    /// Row-major, `true` = foreground.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// The part of the slide that the raster fills.
    pub fn frame(&self) -> Level0Rect {
        self.frame
    }

    /// Number of foreground pixels of the raster.
    pub fn count(&self) -> usize {
        self.bits.iter().filter(|bit| **bit).count()
    }

    /// Foreground area in level-0 pixels.
    #[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
    pub fn area_level0_px(&self) -> f64 {
        self.count() as f64 * pixel_area_level0_px(self.frame, self.size)
    }

    /// Foreground share of the whole raster, `0.0..=1.0`.
    #[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
    pub fn fraction(&self) -> f64 {
        self.count() as f64 / (self.bits.len().max(1)) as f64
    }
}

/// What one pixel of a raster that fills `frame` covers.
#[expect(clippy::cast_precision_loss, reason = "raster sizes are far below 2^53")]
pub(crate) fn pixel_area_level0_px(frame: Level0Rect, size: PixelSize) -> f64 {
    frame.width * frame.height / (size.area().max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_equal_to_t_is_background() {
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 2.0, height: 1.0 };
        let flat = Heatmap::new(PixelSize { width: 1, height: 1 }, vec![0.5], frame).unwrap();
        assert_eq!(BinaryMask::cut(&flat, BinaryThreshold::HALF).count(), 0);
        assert_eq!(BinaryMask::cut(&flat, BinaryThreshold::clamped(0.499)).count(), 2);
    }

    #[test]
    fn a_raster_is_level0_until_it_grows_too_large() {
        let raster =
            |width: f64, height: f64| mask_raster(Level0Rect { x: 0.0, y: 0.0, width, height });
        assert_eq!(raster(1100.0, 700.0), PixelSize { width: 1100, height: 700 });
        assert_eq!(raster(100_000.0, 50_000.0), PixelSize { width: 4000, height: 2000 });
    }

    #[test]
    fn a_threshold_is_clamped_and_never_nan() {
        assert_eq!(BinaryThreshold::clamped(7.0).get(), 1.0);
        assert_eq!(BinaryThreshold::clamped(f32::NAN), BinaryThreshold::HALF);
    }
}
