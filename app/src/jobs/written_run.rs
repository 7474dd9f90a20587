//! Run folders that are there already: looking into one, and making its model or encoder one of the list.

use std::path::PathBuf;

use model::encoder::own::{self, EncoderNote};
use model::registry::{InstallNote, Shelf};
use model::train::WrittenRun;

use super::examine::examined;
use super::runner::Runner;
use super::{JobError, TrainingOutcome};
use crate::state::State;
use crate::state::jobs::JobKind;

/// Reads what the run in `dir` tells.
pub(super) fn start_open(dir: PathBuf, state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "open-run", String::new(), move |_progress, _cancel| {
        let run = WrittenRun::read(&dir)
            .map_err(|error| JobError::Failed(format!("{error}: {}", dir.display())))?;
        let examined = examined(&run);
        Ok(TrainingOutcome::RunOpened { dir, run, examined }.into())
    });
}

/// Copies the run's encoder into the user's folder of encoders, under what `note` says.
pub(super) fn start_keep_encoder(
    model_dir: PathBuf,
    note: EncoderNote,
    state: &mut State,
    runner: &mut Runner,
) {
    let name = "keep-encoder";
    runner.start(state, JobKind::Silent, name, String::new(), move |_progress, _cancel| {
        let own = own::install(&model_dir, Some(note)).map_err(|error| {
            let dir = model_dir.display();
            JobError::Failed(format!("The encoder cannot be kept: {error}: {dir}"))
        })?;
        Ok(TrainingOutcome::EncoderKept(own.manifest.name).into())
    });
}

/// Copies the run's model into the user's folder of models.
pub(super) fn start_promote(
    model_dir: PathBuf,
    note: InstallNote,
    state: &mut State,
    runner: &mut Runner,
) {
    runner.start(state, JobKind::Silent, "promote", String::new(), move |_progress, _cancel| {
        let entry = Shelf::own().and_then(|shelf| shelf.install(&model_dir, &note));
        let entry = entry.map_err(|error| {
            JobError::Failed(format!("The model cannot be kept: {error}: {}", model_dir.display()))
        })?;
        Ok(TrainingOutcome::Promoted(entry).into())
    });
}
