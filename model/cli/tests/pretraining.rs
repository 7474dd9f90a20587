//! An encoder from a folder of pictures to a model that sees through it, by the command line.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use serde_json::Value;

const SETTINGS: &str = r#"{
    "description": { "name": "toy", "trained_on": "a toy" },
    "tiles": { "share": 0.5, "places": { "tile_px": 32, "patch_px": 32, "flat_factor": 2 } },
    "network": {
        "img": 16, "patch": 4, "dim": 16, "depth": 1, "heads": 2, "dec_dim": 8, "dec_depth": 1, "dec_heads": 2
    },
    "epochs": 3, "warmup_epochs": 0, "batch": 4, "base_rate": 0.1, "validate_every": 2, "picture_every": 2
}"#;

const MODEL: &str = r#"{
    "model": {
        "bag": { "patch_px": 16, "window_patches": 2, "stride_patches": 2 },
        "network": { "dim": 16, "dt_rank": 1, "state": 4, "head_dim": 8, "attention_dim": 8 }
    },
    "epochs": 2, "batch": 4, "augment": { "color_copies": 0 }
}"#;

/// A folder of pictures, settings, and room for runs and encoders.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let images = dir.path().join("folder/images");
        std::fs::create_dir_all(&images).unwrap();
        let mut table = String::from("file,label,split\n");
        for index in 0..16_u32 {
            let image = RgbImage::from_fn(64, 64, |x, y| {
                let n = ((x * 31 + y * 17 + index * 101).wrapping_mul(2_654_435_761) >> 27) as u8;
                let is_lesion = index.is_multiple_of(2) && x < 24 && y < 24;
                if is_lesion {
                    Rgb([60 + 2 * n, 30 + n, 120])
                } else {
                    Rgb([200 + n, 120 + n, 170])
                }
            });
            image.save(images.join(format!("{index:02}.png"))).unwrap();
            let split = ["train", "train", "val", "test"][index as usize / 2 % 4];
            table += &format!("{index:02}.png,{},{split}\n", u8::from(index.is_multiple_of(2)));
        }
        std::fs::write(dir.path().join("folder/labels.csv"), table).unwrap();
        std::fs::write(dir.path().join("settings.json"), SETTINGS).unwrap();
        std::fs::write(dir.path().join("model.json"), MODEL).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slidelight-cli"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("SLIDELIGHT_CACHE", self.path("features"))
            .env("SLIDELIGHT_MODELS", self.path("no-models"))
            .env("SLIDELIGHT_ENCODERS", self.path("encoders"))
            .output()
            .unwrap()
    }

    fn done(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn files(tiles: &Value) -> Vec<&str> {
    tiles.as_array().unwrap().iter().map(|it| it["file"].as_str().unwrap()).collect()
}

#[test]
fn a_pre_trained_encoder_is_listed_and_serves_a_model() {
    let bench = Bench::new();
    let pretrain = ["pretrain", "folder", "--out", "run", "--config", "settings.json"];
    let report = bench.done(&[&pretrain[..], &["--add", "--json"]].concat());
    assert!(0.0 < report["metrics"]["val_loss"].as_f64().unwrap());
    for file in
        ["config.json", "split.json", "events.jsonl", "pictures/0002.png", "pictures/0003.png"]
    {
        assert!(bench.path("run").join(file).is_file(), "{file} is missing");
    }
    // Half of the four patches of eight images, by energy: those of the positive ones, whose lesion has more contrast.
    let tiles = bench.json("run/tiles.json");
    let files = files(&tiles);
    assert_eq!(files.len(), 16);
    assert!(files.iter().all(|it| !bench.json("run/split.json")[it].is_null()));
    let listed = bench.done(&["encoders", "--json"]);
    let toy = listed["encoders"].as_array().unwrap().iter().find(|it| it["name"] == "toy").unwrap();
    assert_eq!((toy["feature_dim"].as_u64(), toy["input_px"].as_u64()), (Some(16), Some(16)));

    let train =
        ["train", "folder", "--out", "model-run", "--encoder", "toy", "--config", "model.json"];
    bench.done(&[&train[..], &["--json"]].concat());
    let config = bench.json("model-run/model/config.json");
    assert_eq!(config["encoder"]["name"], "toy");
    assert_eq!(config["network"]["feature_dim"], 16);
    let model = ["--model", "model-run/model"];
    let predict = ["predict", "folder/images/00.png", "--out", "out", "--format", "png"];
    let found = bench.done(&[&predict[..], &model, &["--preselect", "40", "--json"]].concat());
    let notes = found["results"][0]["notes"].to_string();
    assert!(notes.contains("Only the 40 % most informative patches"), "{notes}");
    let table =
        bench.done(&[&["preselect", "folder/images/00.png", "--json"][..], &model].concat());
    assert_eq!(table["shares"].as_array().unwrap().len(), 3);
    let report = ["eval", "folder", "--out", "report.json", "--split", "val", "--json"];
    bench.done(&[&report[..], &model].concat());

    let again = bench.cli(&["encoders", "--add", "run/model"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        !again.status.success() && said.contains("there is an encoder `toy` already"),
        "{said}"
    );
}

#[test]
fn one_seed_gives_one_encoder_and_random_places_are_as_many() {
    let bench = Bench::new();
    let run = |out: &str, more: &[&str]| {
        let pretrain = ["pretrain", "folder", "--config", "settings.json", "--json", "--out", out];
        bench.done(&[&pretrain[..], more].concat());
        std::fs::read(bench.path(out).join("model/encoder.safetensors")).unwrap()
    };
    let first = run("first", &[]);
    assert!(first == run("second", &[]));
    assert!(first != run("random", &["--selection", "random"]));
    let (chosen, drawn) = (bench.json("first/tiles.json"), bench.json("random/tiles.json"));
    assert_eq!(files(&chosen).len(), files(&drawn).len());
    let energy = |tiles: &Value| -> f64 {
        tiles.as_array().unwrap().iter().map(|it| it["energy"].as_f64().unwrap()).sum()
    };
    assert!(energy(&drawn) < energy(&chosen));
}

#[test]
fn an_encoder_whose_weights_were_changed_is_refused() {
    let bench = Bench::new();
    bench.done(&["pretrain", "folder", "--config", "settings.json", "--json", "--out", "run"]);
    let weights: &Path = &bench.path("run/model/encoder.safetensors");
    let mut bytes = std::fs::read(weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(weights, bytes).unwrap();
    let refused = bench.cli(&["encoders", "--add", "run/model"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("SHA-256"), "{said}");
    let unknown = bench.cli(&["train", "folder", "--out", "x", "--encoder", "toy"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no encoder `toy`"));
}
