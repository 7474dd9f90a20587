//! Measuring a model image by image. What cannot be measured is left out and said: nobody's training is lost for a mask.

use std::path::Path;

use domain::progress::{CancelToken, PauseToken, Progress};

use super::measurement::{MeasuredModel, Measurement};
use super::pixels::Counts;
use super::score::ImageScore;
use super::seen::{Seen, add_histogram, add_ladder};
use super::subject::Subject;
use super::{EvalError, ThresholdRule, ladder_scores, suggest};
use crate::analysis::AnalysisSettings;
use crate::data::folder::LabelledImage;
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;

/// Labelled images that a model is measured on.
#[derive(Clone, Debug)]
pub(crate) struct Subjects<'a> {
    /// The labelled folder.
    pub(crate) folder: &'a Path,
    /// What these of its images are called.
    pub(crate) split: &'a str,
    pub(crate) images: Vec<&'a LabelledImage>,
    /// Folder of masks, `<stem>.png` each, as far as there are any.
    pub(crate) masks: Option<&'a Path>,
}

/// A model in memory, and how it is run.
#[derive(Clone, Copy)]
pub(crate) struct Instrument<'a> {
    pub(crate) model: &'a LoadedModel,
    pub(crate) entry: &'a ModelEntry,
    pub(crate) settings: &'a AnalysisSettings,
    /// Where maps are cut; without it where these images' mIoU is largest.
    pub(crate) threshold: Option<f32>,
}

/// Told how far the work is, and asked whether to go on.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancelToken,
    pub(crate) pause: &'a PauseToken,
}

/// Runs the model over the images.
///
/// # Errors
/// If the work was cancelled.
pub(crate) fn measure(
    subjects: &Subjects<'_>,
    with: Instrument<'_>,
    Watch { progress, cancel, pause }: Watch<'_>,
) -> Result<Measurement, EvalError> {
    let mut measured = Vec::new();
    let mut notes = Vec::new();
    let t = with.threshold.unwrap_or_default();
    for (i, image) in subjects.images.iter().enumerate() {
        pause.wait(cancel)?;
        cancel.check()?;
        progress.report(i as u64, subjects.images.len() as u64);
        let seen = open(image, subjects.masks).and_then(|subject| {
            Seen::of(&subject, (with.model, with.entry), (with.settings, t), cancel)
        });
        match seen {
            Ok(seen) => measured.push((*image, seen)),
            Err(EvalError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(error) => notes.push(format!("Left out, since {error}.")),
        }
    }
    notes.extend(without_mask(&mut measured, subjects.masks.is_some()));
    Ok(summary(subjects, with, &measured, notes))
}

/// An image with its mask, or without one that cannot be used.
fn open(image: &LabelledImage, masks: Option<&Path>) -> Result<Subject, EvalError> {
    match Subject::open(image, masks, false) {
        Err(EvalError::Mask(_)) => Subject::open(image, None, false),
        opened => opened,
    }
}

/// Drops pixels where no lesion is known; says how many images have no mask that can be used.
fn without_mask(measured: &mut [(&LabelledImage, Seen)], is_asked: bool) -> Option<String> {
    let is_known = |seen: &Seen| seen.at_threshold.is_some();
    let has_lesion = |seen: &Seen| seen.at_threshold.is_some_and(|it| 0 < it.tp + it.fn_);
    if !measured.iter().any(|(_, seen)| has_lesion(seen)) {
        for (_, seen) in measured {
            seen.at_threshold = None;
            seen.ladder.clear();
        }
        return None;
    }
    let n = measured.iter().filter(|(_, seen)| !is_known(seen)).count();
    (is_asked && 0 < n)
        .then(|| format!("{n} images have no usable mask: pixels are those of the others."))
}

fn summary(
    subjects: &Subjects<'_>,
    with: Instrument<'_>,
    measured: &[(&LabelledImage, Seen)],
    notes: Vec<String>,
) -> Measurement {
    let (mut sums, mut values) = (Vec::new(), Vec::new());
    for (_, seen) in measured {
        add_ladder(&mut sums, &seen.ladder);
        add_histogram(&mut values, &seen.values);
    }
    let thresholds = ladder_scores(&sums);
    let suggested_thresholds = suggest::suggestions(&thresholds, &values);
    let best = suggested_thresholds.iter().find(|it| it.rule == ThresholdRule::Miou);
    let recommended = with.entry.manifest.recommended_threshold;
    let threshold = with.threshold.or(best.map(|it| it.threshold)).unwrap_or(recommended);
    let step = thresholds.iter().position(|it| it.threshold == threshold);
    let pixels = |seen: &Seen| -> Option<Counts> {
        match with.threshold {
            Some(_) => seen.at_threshold,
            None => seen.ladder.get(step?).copied(),
        }
    };
    let score = |(image, seen): &(&LabelledImage, Seen)| ImageScore {
        file: image.file.clone(),
        patient: image.patient.clone(),
        is_positive: image.is_positive,
        probability: seen.probability,
        pixels: pixels(seen),
    };
    let kept: Vec<f64> = measured.iter().filter_map(|(_, seen)| seen.kept).collect();
    let measurement = Measurement {
        model: measured_model(with),
        folder: subjects.folder.to_owned(),
        split: subjects.split.to_owned(),
        images: measured.iter().map(score).collect(),
        threshold,
        figures: Vec::new(),
        thresholds,
        suggested_thresholds,
        faithfulness: (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64),
        notes,
    };
    measurement.with_figures()
}

fn measured_model(with: Instrument<'_>) -> MeasuredModel {
    let manifest = &with.entry.manifest;
    MeasuredModel {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        weights_sha256: manifest.weights_sha256.clone(),
        is_refined: with.settings.refine,
    }
}
