use super::*;
use crate::command::samples::state as sample_state;
use crate::state::jobs::{JobId, RunningJob};
use crate::state::training::run_view::RunView;
use crate::state::training::samples;
use std::path::Path;
use std::time::Instant;

fn running(kind: JobKind) -> RunningJob {
    RunningJob::new(JobId(4), kind, String::new(), Instant::now())
}

fn ready() -> State {
    let mut state = sample_state();
    state.training = samples::training();
    state
}

#[test]
fn a_folder_is_checked_and_an_earlier_check_is_stopped() {
    let mut state = sample_state();
    assert!(apply(&mut state, TrainingCommand::Check).is_empty(), "nothing is typed");
    state.jobs.running.push(running(JobKind::CheckFolder));
    let effects = apply(&mut state, TrainingCommand::TakeFolder("/data".into()));
    let [Effect::CancelJob(JobId(4)), Effect::CheckFolder(plan)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(plan.folder, PathBuf::from("/data"));
}

#[test]
fn a_training_is_remembered_before_it_begins() {
    let mut state = ready();
    apply(&mut state, TrainingCommand::SetConsent(true));
    let effects = apply(&mut state, TrainingCommand::Start);
    assert!(matches!(
        effects[..],
        [
            Effect::SaveSession,
            Effect::PauseTraining(false),
            Effect::Train { is_resumed: false, .. }
        ]
    ));
    let plan = state.session.training.unwrap();
    assert_eq!(plan.run_dir, PathBuf::from("/runs/data-1"));
    assert_eq!(plan.model, None, "a fresh start needs none");
}

#[test]
fn what_cannot_be_used_is_not_trained_on_without_consent() {
    let mut state = ready();
    assert!(apply(&mut state, TrainingCommand::Start).is_empty());
    assert_eq!(state.notices.shown.len(), 1);
}

#[test]
fn fine_tuning_starts_from_the_chosen_model() {
    let mut state = ready();
    apply(&mut state, TrainingCommand::SetConsent(true));
    apply(&mut state, TrainingCommand::SetFineTuning(true));
    apply(&mut state, TrainingCommand::Start);
    assert_eq!(state.session.training.unwrap().model.as_deref(), Some("a"));
}

#[test]
fn a_remembered_training_goes_on_unless_it_is_forgotten() {
    let mut state = ready();
    let plan = Plan { run_dir: "/runs/x".into(), folder: "/slides".into(), ..Plan::default() };
    state.session.training = Some(plan);
    let effects = apply(&mut state, TrainingCommand::Resume);
    assert!(
        matches!(&effects[2], Effect::Train { plan, is_resumed: true } if plan.run_dir == Path::new("/runs/x"))
    );
    assert_eq!(state.training.folder_text, "/slides", "another training can look at it again");
    let effects = apply(&mut state, TrainingCommand::Forget);
    assert!(matches!(effects[..], [Effect::SaveSession]));
    assert_eq!(state.session.training, None);
}

#[test]
fn a_run_begun_elsewhere_goes_on_once_its_folder_is_known() {
    let mut state = sample_state();
    let view = RunView::new("/elsewhere".into(), Stage::Fmamil, 3, Standing::Stopped);
    state.training.run = Some(view);
    assert!(apply(&mut state, TrainingCommand::Resume).is_empty());
    assert_eq!(state.notices.shown.len(), 1);
    apply(&mut state, TrainingCommand::SetFolderText("/data".to_owned()));
    let effects = apply(&mut state, TrainingCommand::Resume);
    assert!(
        matches!(&effects[2], Effect::Train { plan, .. } if plan.run_dir == Path::new("/elsewhere"))
    );
}

#[test]
fn a_training_pauses_and_stops() {
    let mut state = ready();
    assert!(apply(&mut state, TrainingCommand::SetPaused(true)).is_empty(), "nothing runs");
    state.training.run = Some(samples::run(Standing::Running));
    state.jobs.running.push(running(JobKind::Train));
    let effects = apply(&mut state, TrainingCommand::SetPaused(true));
    assert!(matches!(effects[..], [Effect::PauseTraining(true)]));
    assert_eq!(state.training.run.as_ref().unwrap().standing, Standing::Paused);
    let effects = apply(&mut state, TrainingCommand::Stop);
    assert!(matches!(effects[..], [Effect::CancelJob(JobId(4))]));
    apply(&mut state, TrainingCommand::Plan);
    assert!(state.training.run.is_some(), "a run under way stays in sight");
}

#[test]
fn only_a_finished_run_becomes_a_model() {
    let mut state = ready();
    state.training.run = Some(samples::run(Standing::Stopped));
    assert!(apply(&mut state, TrainingCommand::Promote).is_empty());
    state.training.run = Some(samples::run(Standing::Finished(Box::new(samples::report()))));
    apply(&mut state, TrainingCommand::SetName("mine".to_owned()));
    let effects = apply(&mut state, TrainingCommand::Promote);
    assert!(matches!(&effects[..], [Effect::Promote { note, .. }] if note.name == "mine"));
}

#[test]
fn the_preview_follows_page_and_model_and_ends_with_the_folder() {
    let mut state = ready();
    state.training.preview = samples::preview();
    let effects = apply(&mut state, TrainingCommand::ShowPage(1));
    assert!(matches!(effects[..], [Effect::PreviewBags(_)]));
    assert_eq!(state.training.preview.page, 1);
    let effects = apply(&mut state, TrainingCommand::SetFineTuning(true));
    assert!(matches!(&effects[..], [Effect::PreviewBags(plan)] if plan.model.is_some()));
    state.jobs.running.push(running(JobKind::PreviewBags));
    let effects = apply(&mut state, TrainingCommand::SetFolderText("/other".to_owned()));
    assert!(matches!(effects[..], [Effect::CancelJob(JobId(4))]));
    let preview = &state.training.preview;
    assert!(preview.seen.is_empty() && preview.page == 0);
}
