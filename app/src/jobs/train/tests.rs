//! Trainings as the window starts, stops and continues them.

mod pretraining;

use super::*;
use crate::command::Effect;
use crate::jobs::{inbox, perform};
use crate::state::training::run_view::Standing;
use domain::coords::PixelSize;
use domain::pixels::Pixels;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Sixteen images of 32 px, light or dark, each of its own patient.
fn labelled_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut table = String::from("file,label,patient,split\n");
    let size = PixelSize { width: 32, height: 32 };
    for i in 0..16_u8 {
        let value = if i % 2 == 0 { 40 } else { 200 } + i;
        let pixels = Pixels::filled(size, [value, value / 2, value, 255]);
        let name = format!("{i}.png");
        std::fs::write(dir.path().join(&name), slide::export::encode_png(&pixels).unwrap())
            .unwrap();
        let split = if i < 10 { "train" } else { "val" };
        table += &format!("{name},{},P{i},{split}\n", 1 - i % 2);
    }
    std::fs::write(dir.path().join("labels.csv"), table).unwrap();
    dir
}

/// Two patches of 16 px a side and a network of a few thousand numbers.
fn tiny(folder: &Path, run: &str) -> Plan {
    let mut plan = Plan { folder: folder.into(), run_dir: folder.join(run), ..Plan::default() };
    for (path, value) in [
        ("epochs", json!(3)),
        ("batch", json!(4)),
        ("cache_features", json!(false)),
        ("model.bag.patch_px", json!(16)),
        ("model.bag.window_patches", json!(2)),
        ("model.bag.stride_patches", json!(1)),
        ("model.encoder.input_px", json!(32)),
        ("model.network.dim", json!(8)),
        ("model.network.dt_rank", json!(1)),
        ("model.network.head_dim", json!(8)),
    ] {
        plan.changes_of_stage_1.insert(path.to_owned(), value);
    }
    plan
}

/// Takes in the next event, if there is one, and reads what is to be in sight then. Whether there was one.
fn step(state: &mut State, runner: &mut Runner) -> bool {
    let Some(event) = runner.next_event() else { return false };
    for effect in inbox::receive(state, event) {
        if matches!(effect, Effect::ReadReconstruction { .. } | Effect::ListModels) {
            perform(effect, state, runner);
        }
    }
    true
}

/// Lets the window live until the training ends or `until` holds; answers with the state it leaves.
fn live(state: &mut State, runner: &mut Runner, until: impl Fn(&State) -> bool) {
    let started = Instant::now();
    while state.jobs.of_kind(JobKind::Train).is_some() && !until(state) {
        assert!(started.elapsed() < Duration::from_secs(120), "the training hangs");
        if !step(state, runner) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn window() -> (State, Runner) {
    (State::default(), Runner::new(egui::Context::default()))
}

fn n_epochs(state: &State) -> usize {
    state.training.run.as_ref().map_or(0, |view| view.epochs.len())
}

fn report(state: &State) -> &TrainReport {
    let view = state.training.run.as_ref().unwrap();
    view.report().unwrap_or_else(|| panic!("{:?} {:?}", view.standing, state.notices.shown))
}

/// Begins a run in a window of its own and cancels it when its first epoch is over.
fn stop_after_an_epoch(plan: Plan) {
    let (mut state, mut runner) = window();
    start(plan, false, &mut state, &mut runner);
    live(&mut state, &mut runner, |state| 0 < n_epochs(state));
    let id = state.jobs.of_kind(JobKind::Train).unwrap().id;
    runner.cancel(id);
    live(&mut state, &mut runner, |_| false);
    assert_eq!(state.training.run.as_ref().unwrap().standing, Standing::Stopped);
}

#[test]
fn a_stopped_training_goes_on_in_another_window_to_the_same_figures() {
    if model::assets::assets_dir().is_none() {
        println!("SKIPPED: there is no assets folder");
        return;
    }
    let folder = labelled_folder();
    let (mut state, mut runner) = window();
    start(tiny(folder.path(), "whole"), false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    let unbroken = report(&state).metrics.clone();

    stop_after_an_epoch(tiny(folder.path(), "broken"));

    let (mut state, mut runner) = window();
    start(tiny(folder.path(), "broken"), true, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    assert_eq!(report(&state).metrics, unbroken);
    assert_eq!(n_epochs(&state), 3, "the curves of both windows are one");
    let examined = state.training.run.as_ref().unwrap().examined.as_ref().unwrap();
    assert_eq!(examined.measured.images.len(), 6);
    assert!(examined.lists.iter().all(|list| list.models.len() == 1));
}

#[test]
fn the_open_slide_is_seen_after_every_epoch() {
    if model::assets::assets_dir().is_none() {
        println!("SKIPPED: there is no assets folder");
        return;
    }
    let folder = labelled_folder();
    let (mut state, mut runner) = window();
    state.slide = Some(Arc::new(Slide::open(&folder.path().join("2.png")).unwrap()));
    start(tiny(folder.path(), "watched"), false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    let looks = &state.training.run.as_ref().unwrap().looks;
    let [first, last] = [&looks.before, &looks.now].map(|it| it.as_ref().unwrap());
    assert_eq!((first.epoch, last.epoch, looks.problem.as_ref()), (1, 3, None));
    assert!(first.picture.is_some() && last.picture.is_some());
}

#[test]
fn a_folder_that_is_not_there_is_said_with_the_run() {
    let (mut state, mut runner) = window();
    let plan = Plan {
        folder: PathBuf::from("/nowhere/at/all"),
        run_dir: "/nowhere/run".into(),
        ..Plan::default()
    };
    start(plan, false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    let text = &state.notices.shown[0].text;
    assert!(text.contains("there is no such folder") && text.contains("/nowhere/run"), "{text}");
}

#[test]
fn a_run_folder_that_is_taken_is_no_unfinished_run() {
    let folder = labelled_folder();
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("config.json"), "{}").unwrap();
    let (mut state, mut runner) = window();
    let plan = tiny(folder.path(), "taken");
    state.session.training = Some(plan.clone());
    start(plan, false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    let text = &state.notices.shown[0].text;
    assert!(text.contains("holds an unfinished run"), "{text}");
    assert!(state.session.training.is_none() && state.training.run.is_none());
}
