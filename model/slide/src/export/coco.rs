//! Annotations as COCO has them: pixels of one picture as run lengths, column by column.
//!
//! COCO's polygons know no holes, its run lengths do. The picture is the mask's raster; which part of the slide that is
//! and at which scale stands beside its size. Lines have no pixels and are left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::raster::{self, Grid, Span};
use super::sheet::{AnnotationSheet, Entry};
use super::{ExportError, ExportFormat, frame};

pub(super) fn encode(
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
    stem: &str,
) -> Result<Vec<u8>, ExportError> {
    let classes = AnnotationSheet::classes(entries);
    let grid = sheet.grid(entries);
    let areas = entries.iter().filter(|entry| !entry.parts.is_empty());
    let annotations: Vec<Value> = areas
        .enumerate()
        .map(|(index, entry)| {
            let name = &entry.annotation.class.name;
            let class = classes.iter().position(|class| class.name == *name).unwrap_or(0);
            annotation(entry, &grid, index + 1, class + 1)
        })
        .collect();
    let categories = classes.iter().enumerate().map(|(index, class)| {
        json!({ "id": index + 1, "name": class.name, "supercategory": "annotation", "color": class.color })
    });
    let file = json!({
        "info": {
            "description": "Annotations of a slide, as pixels of a part of it",
            "version": super::SOFTWARE,
            "slidelight": sheet.origin(ExportFormat::Coco),
        },
        "images": [image(&grid, stem)],
        "categories": categories.collect::<Vec<_>>(),
        "annotations": annotations,
    });
    frame::pretty(&file, ExportFormat::Coco.noun())
}

/// The picture and its place: a pixel is `scale` level-0 pixels, and the first begins at `x0`, `y0`.
fn image(grid: &Grid, stem: &str) -> Value {
    json!({
        "id": 1,
        "file_name": format!("{stem}.mask.png"),
        "width": grid.size.width,
        "height": grid.size.height,
        "x0": grid.frame.x,
        "y0": grid.frame.y,
        "scale_x": grid.frame.width / f64::from(grid.size.width),
        "scale_y": grid.frame.height / f64::from(grid.size.height),
    })
}

fn annotation(entry: &Entry<'_>, grid: &Grid, id: usize, category: usize) -> Value {
    let spans = grid.spans(entry.parts);
    let size = [grid.size.height, grid.size.width];
    json!({
        "id": id,
        "image_id": 1,
        "category_id": category,
        "bbox": bounding_box(&spans),
        "area": raster::count(&spans),
        "iscrowd": 0,
        "segmentation": { "size": size, "counts": text(&run_lengths(&spans, grid)) },
        "slidelight": {
            "id": entry.annotation.id.0.to_string(),
            "name": entry.annotation.name,
            "verdict": super::geojson::word(entry.annotation.verdict),
            "comment": entry.annotation.comment,
            "score": entry.annotation.score,
            "area_px": entry.area_px,
        },
    })
}

/// Left, top, width, height in pixels.
fn bounding_box(spans: &[Span]) -> [u32; 4] {
    let left = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let right = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let top = spans.first().map_or(0, |span| span.row);
    let bottom = spans.last().map_or(0, |span| span.row + 1);
    [left, top, right - left, bottom - top]
}

/// Lengths of background and lesion by turns, down the columns from the left, background first.
pub(super) fn run_lengths(spans: &[Span], grid: &Grid) -> Vec<u64> {
    let mut done = 0;
    let mut lengths = Vec::new();
    for (start, end) in runs(spans, u64::from(grid.size.height)) {
        lengths.extend([start - done, end - start]);
        done = end;
    }
    if done < grid.size.area() {
        lengths.push(grid.size.area() - done);
    }
    lengths
}

/// Places from and to which pixels are lesion, counted down the columns from the left.
fn runs(spans: &[Span], height: u64) -> Vec<(u64, u64)> {
    let mut columns: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for span in spans {
        for column in span.start..span.end {
            let place = u64::from(column) * height + u64::from(span.row);
            join(columns.entry(column).or_default(), (place, place + 1));
        }
    }
    let mut runs = Vec::new();
    columns.into_values().flatten().for_each(|run| join(&mut runs, run));
    runs
}

/// A run that begins where the last one ends goes on with it.
fn join(runs: &mut Vec<(u64, u64)>, run: (u64, u64)) {
    match runs.last_mut() {
        Some((_, end)) if *end == run.0 => *end = run.1,
        _ => runs.push(run),
    }
}

/// Run lengths as COCO's text: groups of 5 bits from character 48 upwards, the lowest first, with 32 where more follow;
/// from the fourth length on the difference to the one before the last.
fn text(lengths: &[u64]) -> String {
    let signed = |length: &u64| i64::try_from(*length).unwrap_or(i64::MAX);
    let before = std::iter::repeat_n(0, 3).chain(lengths.iter().skip(1).map(signed));
    lengths
        .iter()
        .map(signed)
        .zip(before)
        .flat_map(|(length, before)| groups(length - before))
        .collect()
}

fn groups(mut rest: i64) -> Vec<char> {
    let mut groups = Vec::new();
    loop {
        let low = u8::try_from(rest & 0x1F).unwrap_or(0);
        rest >>= 5;
        let is_last = rest == if low & 0x10 == 0 { 0 } else { -1 };
        groups.push(char::from(48 + low + if is_last { 0 } else { 0x20 }));
        if is_last {
            return groups;
        }
    }
}

/// The run lengths that a text holds; `None` if it is no such text.
pub(super) fn lengths(text: &str) -> Option<Vec<u64>> {
    let mut lengths: Vec<i64> = Vec::new();
    let (mut value, mut shift) = (0_i64, 0_u32);
    for byte in text.bytes() {
        let group = byte.checked_sub(48).filter(|group| *group < 64)?;
        value |= i64::from(group & 0x1F).checked_shl(shift)?;
        shift += 5;
        if group & 0x20 == 0 {
            if group & 0x10 != 0 {
                value |= (-1_i64).checked_shl(shift).unwrap_or(0);
            }
            let before = if lengths.len() < 3 { 0 } else { *lengths.get(lengths.len() - 2)? };
            lengths.push(value.checked_add(before)?);
            (value, shift) = (0, 0);
        }
    }
    lengths.into_iter().map(|length| u64::try_from(length).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::{Level0Rect, PixelSize};

    #[test]
    fn run_lengths_go_down_the_columns_and_begin_with_background() {
        let size = PixelSize { width: 3, height: 2 };
        let grid = Grid { size, frame: Level0Rect::of_size(size) };
        // .##
        // ##.
        let spans = [Span { row: 0, start: 1, end: 3 }, Span { row: 1, start: 0, end: 2 }];
        assert_eq!(run_lengths(&spans, &grid), [1, 4, 1]);
        let all = [Span { row: 0, start: 0, end: 3 }, Span { row: 1, start: 0, end: 3 }];
        assert_eq!(run_lengths(&all, &grid), [0, 6]);
        assert_eq!(run_lengths(&[], &grid), [6]);
    }

    #[test]
    fn the_text_is_that_of_the_reference_and_comes_back() {
        // From `pycocotools.mask.frPyObjects({"size": [100, 100], "counts": [...]})`.
        let counts = [40, 20, 100, 3, 5000, 7, 4830];
        assert_eq!(text(&counts), "X1d0T3_OTi44fJ");
        for counts in [&counts[..], &[0, 16], &[15, 16, 31, 32, 1, 0, 70_000_000]] {
            assert_eq!(lengths(&text(counts)).unwrap(), counts);
        }
        assert_eq!((lengths("\u{7f}"), lengths("PPPPPPPPPPPPPPP0")), (None, None));
    }
}
