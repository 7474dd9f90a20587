//! The heatmap's field as a pyramid of 32-bit floats over the whole slide: as OME-TIFF, and as ASAP looks for it.
//!
//! ASAP shows `<slide>_likelihood_map.tif` over the slide if both have the same ratio of sides after rounding down, so
//! sides are the slide's divided by a power of two. The finest level is about as fine as the mask's raster.

use std::path::Path;

use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::mask::mask_raster;
use domain::progress::{CancelToken, Progress};
use serde_json::Value;

use super::atomic::Staged;
use super::heatmap_tiff::ascii;
use super::ome::{self, Plane};
use super::pyramid::{Halving, Place, Plan, Pyramid};
use super::sheet::AnnotationSheet;
use super::{ExportError, ExportFormat};

/// How many rows are made between two looks at the clock.
const ROWS_AT_ONCE: u32 = 64;

/// Writes a file of `format` beside `target`.
pub(super) fn stage(
    format: ExportFormat,
    sheet: &AnnotationSheet<'_>,
    heatmap: &Heatmap,
    target: &Path,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Staged, ExportError> {
    let region = sheet.frame.region(format, &sheet.slide);
    let octaves = octaves(heatmap.frame());
    let size = ome::size_at(region, octaves);
    let step = ome::step(octaves);
    let mut pyramid = Pyramid::begin(target, plan(format, sheet, size, octaves))?;
    for y in 0..size.height {
        if y.is_multiple_of(ROWS_AT_ONCE) {
            cancel.check()?;
            progress.report(y.into(), size.height.into());
        }
        let center = |index: u32, start: f64| start + (f64::from(index) + 0.5) * step;
        let y = center(y, region.y);
        let row = (0..size.width).map(|x| heatmap.sample(Level0Px { x: center(x, region.x), y }));
        pyramid.add_row(row.collect::<Vec<f32>>())?;
    }
    pyramid.finish()
}

/// The halvings of level 0 that are not coarser than the mask's raster.
fn octaves(frame: Level0Rect) -> u32 {
    let raster = mask_raster(frame);
    let step = frame.width / f64::from(raster.width);
    (0..31).take_while(|octaves| ome::step(octaves + 1) <= step).count().try_into().unwrap_or(0)
}

fn plan(format: ExportFormat, sheet: &AnnotationSheet<'_>, size: PixelSize, octaves: u32) -> Plan {
    let is_ome = format == ExportFormat::ProbabilityTiff;
    let origin = sheet.origin(format);
    let description = if is_ome {
        let (step, mpp) = (ome::step(octaves), sheet.slide.mpp);
        let plane = Plane { channel: "Lesion probability", kind: "float", size, step, mpp };
        ome::description(&plane, origin)
    } else {
        ascii(&Value::Object(origin).to_string())
    };
    Plan {
        noun: format.noun(),
        size,
        halving: Halving::MeanOfWhole,
        place: if is_ome { Place::Below } else { Place::Chain },
        description,
        resolution: ome::resolution(sheet.slide.mpp, octaves),
    }
}
