//! Masks and pixels as PNG. A mask is 8-bit gray, 0 background and 255 lesion: visible in any picture viewer.

use domain::coords::PixelSize;
use domain::mask::BinaryMask;
use domain::pixels::Pixels;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use super::ExportError;

pub(super) fn encode_mask(mask: &BinaryMask) -> Result<Vec<u8>, ExportError> {
    let gray: Vec<u8> = mask.bits().iter().map(|bit| if *bit { 255 } else { 0 }).collect();
    encode(&gray, mask.size(), ExtendedColorType::L8, "mask")
}

pub(super) fn encode(
    bytes: &[u8],
    size: PixelSize,
    color: ExtendedColorType,
    what: &'static str,
) -> Result<Vec<u8>, ExportError> {
    let mut encoded = Vec::new();
    PngEncoder::new_with_quality(&mut encoded, CompressionType::Fast, FilterType::Adaptive)
        .write_image(bytes, size.width, size.height, color)
        .map_err(|error| ExportError::Encode { what, problem: error.to_string() })?;
    Ok(encoded)
}

/// Pixels as an RGBA PNG.
///
/// # Errors
/// If a side is 0.
pub fn encode_png(pixels: &Pixels) -> Result<Vec<u8>, ExportError> {
    encode(pixels.rgba(), pixels.size(), ExtendedColorType::Rgba8, "picture")
}
