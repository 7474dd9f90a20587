//! Masks, heatmaps and outlines to files, all in one flat folder.
//!
//! Everything is encoded first, then written beside its place under temporary names, and only when all
//! of it is on the disk renamed: a full disk or a crash leaves no half-written and no half-replaced set.
//! Coordinates are level-0 pixels with the origin at the slide's top left, as `OpenSlide` has them.

mod atomic;
mod error;
mod frame;
mod geojson;
mod heatmap_png;
mod heatmap_tiff;
mod naming;
mod png;
mod probability_pyramid;
mod record;
mod tiff_writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::contour::{Lesion, lesions};
use domain::coords::PixelSize;
use domain::heatmap::Heatmap;
use domain::id::SlideId;
use domain::mask::{BinaryMask, BinaryThreshold};
use domain::scale::Mpp;

use crate::Slide;
pub use atomic::{Staged, save, stage};
pub use error::ExportError;
pub use naming::{Names, refined_stem};
pub use png::encode_png;
pub use probability_pyramid::{ProbabilityPyramid, PyramidFacts};

/// Name and version of this program, as written into every file.
pub const SOFTWARE: &str = concat!("Slidelight ", env!("CARGO_PKG_VERSION"));

/// What a result can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExportFormat {
    /// `<stem>.mask.png`: 8-bit gray, 255 = lesion, and its frame in `<stem>.mask.json`.
    MaskPng,
    /// `<stem>.heatmap.png`: cividis on transparent, for looking at.
    HeatmapPng,
    /// `<stem>.heatmap.tif`: the heatmap's cells as 32-bit floats, its frame in the description.
    HeatmapTiff,
    /// `<stem>.geojson`: one `QuPath` annotation per lesion.
    GeoJson,
    /// `<stem>.json`: probability, area, timings, cautions, provenance.
    Record,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 5] =
        [Self::MaskPng, Self::HeatmapPng, Self::HeatmapTiff, Self::GeoJson, Self::Record];

    /// The files that this format writes for `stem`.
    pub fn file_names(self, stem: &str) -> Vec<String> {
        let endings: &[&str] = match self {
            Self::MaskPng => &["mask.png", "mask.json"],
            Self::HeatmapPng => &["heatmap.png"],
            Self::HeatmapTiff => &["heatmap.tif"],
            Self::GeoJson => &["geojson"],
            Self::Record => &["json"],
        };
        endings.iter().map(|ending| format!("{stem}.{ending}")).collect()
    }
}

/// What the files say about the slide. No name and no path: those may carry a patient's name.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideFacts {
    /// Content hash.
    pub id: SlideId,
    /// Size of level 0.
    pub size: PixelSize,
    /// Physical scale, where known.
    pub mpp: Option<Mpp>,
}

impl SlideFacts {
    /// The facts of an open slide.
    pub fn of(slide: &Slide) -> Self {
        Self { id: slide.id().clone(), size: slide.size(), mpp: slide.mpp() }
    }
}

/// How far the result can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Caution<'a> {
    /// Whether the result should not be relied on because the slide is unlike the training data.
    pub is_outside_training_data: bool,
    /// Share of the slide's windows that are, `0.0..=1.0`.
    pub outside_share: f64,
    /// Probability that remains with the patches under the heatmap alone; `None` if predicted negative.
    pub faithfulness: Option<f64>,
    /// Everything a reader must be told, one sentence each.
    pub notes: &'a [String],
}

/// One result to be written.
#[derive(Clone, Debug)]
pub struct ExportRequest<'a> {
    /// The slide it belongs to.
    pub slide: SlideFacts,
    /// The CAM on the slide.
    pub heatmap: &'a Heatmap,
    /// Where tissue was found, if known.
    pub tissue: Option<&'a BinaryMask>,
    /// The cut-off *t* of mask and outlines.
    pub threshold: BinaryThreshold,
    /// Probability of the positive class for the whole slide.
    pub probability: f64,
    /// Name of the model.
    pub model: &'a str,
    /// Training fit.
    pub caution: Caution<'a>,
    /// Stage name and how long it took.
    pub timings: &'a [(&'static str, Duration)],
    /// Model, weights hash, settings: by name.
    pub provenance: &'a BTreeMap<String, String>,
}

/// What mask, outlines and record are made of, cut once.
struct Cut {
    mask: BinaryMask,
    lesions: Vec<Lesion>,
}

/// Writes `formats` of one result into `dir`, which must exist, and returns the files, in order.
/// Files of the same name are replaced.
///
/// # Errors
/// If something cannot be encoded or written; then no file has been added or replaced, unless the
/// system refuses one of the final renames.
pub fn write_bundle(
    request: &ExportRequest<'_>,
    dir: &Path,
    stem: &str,
    formats: &[ExportFormat],
) -> Result<Vec<PathBuf>, ExportError> {
    let cut = Cut {
        mask: BinaryMask::cut(request.heatmap, request.threshold),
        lesions: lesions(request.heatmap, request.threshold, 0.0),
    };
    let mut staged = Vec::new();
    for format in formats {
        for (name, bytes) in format.file_names(stem).iter().zip(encode(request, &cut, *format)?) {
            staged.push(stage(&dir.join(name), format.noun(), &bytes)?);
        }
    }
    staged.into_iter().map(Staged::publish).collect()
}

/// The bytes of each of the format's files.
fn encode(
    request: &ExportRequest<'_>,
    cut: &Cut,
    format: ExportFormat,
) -> Result<Vec<Vec<u8>>, ExportError> {
    Ok(match format {
        ExportFormat::MaskPng => {
            vec![png::encode_mask(&cut.mask)?, frame::encode(request, cut.mask.size())?]
        }
        ExportFormat::HeatmapPng => vec![heatmap_png::encode(request.heatmap)?],
        ExportFormat::HeatmapTiff => vec![heatmap_tiff::encode(request)?],
        ExportFormat::GeoJson => vec![geojson::encode(request, &cut.lesions)?],
        ExportFormat::Record => vec![record::encode(request, &cut.mask, cut.lesions.len())?],
    })
}

/// The record of a result, as in `<stem>.json`.
pub fn record(request: &ExportRequest<'_>) -> serde_json::Value {
    let mask = BinaryMask::cut(request.heatmap, request.threshold);
    let n_lesions = lesions(request.heatmap, request.threshold, 0.0).len();
    record::record(request, &mask, n_lesions)
}

impl ExportFormat {
    /// What a message calls the file.
    fn noun(self) -> &'static str {
        match self {
            Self::MaskPng => "mask",
            Self::HeatmapPng => "heatmap picture",
            Self::HeatmapTiff => "heatmap",
            Self::GeoJson => "outlines",
            Self::Record => "record",
        }
    }
}

#[cfg(test)]
mod tests;
