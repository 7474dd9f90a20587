//! Tissue against glass: a pixel is tissue if its HSV saturation exceeds 0.07 and its value 0.08 (MODELS 10.2).

use domain::coords::{Level0Rect, LevelRect, PixelSize};
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::{Level, Slide, SlideError};

/// Least HSV saturation of tissue, exclusive.
pub(crate) const SATURATION: f64 = 0.07;
/// Least HSV value of tissue, exclusive: darker is pen or a scanning gap.
pub(crate) const VALUE: f64 = 0.08;
/// The level is read whose longest side is at least this many pixels, if the slide has as many.
const RASTER_SIDE_PX: u32 = 1024;
/// Rows read between two looks at the cancel token.
const BAND_PX: u32 = 256;

/// Why no tissue mask could be made.
#[derive(Debug, thiserror::Error)]
pub enum TissueError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] domain::progress::Cancelled),
    /// The slide cannot be read.
    #[error(transparent)]
    Slide(#[from] SlideError),
}

/// Finds tissue at a low resolution of the whole slide. The mask fills the slide.
///
/// # Errors
/// If the slide cannot be read or the work was cancelled.
pub fn find(
    slide: &Slide,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<BinaryMask, TissueError> {
    let index = slide.level_of_side(RASTER_SIDE_PX);
    let size = slide.levels().get(usize::from(index.0)).map_or(slide.size(), |it: &Level| it.size);
    let mut bits = Vec::with_capacity(size.width as usize * size.height as usize);
    for top in (0..size.height).step_by(BAND_PX as usize) {
        cancel.check()?;
        progress.report(u64::from(top), u64::from(size.height));
        let band = PixelSize { width: size.width, height: BAND_PX.min(size.height - top) };
        let rect = LevelRect { x: 0, y: i64::from(top), size: band };
        let region = slide.read_region(index, rect)?;
        bits.extend(region.pixels.rgba().as_chunks::<4>().0.iter().map(|pixel| is_tissue(*pixel)));
    }
    let frame = Level0Rect::of_size(slide.size());
    BinaryMask::new(size, bits, frame).ok_or_else(|| {
        TissueError::Slide(SlideError::Unsupported(
            "a region of another size than asked".to_owned(),
        ))
    })
}

/// Whether one RGBA pixel is tissue; a transparent one is not.
pub(crate) fn is_tissue([r, g, b, alpha]: [u8; 4]) -> bool {
    let most = f32::from(r.max(g).max(b));
    let least = f32::from(r.min(g).min(b));
    alpha != 0 && VALUE as f32 * 255.0 < most && SATURATION as f32 * most < most - least
}

/// A tissue mask that answers quickly how much tissue a rectangle holds.
#[derive(Debug)]
pub(crate) struct TissueShare {
    size: PixelSize,
    frame: Level0Rect,
    /// `[height + 1, width + 1]`: tissue pixels above and left of each corner.
    sums: Vec<u64>,
}

impl TissueShare {
    pub(crate) fn new(mask: &BinaryMask) -> Self {
        let size = mask.size();
        let (width, height) = (size.width as usize, size.height as usize);
        let mut sums = vec![0; (width + 1) * (height + 1)];
        for y in 0..height {
            let mut in_row = 0;
            for x in 0..width {
                in_row += u64::from(mask.bits()[y * width + x]);
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + in_row;
            }
        }
        Self { size, frame: mask.frame(), sums }
    }

    /// Share of tissue, `0.0..=1.0`, in the part of `rect` that lies on the slide. At least one mask pixel is
    /// looked at.
    pub(crate) fn of(&self, rect: Level0Rect) -> f64 {
        let (left, right) =
            span(rect.x - self.frame.x, rect.width, self.frame.width, self.size.width);
        let (top, bottom) =
            span(rect.y - self.frame.y, rect.height, self.frame.height, self.size.height);
        let at = |x: usize, y: usize| self.sums[y * (self.size.width as usize + 1) + x];
        let tissue = at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top);
        tissue as f64 / ((right - left) * (bottom - top)) as f64
    }
}

/// Mask pixels `first..end` under `start..start + length` of a side of `whole` level-0 px and `n` mask pixels.
fn span(start: f64, length: f64, whole: f64, n: u32) -> (usize, usize) {
    let pixels = f64::from(n) / whole;
    let first = (start * pixels).round().clamp(0.0, f64::from(n) - 1.0);
    let end = ((start + length) * pixels).round().clamp(first + 1.0, f64::from(n));
    (first as usize, end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glass_pen_and_gaps_are_no_tissue_and_stain_is() {
        assert!(!is_tissue([245, 245, 245, 255]), "glass");
        assert!(!is_tissue([10, 5, 5, 255]), "black");
        assert!(!is_tissue([200, 80, 160, 0]), "nothing stored here");
        assert!(is_tissue([200, 80, 160, 255]), "eosin");
        assert!(is_tissue([90, 60, 140, 255]), "hematoxylin");
    }

    #[test]
    fn the_share_of_a_rectangle_counts_the_pixels_under_it() {
        let size = PixelSize { width: 4, height: 2 };
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 40.0, height: 20.0 };
        let bits = [true, true, false, false, true, false, false, true].to_vec();
        let share = TissueShare::new(&BinaryMask::new(size, bits, frame).unwrap());
        let of = |x, y, width, height| share.of(Level0Rect { x, y, width, height });
        assert_eq!(of(0.0, 0.0, 40.0, 20.0), 0.5);
        assert_eq!(of(0.0, 0.0, 20.0, 20.0), 0.75);
        assert_eq!(of(30.0, 10.0, 100.0, 100.0), 1.0);
        assert_eq!(of(20.0, 0.0, 1.0, 1.0), 0.0, "less than a mask pixel still looks at one");
    }
}
