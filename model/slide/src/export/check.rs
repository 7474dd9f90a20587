//! Reading back what was written, before anybody is told that it is there.
//!
//! Outlines are read by the importer, or by a few lines of their own, and held against what was asked for.

use std::io::Cursor;

use domain::coords::Level0Rect;
use domain::mask::BinaryMask;
use serde_json::Value;
use tiff::decoder::{Decoder, DecodingResult};

use super::raster;
use super::sheet::{AnnotationSheet, Entry};
use super::{ExportError, ExportFormat, ExportRequest, coco, lesion_csv, report};
use crate::import;
use crate::ring;

/// Areas may differ by this share: coordinates are rounded to a thousandth of a pixel.
const AREA_SHARE: f64 = 1e-3;
/// Level-0 pixels by which a place may be off.
const PLACE_PX: f64 = 2e-3;

/// Fails unless a file of annotations says what `entries` say.
pub(super) fn annotations(
    format: ExportFormat,
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
    bytes: &[u8],
) -> Result<(), ExportError> {
    let found = match format {
        ExportFormat::Coco => pixels(sheet, entries, bytes),
        ExportFormat::LesionCsv => table(entries, bytes),
        _ => outlines(format, sheet, entries, bytes),
    };
    found.map_err(|problem| mismatch(format, problem))
}

/// Fails unless a file of a result holds the very values.
pub(super) fn result(
    format: ExportFormat,
    request: &ExportRequest<'_>,
    mask: &BinaryMask,
    bytes: &[u8],
) -> Result<(), ExportError> {
    if format.needs_thumbnail() {
        return report::check(format, bytes).map_err(|problem| mismatch(format, problem));
    }
    let is_same = match format {
        ExportFormat::MaskPng => read_mask(bytes) == Some(mask.bits().to_vec()),
        ExportFormat::HeatmapTiff => {
            read_floats(bytes).as_deref() == Some(request.heatmap.values())
        }
        ExportFormat::HeatmapPng => image::load_from_memory(bytes).is_ok(),
        _ => serde_json::from_slice::<Value>(bytes).is_ok(),
    };
    if is_same { Ok(()) } else { Err(mismatch(format, "the values differ".to_owned())) }
}

pub(super) fn mismatch(format: ExportFormat, problem: String) -> ExportError {
    ExportError::Mismatch { what: format.noun(), problem }
}

fn read_mask(bytes: &[u8]) -> Option<Vec<bool>> {
    let picture = image::load_from_memory(bytes).ok()?;
    Some(picture.into_luma8().into_raw().into_iter().map(|value| value == 255).collect())
}

fn read_floats(bytes: &[u8]) -> Option<Vec<f32>> {
    match Decoder::new(Cursor::new(bytes)).ok()?.read_image().ok()? {
        DecodingResult::F32(values) => Some(values),
        _ => None,
    }
}

/// Number, place and area of all rings; each lesion apart, whatever their order.
fn outlines(
    format: ExportFormat,
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
    bytes: &[u8],
) -> Result<(), String> {
    let file = import::read(bytes).map_err(|error| error.to_string())?;
    let origin = sheet.frame.origin(format, &sheet.slide);
    if file.stated_origin != Some(origin) {
        return Err(format!("its frame begins at {:?}, not at {origin:?}", file.stated_origin));
    }
    let read = file.placed(origin);
    let has_lines = format != ExportFormat::ImageScopeXml;
    let read = AnnotationSheet::new(sheet.slide.clone(), &read);
    let (expected, found) = (Figures::of(entries, has_lines), Figures::of(&read.entries(), true));
    expected.compare(&found)
}

/// What must agree.
#[derive(Debug)]
struct Figures {
    /// Areas of the parts with their perimeters, in rising order.
    areas: Vec<(f64, f64)>,
    /// Of all lines together.
    length: f64,
    bounds: Option<Level0Rect>,
}

impl Figures {
    fn of(entries: &[Entry<'_>], has_lines: bool) -> Self {
        let parts = entries.iter().flat_map(|entry| entry.parts);
        let mut areas: Vec<(f64, f64)> =
            parts.map(|part| (part.area_level0_px(), ring::perimeter(&part.outer))).collect();
        areas.sort_by(|a, b| a.0.total_cmp(&b.0));
        let written = entries.iter().filter(|it| has_lines || it.length_px.is_none());
        Self {
            areas,
            length: written.clone().filter_map(|it| it.length_px).sum(),
            bounds: written.map(|it| it.bounds).reduce(Level0Rect::union),
        }
    }

    fn compare(&self, found: &Self) -> Result<(), String> {
        if self.areas.len() != found.areas.len() {
            return Err(format!(
                "{} outlines were written, {} read",
                self.areas.len(),
                found.areas.len()
            ));
        }
        for ((area, perimeter), (other, _)) in self.areas.iter().zip(&found.areas) {
            if AREA_SHARE * (area + perimeter + 1.0) < (area - other).abs() {
                return Err(format!("an area of {area:.1} px was written, {other:.1} px read"));
            }
        }
        if AREA_SHARE * (self.length + 1.0) < (self.length - found.length).abs() {
            return Err(format!(
                "lines of {:.1} px in all were written, {:.1} px read",
                self.length, found.length
            ));
        }
        let edges = |it: Level0Rect| [it.x, it.y, it.x + it.width, it.y + it.height];
        let is_near = |(a, b): (f64, f64)| (a - b).abs() <= PLACE_PX;
        let is_in_place = match (self.bounds.map(edges), found.bounds.map(edges)) {
            (Some(a), Some(b)) => a.into_iter().zip(b).all(is_near),
            (a, b) => a == b,
        };
        if is_in_place { Ok(()) } else { Err("the outlines lie elsewhere".to_owned()) }
    }
}

/// The run lengths of every lesion, as pixels.
fn pixels(sheet: &AnnotationSheet<'_>, entries: &[Entry<'_>], bytes: &[u8]) -> Result<(), String> {
    let file: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let found =
        file.get("annotations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let areas: Vec<&Entry<'_>> = entries.iter().filter(|entry| !entry.parts.is_empty()).collect();
    if found.len() != areas.len() {
        return Err(format!("{} lesions were written, {} read", areas.len(), found.len()));
    }
    let grid = sheet.grid(entries);
    for (entry, found) in areas.iter().zip(found) {
        let counts = found.pointer("/segmentation/counts").and_then(Value::as_str);
        let lengths = counts.and_then(coco::lengths).ok_or("run lengths that are none")?;
        let spans = grid.spans(entry.parts);
        let lesion: u64 = lengths.iter().skip(1).step_by(2).sum();
        if lengths.iter().sum::<u64>() != grid.size.area() || lesion != raster::count(&spans) {
            return Err(format!(
                "a lesion of {} pixels was written, {lesion} read",
                raster::count(&spans)
            ));
        }
        if lengths != coco::run_lengths(&spans, &grid) {
            return Err("the pixels differ".to_owned());
        }
    }
    Ok(())
}

/// Number of rows and their areas.
fn table(entries: &[Entry<'_>], bytes: &[u8]) -> Result<(), String> {
    let mut areas = Vec::new();
    for row in csv::Reader::from_reader(bytes).records() {
        let row = row.map_err(|error| error.to_string())?;
        areas.push(row.get(lesion_csv::AREA_PX).and_then(|it| it.parse::<f64>().ok()));
    }
    let is_same = |(found, entry): (&Option<f64>, &Entry<'_>)| match (found, entry.length_px) {
        (Some(area), None) => (area - entry.area_px).abs() <= AREA_SHARE,
        (found, _) => found.is_none() && entry.length_px.is_some(),
    };
    if areas.len() == entries.len() && areas.iter().zip(entries).all(is_same) {
        Ok(())
    } else {
        Err("the rows differ".to_owned())
    }
}
