//! Masks and pixels as PNG. A mask is 8-bit gray, 0 background and 255 lesion: visible in any picture viewer.

use domain::coords::PixelSize;
use domain::mask::BinaryMask;
use domain::pixels::Pixels;
use flate2::Crc;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use serde_json::{Map, Value};

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

/// The same PNG with where it comes from as its text `Description` (PNG 1.2, section 4.2.3), before everything else
/// that may be left out.
pub(super) fn described(mut png: Vec<u8>, origin: Map<String, Value>) -> Vec<u8> {
    /// Signature and header.
    const HEAD_BYTES: usize = 33;
    let text = Value::Object(origin).to_string();
    // Neither packed nor of a named language.
    let chunk = [b"iTXt".as_slice(), b"Description\0", &[0, 0], b"\0\0", text.as_bytes()].concat();
    let mut checksum = Crc::new();
    checksum.update(&chunk);
    let length = u32::try_from(chunk.len().saturating_sub(4)).unwrap_or(u32::MAX);
    let chunk = [&length.to_be_bytes(), chunk.as_slice(), &checksum.sum().to_be_bytes()].concat();
    let place = HEAD_BYTES.min(png.len());
    png.splice(place..place, chunk);
    png
}

/// Pixels as an RGBA PNG.
///
/// # Errors
/// If a side is 0.
pub fn encode_png(pixels: &Pixels) -> Result<Vec<u8>, ExportError> {
    encode(pixels.rgba(), pixels.size(), ExtendedColorType::Rgba8, "picture")
}
