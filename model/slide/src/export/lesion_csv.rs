//! One row per annotation (CSV, RFC 4180, UTF-8). Square millimetres and micrometres only where the slide is calibrated.
//! Text that a table program would run as a formula begins with an apostrophe.

use csv::{Terminator, WriterBuilder};
use domain::coords::Level0Px;

use super::geojson::word;
use super::sheet::{AnnotationSheet, Entry, rounded};
use super::{ExportError, ExportFormat, SOFTWARE};

/// Names of the columns.
const HEAD: [&str; 24] = [
    "id",
    "name",
    "class",
    "verdict",
    "score",
    "heatmap_mean",
    "kind",
    "area_px",
    "area_mm2",
    "length_px",
    "length_um",
    "centroid_x",
    "centroid_y",
    "x",
    "y",
    "width",
    "height",
    "comment",
    "frame_x",
    "frame_y",
    "slide",
    "model",
    "t",
    "software",
];

/// The column of areas in level-0 pixels.
pub(super) const AREA_PX: usize = 7;

pub(super) fn encode(
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
) -> Result<Vec<u8>, ExportError> {
    let failed = |error: &dyn std::fmt::Display| ExportError::Encode {
        what: ExportFormat::LesionCsv.noun(),
        problem: error.to_string(),
    };
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    csv.write_record(HEAD).map_err(|error| failed(&error))?;
    for entry in entries {
        csv.write_record(row(sheet, entry)).map_err(|error| failed(&error))?;
    }
    csv.into_inner().map_err(|error| failed(&error))
}

fn row(sheet: &AnnotationSheet<'_>, entry: &Entry<'_>) -> [String; 24] {
    let Entry { annotation, bounds, centroid, area_px, length_px, .. } = entry;
    let Level0Px { x, y } = sheet.frame.origin(ExportFormat::LesionCsv, &sheet.slide);
    let is_line = length_px.is_some();
    let mpp = sheet.slide.mpp;
    let some = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let named = |name: &str| sheet.provenance.get(name).cloned().unwrap_or_default();
    let area = Some(*area_px).filter(|_| !is_line);
    [
        annotation.id.0.to_string(),
        inert(&annotation.name),
        inert(&annotation.class.name),
        word(annotation.verdict).to_owned(),
        annotation.score.map_or(String::new(), |score| score.to_string()),
        some(entry.mean),
        if is_line { "line" } else { "area" }.to_owned(),
        some(area.map(rounded)),
        some(area.zip(mpp).map(|(area, mpp)| area * mpp.pixel_area_um2() / 1e6)),
        some(length_px.map(rounded)),
        some(length_px.zip(mpp).map(|(length, mpp)| rounded(length * mpp.mean()))),
        rounded(centroid.x - x).to_string(),
        rounded(centroid.y - y).to_string(),
        rounded(bounds.x - x).to_string(),
        rounded(bounds.y - y).to_string(),
        rounded(bounds.width).to_string(),
        rounded(bounds.height).to_string(),
        inert(&annotation.comment),
        x.to_string(),
        y.to_string(),
        sheet.slide.id.to_string(),
        named("model"),
        named("t"),
        SOFTWARE.to_owned(),
    ]
}

/// What a person wrote, so that no table program takes it for a formula.
fn inert(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_never_a_formula() {
        assert_eq!(inert("=1+1"), "'=1+1");
        assert_eq!(inert("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(inert("margin - free"), "margin - free");
        assert_eq!(inert(""), "");
    }
}
