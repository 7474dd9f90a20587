//! Masks, heatmaps and annotations to files, all in one flat folder.
//!
//! Everything is written beside its place under temporary names, read back from there and compared, and only when all
//! of it is right renamed: a full disk, a crash or a fault of ours leaves no half-written and no half-replaced set.
//! Coordinates are level-0 pixels with the origin at the slide's top left, as `OpenSlide` has them, or at the corner of
//! the scanned part, as `QuPath` has them; every file that has room for it says which.

pub(crate) mod asap_xml;
mod atomic;
mod check;
mod coco;
mod error;
mod format;
mod frame;
pub(crate) mod geojson;
mod heatmap_png;
mod heatmap_tiff;
mod holes;
mod imagescope_xml;
mod label_tiff;
mod lesion_csv;
mod naming;
mod ome;
mod png;
mod probability_pyramid;
mod probability_tiff;
mod pyramid;
mod raster;
mod record;
mod report;
mod sheet;
mod tiff_writer;
pub(crate) mod xml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::annotation::Annotation;
use domain::coords::{Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::id::SlideId;
use domain::mask::{BinaryMask, BinaryThreshold};
use domain::pixels::Pixels;
use domain::progress::{CancelToken, Progress};
use domain::scale::Mpp;
use serde_json::Value;

use crate::Slide;
pub use atomic::{Staged, copy, save, stage};
pub use error::ExportError;
pub use format::{ExportFormat, FrameChoice, Reader};
pub use label_tiff::SIDE_MAX as LABEL_SIDE_MAX;
pub use naming::{Names, refined_stem};
pub use png::encode_png;
pub use probability_pyramid::{ProbabilityPyramid, PyramidFacts};
pub use report::thumbnail;
pub use sheet::AnnotationSheet;
use sheet::Entry;

/// Name and version of this program, as written into every file.
pub const SOFTWARE: &str = concat!("Slidelight ", env!("CARGO_PKG_VERSION"));

/// What the files say about the slide. No name and no path: those may carry a patient's name.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideFacts {
    /// Content hash.
    pub id: SlideId,
    /// Size of level 0.
    pub size: PixelSize,
    /// Physical scale, where known.
    pub mpp: Option<Mpp>,
    /// The part of level 0 that was scanned, where the slide says so.
    pub bounds: Option<Level0Rect>,
}

impl SlideFacts {
    /// The facts of an open slide.
    pub fn of(slide: &Slide) -> Self {
        let whole = Level0Rect::of_size(slide.size());
        let is_inside = |bounds: &Level0Rect| whole.union(*bounds) == whole;
        let bounds = bounds(slide.properties()).filter(is_inside);
        Self { id: slide.id().clone(), size: slide.size(), mpp: slide.mpp(), bounds }
    }
}

/// `QuPath` shows the scanned part alone, but only where all four of these are numbers.
fn bounds(properties: &BTreeMap<String, String>) -> Option<Level0Rect> {
    let number = |name: &str| {
        let text = properties.get(&format!("openslide.bounds-{name}"))?;
        text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
    };
    let (width, height) = (number("width")?, number("height")?);
    let has_area = 0.0 < width && 0.0 < height;
    has_area.then_some(Level0Rect { x: number("x")?, y: number("y")?, width, height })
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
    /// What a person kept on the slide; `None` for the lesions of the map at its *t*.
    pub annotations: Option<&'a [Annotation]>,
    /// Where coordinates of outlines are counted from.
    pub frame: FrameChoice,
    /// Where tissue was found, if known.
    pub tissue: Option<&'a BinaryMask>,
    /// The whole slide as it stands in a report, from [`thumbnail`].
    pub thumbnail: Option<&'a Pixels>,
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

/// Writes `formats` of one result into `dir`, which must exist, and returns the files, in order.
/// Files of the same name are replaced.
///
/// # Errors
/// If something cannot be encoded or written, does not read back as it was meant, or is cancelled; then no file has been
/// added or replaced, unless the system refuses one of the final renames.
pub fn write_bundle(
    request: &ExportRequest<'_>,
    dir: &Path,
    stem: &str,
    formats: &[ExportFormat],
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Vec<PathBuf>, ExportError> {
    let mask = BinaryMask::cut(request.heatmap, request.threshold);
    let sheet = AnnotationSheet::of(request);
    let bundle = Bundle { sheet: &sheet, entries: sheet.entries(), result: Some((request, &mask)) };
    bundle.write(dir, stem, formats, (progress, cancel))
}

/// Writes annotations without a model's result; `formats` that need one are refused.
///
/// # Errors
/// As [`write_bundle`].
pub fn write_annotations(
    sheet: &AnnotationSheet<'_>,
    dir: &Path,
    stem: &str,
    formats: &[ExportFormat],
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Vec<PathBuf>, ExportError> {
    let bundle = Bundle { sheet, entries: sheet.entries(), result: None };
    bundle.write(dir, stem, formats, (progress, cancel))
}

/// What files are made of, prepared once.
struct Bundle<'a> {
    sheet: &'a AnnotationSheet<'a>,
    entries: Vec<Entry<'a>>,
    result: Option<(&'a ExportRequest<'a>, &'a BinaryMask)>,
}

impl Bundle<'_> {
    fn write(
        &self,
        dir: &Path,
        stem: &str,
        formats: &[ExportFormat],
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<Vec<PathBuf>, ExportError> {
        let mut staged = Vec::new();
        for (index, format) in formats.iter().enumerate() {
            cancel.check()?;
            progress.report(index as u64, formats.len() as u64);
            staged.extend(self.stage(dir, stem, *format, (progress, cancel))?);
        }
        cancel.check()?;
        staged.into_iter().map(Staged::publish).collect()
    }

    /// The format's files under temporary names, read back and found right.
    fn stage(
        &self,
        dir: &Path,
        stem: &str,
        format: ExportFormat,
        watch: (&dyn Progress, &CancelToken),
    ) -> Result<Vec<Staged>, ExportError> {
        let targets = format.file_names(stem).into_iter().map(|name| dir.join(name));
        targets
            .zip(self.contents(stem, format)?)
            .map(|(target, content)| match content {
                Content::Bytes(bytes) => {
                    let staged = stage(&target, format.noun(), &bytes)?;
                    self.check(format, &staged.read()?)?;
                    Ok(staged)
                }
                Content::Place(bytes) => stage(&target, format.noun(), &bytes),
                Content::Labels => label_tiff::stage(self.sheet, &self.entries, &target, watch),
                Content::Field(heatmap) => {
                    probability_tiff::stage(format, self.sheet, heatmap, &target, watch)
                }
            })
            .collect()
    }

    fn check(&self, format: ExportFormat, written: &[u8]) -> Result<(), ExportError> {
        match self.result {
            Some((request, mask)) if !format.is_of_annotations() => {
                check::result(format, request, mask, written)
            }
            _ => check::annotations(format, self.sheet, &self.entries, written),
        }
    }

    /// What each of the format's files holds.
    fn contents(&self, stem: &str, format: ExportFormat) -> Result<Vec<Content<'_>>, ExportError> {
        let (sheet, entries) = (self.sheet, self.entries.as_slice());
        let result = || {
            let problem = "it needs a model's result, and there are annotations only".to_owned();
            self.result.ok_or(ExportError::Encode { what: format.noun(), problem })
        };
        let described = |picture| png::described(picture, sheet.origin(format));
        let bytes = match format {
            ExportFormat::MaskPng => {
                let (request, mask) = result()?;
                let place = frame::encode(request, mask.size())?;
                let picture = described(png::encode_mask(mask)?);
                return Ok(vec![Content::Bytes(picture), Content::Place(place)]);
            }
            ExportFormat::HeatmapPng => described(heatmap_png::encode(result()?.0.heatmap)?),
            ExportFormat::HeatmapTiff => heatmap_tiff::encode(result()?.0)?,
            ExportFormat::GeoJson => geojson::encode(sheet, entries)?,
            ExportFormat::AsapXml => asap_xml::encode(sheet, entries),
            ExportFormat::ImageScopeXml => imagescope_xml::encode(sheet, entries),
            ExportFormat::Coco => coco::encode(sheet, entries, stem)?,
            ExportFormat::LesionCsv => lesion_csv::encode(sheet, entries)?,
            ExportFormat::LabelTiff => return Ok(vec![Content::Labels]),
            ExportFormat::ProbabilityTiff | ExportFormat::LikelihoodMap => {
                return Ok(vec![Content::Field(result()?.0.heatmap)]);
            }
            ExportFormat::ReportPdf => {
                report::pdf(result()?, entries, &Value::Object(sheet.origin(format)).to_string())?
            }
            ExportFormat::ReportPng => described(report::png(result()?, entries)?),
            ExportFormat::Record => {
                let (request, mask) = result()?;
                record::encode(request, mask, record::n_lesions(request))?
            }
        };
        Ok(vec![Content::Bytes(bytes)])
    }
}

/// What a file holds.
enum Content<'a> {
    Bytes(Vec<u8>),
    /// Where the picture beside it lies.
    Place(Vec<u8>),
    /// Annotations as pixels, made while they are written.
    Labels,
    /// A map as pixels, made while they are written.
    Field(&'a Heatmap),
}

/// The record of a result, as in `<stem>.json`.
pub fn record(request: &ExportRequest<'_>) -> Value {
    let mask = BinaryMask::cut(request.heatmap, request.threshold);
    record::record(request, &mask, record::n_lesions(request))
}

#[cfg(test)]
mod tests;
