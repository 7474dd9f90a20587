//! Measuring a model on a labelled folder, beside baselines measured by the same code (MODELS section 9).

mod baselines;
pub(crate) mod labels;
pub(crate) mod pixels;
mod report;
mod subject;
mod suggest;

pub use report::{
    Baseline, Classification, EvalReport, PixelScores, Segmentation, SuggestedThreshold,
    ThresholdRule, ThresholdScores,
};

use std::collections::BTreeMap;
use std::path::Path;

use domain::heatmap::Heatmap;
use domain::progress::{CancelToken, Cancelled, Progress};

use crate::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze_with, open_model};
use crate::data::folder::{LabelledFolder, LabelledImage, Split};
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;
use crate::stopwatch::Stopwatch;
use baselines::Baselines;
use pixels::{Counts, segmentation};
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
        measured.add(&subject, &loaded, model, (&settings.analysis, t), cancel)?;
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
    fn add(
        &mut self,
        subject: &Subject,
        model: &LoadedModel,
        entry: &ModelEntry,
        (settings, t): (&AnalysisSettings, f32),
        cancel: &CancelToken,
    ) -> Result<(), EvalError> {
        let watch = Stopwatch::default();
        let analysis =
            match analyze_with(&subject.slide, model, entry, settings, watch, (&(), cancel)) {
                Ok(analysis) => Some(analysis),
                Err(AnalyzeError::NoTissue) => None,
                Err(AnalyzeError::Cancelled(cancelled)) => return Err(cancelled.into()),
                Err(error) => return Err(EvalError::Image(format!("{}: {error}", subject.file))),
            };
        self.p.push(analysis.as_ref().map_or(0.0, |it| it.probability));
        self.is_positive.push(subject.is_positive);
        self.kept.extend(analysis.as_ref().and_then(|it| it.faithfulness));
        self.n_outside +=
            usize::from(analysis.as_ref().is_some_and(|it| it.training_fit.is_outside));
        if let Some(map) = analysis.as_ref().map(measured_map).filter(|it| 0.0 < it.max()) {
            suggest::add_values(&mut self.map_values, map.values());
        }
        if let Some(truth) = &subject.truth {
            let field = match &analysis {
                Some(analysis) => measured_map(analysis).resampled(subject.slide.size()),
                None => vec![0.0; truth.len()],
            };
            self.at_threshold.push(Counts::of(field.iter().map(|value| t < *value), truth));
            add_ladder(&mut self.ladder, &field, truth);
        }
        Ok(())
    }
}

/// The map under measurement: that of the last stage which was run.
fn measured_map(analysis: &Analysis) -> &Heatmap {
    analysis.refined.as_ref().unwrap_or(&analysis.heatmap)
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

/// Adds the counts of one field, cut at every *t* of the ladder.
fn add_ladder(ladder: &mut Vec<Counts>, field: &[f32], truth: &[bool]) {
    let n = usize::from(N_THRESHOLDS) + 1;
    let thresholds: Vec<f32> = (0..n).map(threshold).collect();
    // `exceeded[k]`: lesion and background pixels that exceed exactly the first k thresholds.
    let mut exceeded = vec![[0_u64; 2]; n + 1];
    for (value, truth) in field.iter().zip(truth) {
        exceeded[thresholds.partition_point(|t| t < value)][usize::from(*truth)] += 1;
    }
    ladder.resize(n, Counts::default());
    let mut below = [0_u64; 2];
    let total = exceeded.iter().fold([0, 0], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
    for (counts, of_step) in ladder.iter_mut().zip(&exceeded) {
        below = [below[0] + of_step[0], below[1] + of_step[1]];
        let above = [total[0] - below[0], total[1] - below[1]];
        counts.add(Counts { tp: above[1], fp: above[0], fn_: below[1], tn: below[0] });
    }
}

fn report(
    (split, t): (&str, f32),
    measured: &Measured,
    baselines: Option<Baselines>,
    has_masks: bool,
    model: &ModelEntry,
) -> EvalReport {
    let thresholds: Vec<ThresholdScores> = measured
        .ladder
        .iter()
        .enumerate()
        .map(|(step, counts)| ThresholdScores {
            threshold: threshold(step),
            pooled: counts.scores(),
        })
        .collect();
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
    use super::pixels::pooled;
    use super::*;

    #[test]
    fn the_ladder_counts_what_cutting_counts() {
        let field = [0.0, 0.005, 0.01, 0.5, 0.505, 0.99, 1.0];
        let truth = [false, true, false, true, false, true, true];
        let mut ladder = Vec::new();
        add_ladder(&mut ladder, &field, &truth);
        assert_eq!(ladder.len(), 101);
        for (step, counts) in ladder.iter().enumerate() {
            let cut = Counts::of(field.iter().map(|value| threshold(step) < *value), &truth);
            assert_eq!(*counts, cut, "t = {}", threshold(step));
        }
        assert_eq!(pooled(&ladder[..1]), ladder[0]);
    }

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
