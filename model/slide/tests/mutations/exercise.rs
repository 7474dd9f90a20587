//! What a viewer does with a file, as a fuzzer wants it: everything once, little of each.

use std::panic::PanicHookInfo;
use std::path::Path;

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use slide::Slide;

/// Whether a panic is a bug of ours. Those of other people's decoders are contained by the reader.
pub(crate) fn is_ours(panic: &PanicHookInfo<'_>) -> bool {
    panic.location().is_none_or(|it| !it.file().contains("registry"))
}

/// Opens a slide and reads the corners and the middle of every level, its pictures, properties and identity. Errors are
/// fine; a panic, a hang or gigabytes of memory are not. Answers whether it opened.
pub(crate) fn exercise(path: &Path) -> bool {
    let Ok(slide) = Slide::open(path) else { return false };
    // A part of a tile, before any tile is read whole.
    let size = PixelSize { width: 9, height: 7 };
    drop(slide.read_region(LevelIndex(0), LevelRect { x: 3, y: 5, size }));
    for (index, level) in (0_u16..).zip(slide.levels()) {
        let cols = level.size.width.div_ceil(TILE_PX).max(1);
        let rows = level.size.height.div_ceil(TILE_PX).max(1);
        let is_large = 1 << 22 < slide.size().area();
        let is_deep = level.is_virtual && 4.0 < level.downsample.get() && is_large;
        for (col, row) in [(0, 0), (cols - 1, rows - 1), (cols / 2, rows / 2), (0, rows - 1)] {
            if is_deep {
                break;
            }
            let key = TileKey { level: LevelIndex(index), col, row };
            drop(slide.read_tile(key));
        }
    }
    for image in slide.associated_images() {
        if image.size.area() < 1 << 24 {
            drop(slide.read_associated(&image.name));
        }
    }
    drop(slide.icc_profile());
    !slide.id().0.is_empty()
}
