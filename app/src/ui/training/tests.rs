use super::*;
use crate::command::{Command, QueueCommand, samples as sample_states};
use crate::jobs::{JobEvent, inbox};
use crate::state::image_queue::Origin;
use crate::state::training::plan::Plan;
use crate::state::training::run_view::Standing;
use crate::state::training::samples;
use crate::ui::testing;
use egui_kittest::{Harness, kittest::Queryable as _};
use model::memory::MemoryUse;
use model::train::{Preset, Stage};
use serde_json::json;

/// What a click on the control of that name asks for, with the whole panel in sight.
fn asked(state: &State, click: &str) -> Vec<Command> {
    testing::asked([640.0, 2800.0], &[click], |ui, commands| content_ui(ui, state, commands))
}

fn labels(state: &State, expected: &[&str]) {
    let mut commands = Commands::default();
    let harness = Harness::builder()
        .with_size([640.0, 2800.0])
        .build_ui(|ui| content_ui(ui, state, &mut commands));
    for label in expected {
        assert!(harness.query_all_by_label_contains(label).next().is_some(), "{label}");
    }
}

fn planned() -> State {
    State { training: samples::training(), ..sample_states::state() }
}

fn running(standing: Standing) -> State {
    let mut state = planned();
    state.training.run = Some(samples::run(standing));
    state
}

fn training(command: TrainingCommand) -> Vec<Command> {
    vec![Command::Training(command)]
}

#[test]
fn findings_and_what_is_done_are_listed_with_the_counts() {
    let note = "Few images validate: figures are rough";
    labels(
        &planned(),
        &[
            RESEARCH_USE_ONLY,
            "8.png: no picture: the image is left out",
            note,
            "Cannot be used as it is (1)",
            "Validation",
            "Say that what cannot be used",
        ],
    );
}

#[test]
fn every_step_of_a_plan_has_a_named_control() {
    let mut state = planned();
    let consent = "Train on the rest, without what cannot be used";
    assert_eq!(asked(&state, consent), training(TrainingCommand::SetConsent(true)));
    assert_eq!(asked(&state, "Check"), training(TrainingCommand::Check));
    assert_eq!(asked(&state, "Split anew"), training(TrainingCommand::SetSeed(1)));
    let thorough = training(TrainingCommand::SetPreset(Preset::Thorough));
    assert_eq!(asked(&state, "Thorough"), thorough);
    let fine = training(TrainingCommand::SetFineTuning(true));
    assert_eq!(asked(&state, "from the chosen model"), fine);
    assert_eq!(asked(&state, "Start training"), [], "without consent");
    state.training.plan.how.leave_out = true;
    assert_eq!(asked(&state, "Start training"), training(TrainingCommand::Start));
}

#[test]
fn images_are_shown_with_their_patches_and_a_broken_one_says_so_in_its_place() {
    let mut state = planned();
    state.training.preview = samples::preview();
    let shown = "0.png: positive, training, patient P0; 3 x 2 patches of 100 px, 1 window";
    let broken = "1.png: negative, training, patient P1; not shown";
    labels(&state, &[shown, broken, "the slide cannot be read: no picture", "1 to 6 of 8"]);
    assert_eq!(asked(&state, "Next images"), training(TrainingCommand::ShowPage(1)));
    assert_eq!(asked(&state, "Previous images"), [], "this is the first page");
}

#[test]
fn options_say_what_they_do_and_can_be_changed() {
    let plan = Plan::default();
    let mut commands = Commands::default();
    let mut harness = Harness::builder()
        .with_size([640.0, 1400.0])
        .build_ui(|ui| options::options_ui(ui, &plan, &mut commands));
    harness.get_by_label("paper: 300");
    harness.get_by_label("Average weights").click();
    harness.run_steps(2);
    drop(harness);
    let set = TrainingCommand::SetOption(Stage::Fmamil, "average_weights", json!(false));
    assert_eq!(commands.take(), training(set));
}

#[test]
fn the_memory_of_a_running_training_is_said() {
    let mut state = running(Standing::Running);
    let memory = MemoryUse { now_bytes: 1_210_000_000, peak_bytes: 1_850_000_000 };
    inbox::receive(&mut state, JobEvent::Memory(memory));
    labels(&state, &["Memory 1.21 GB, at most 1.85 GB since the program was started"]);
}

#[test]
fn a_running_training_pauses_and_stops_and_tells_its_curves() {
    let state = running(Standing::Running);
    labels(
        &state,
        &[
            "2 of 3 epochs done · on CPU",
            "On validation images: AUC 0.700, best: epoch 2",
            "Loss while learning: loss 0.500, bags 0.200, patches 0.300",
        ],
    );
    labels(&state, &["Memory: not known on this system"]);
    assert_eq!(asked(&state, "Pause"), training(TrainingCommand::SetPaused(true)));
    assert_eq!(asked(&state, "Stop"), training(TrainingCommand::Stop));
    let state = running(Standing::Paused);
    assert_eq!(asked(&state, "Go on"), training(TrainingCommand::SetPaused(false)));
}

#[test]
fn a_finished_training_reports_with_an_interval_and_becomes_a_model() {
    let mut state = running(Standing::Finished(Box::new(samples::report())));
    labels(&state, &["0.900 (95 % interval 0.700 to 1.000)"]);
    state.training.note.name = "mine".to_owned();
    assert_eq!(asked(&state, "Add to the models"), training(TrainingCommand::Promote));
    state.training.promoted = Some("mine".to_owned());
    labels(&state, &["mine is in the list of models"]);
}

#[test]
fn a_report_shows_figures_and_curves_and_leads_to_the_images() {
    let mut state = planned();
    state.training.run = Some(samples::examined_run());
    labels(
        &state,
        &[
            "0.750 (95 % interval 0.500 to 1.000)",
            "ROC: positives found over false alarms: AUC 0.750",
            "Labels, cut at a probability: sensitivity, specificity, Youden's at",
            "Most wrong labels (2)",
        ],
    );
    let open = QueueCommand::Open { origin: Origin::Report, list: 0, at: 1 };
    let second = "2.png: labelled positive, probability 0.40";
    assert_eq!(asked(&state, second), vec![Command::Queue(open)]);
}

#[test]
fn a_run_of_an_earlier_version_says_that_images_are_missing() {
    let state = running(Standing::Finished(Box::new(samples::report())));
    labels(&state, &["This run does not say how its model does on single images"]);
}

#[test]
fn an_unfinished_training_is_offered() {
    let mut state = sample_states::state();
    state.session.training = Some(Plan { folder: "/data".into(), ..Plan::default() });
    assert_eq!(asked(&state, "Go on with it"), training(TrainingCommand::Resume));
    assert_eq!(asked(&state, "Do not offer it again"), training(TrainingCommand::Forget));
}

#[test]
fn a_run_that_was_only_opened_asks_for_its_images() {
    let state = running(Standing::Stopped);
    assert_eq!(asked(&state, "Go on with this run"), training(TrainingCommand::Resume));
    assert_eq!(asked(&state, "Another training"), training(TrainingCommand::Plan));
}

#[test]
fn a_run_folder_can_be_typed_and_opened() {
    let state = planned();
    assert_eq!(asked(&state, "Open run"), training(TrainingCommand::OpenRun));
}
