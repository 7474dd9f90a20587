//! A heatmap as a picture: cividis, transparent where the model saw nothing.

use domain::coords::PixelSize;
use domain::heatmap::Heatmap;
use image::ExtendedColorType;

use super::{ExportError, png};

/// 256 colors as `rrggbb`, the same table that the window draws with.
const CIVIDIS: &str = include_str!("../../../../shaders/colormaps/cividis.txt");

/// The picture's longer side is at least this many pixels, as far as [`SCALE_MAX`] allows.
const SIDE_PX: u32 = 1024;

/// Pixels per cell, at most: more would suggest detail that is not there.
const SCALE_MAX: u32 = 32;

pub(super) fn encode(heatmap: &Heatmap) -> Result<Vec<u8>, ExportError> {
    let size = picture_size(heatmap.size());
    let colors = colors();
    let rgba: Vec<u8> =
        heatmap.resampled(size).into_iter().flat_map(|value| color(&colors, value)).collect();
    png::encode(&rgba, size, ExtendedColorType::Rgba8, "heatmap picture")
}

fn picture_size(cells: PixelSize) -> PixelSize {
    let scale = SIDE_PX.div_ceil(cells.width.max(cells.height).max(1)).clamp(1, SCALE_MAX);
    PixelSize {
        width: cells.width.saturating_mul(scale),
        height: cells.height.saturating_mul(scale),
    }
}

fn colors() -> Vec<[u8; 3]> {
    let channel = |color: u32, shift: u32| u8::try_from((color >> shift) & 0xFF).unwrap_or(0);
    CIVIDIS
        .split_whitespace()
        .filter_map(|word| u32::from_str_radix(word, 16).ok())
        .map(|color| [channel(color, 16), channel(color, 8), channel(color, 0)])
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a heatmap value lies in 0 to 1"
)]
fn color(colors: &[[u8; 3]], value: f32) -> [u8; 4] {
    let index = (value * 255.0).round() as usize;
    let [red, green, blue] = colors.get(index).copied().unwrap_or_default();
    [red, green, blue, if 0.0 < value { 255 } else { 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_a_color_for_every_step() {
        let colors = colors();
        assert_eq!(colors.len(), 256);
        assert_eq!((colors[0], colors[255]), ([0, 0x22, 0x4E], [0xFE, 0xE8, 0x38]));
    }

    #[test]
    fn nothing_is_transparent_and_something_is_not() {
        let colors = colors();
        assert_eq!(color(&colors, 0.0)[3], 0);
        assert_eq!(color(&colors, 1.0), [0xFE, 0xE8, 0x38, 255]);
    }

    #[test]
    fn few_cells_are_enlarged_and_many_are_left() {
        let size = |width: u32, height: u32| picture_size(PixelSize { width, height });
        assert_eq!(size(11, 11), PixelSize { width: 352, height: 352 });
        assert_eq!(size(100, 50), PixelSize { width: 1100, height: 550 });
        assert_eq!(size(3000, 2000), PixelSize { width: 3000, height: 2000 });
    }
}
