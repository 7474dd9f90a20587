use super::*;
use crate::command::{Command, EncoderCommand, QueueCommand, samples as sample_states};
use crate::jobs::{JobEvent, inbox};
use crate::state::image_queue::Origin;
use crate::state::training::plan::{Aim, Plan};
use crate::state::training::run_view::Standing;
use crate::state::training::samples;
use crate::ui::testing;
use egui_kittest::{Harness, kittest::Queryable as _};
use model::camseg::SideScale;
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
fn a_report_says_what_side_masks_count() {
    let mut report = samples::report();
    for (scale, weight) in SideScale::ALL.into_iter().zip([0.105, 0.567, 0.328]) {
        report.metrics.insert(scale.weight_metric(), weight);
    }
    let state = running(Standing::Finished(Box::new(report)));
    let shares = "10 % at 1/16 of the resolution, 57 % at 1/8 of the resolution, 33 % at 1/4 of the resolution.";
    labels(&state, &[shares]);
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

fn planned_encoder() -> State {
    let mut state = planned();
    state.training.plan.aim = Aim::Encoder;
    state.training.sources = Some(samples::sources());
    state.models.encoders = vec![samples::encoder("mine")];
    state
}

fn pretraining(standing: Standing) -> State {
    let mut state = planned_encoder();
    state.training.run = Some(samples::pretraining(standing));
    state
}

fn encoder(command: EncoderCommand) -> Vec<Command> {
    training(TrainingCommand::Encoder(command))
}

#[test]
fn an_encoder_is_planned_without_labels() {
    let mut state = planned();
    let aim = "An encoder from my own slides (WISE-MAE)";
    assert_eq!(asked(&state, aim), training(TrainingCommand::SetAim(Aim::Encoder)));
    state = planned_encoder();
    labels(
        &state,
        &[
            "of which an abstract alone was at hand",
            "8 files to learn from, 1 file only looked at",
            "b.png: no picture: it is left out",
            "Those with the most fine structure",
            "Share of the patches",
        ],
    );
    assert_eq!(asked(&state, "Start training"), training(TrainingCommand::Start));
    state.training.plan.own_encoder.name = "mine".to_owned();
    labels(&state, &["There is an encoder called mine already"]);
    state.training.plan.own_encoder.name = "a/b".to_owned();
    labels(&state, &["expected a name of letters, digits"]);
    state.training.sources = None;
    labels(&state, &["Check a folder of slides first."]);
}

#[test]
fn encoders_are_listed_with_what_they_learned_from() {
    let mut state = planned();
    let shipped = planned().training.plan.usual_encoder();
    let mut first = samples::encoder(&shipped);
    (first.is_shipped, first.title) = (true, "The shipped one".to_owned());
    state.models.encoders = vec![first, samples::encoder("mine")];
    let mut commands = Commands::default();
    let mut harness = Harness::builder().with_size([640.0, 2800.0]).build_ui(|ui| {
        content_ui(ui, &state, &mut commands);
    });
    harness.run_steps(2);
    harness.get_by_label("Trained on colorectal biopsies, H&E. 192 values per patch.");
    assert!(harness.query_by_label_contains("was shown tissue").is_none());
    harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, "Encoder").click();
    harness.run_steps(2);
    harness.get_by_label("Encoder mine (mine)").click();
    harness.run_steps(2);
    drop(harness);
    assert_eq!(commands.take(), encoder(EncoderCommand::Choose("mine".to_owned())));
    state.training.plan.encoder = Some("mine".to_owned());
    state.models.encoders[1].seen_um = Some([25.0, 56.0]);
    labels(&state, &["mine was shown tissue 25 to 56 µm across, patches are 8 µm"]);
    state.training.plan.encoder = Some("gone".to_owned());
    labels(&state, &["There is no encoder called gone any more"]);
    state.training.plan.is_fine_tuning = true;
    let hidden = Harness::builder().with_size([640.0, 2800.0]).build_ui(|ui| {
        content_ui(ui, &state, &mut Commands::default());
    });
    assert!(
        hidden.query_by_label_contains("encoder called gone").is_none(),
        "the model has its own"
    );
}

#[test]
fn a_pre_training_shows_its_error_and_what_it_makes_of_hidden_patches() {
    let state = pretraining(Standing::Running);
    labels(
        &state,
        &[
            "WISE-MAE: an encoder from slides",
            "40 of 60 epochs done",
            "Error of hidden patches: training 0.025, validation 0.500",
            "Tiles, what is left of them, and guesses after epoch 40",
        ],
    );
    let mut commands = Commands::default();
    let mut harness = Harness::builder().with_size([640.0, 2800.0]).build_ui(|ui| {
        content_ui(ui, &state, &mut commands);
    });
    harness.run_steps(2);
    harness.get_by_role_and_label(egui::accesskit::Role::Slider, "After epoch").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::ArrowLeft);
    harness.run_steps(2);
    drop(harness);
    assert_eq!(commands.take(), encoder(EncoderCommand::ShowPicture(20)));
}

#[test]
fn a_finished_pre_training_becomes_an_encoder_under_a_free_name() {
    let mut state = pretraining(Standing::Finished(Box::new(samples::report())));
    state.training.encoder_note.name = "biopsies".to_owned();
    assert_eq!(asked(&state, "Add to the encoders"), encoder(EncoderCommand::Keep));
    state.training.encoder_note.name = "mine".to_owned();
    labels(&state, &["There is an encoder called mine already: choose another name."]);
    assert_eq!(asked(&state, "Add to the encoders"), []);
    state.training.promoted = Some("biopsies".to_owned());
    labels(&state, &["biopsies is in the list of encoders and chosen"]);
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
