//! Pixels of patches: the nearest level at or above the model's resolution, resampled to it (MODELS 1.2).

use domain::coords::{LevelRect, PixelSize};
use slide::{Slide, SlideError};

use super::grid::{PatchGrid, Window};
use super::resample::{AxisTaps, resample};

/// RGB patches of a window, in the order asked for.
#[derive(Debug)]
pub(crate) struct Patches {
    /// `[n, patch_px, patch_px, 3]`.
    pub(crate) rgb: Vec<u8>,
    /// Stored tiles that could not be read.
    pub(crate) damaged_tiles: u32,
}

/// Reads those patches of `block` that `is_wanted` names by row and column of the grid, row-major.
///
/// # Errors
/// If the slide cannot be read.
pub(crate) fn read_patches(
    slide: &Slide,
    grid: &PatchGrid,
    block: Window,
    pad_value: u8,
    is_wanted: impl Fn(usize, usize) -> bool,
) -> Result<Patches, SlideError> {
    let (side, step) = (grid.patch_px as usize, grid.step_px as usize);
    let block_width = grid.extent_px(block.columns);
    let (pixels, damaged_tiles) = read_block(slide, grid, block, pad_value)?;
    let mut rgb = Vec::new();
    for (row, column) in block.patches().filter(|&(row, column)| is_wanted(row, column)) {
        let left = (column - block.column) * step;
        let top = (row - block.row) * step;
        for y in top..top + side {
            rgb.extend_from_slice(&pixels[(y * block_width + left) * 3..][..side * 3]);
        }
    }
    Ok(Patches { rgb, damaged_tiles })
}

/// The whole of `block` in model px, RGB, and the number of damaged tiles under it.
///
/// # Errors
/// If the slide cannot be read.
pub(crate) fn read_block(
    slide: &Slide,
    grid: &PatchGrid,
    block: Window,
    pad_value: u8,
) -> Result<(Vec<u8>, u32), SlideError> {
    let step = grid.step_px as usize;
    let level = slide.level_for(grid.scale.x.min(grid.scale.y));
    let (size, downsample) = slide
        .levels()
        .get(usize::from(level.0))
        .map_or((slide.size(), 1.0), |it| (it.size, it.downsample.get()));
    let axis = |start: usize, n: usize, scale: f64, length: u32| {
        let (start, n, ratio) = ((start * step) as f64, grid.extent_px(n), scale / downsample);
        let (first, end) = AxisTaps::extent(n, start, ratio, length as usize);
        (AxisTaps::new(n, start, ratio, length as usize, first), first, end - first)
    };
    let (columns, left, width) = axis(block.column, block.columns, grid.scale.x, size.width);
    let (rows, top, height) = axis(block.row, block.rows, grid.scale.y, size.height);
    let rect = LevelRect {
        x: left as i64,
        y: top as i64,
        size: PixelSize { width: width as u32, height: height as u32 },
    };
    let region = slide.read_region(level, rect)?;
    let rgb = resample::<4>(region.pixels.rgba(), width, &columns, &rows, pad_value);
    Ok((rgb, region.damaged_tiles))
}
