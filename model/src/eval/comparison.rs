//! Two models on the same images: figures beside each other, paired differences, and where they disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, PauseToken, Progress};
use serde::{Deserialize, Serialize};

use super::measure::{Instrument, Subjects, Watch, measure};
use super::score::by_patient;
use super::{EvalError, Figure, ImageScore, Measurement, Metric, measured_rows};
use crate::analysis::{AnalysisSettings, AnalyzeError, open_model};
use crate::camseg::RefinerDescription;
use crate::data::folder::{LabelledImage, Split, list};
use crate::device::DeviceChoice;
use crate::registry::ModelEntry;
use crate::train::validation::MASKS;

/// Images that models disagree about, in a list of them.
const N_DISAGREEMENTS: usize = 40;

/// Which rows of a labelled folder two models are compared on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those of a split; without one `test`, else `val`, else all.
    Split(Option<Split>),
    /// Images of these names: those that chose the epoch of a run.
    Files(BTreeSet<String>),
}

/// Two models and the images that both are measured on.
#[derive(Clone, Debug)]
pub struct CompareJob<'a> {
    /// A labelled folder; pixels are measured where it has `masks/<stem>.png` or `masks` says where they are.
    pub folder: &'a Path,
    /// Folder of masks instead of the labelled folder's own.
    pub masks: Option<&'a Path>,
    /// Both models, each at its own *t* and with its last stage.
    pub models: [&'a ModelEntry; 2],
    /// Which images.
    pub rows: Rows,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of cached features.
    pub feature_cache: Option<PathBuf>,
}

/// One figure of both models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Of the first model.
    pub first: Figure,
    /// Of the second.
    pub second: Figure,
    /// Second less first.
    pub difference: f64,
    /// Bounds of its 95 % interval: both models on the same redrawn patients.
    pub interval: Option<[f64; 2]>,
}

impl Difference {
    /// Whether chance alone hardly explains it: the interval leaves 0 out.
    pub fn is_clear(&self) -> bool {
        self.interval.is_some_and(|[low, high]| 0.0 < low || high < 0.0)
    }
}

/// Two models on the same images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first model.
    pub first: Measurement,
    /// The second model, on the same images in the same order.
    pub second: Measurement,
    /// Every figure that both have.
    pub differences: Vec<Difference>,
}

/// Measures both models.
///
/// # Errors
/// If the folder or a model cannot be used, or the work was cancelled.
pub fn compare(
    job: &CompareJob<'_>,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<Comparison, EvalError> {
    let listing = list(job.folder);
    if listing.images.is_empty() {
        return Err(EvalError::Folder(listing.findings.problems()));
    }
    let (split, images) = rows(&listing.images, &job.rows)?;
    let own = job.folder.join(MASKS);
    let masks = job.masks.or_else(|| own.is_dir().then_some(own.as_path()));
    let folder = std::path::absolute(job.folder).unwrap_or_else(|_| job.folder.to_owned());
    let subjects = Subjects { folder: &folder, split, images, masks };
    let measured = |entry: &ModelEntry| -> Result<Measurement, EvalError> {
        progress.stage("Loading the model");
        let refiner = RefinerDescription::read(&entry.dir)
            .map_err(|problem| EvalError::Analyze(AnalyzeError::Model(problem)))?;
        let settings = AnalysisSettings {
            device: job.device,
            feature_cache: job.feature_cache.clone(),
            refine: refiner.is_some(),
            ..AnalysisSettings::default()
        };
        let model = open_model(entry, &settings)?;
        let own = entry.manifest.recommended_threshold;
        let threshold = Some(refiner.map_or(own, |it| it.recommended_threshold));
        let with = Instrument { model: &model, entry, settings: &settings, threshold };
        progress.stage("Measuring");
        measure(&subjects, with, Watch { progress, cancel, pause: &PauseToken::default() })
    };
    let [first, second] = job.models;
    Ok(Comparison::of(measured(first)?, measured(second)?))
}

fn rows<'a>(
    images: &'a [LabelledImage],
    asked: &Rows,
) -> Result<(&'static str, Vec<&'a LabelledImage>), EvalError> {
    match asked {
        Rows::Split(split) => measured_rows(images, *split),
        Rows::Files(files) => {
            let found: Vec<_> = images.iter().filter(|it| files.contains(&it.file)).collect();
            if found.is_empty() {
                let problem = "it holds none of the run's validation images".to_owned();
                return Err(EvalError::Folder(vec![problem]));
            }
            Ok(("val", found))
        }
    }
}

impl Comparison {
    /// Of two measurements; images that only one of them has are left out.
    pub fn of(first: Measurement, second: Measurement) -> Self {
        let files = |it: &Measurement| -> BTreeSet<String> {
            it.images.iter().map(|image| image.file.clone()).collect()
        };
        let both: BTreeSet<String> = files(&first).intersection(&files(&second)).cloned().collect();
        let (first, second) = (first.with_images(&both), second.with_images(&both));
        let resampling = by_patient(&first.images);
        let pair = |metric: Metric| {
            let (a, b) = (first.figure(metric)?, second.figure(metric)?);
            let gap = |set: &[usize]| {
                Some(metric.of(&second.images, set)? - metric.of(&first.images, set)?)
            };
            let difference = b.value - a.value;
            Some(Difference { first: a, second: b, difference, interval: resampling.interval(gap) })
        };
        let differences = Metric::ALL.into_iter().filter_map(pair).collect();
        Self { first, second, differences }
    }

    /// What both say of the images that only one of them calls positive, the largest gap first.
    pub fn disagreements(&self) -> Vec<(&ImageScore, &ImageScore)> {
        let mut found: Vec<_> = self
            .first
            .images
            .iter()
            .zip(&self.second.images)
            .filter(|(a, b)| a.is_called_positive() != b.is_called_positive())
            .collect();
        let gap = |(a, b): &(&ImageScore, &ImageScore)| (a.probability - b.probability).abs();
        found.sort_by(|a, b| gap(b).total_cmp(&gap(a)));
        found.truncate(N_DISAGREEMENTS);
        found
    }
}

impl Measurement {
    /// Of these images alone, in the order of their names.
    fn with_images(self, files: &BTreeSet<String>) -> Self {
        let images = self.images.into_iter().filter(|it| files.contains(&it.file));
        let by_file: BTreeMap<String, ImageScore> =
            images.map(|image| (image.file.clone(), image)).collect();
        Self { images: by_file.into_values().collect(), ..self }.with_figures()
    }
}

#[cfg(test)]
mod tests {
    use super::super::measurement::tests::measurement;
    use super::super::score::tests::image;
    use super::*;

    fn of(probabilities: [f64; 6]) -> Measurement {
        let images = probabilities.iter().enumerate().map(|(i, p)| image(i, i % 2 == 0, *p));
        measurement(images.collect())
    }

    #[test]
    fn a_model_does_not_differ_from_itself() {
        let p = [0.9, 0.2, 0.6, 0.7, 0.3, 0.1];
        let same = Comparison::of(of(p), of(p));
        assert_eq!(same.differences.len(), 4, "labels alone: there are no masks");
        for difference in &same.differences {
            assert_eq!((difference.difference, difference.interval), (0.0, Some([0.0, 0.0])));
            assert!(!difference.is_clear());
        }
        assert!(same.disagreements().is_empty());
    }

    #[test]
    fn a_paired_difference_is_narrower_than_the_figures_it_is_of() {
        let base: Vec<ImageScore> = (0..60)
            .map(|i| image(i, i % 2 == 0, 0.2 + 0.6 * f64::from(u8::from(i % 3 != 0))))
            .collect();
        let mut better = base.clone();
        for it in better.iter_mut().filter(|it| it.is_positive).take(6) {
            it.probability = 0.95;
        }
        let found = Comparison::of(measurement(base), measurement(better));
        let of = |metric| found.differences.iter().find(|it| it.first.metric == metric).unwrap();
        let gain = of(Metric::Sensitivity);
        let width = |[low, high]: [f64; 2]| high - low;
        assert!(0.0 < gain.difference);
        assert!(width(gain.interval.unwrap()) < width(gain.first.interval.unwrap()));
    }

    #[test]
    fn images_of_one_measurement_alone_are_left_out_and_the_order_does_not_count() {
        let first = of([0.9, 0.2, 0.6, 0.7, 0.3, 0.1]);
        let mut second = of([0.9, 0.2, 0.1, 0.7, 0.8, 0.1]);
        second.images.reverse();
        second.images.remove(0);
        let found = Comparison::of(first, second);
        assert_eq!((found.first.images.len(), found.second.images.len()), (5, 5));
        let files: Vec<&str> = found.disagreements().iter().map(|(a, _)| a.file.as_str()).collect();
        assert_eq!(files, ["2.png", "4.png"]);
    }
}
