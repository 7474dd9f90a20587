//! A finished model on the images that chose its epoch, image by image: `validation.json` of the run.
//!
//! It is written after the model and before the report, so that every finished run has one. Unlike the figures of epochs,
//! those are of the model as the viewer and the command line run it. Masks in the labelled folder take part here alone.

use std::path::Path;

use super::run_folder::{REPORT, RunFolder};
use super::{TrainControl, TrainError, TrainReport};
use crate::analysis::{AnalysisSettings, open_model};
use crate::data::check::CheckedFolder;
use crate::data::folder::Split;
use crate::eval::EvalError;
use crate::eval::measure::{Instrument, Subjects, Watch, measure};
use crate::registry::ModelEntry;
use crate::registry::weights::one_line;

/// The file of a run with the measurement of its validation images.
pub(crate) const VALIDATION: &str = "validation.json";
/// The folder of masks beside the images.
pub(crate) const MASKS: &str = "masks";

/// Measures the model that a run has just written, and finishes the run with its report.
///
/// # Errors
/// If the work was cancelled, the model cannot be run or the folder cannot be written; the run can be continued then.
pub(crate) fn finish(
    run: &RunFolder,
    (dir, folder): (&Path, &CheckedFolder),
    settings: &AnalysisSettings,
    report: &TrainReport,
    control: TrainControl<'_>,
) -> Result<(), TrainError> {
    let failed = |error: &dyn std::fmt::Display| TrainError::Compute(one_line(error));
    let entry = ModelEntry::open(&run.model_dir()).map_err(|error| failed(&error))?;
    let model = open_model(&entry, settings).map_err(|error| failed(&error))?;
    let masks = dir.join(MASKS);
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let subjects = Subjects {
        folder: &absolute,
        split: "val",
        images: folder.images_of(Split::Val),
        masks: masks.is_dir().then_some(masks.as_path()),
    };
    let with = Instrument { model: &model, entry: &entry, settings, threshold: None };
    let TrainControl { progress, cancel, pause } = control;
    progress.stage("Measuring the model");
    let measured = measure(&subjects, with, Watch { progress, cancel, pause });
    let measured = measured.map_err(|error| match error {
        EvalError::Cancelled(cancelled) => TrainError::Cancelled(cancelled),
        other => failed(&other),
    })?;
    run.write_json(VALIDATION, &measured)?;
    run.write_json(REPORT, report)?;
    run.forget_state()
}
