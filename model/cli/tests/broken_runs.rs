//! Trainings that are killed outright, in the middle of an epoch, of a checkpoint and of a feature file: continued,
//! they end with the very figures and weights of a training that was left alone.
//!
//! One kill of each kind by default; `SLIDELIGHT_KILLS=20` asks for twenty.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of a test; a test that counts says what it counted"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};

/// How many kills of each kind.
const KILLS: &str = "SLIDELIGHT_KILLS";
/// What half-written files are called.
const HALF_WRITTEN: &str = ".half-written-";
/// A moment that cannot be met within this time is missed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tries to meet the short life of a half-written file, per kill.
const TRIES: usize = 40;

const SETTINGS: &str = r#"{
    "model": {
        "bag": { "patch_px": 16, "window_patches": 2, "stride_patches": 2 },
        "encoder": { "input_px": 32 },
        "network": { "dim": 16, "dt_rank": 1, "state": 4, "head_dim": 8, "attention_dim": 8 }
    },
    "epochs": 4, "batch": 2, "accumulate": 2, "patience_epochs": 9,
    "restart": { "most": 1, "faithfulness": 1.0 },
    "augment": { "color_copies": 0, "crop_min": 0.5, "mixup": 0.3 }
}"#;

/// Of stage 2, on the heatmaps of the reference run of stage 1.
const REFINER: &str = r#"{
    "network": { "base": 4 }, "tile_px": 32, "batch": 2, "epochs": 4, "early_epochs": 2, "validate_every": 2,
    "is_gated": false
}"#;

/// Of a pre-training.
const ENCODER: &str = r#"{
    "tiles": { "share": 1.0, "places": { "tile_px": 32, "patch_px": 32, "flat_factor": 2 } },
    "network": {
        "img": 16, "patch": 4, "dim": 16, "depth": 1, "heads": 2, "dec_dim": 8, "dec_depth": 1, "dec_heads": 2
    },
    "epochs": 4, "warmup_epochs": 1, "batch": 2, "base_rate": 0.1, "validate_every": 2, "picture_every": 1
}"#;

/// One training at a time: a half-written file is met only by who looks often.
static ALONE: Mutex<()> = Mutex::new(());

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fmamil,
    Camseg,
    Pretraining,
}

/// Where a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Epoch,
    Checkpoint,
    FeatureFile,
}

/// A labelled folder, a reference run and room for broken ones.
struct Bench {
    dir: tempfile::TempDir,
    stage: Stage,
}

impl Bench {
    fn new(stage: Stage) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let images = dir.path().join("folder/images");
        std::fs::create_dir_all(&images).unwrap();
        let mut table = String::from("file,label,split\n");
        for index in 0..16_u32 {
            let positive = index.is_multiple_of(2);
            let image = RgbImage::from_fn(32, 32, |x, y| {
                let n = ((x * 31 + y * 17 + index * 101).wrapping_mul(2_654_435_761) >> 27) as u8;
                let is_lesion = positive && x < 16 && y < 16;
                if is_lesion { Rgb([60 + n, 30 + n, 120]) } else { Rgb([200 + n, 120 + n, 170]) }
            });
            image.save(images.join(format!("{index:02}.png"))).unwrap();
            let split = if index % 4 < 2 { "train" } else { "val" };
            table += &format!("{index:02}.png,{},{split}\n", u8::from(positive));
        }
        std::fs::write(dir.path().join("folder/labels.csv"), table).unwrap();
        std::fs::write(dir.path().join("settings.json"), SETTINGS).unwrap();
        std::fs::write(dir.path().join("refiner.json"), REFINER).unwrap();
        std::fs::write(dir.path().join("encoder.json"), ENCODER).unwrap();
        let mut bench = Self { dir, stage: Stage::Fmamil };
        if stage == Stage::Camseg {
            assert!(bench.train("stage-1").wait().unwrap().success());
        }
        bench.stage = stage;
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts or continues the training in `run` with its own store of features.
    fn train(&self, run: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slidelight-cli"));
        let word = if self.stage == Stage::Pretraining { "pretrain" } else { "train" };
        command.arg(word).arg(self.path("folder")).args(["--resume", "--device", "cpu"]);
        let settings = match self.stage {
            Stage::Fmamil => "settings.json",
            Stage::Pretraining => "encoder.json",
            Stage::Camseg => {
                command.args(["--stage", "camseg", "--model"]).arg(self.path("stage-1/model"));
                "refiner.json"
            }
        };
        command
            .arg("--out")
            .arg(self.path(run))
            .arg("--config")
            .arg(self.path(settings))
            .env("SLIDELIGHT_CACHE", self.path(&format!("{run}-features")))
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// What a finished run came to: figures, weights and events.
    fn result(&self, run: &str) -> (serde_json::Value, Vec<u8>, Vec<String>) {
        let read = |name: &str| std::fs::read(self.path(run).join(name)).unwrap();
        let mut report: serde_json::Value = serde_json::from_slice(&read("report.json")).unwrap();
        report.as_object_mut().unwrap().remove("model_dir");
        let events = String::from_utf8(read("events.jsonl")).unwrap();
        let events = events.lines().filter(|line| !line.contains("\"resumed\"")).map(str::to_owned);
        let weights = match self.stage {
            Stage::Fmamil => "model/weights.safetensors",
            Stage::Pretraining => "model/encoder.safetensors",
            Stage::Camseg => "model/refiner.safetensors",
        };
        (report, read(weights), events.collect())
    }

    /// Kills one training at that moment; whether the moment was met.
    fn kill(&self, run: &str, moment: Moment, salt: usize) -> bool {
        let mut child = self.train(run);
        let started = Instant::now();
        let (dir, store) = (self.path(run), self.path(&format!("{run}-features")));
        let steps_before = n_steps(&dir);
        while child.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE {
            let is_now = match moment {
                Moment::Epoch => steps_before + 1 + salt % 7 <= n_steps(&dir),
                Moment::Checkpoint => {
                    has_half_written(&dir) || has_half_written(&dir.join("checkpoints"))
                }
                Moment::FeatureFile => has_half_written(&store),
            };
            if is_now {
                break;
            }
            // Who sleeps is woken at once; who looks without a pause is put aside on a busy machine.
            std::thread::sleep(Duration::from_micros(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        match moment {
            Moment::Epoch => !dir.join("report.json").exists(),
            Moment::Checkpoint => {
                has_half_written(&dir) || has_half_written(&dir.join("checkpoints"))
            }
            Moment::FeatureFile => has_half_written(&store),
        }
    }
}

fn n_steps(run: &Path) -> usize {
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    events.lines().filter(|line| line.contains("\"step\"")).count()
}

fn has_half_written(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|it| it.file_name().to_string_lossy().starts_with(HALF_WRITTEN))
}

fn check(stage: Stage, moment: Moment) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let n_kills: usize = std::env::var(KILLS).map_or(1, |it| it.parse().unwrap());
    let bench = Bench::new(stage);
    assert!(bench.train("whole").wait().unwrap().success());
    let whole = bench.result("whole");
    let (mut n_met, mut n_tried) = (0, 0);
    while n_met < n_kills && n_tried < n_kills * TRIES {
        let run = format!("run-{n_tried}");
        n_tried += 1;
        let is_met = bench.kill(&run, moment, n_tried);
        n_met += usize::from(is_met);
        if is_met {
            assert!(bench.train(&run).wait().unwrap().success(), "{moment:?}: kill {n_met}");
            assert!(bench.result(&run) == whole, "{moment:?}: kill {n_met} changed the result");
        }
        std::fs::remove_dir_all(bench.path(&run)).unwrap_or_default();
        std::fs::remove_dir_all(bench.path(&format!("{run}-features"))).unwrap_or_default();
    }
    eprintln!("{moment:?}: {n_met} kills met in {n_tried} tries, every run continued to its end");
    assert!(n_met == n_kills, "{moment:?}: the moment was met {n_met} times of {n_kills}");
}

#[test]
fn a_run_killed_in_an_epoch_ends_as_if_it_had_not_been() {
    check(Stage::Fmamil, Moment::Epoch);
}

#[test]
fn a_run_killed_while_it_writes_a_checkpoint_ends_as_if_it_had_not_been() {
    check(Stage::Fmamil, Moment::Checkpoint);
}

#[test]
fn a_run_killed_while_it_writes_features_ends_as_if_it_had_not_been() {
    check(Stage::Fmamil, Moment::FeatureFile);
}

#[test]
fn a_refiner_killed_in_an_epoch_ends_as_if_it_had_not_been() {
    check(Stage::Camseg, Moment::Epoch);
}

#[test]
fn a_refiner_killed_while_it_writes_a_checkpoint_ends_as_if_it_had_not_been() {
    check(Stage::Camseg, Moment::Checkpoint);
}

#[test]
fn a_pre_training_killed_in_an_epoch_ends_as_if_it_had_not_been() {
    check(Stage::Pretraining, Moment::Epoch);
}

#[test]
fn a_pre_training_killed_while_it_writes_a_checkpoint_ends_as_if_it_had_not_been() {
    check(Stage::Pretraining, Moment::Checkpoint);
}
