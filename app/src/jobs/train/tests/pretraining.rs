//! An encoder from a folder of images to the list and into a plan.

use super::*;
use crate::command::{Command, EncoderCommand, TrainingCommand, apply, chosen_plan};
use crate::state::training::plan::Beginning;
use model::encoder::own::{ENCODERS_VARIABLE, EncoderNote};

/// Set in the process that has a folder of encoders to itself.
const IS_CHILD: &str = "SLIDELIGHT_TEST_HAS_OWN_ENCODERS";

/// Whether this process has a folder of encoders to itself. If not, the test of that name is run in one that has.
fn has_own_encoders(test: &str) -> bool {
    if std::env::var_os(IS_CHILD).is_some() {
        return true;
    }
    let encoders = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{}::{test}", module_path!().split_once("::").unwrap().1)])
        .env(IS_CHILD, "1")
        .env(ENCODERS_VARIABLE, encoders.path())
        .env("SLIDELIGHT_MODELS", encoders.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Eight images of 64 px, four tiles each, without labels.
fn folder_of_images() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let size = PixelSize { width: 64, height: 64 };
    for i in 0..8_u32 {
        let mut pixels = Pixels::filled(size, [0, 0, 0, 255]);
        for (at, pixel) in (0..).zip(pixels.rgba_mut().chunks_exact_mut(4)) {
            let noise = ((at * 31_u32 + i * 101).wrapping_mul(2_654_435_761) >> 27) as u8;
            pixel.copy_from_slice(&[180 + noise, 60 + noise, 150, 255]);
        }
        let png = slide::export::encode_png(&pixels).unwrap();
        std::fs::write(dir.path().join(format!("{i}.png")), png).unwrap();
    }
    dir
}

/// Tiles of 32 px and an autoencoder of a few thousand numbers.
fn tiny_encoder(folder: &Path, run: &str) -> Plan {
    let mut plan = Plan {
        folder: folder.into(),
        run_dir: folder.join(run),
        aim: Aim::Encoder,
        ..Plan::default()
    };
    plan.own_encoder.name = "toy".to_owned();
    for (path, value) in [
        ("epochs", json!(4)),
        ("warmup_epochs", json!(0)),
        ("batch", json!(4)),
        ("base_rate", json!(0.1)),
        ("validate_every", json!(2)),
        ("picture_every", json!(2)),
        ("tiles.share", json!(0.5)),
        ("tiles.places.tile_px", json!(32)),
        ("tiles.places.patch_px", json!(32)),
        ("tiles.places.flat_factor", json!(2)),
        ("network.img", json!(16)),
        ("network.patch", json!(4)),
        ("network.dim", json!(16)),
        ("network.depth", json!(1)),
        ("network.heads", json!(2)),
        ("network.dec_dim", json!(8)),
        ("network.dec_depth", json!(1)),
        ("network.dec_heads", json!(2)),
    ] {
        plan.set(Stage::Pretraining, path, value);
    }
    plan
}

/// Asks for a change and lets the window live until nothing is under way.
fn ask(state: &mut State, runner: &mut Runner, command: impl Into<Command>) {
    for effect in apply(state, command.into()) {
        perform(effect, state, runner);
    }
    settle(state, runner);
}

fn settle(state: &mut State, runner: &mut Runner) {
    let started = Instant::now();
    while !state.jobs.running.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?} hangs", state.jobs.running);
        if !step(state, runner) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The epoch whose picture is in sight.
fn seen(state: &State) -> usize {
    let view = state.training.run.as_ref().unwrap();
    let (epoch, picture) = view.reconstructions.seen.as_ref().unwrap();
    assert!(picture.is_ok(), "{picture:?}");
    *epoch
}

#[test]
fn a_folder_of_images_is_checked_and_a_broken_one_is_named() {
    let folder = folder_of_images();
    std::fs::write(folder.path().join("broken.png"), b"no picture").unwrap();
    let (mut state, mut runner) = window();
    state.training.plan = tiny_encoder(folder.path(), "run");
    ask(&mut state, &mut runner, TrainingCommand::TakeFolder(folder.path().into()));
    let sources = state.training.sources.as_ref().unwrap();
    assert_eq!((sources.n_train, sources.n_val, sources.can_train()), (7, 1, true));
    assert!(sources.findings.iter().any(|it| it.what.starts_with("broken.png: ")));
    assert!(state.training.survey.is_none() && state.training.can_start());
    let note = &state.training.plan.own_encoder;
    assert_eq!(note.trained_on, format!("8 slides and images of {}", name_of(folder.path())));
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_stopped_pre_training_goes_on_to_the_same_encoder_and_shows_its_pictures() {
    let folder = folder_of_images();
    let (mut state, mut runner) = window();
    start(tiny_encoder(folder.path(), "whole"), false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    settle(&mut state, &mut runner);
    let weights = |run: &str| {
        std::fs::read(folder.path().join(run).join("model/encoder.safetensors")).unwrap()
    };
    let unbroken = report(&state).metrics.clone();
    assert!(0.0 < unbroken["val_loss"]);
    assert_eq!(seen(&state), 4);
    ask(&mut state, &mut runner, EncoderCommand::ShowPicture(2));
    assert_eq!(seen(&state), 2, "an earlier one is read when it is asked for");

    stop_after_an_epoch(tiny_encoder(folder.path(), "broken"));

    let (mut state, mut runner) = window();
    start(tiny_encoder(folder.path(), "broken"), true, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    settle(&mut state, &mut runner);
    assert_eq!(report(&state).metrics, unbroken);
    assert!(weights("whole") == weights("broken"));
    assert_eq!((n_epochs(&state), seen(&state)), (4, 4));
}

#[test]
fn an_encoder_is_kept_under_a_free_name_and_chosen_for_the_next_plan() {
    if !has_own_encoders("an_encoder_is_kept_under_a_free_name_and_chosen_for_the_next_plan") {
        return;
    }
    let folder = folder_of_images();
    let (mut state, mut runner) = window();
    start(tiny_encoder(folder.path(), "run"), false, &mut state, &mut runner);
    live(&mut state, &mut runner, |_| false);
    state.training.open_text = folder.path().join("run").display().to_string();
    ask(&mut state, &mut runner, TrainingCommand::OpenRun);
    assert_eq!((seen(&state), state.training.encoder_note.name.as_str()), (4, "toy"));
    ask(&mut state, &mut runner, EncoderCommand::Keep);
    assert_eq!(state.training.promoted.as_deref(), Some("toy"), "{:?}", state.notices.shown);
    assert!(!state.models.encoder("toy").unwrap().is_shipped);

    ask(&mut state, &mut runner, EncoderCommand::Keep);
    let text = state.notices.shown.last().unwrap().text.clone();
    assert!(text.contains("there is an encoder `toy` already"), "{text}");
    let note = EncoderNote { name: "toy-2".to_owned(), ..state.training.encoder_note.clone() };
    ask(&mut state, &mut runner, EncoderCommand::DescribeFinished(note));
    ask(&mut state, &mut runner, EncoderCommand::Keep);
    assert_eq!(state.models.encoder("toy-2").unwrap().title, "My encoder");

    ask(&mut state, &mut runner, TrainingCommand::SetAim(Aim::Heatmaps));
    let plan = chosen_plan(&state);
    let Ok(Beginning::Encoder(encoder)) = beginning(&plan) else { panic!("{plan:?}") };
    assert_eq!((encoder.name.as_str(), encoder.feature_dim), ("toy-2", 16));
    let encoders = std::env::var(ENCODERS_VARIABLE).unwrap();
    std::fs::remove_dir_all(Path::new(&encoders).join("toy-2")).unwrap();
    let missing = beginning(&plan).unwrap_err();
    assert!(missing.contains("there is no encoder `toy-2`"), "{missing}");
}
