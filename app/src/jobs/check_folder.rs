//! A look at a whole labelled folder before a training.

use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, Progress};
use model::bag::BagConfig;
use model::data::check::survey;
use model::registry::{ModelEntry, find};
use model::threads::yielding;
use model::train::{Pace, free_run_folder};

use super::runner::Runner;
use super::{JobError, Outcome, session_file};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::plan::{Aim, Plan};

/// Checks the plan's folder with the bags of its model and proposes a run folder.
pub(super) fn start(plan: Plan, state: &mut State, runner: &mut Runner) {
    let title = "Checking the labelled folder".to_owned();
    runner.start(state, JobKind::CheckFolder, "check-folder", title, move |progress, cancel| {
        run(&plan, progress, cancel)
    });
}

fn run(plan: &Plan, progress: &dyn Progress, cancel: &CancelToken) -> Result<Outcome, JobError> {
    let bag = bag_of(plan).map_err(JobError::Failed)?;
    let survey = survey(&plan.folder, &bag, &plan.how, plan.seed, (progress, cancel))?;
    let run_dir = proposed_run_dir(&plan.folder);
    Ok(Outcome::FolderChecked { folder: plan.folder.clone(), survey, run_dir })
}

/// Measures how long trainings on a folder that was checked take.
pub(super) fn start_pace(plan: Plan, state: &mut State, runner: &mut Runner) {
    let Some(survey) = state.training.survey.clone() else { return };
    let name = "measure-pace";
    runner.start(state, JobKind::Silent, name, String::new(), move |progress, cancel| {
        let model = chosen_model(&plan).map_err(JobError::Failed)?;
        let config = plan.stage_1(model.as_ref()).map_err(JobError::Failed)?;
        // Without a pace training works as well: its time is told once it has begun.
        let pace = yielding(|| Pace::measure(&config, &survey, (progress, cancel)));
        let pace = pace.inspect_err(|error| tracing::warn!("no pace: {error}")).ok();
        Ok(Outcome::PaceMeasured { survey, pace })
    });
}

/// How the plan's model cuts images into patches.
pub(super) fn bag_of(plan: &Plan) -> Result<BagConfig, String> {
    let model = chosen_model(plan)?;
    if plan.aim == Aim::Masks {
        let model = model.ok_or("Choose a model to refine")?;
        return model.config().map(|config| config.bag).map_err(|error| error.to_string());
    }
    plan.stage_1(model.as_ref()).map(|config| config.model.bag)
}

/// The model that the plan names.
pub(super) fn chosen_model(plan: &Plan) -> Result<Option<ModelEntry>, String> {
    match plan.model.as_deref().filter(|_| plan.needs_model()) {
        Some(name) => find(name).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

/// A free folder named after the labelled one, among the user's data of this program.
fn proposed_run_dir(folder: &Path) -> Option<PathBuf> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain: String =
        name.chars().map(|it| if it.is_alphanumeric() { it } else { '-' }).collect();
    let name = if plain.is_empty() { "run".to_owned() } else { plain };
    session_file::data_folder().map(|folder| free_run_folder(&folder.join("runs"), &name))
}
