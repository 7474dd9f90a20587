//! A part of a slide, read for a small picture.

use domain::coords::{Level0Px, Level0Rect, LevelRect, PixelSize};
use domain::pixels::Pixels;
use slide::Slide;

/// Pixels of a part of a slide, and how many level-0 px lie from one to the next.
pub(super) struct Part {
    pub(super) pixels: Pixels,
    pub(super) step: f64,
}

/// What lies under `rect`, which may reach past the slide, from the level that has just enough pixels for a picture of `side_px` on its
/// longer side; `None` if it cannot be read.
pub(super) fn read_part(slide: &Slide, rect: Level0Rect, side_px: f64) -> Option<Part> {
    let index = slide.level_for((rect.width.max(rect.height) / side_px).max(1.0));
    let downsample = slide.levels().get(usize::from(index.0))?.downsample;
    let corner = downsample.level_from_level0(Level0Px { x: rect.x, y: rect.y });
    #[expect(clippy::cast_possible_truncation, reason = "levels are far smaller than an i64")]
    let (x, y) = (corner.x.floor() as i64, corner.y.floor() as i64);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "twice the side of the picture where there is a pyramid"
    )]
    let side = |length: f64| (length / downsample.get()).ceil().max(1.0) as u32;
    let size = PixelSize { width: side(rect.width), height: side(rect.height) };
    let pixels = slide.read_region(index, LevelRect { x, y, size }).ok()?.pixels;
    Some(Part { pixels, step: downsample.get() })
}
