//! Preparing, running and keeping a training.

mod as_command;
mod encoder;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use model::encoder::own::EncoderNote;
use model::train::{Preset, Stage};
use serde_json::Value;

pub(crate) use as_command::train_as_command;
pub(crate) use encoder::{EncoderCommand, missing_picture};

use crate::command::{Effect, stop};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::TrainingState;
use crate::state::training::plan::{Aim, Plan};
use crate::state::training::preview::BagPreview;
use crate::state::training::run_view::Standing;

/// How a *t* was chosen that someone typed.
const CHOSEN_BY_HAND: &str = "chosen by hand when the model was kept";

/// A wish about training.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TrainingCommand {
    Show,
    Hide,
    SetFolderText(String),
    PickFolder,
    /// A folder was dropped or chosen: take and check it.
    TakeFolder(PathBuf),
    /// Something was dropped, which may be a folder or a slide: see what it is.
    TakeDropped(PathBuf),
    /// Check the folder that is typed.
    Check,
    StopCheck,
    /// Show another page of the preview.
    ShowPage(usize),
    /// Train without what cannot be used.
    SetConsent(bool),
    SetValShare(f64),
    SetSeed(u64),
    SetAim(Aim),
    SetFineTuning(bool),
    /// Let stage 2 learn from corrected masks or not.
    SetCorrected(bool),
    SetPreset(Preset),
    SetOption(Stage, &'static str, Value),
    /// Take the preset's value again.
    ResetOption(Stage, &'static str),
    SetRunText(String),
    Start,
    SetPaused(bool),
    /// Stop; the run can go on later.
    Stop,
    /// Go on with the run that the session remembers.
    Resume,
    /// Let the session forget its unfinished run; its folder stays.
    Forget,
    /// Show the plan again.
    Plan,
    SetOpenText(String),
    PickRun,
    /// Show the run folder that is typed.
    OpenRun,
    SetName(String),
    SetTitle(String),
    SetTrainedOn(String),
    SetNote(String),
    /// The *t* that the kept model recommends.
    SetThreshold(f32),
    /// Whether the kept model takes the place of one of the user's.
    SetReplacing(bool),
    /// Make the finished run a model of the list.
    Promote,
    Encoder(EncoderCommand),
}

/// Changes the panel; threads and files are effects.
pub(super) fn apply(state: &mut State, command: TrainingCommand) -> Vec<Effect> {
    let training = &mut state.training;
    match command {
        TrainingCommand::Show => training.is_open = true,
        TrainingCommand::Hide => training.is_open = false,
        TrainingCommand::SetFolderText(text) => {
            take_folder(training, text);
            return forget_survey(state);
        }
        TrainingCommand::PickFolder => return vec![Effect::PickTrainingFolder],
        TrainingCommand::TakeFolder(path) => {
            take_folder(training, path.display().to_string());
            return check(state);
        }
        TrainingCommand::TakeDropped(path) => return vec![Effect::LookAtDropped(path)],
        TrainingCommand::Check => return check(state),
        TrainingCommand::StopCheck => return stop(state, JobKind::CheckFolder),
        TrainingCommand::ShowPage(page) => {
            training.preview.page = page;
            return preview(state);
        }
        TrainingCommand::SetConsent(is_given) => training.plan.how.leave_out = is_given,
        TrainingCommand::SetValShare(share) => training.plan.how.val_share = share,
        TrainingCommand::SetSeed(seed) => {
            training.plan.seed = seed;
            return check(state);
        }
        TrainingCommand::SetAim(aim) => return set_aim(state, aim),
        TrainingCommand::SetFineTuning(is_chosen) => {
            training.plan.is_fine_tuning = is_chosen;
            return preview(state);
        }
        TrainingCommand::SetCorrected(is_used) => training.plan.ignores_corrected = !is_used,
        TrainingCommand::SetPreset(preset) => training.plan.preset = preset,
        TrainingCommand::SetOption(stage, path, value) => training.plan.set(stage, path, value),
        TrainingCommand::ResetOption(stage, path) => training.plan.reset(stage, path),
        TrainingCommand::SetRunText(text) => training.run_text = text,
        TrainingCommand::Start => return start(state),
        TrainingCommand::SetPaused(is_paused) => return pause(state, is_paused),
        TrainingCommand::Stop => return stop(state, JobKind::Train),
        TrainingCommand::Resume => return resume(state),
        TrainingCommand::Forget => {
            state.session.training = None;
            return vec![Effect::SaveSession];
        }
        TrainingCommand::Plan => return plan(state),
        TrainingCommand::SetOpenText(text) => training.open_text = text,
        TrainingCommand::PickRun => return vec![Effect::PickRun],
        TrainingCommand::OpenRun => return open_run(state),
        TrainingCommand::SetName(name) => training.note.name = name,
        TrainingCommand::SetTitle(title) => training.note.title = title,
        TrainingCommand::SetTrainedOn(words) => training.note.trained_on = words,
        TrainingCommand::SetNote(note) => training.note.note = note,
        TrainingCommand::SetThreshold(t) => {
            training.note.threshold = Some((t, CHOSEN_BY_HAND.to_owned()));
        }
        TrainingCommand::SetReplacing(is_meant) => training.note.replaces = is_meant,
        TrainingCommand::Promote => return promote(state),
        TrainingCommand::Encoder(command) => return encoder::apply(state, command),
    }
    Vec::new()
}

/// Another folder is another run, and another encoder.
fn take_folder(training: &mut TrainingState, text: String) {
    training.folder_text = text;
    training.run_text.clear();
    training.plan.own_encoder = EncoderNote::default();
}

/// A folder that was checked for labels is checked anew for a pre-training, and the other way round.
fn set_aim(state: &mut State, aim: Aim) -> Vec<Effect> {
    let is_asked =
        state.training.is_checked() || state.jobs.of_kind(JobKind::CheckFolder).is_some();
    state.training.plan.aim = aim;
    if is_asked && !state.training.is_checked() { check(state) } else { preview(state) }
}

fn check(state: &mut State) -> Vec<Effect> {
    let folder = state.training.folder_text.trim();
    if folder.is_empty() {
        state.notices.error("Type or choose a folder of images first");
        return Vec::new();
    }
    state.training.plan.folder = PathBuf::from(folder);
    let mut effects = forget_survey(state);
    effects.extend(stop(state, JobKind::CheckFolder));
    effects.push(Effect::CheckFolder(Box::new(chosen_plan(state))));
    effects
}

/// What was found in a folder does not hold for the next one.
fn forget_survey(state: &mut State) -> Vec<Effect> {
    (state.training.survey, state.training.sources) = (None, None);
    state.training.preview = BagPreview::default();
    stop(state, JobKind::PreviewBags)
}

/// Reads the page of the preview anew: another page, or a model that cuts images in another way.
pub(crate) fn preview(state: &mut State) -> Vec<Effect> {
    let mut effects = stop(state, JobKind::PreviewBags);
    let plan = chosen_plan(state);
    let is_known = plan.aim.needs_labels() && (!plan.needs_model() || plan.model.is_some());
    let has_images = state.training.survey.as_ref().is_some_and(|it| !it.images.is_empty());
    effects.extend((has_images && is_known).then(|| Effect::PreviewBags(Box::new(plan))));
    effects
}

/// Measures anew how long stage 1 takes, where it is trained on a folder that was checked.
pub(crate) fn measure_pace(state: &mut State) -> Option<Effect> {
    state.training.pace = None;
    let can_train = state.training.survey.as_ref().is_some_and(|it| it.can_train(true));
    let is_asked = can_train && state.training.plan.aim.stages().contains(&Stage::Fmamil);
    is_asked.then(|| Effect::MeasurePace(Box::new(chosen_plan(state))))
}

/// The plan with the model that is chosen now.
pub(crate) fn chosen_plan(state: &State) -> Plan {
    let training = &state.training;
    let model = training.plan.needs_model().then(|| state.models.selected.clone()).flatten();
    let has_corrected = training.survey.as_ref().is_some_and(|survey| 0 < survey.n_corrected);
    Plan {
        model,
        run_dir: PathBuf::from(training.run_text.trim()),
        ignores_corrected: training.plan.ignores_corrected || !has_corrected,
        ..training.plan.clone()
    }
}

fn start(state: &mut State) -> Vec<Effect> {
    if !state.training.can_start() {
        state.notices.error("Check a folder that can be learned from before training");
        return Vec::new();
    }
    let plan = chosen_plan(state);
    if plan.needs_model() && plan.model.is_none() {
        state.notices.error("Choose a model to start from");
        return Vec::new();
    }
    state.training.note.name.clear();
    begin(state, plan, false)
}

/// A run is remembered before it begins: the window may be killed at any moment.
fn begin(state: &mut State, plan: Plan, is_resumed: bool) -> Vec<Effect> {
    state.training.promoted = None;
    state.training.is_open = true;
    state.training.folder_text = plan.folder.display().to_string();
    state.session.training = Some(plan.clone());
    let train = Effect::Train { plan: Box::new(plan), is_resumed };
    vec![Effect::SaveSession, Effect::PauseTraining(false), train]
}

fn resume(state: &mut State) -> Vec<Effect> {
    if state.jobs.of_kind(JobKind::Train).is_some() {
        return Vec::new();
    }
    match state.session.training.clone() {
        Some(plan) => begin(state, plan, true),
        None => resume_opened(state),
    }
}

/// A run that another program began: its folder does not say where the images are.
fn resume_opened(state: &mut State) -> Vec<Effect> {
    let training = &state.training;
    let Some(view) = &training.run else { return Vec::new() };
    let folder = training.folder_text.trim();
    if folder.is_empty() {
        state.notices.error("Type or choose the folder that the run was begun with");
        return Vec::new();
    }
    let aim = match view.stage {
        Stage::Fmamil => Aim::Heatmaps,
        Stage::Camseg => Aim::Masks,
        Stage::Pretraining => Aim::Encoder,
    };
    let plan = Plan {
        folder: PathBuf::from(folder),
        run_dir: view.dir.clone(),
        aim,
        is_fine_tuning: false,
        model: state.models.selected.clone().filter(|_| aim == Aim::Masks),
        ..Plan::default()
    };
    begin(state, plan, true)
}

/// Back to the plan; the next training needs a run folder of its own.
fn plan(state: &mut State) -> Vec<Effect> {
    let training = &mut state.training;
    if training.is_under_way() {
        return Vec::new();
    }
    training.run = None;
    training.run_text.clear();
    if training.folder_text.trim().is_empty() { Vec::new() } else { check(state) }
}

fn pause(state: &mut State, is_paused: bool) -> Vec<Effect> {
    let Some(view) = state.training.run.as_mut().filter(|view| view.is_under_way()) else {
        return Vec::new();
    };
    view.standing = if is_paused { Standing::Paused } else { Standing::Running };
    vec![Effect::PauseTraining(is_paused)]
}

fn open_run(state: &mut State) -> Vec<Effect> {
    let path = state.training.open_text.trim();
    if path.is_empty() || state.training.is_under_way() {
        return Vec::new();
    }
    vec![Effect::OpenRun(PathBuf::from(path))]
}

fn promote(state: &mut State) -> Vec<Effect> {
    let training = &state.training;
    let run = training.run.as_ref().filter(|view| view.stage != Stage::Pretraining);
    let Some(report) = run.and_then(|view| view.report()) else { return Vec::new() };
    let note = Box::new(training.note.clone());
    vec![Effect::Promote { model_dir: report.model_dir.clone(), note }]
}
