//! A heatmap's cells as a 32-bit float gray TIFF; frame and origin are JSON in `ImageDescription`.

use std::io::Cursor;

use serde_json::Value;
use tiff::encoder::colortype::Gray32Float;
use tiff::encoder::{Rational, TiffEncoder};
use tiff::tags::{ResolutionUnit, Tag};
use tiff::{TiffError, TiffResult};

use super::frame::{self, Framed};
use super::{ExportError, ExportRequest, SOFTWARE};

pub(super) fn encode(request: &ExportRequest<'_>) -> Result<Vec<u8>, ExportError> {
    write(request).map_err(|error: TiffError| ExportError::Encode {
        what: "heatmap",
        problem: error.to_string(),
    })
}

fn write(request: &ExportRequest<'_>) -> TiffResult<Vec<u8>> {
    let size = request.heatmap.size();
    let mut bytes = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut bytes)?;
    let mut image = tiff.new_image::<Gray32Float>(size.width, size.height)?;
    if let Some([across, down]) = cells_per_cm(request) {
        image.resolution_unit(ResolutionUnit::Centimeter);
        image.x_resolution(across);
        image.y_resolution(down);
    }
    let description = ascii(&Value::Object(frame::frame(&Framed::of(request), size)).to_string());
    image.encoder().write_tag(Tag::ImageDescription, description.as_str())?;
    image.encoder().write_tag(Tag::Software, SOFTWARE)?;
    image.write_data(request.heatmap.values())?;
    Ok(bytes.into_inner())
}

/// Only where the slide is calibrated.
fn cells_per_cm(request: &ExportRequest<'_>) -> Option<[Rational; 2]> {
    let (mpp, size, extent) = (request.slide.mpp?, request.heatmap.size(), request.heatmap.frame());
    let per_cm = |cells: u32, length_um: f64| rational(f64::from(cells) * 1e4 / length_um);
    Some([per_cm(size.width, extent.width * mpp.x()), per_cm(size.height, extent.height * mpp.y())])
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating cast of a positive number is what is wanted"
)]
pub(super) fn rational(value: f64) -> Rational {
    const DENOMINATOR: u32 = 10_000;
    Rational { n: (value * f64::from(DENOMINATOR)).round() as u32, d: DENOMINATOR }
}

/// TIFF text is 7-bit; JSON can say every other character in it.
pub(super) fn ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            plain.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_seven_bits() {
        let json = serde_json::json!({ "name": "Läsion 病 🔬" });
        let plain = ascii(&json.to_string());
        assert!(plain.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), json);
    }
}
