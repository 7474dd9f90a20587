//! The last lesson of a model: what its probabilities mean. It is run over whole validation images as the viewer runs it, and a line
//! through what it says of them goes into its manifest.

use domain::progress::CancelToken;
use slide::Slide;

use super::run_folder::{RunFolder, write_json};
use super::{TrainControl, TrainError, TrainEvent};
use crate::analysis::{AnalysisSettings, AnalyzeError, open_model};
use crate::bag::feature_store::FeatureStore;
use crate::data::check::CheckedFolder;
use crate::data::folder::{LabelledImage, Split};
use crate::eval::labels::{accuracy, chance};
use crate::mil::Calibration;
use crate::pipeline::loaded_model::LoadedModel;
use crate::pipeline::slide_run::{self, Views};
use crate::pipeline::survey::Survey;
use crate::registry::weights::one_line;
use crate::registry::{Manifest, ModelEntry};
use crate::stopwatch::Stopwatch;

/// Said of a model whose calls are of no use, however well it ranks images.
pub(super) const NO_BETTER_THAN_CHANCE: &str = "Cut at 50 %, the model labels validation images no better than one label for all would: \
     its order of images may be right (see AUC), its positive and negative are not to be relied on.";
const NOT_CALIBRATED: &str = "Probabilities are the network's own: to calibrate them takes at least four validation images of each \
     label, the positive ones likelier than the others.";

/// Calibrates the model that a run has just written. Answers with what there is to say of it.
///
/// # Errors
/// If the work was cancelled, the model cannot be run or the folder cannot be written; the run can be continued then.
pub(super) fn calibrate(
    run: &RunFolder,
    folder: &CheckedFolder,
    settings: &AnalysisSettings,
    control: TrainControl<'_>,
) -> Result<Vec<TrainEvent>, TrainError> {
    let failed = |error: &dyn std::fmt::Display| TrainError::Compute(one_line(error));
    let entry = ModelEntry::open(&run.model_dir()).map_err(|error| failed(&error))?;
    let model = open_model(&entry, settings).map_err(|error| failed(&error))?;
    control.progress.stage("Calibrating");
    let (p, labels) = calls(&model, settings, &folder.images_of(Split::Val), control)?;
    let Some(calibration) = Calibration::fitted(&p, &labels) else {
        let plain = is_no_better_than_chance(&p, &labels);
        return Ok([NOT_CALIBRATED].into_iter().chain(plain).map(warning).collect());
    };
    let manifest = Manifest { calibration: Some(calibration), ..entry.manifest };
    write_json(&entry.dir.join("manifest.json"), &manifest)?;
    let meant: Vec<f64> = p.iter().map(|p| f64::from(calibration.apply(*p as f32))).collect();
    let told = TrainEvent::Calibrated {
        n_images: p.len(),
        accuracy_before: accuracy(&p, &labels),
        accuracy: accuracy(&meant, &labels),
    };
    let doubt = is_no_better_than_chance(&meant, &labels).map(warning);
    Ok([told].into_iter().chain(doubt).collect())
}

pub(super) fn warning(text: &str) -> TrainEvent {
    TrainEvent::Warning { text: text.to_owned() }
}

fn is_no_better_than_chance(p: &[f64], labels: &[bool]) -> Option<&'static str> {
    (accuracy(p, labels) <= chance(labels)).then_some(NO_BETTER_THAN_CHANCE)
}

/// Probability and label of every image that can be run.
fn calls(
    model: &LoadedModel,
    settings: &AnalysisSettings,
    images: &[&LabelledImage],
    TrainControl { progress, cancel, pause }: TrainControl<'_>,
) -> Result<(Vec<f64>, Vec<bool>), TrainError> {
    let (mut p, mut labels) = (Vec::new(), Vec::new());
    for (i, image) in images.iter().enumerate() {
        pause.wait(cancel)?;
        cancel.check()?;
        progress.report(i as u64, images.len() as u64);
        match probability(model, settings, image, cancel) {
            Ok(found) => {
                p.push(found);
                labels.push(image.is_positive);
            }
            Err(AnalyzeError::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(error) => tracing::warn!("{} does not take part: {error}", image.file),
        }
    }
    Ok((p, labels))
}

/// What the network says of a whole image; 0 without tissue.
fn probability(
    model: &LoadedModel,
    settings: &AnalysisSettings,
    image: &LabelledImage,
    cancel: &CancelToken,
) -> Result<f64, AnalyzeError> {
    let slide = Slide::open(&image.path)?;
    let mut watch = Stopwatch::default();
    let survey = match Survey::of(&slide, model, settings, &mut watch, (&(), cancel)) {
        Err(AnalyzeError::NoTissue) => return Ok(0.0),
        survey => survey?,
    };
    let Survey { grid, windows, .. } = &survey;
    let store = settings.feature_cache.as_deref().map(FeatureStore::new);
    let views =
        Views { slide: &slide, grid, windows, describer: model.describer(), store: store.as_ref() };
    Ok(slide_run::run(model, views, &mut watch, (&(), cancel))?.probability())
}
