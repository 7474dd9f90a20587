//! WebP tiles (TIFF compression 50001).

use std::io::Cursor;

use domain::coords::PixelSize;
use domain::pixels::Pixels;
use image_webp::{DecodingError, WebPDecoder};

use super::{Picture, rgba_from_rgb};
use crate::SlideError;
use crate::number::to_usize;

/// Decodes one tile of at most `limit` pixels.
pub(crate) fn decode(stored: &[u8], limit: PixelSize) -> Result<Picture, SlideError> {
    let problem = |error: DecodingError| SlideError::malformed("WebP", error.to_string());
    let mut decoder = WebPDecoder::new(Cursor::new(stored)).map_err(problem)?;
    let (width, height) = decoder.dimensions();
    if limit.width < width || limit.height < height {
        let problem = format!(
            "a tile of {} x {} pixels holds a picture of {width} x {height}",
            limit.width, limit.height
        );
        return Err(SlideError::malformed("WebP", problem));
    }
    let size = PixelSize { width, height };
    let n_samples = if decoder.has_alpha() { 4 } else { 3 };
    let mut samples = vec![0; to_usize(size.area()) * n_samples];
    decoder.read_image(&mut samples).map_err(problem)?;
    let rgba = if n_samples == 3 { rgba_from_rgb(&samples) } else { samples };
    Pixels::new(size, rgba)
        .map(|pixels| Picture { pixels, is_lenient: false })
        .ok_or_else(|| SlideError::malformed("WebP", "the picture ends before its last pixel"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_webp::{ColorType, WebPEncoder};

    #[test]
    fn a_tile_comes_back_and_larger_or_cut_ones_are_errors() {
        let rgb: Vec<u8> = (0..=250).cycle().take(16 * 16 * 3).collect();
        let mut stored = Vec::new();
        WebPEncoder::new(&mut stored).encode(&rgb, 16, 16, ColorType::Rgb8).unwrap();
        let size = PixelSize { width: 16, height: 16 };
        let picture = decode(&stored, size).unwrap();
        assert_eq!(picture.pixels.get(1, 0), Some([3, 4, 5, 255]));
        assert!(decode(&stored, PixelSize { width: 16, height: 15 }).is_err());
        assert!(decode(&stored[..stored.len() / 2], size).is_err());
    }
}
