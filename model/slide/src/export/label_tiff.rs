//! Annotations as pixels in a pyramid of any size (OME-TIFF): 0 where there is nothing, else the number of a class.
//!
//! Numbers are spread over 1 to 255 so that they are visible as grays; one class alone is 255. At full resolution up to
//! [`SIDE_MAX`] pixels a side, else at the next half, quarter and so on. Rows are made one by one.

use std::path::Path;

use domain::coords::{Level0Rect, PixelSize};
use domain::progress::{CancelToken, Progress};
use serde_json::{Map, Value};

use super::atomic::Staged;
use super::ome::{self, Plane};
use super::pyramid::{Halving, Place, Plan, Pyramid};
use super::raster::{Grid, Span};
use super::sheet::{AnnotationSheet, Entry};
use super::{ExportError, ExportFormat};
use crate::number::to_usize;

/// Pixels of the longer side of the finest level, at most: a larger slide's label image is coarser than the slide.
pub const SIDE_MAX: u32 = 65_536;

/// How many rows are made between two looks at the clock.
const ROWS_AT_ONCE: u32 = 512;

/// Writes the file beside `target`.
pub(super) fn stage(
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
    target: &Path,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Staged, ExportError> {
    let region = sheet.frame.region(ExportFormat::LabelTiff, &sheet.slide);
    let octaves = octaves(region);
    let size = ome::size_at(region, octaves);
    let step = ome::step(octaves);
    let frame = Level0Rect {
        width: f64::from(size.width) * step,
        height: f64::from(size.height) * step,
        ..region
    };
    let labels = labels(entries)?;
    let mut pyramid = Pyramid::begin(target, plan(sheet, &labels, (size, octaves)))?;
    let mut spans = labelled_spans(entries, &labels, &Grid { size, frame }).into_iter().peekable();
    for y in 0..size.height {
        if y.is_multiple_of(ROWS_AT_ONCE) {
            cancel.check()?;
            progress.report(y.into(), size.height.into());
        }
        let mut row = vec![0; to_usize(size.width)];
        while let Some((span, label)) = spans.next_if(|(span, _)| span.row == y) {
            if let Some(pixels) = row.get_mut(to_usize(span.start)..to_usize(span.end)) {
                pixels.fill(label);
            }
        }
        pyramid.add_row(row)?;
    }
    pyramid.finish()
}

fn octaves(region: Level0Rect) -> u32 {
    let fits = |octaves: &u32| {
        let PixelSize { width, height } = ome::size_at(region, *octaves);
        width.max(height) <= SIDE_MAX
    };
    (0..32).find(fits).unwrap_or(0)
}

/// Names of the classes with their numbers, the first one 255.
fn labels<'a>(entries: &[Entry<'a>]) -> Result<Vec<(&'a str, u8)>, ExportError> {
    let classes = AnnotationSheet::classes(entries);
    let n = classes.len();
    if usize::from(u8::MAX) < n {
        let problem = format!("there are {n} classes, and numbers for 255");
        return Err(ExportError::Encode { what: ExportFormat::LabelTiff.noun(), problem });
    }
    let number = |index: usize| u8::try_from(255 * (n - index) / n.max(1)).unwrap_or(u8::MAX);
    Ok(classes.iter().enumerate().map(|(i, class)| (class.name.as_str(), number(i))).collect())
}

/// Row by row; in a row in the order of the annotations, so that later ones lie on top.
fn labelled_spans(entries: &[Entry<'_>], labels: &[(&str, u8)], grid: &Grid) -> Vec<(Span, u8)> {
    let label = |entry: &Entry<'_>| {
        let name = &entry.annotation.class.name;
        labels.iter().find(|(known, _)| known == name).map_or(u8::MAX, |(_, label)| *label)
    };
    let of_entry = |entry: &Entry<'_>| {
        let label = label(entry);
        grid.spans(entry.parts).into_iter().map(move |span| (span, label))
    };
    let mut spans: Vec<(Span, u8)> = entries.iter().flat_map(of_entry).collect();
    spans.sort_by_key(|(span, _)| span.row);
    spans
}

fn plan(
    sheet: &AnnotationSheet<'_>,
    labels: &[(&str, u8)],
    (size, octaves): (PixelSize, u32),
) -> Plan {
    let plane = Plane {
        channel: "Labels",
        kind: "uint8",
        size,
        step: ome::step(octaves),
        mpp: sheet.slide.mpp,
    };
    let mut origin = sheet.origin(ExportFormat::LabelTiff);
    let legend = labels.iter().map(|(name, label)| (label.to_string(), Value::from(*name)));
    origin.insert("values".to_owned(), Value::Object(legend.collect::<Map<String, Value>>()));
    Plan {
        noun: ExportFormat::LabelTiff.noun(),
        size,
        halving: Halving::First,
        place: Place::Below,
        description: ome::description(&plane, origin),
        resolution: ome::resolution(sheet.slide.mpp, octaves),
    }
}
