//! A look at a whole folder before a training: a labelled one, or one of slides.

use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, Progress};
use model::bag::BagConfig;
use model::data::check::survey;
use model::encoder::named;
use model::registry::{ModelEntry, find};
use model::threads::yielding;
use model::train::{Pace, free_run_folder};
use model::wise;

use super::runner::Runner;
use super::{JobError, Outcome, TrainingOutcome, session_file};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::plan::{Aim, Beginning, Plan};

/// Checks the plan's folder for what is to be learned from it and proposes a run folder.
pub(super) fn start(plan: Plan, state: &mut State, runner: &mut Runner) {
    let title = "Checking the folder".to_owned();
    runner.start(state, JobKind::CheckFolder, "check-folder", title, move |progress, cancel| {
        run(&plan, progress, cancel)
    });
}

fn run(plan: &Plan, progress: &dyn Progress, cancel: &CancelToken) -> Result<Outcome, JobError> {
    let (folder, run_dir) = (plan.folder.clone(), proposed_run_dir(&plan.folder));
    if plan.aim.needs_labels() {
        let bag = bag_of(plan).map_err(JobError::Failed)?;
        let survey = survey(&folder, &bag, &plan.how, plan.seed, (progress, cancel))?;
        return Ok(TrainingOutcome::FolderChecked { folder, survey, run_dir }.into());
    }
    let config = plan.pretraining().map_err(JobError::Failed)?;
    let sources = wise::survey(&folder, &config.tiles, config.seed, (progress, cancel))?;
    Ok(TrainingOutcome::SourcesChecked { folder, sources, run_dir }.into())
}

/// Measures how long trainings on a folder that was checked take.
pub(super) fn start_pace(plan: Plan, state: &mut State, runner: &mut Runner) {
    let Some(survey) = state.training.survey.clone() else { return };
    let name = "measure-pace";
    runner.start(state, JobKind::Silent, name, String::new(), move |progress, cancel| {
        let config = beginning(&plan).and_then(|it| plan.stage_1(&it));
        let config = config.map_err(JobError::Failed)?;
        // Without a pace training works as well: its time is told once it has begun.
        let pace = yielding(|| Pace::measure(&config, &survey, (progress, cancel)));
        let pace = pace.inspect_err(|error| tracing::warn!("no pace: {error}")).ok();
        let encoder = plan.chosen_encoder().map(str::to_owned);
        Ok(TrainingOutcome::PaceMeasured { survey, encoder, pace }.into())
    });
}

/// How the plan's model cuts images into patches.
pub(super) fn bag_of(plan: &Plan) -> Result<BagConfig, String> {
    if plan.aim == Aim::Masks {
        let model = chosen_model(plan)?.ok_or("Choose a model to refine")?;
        return model.config().map(|config| config.bag).map_err(|error| error.to_string());
    }
    plan.stage_1(&beginning(plan)?).map(|config| config.model.bag)
}

/// What stage 1 of the plan goes on from.
pub(super) fn beginning(plan: &Plan) -> Result<Beginning, String> {
    if let Some(model) = chosen_model(plan)? {
        return Ok(Beginning::Model(Box::new(model)));
    }
    match plan.chosen_encoder() {
        Some(name) => named(name).map(Beginning::Encoder).map_err(|error| error.to_string()),
        None => Ok(Beginning::Usual),
    }
}

/// The model that the plan names.
pub(super) fn chosen_model(plan: &Plan) -> Result<Option<ModelEntry>, String> {
    match plan.model.as_deref().filter(|_| plan.needs_model()) {
        Some(name) => find(name).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}

/// A free folder named after the one that is learned from, among the user's data of this program.
fn proposed_run_dir(folder: &Path) -> Option<PathBuf> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain: String =
        name.chars().map(|it| if it.is_alphanumeric() { it } else { '-' }).collect();
    let name = if plain.is_empty() { "run".to_owned() } else { plain };
    session_file::data_folder().map(|folder| free_run_folder(&folder.join("runs"), &name))
}
