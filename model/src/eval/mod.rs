//! Measuring a model on a labelled folder, beside baselines measured by the same code (MODELS section 9).

mod baselines;
mod comparison;
pub(crate) mod labels;
pub(crate) mod measure;
mod measurement;
pub(crate) mod pixels;
mod report;
mod resampling;
mod score;
mod seen;
mod subject;
mod suggest;

pub use comparison::{CompareJob, Comparison, Difference, Rows, compare};
pub use measurement::{MeasuredModel, Measurement, RocPoint};
pub use pixels::Counts;
pub use report::{
    Baseline, Classification, EvalReport, PixelScores, Segmentation, SuggestedThreshold,
    ThresholdRule, ThresholdScores,
};
pub use score::{Figure, ImageScore, Metric};

use std::collections::BTreeMap;
use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};

use crate::analysis::{AnalysisSettings, AnalyzeError, open_model};
use crate::data::folder::{LabelledFolder, LabelledImage, Split};
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;
use baselines::Baselines;
use pixels::segmentation;
use seen::{Seen, add_histogram, add_ladder};
use subject::Subject;

/// Steps of the ladder of *t* between 0 and 1.
const N_THRESHOLDS: u16 = 100;

/// Why a model could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong with the labelled folder, one line each.
    #[error("the labelled folder cannot be used: {}", .0.join("; "))]
    Folder(Vec<String>),
    /// A mask is missing, unreadable or of another size than its image.
    #[error("a mask cannot be used: {0}")]
    Mask(String),
    /// An image cannot be read.
    #[error("an image cannot be used: {0}")]
    Image(String),
    /// The model could not be run.
    #[error(transparent)]
    Analyze(AnalyzeError),
}

impl From<AnalyzeError> for EvalError {
    fn from(error: AnalyzeError) -> Self {
        match error {
            AnalyzeError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::Analyze(other),
        }
    }
}

/// What is measured, and how.
#[derive(Clone, Debug, Default)]
pub struct EvalSettings {
    /// How the model is run.
    pub analysis: AnalysisSettings,
    /// The rows to measure; without it the `test` rows, else the `val` rows, else all.
    pub split: Option<Split>,
    /// The *t* to cut at instead of the model's recommended one.
    pub threshold: Option<f32>,
    /// Whether the simple methods are left out, which takes half of the time where features are cached.
    pub without_baselines: bool,
}

/// What was measured on the images so far.
#[derive(Debug, Default)]
struct Measured {
    p: Vec<f64>,
    is_positive: Vec<bool>,
    /// Masks at the recommended *t* against the truth.
    at_threshold: Vec<Counts>,
    /// Summed over images, for each *t* of the ladder.
    ladder: Vec<Counts>,
    kept: Vec<f64>,
    n_outside: usize,
    /// Values of the maps of images predicted positive, for each step of the ladder.
    map_values: Vec<u64>,
    images: Vec<ImageScore>,
}

/// Runs `model` over rows of the folder and scores labels and, where
/// `masks` holds a `<stem>.png` per positive image, pixels. Images without tissue count as negative.
///
/// # Errors
/// If the folder, a mask or the model cannot be used, or the run was cancelled.
pub fn evaluate(
    folder: &Path,
    masks: Option<&Path>,
    model: &ModelEntry,
    settings: &EvalSettings,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<EvalReport, EvalError> {
    let folder = LabelledFolder::read(folder).map_err(EvalError::Folder)?;
    let (split, images) = measured_rows(&folder.images, settings.split)?;
    progress.stage("Loading the model");
    let loaded = open_model(model, &settings.analysis)?;
    let recommended = recommended_threshold(&loaded, model, &settings.analysis);
    let t = settings.threshold.unwrap_or(recommended);
    let mut baselines = match settings.without_baselines {
        true => None,
        false => Some(Baselines::new(&rows_of(&folder.images, Split::Train), (progress, cancel))?),
    };
    let mut measured = Measured::default();
    progress.stage("Measuring");
    for (i, image) in images.iter().enumerate() {
        cancel.check()?;
        progress.report(i as u64, images.len() as u64);
        let subject = Subject::open(image, masks, baselines.is_some())?;
        let seen = Seen::of(&subject, (&loaded, model), (&settings.analysis, t), cancel)?;
        measured.add(image, seen);
        baselines.iter_mut().for_each(|it| it.add(&subject));
    }
    let mut report = report((split, t), &measured, baselines, masks.is_some(), model);
    let device = &loaded.device.status;
    report.provenance.insert("device".to_owned(), device.name.to_owned());
    report.notes.extend(device.note.clone());
    Ok(report)
}

/// Rows to measure, and what they are called.
fn measured_rows(
    images: &[LabelledImage],
    asked: Option<Split>,
) -> Result<(&'static str, Vec<&LabelledImage>), EvalError> {
    for (split, name) in [(Split::Test, "test"), (Split::Val, "val"), (Split::Train, "train")] {
        let is_meant = match asked {
            Some(asked) => asked == split,
            None => split != Split::Train,
        };
        let rows = rows_of(images, split);
        if is_meant && !rows.is_empty() {
            return Ok((name, rows));
        }
    }
    if asked.is_some() {
        let problem = "it has no row of the split that was asked for".to_owned();
        return Err(EvalError::Folder(vec![problem]));
    }
    Ok(("all", images.iter().collect()))
}

fn rows_of(images: &[LabelledImage], split: Split) -> Vec<&LabelledImage> {
    images.iter().filter(|it| it.split == Some(split)).collect()
}

impl Measured {
    fn add(&mut self, image: &LabelledImage, seen: Seen) {
        self.p.push(seen.probability);
        self.is_positive.push(image.is_positive);
        self.kept.extend(seen.kept);
        self.n_outside += usize::from(seen.is_outside);
        self.at_threshold.extend(seen.at_threshold);
        add_ladder(&mut self.ladder, &seen.ladder);
        add_histogram(&mut self.map_values, &seen.values);
        self.images.push(ImageScore {
            file: image.file.clone(),
            patient: image.patient.clone(),
            is_positive: image.is_positive,
            probability: seen.probability,
            pixels: seen.at_threshold,
        });
    }
}

/// The *t* that is recommended for the map under measurement.
fn recommended_threshold(
    model: &LoadedModel,
    entry: &ModelEntry,
    settings: &AnalysisSettings,
) -> f32 {
    let refiner = model.refiner.as_ref().filter(|_| settings.refine);
    refiner.map_or(entry.manifest.recommended_threshold, |it| it.description.recommended_threshold)
}

/// The *t* of a ladder step.
fn threshold(step: usize) -> f32 {
    step as f32 / f32::from(N_THRESHOLDS)
}

/// The figures of summed counts at every *t* of the ladder.
fn ladder_scores(ladder: &[Counts]) -> Vec<ThresholdScores> {
    let scores = |(step, counts): (usize, &Counts)| ThresholdScores {
        threshold: threshold(step),
        pooled: counts.scores(),
    };
    ladder.iter().enumerate().map(scores).collect()
}

fn report(
    (split, t): (&str, f32),
    measured: &Measured,
    baselines: Option<Baselines>,
    has_masks: bool,
    model: &ModelEntry,
) -> EvalReport {
    let thresholds = ladder_scores(&measured.ladder);
    let n_images = measured.p.len();
    let mut notes = vec![domain::RESEARCH_USE_ONLY.to_owned()];
    notes.extend(baselines.as_ref().and_then(Baselines::note));
    if 0 < measured.n_outside {
        let n = measured.n_outside;
        notes.push(format!("{n} of {n_images} images lie outside what the model was trained on."));
    }
    let kept: f64 = measured.kept.iter().sum();
    EvalReport {
        split: split.to_owned(),
        n_images,
        n_positive: measured.is_positive.iter().filter(|it| **it).count(),
        classification: labels::classification(&measured.p, &measured.is_positive),
        threshold: t,
        segmentation: has_masks.then(|| segmentation(&measured.at_threshold)),
        best_threshold: thresholds
            .iter()
            .copied()
            .max_by(|a, b| a.pooled.miou.total_cmp(&b.pooled.miou)),
        suggested_thresholds: suggest::suggestions(&thresholds, &measured.map_values),
        thresholds,
        figures: score::figures(&measured.images),
        images: measured.images.clone(),
        faithfulness: (!measured.kept.is_empty()).then(|| kept / measured.kept.len() as f64),
        baselines: baselines.map_or_else(Vec::new, Baselines::finish),
        provenance: provenance(model),
        notes,
    }
}

fn provenance(model: &ModelEntry) -> BTreeMap<String, String> {
    [
        ("software", concat!("Slidelight ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("model", model.manifest.name.clone()),
        ("weights_sha256", model.manifest.weights_sha256.clone()),
        ("encoder", model.manifest.encoder.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_split_goes_before_val_and_without_splits_all_is_measured() {
        let image = |split| LabelledImage {
            path: "a".into(),
            file: "a".to_owned(),
            is_positive: true,
            patient: "a".to_owned(),
            split,
        };
        let rows = [Some(Split::Train), Some(Split::Val), Some(Split::Test)].map(image);
        let name = |rows: &[LabelledImage], asked| measured_rows(rows, asked).unwrap().0;
        assert_eq!(name(&rows, None), "test");
        assert_eq!(name(&rows[..2], None), "val");
        assert_eq!(name(&[image(None)], None), "all");
        assert_eq!(name(&rows, Some(Split::Train)), "train");
        assert!(measured_rows(&rows[..2], Some(Split::Test)).is_err());
    }
}
