//! Run folders that are there already: looking into one, and making its model one of the list.

use std::path::PathBuf;

use model::registry::{InstallNote, install};
use model::train::WrittenRun;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;

/// Reads what the run in `dir` tells.
pub(super) fn start_open(dir: PathBuf, state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "open-run", String::new(), move |_progress, _cancel| {
        let run = WrittenRun::read(&dir)
            .map_err(|error| JobError::Failed(format!("{error}: {}", dir.display())))?;
        Ok(Outcome::RunOpened { dir, run })
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
        let entry = install(&model_dir, &note).map_err(|error| {
            JobError::Failed(format!("The model cannot be kept: {error}: {}", model_dir.display()))
        })?;
        Ok(Outcome::Promoted(entry))
    });
}
