//! The program as scripts see it: exit status, stdout, stderr and files.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of a test; a skipped test must say so"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use serde_json::Value;
use slide::Slide;

/// Runs the program with a cache of its own and none of the user's models.
fn cli(arguments: &[&str]) -> Output {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    Command::new(env!("CARGO_BIN_EXE_slidelight-cli"))
        .args(arguments)
        .env("SLIDELIGHT_CACHE", own.join("features"))
        .env("SLIDELIGHT_MODELS", own.join("no-models"))
        .output()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn demo() -> PathBuf {
    repository().join("assets/demo/cmu-1-small-region.svs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asserts exit status 1 and a single line that begins with `error: ` and holds `cause`.
fn assert_fails_with(output: &Output, cause: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.contains(cause), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A 224 px corner of the demo slide as a picture of its own.
fn small_picture(path: &Path, x: i64) {
    let slide = Slide::open(&demo()).unwrap();
    let rect = LevelRect { x, y: 800, size: PixelSize { width: 224, height: 224 } };
    let pixels = slide.read_region(LevelIndex(0), rect).unwrap().pixels;
    image::save_buffer(path, pixels.rgba(), 224, 224, image::ExtendedColorType::Rgba8).unwrap();
}

/// The name of a shipped model.
fn shipped_model() -> Option<String> {
    let listed = json(&cli(&["models", "--json"]));
    let name = listed["models"].as_array().unwrap().first().map(|model| &model["name"]);
    if name.is_none() {
        eprintln!("SKIPPED: no model is shipped");
    }
    name.map(|name| name.as_str().unwrap().to_owned())
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn info_describes_the_demo_slide() {
    let output = cli(&["info", text(&demo()), "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let info = json(&output);
    assert_eq!((&info["format"], &info["levels"][0]["width"]), (&"aperio".into(), &2220.into()));
    assert_eq!(info["levels"][0]["height"], 2967);
    assert_eq!(info["levels"][0]["downsample"], 1.0);
    assert_eq!(info["tile_size"]["width"], 240);
    assert!((info["mpp"].as_f64().unwrap() - 0.499).abs() < 1e-9);
    assert_eq!(info["objective_power"], 20.0);
    assert_eq!(info["properties"]["openslide.mpp-x"], "0.499");
    let tissue = info["tissue_fraction"].as_f64().unwrap();
    assert!(0.1 < tissue && tissue < 1.0, "{tissue}");
}

#[test]
fn info_for_people_is_on_stdout_too() {
    let output = cli(&["info", text(&demo())]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("2220 x 2967 px") && said.contains("0.499 x 0.499 µm/px"), "{said}");
}

#[test]
fn a_region_is_saved_as_the_slide_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let png = folder.path().join("region.png");
    let place = ["--level", "0", "--x", "-5", "--y", "700", "--width", "64", "--height", "48"];
    let demo = demo();
    let arguments = [&["region", text(&demo)], &place[..], &["--out", text(&png)]].concat();
    assert_eq!(cli(&arguments).status.code(), Some(0));
    let rect = LevelRect { x: -5, y: 700, size: PixelSize { width: 64, height: 48 } };
    let expected = Slide::open(&demo).unwrap().read_region(LevelIndex(0), rect).unwrap();
    assert_eq!(image::open(&png).unwrap().into_rgba8().into_raw(), expected.pixels.rgba());
}

#[test]
fn a_level_that_does_not_exist_is_named() {
    let place = ["--level", "99", "--x", "0", "--y", "0", "--width", "8", "--height", "8"];
    let demo = demo();
    let output = cli(&[&["region", text(&demo)], &place[..], &["--out", "x.png"]].concat());
    assert_fails_with(&output, "there is no level 99, the slide has ");
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &["info"][..],
        &["frobnicate"],
        &["predict", "a.svs", "--model", "m", "--out", "o", "--threshold", "1.5"],
        &["predict", "a.svs", "--model", "m", "--out", "o", "--format", "docx"],
        &["predict", "a.svs", "--model", "m", "--out", "o", "--device", "tpu"],
    ] {
        let output = cli(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_missing_a_foreign_and_a_truncated_file_are_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    assert_fails_with(&cli(&["info", "no/such/slide.svs"]), "(no/such/slide.svs)");
    let notes = folder.path().join("notes.svs");
    std::fs::write(&notes, b"These are no pixels.\n").unwrap();
    assert_fails_with(&cli(&["info", text(&notes)]), "notes.svs)");
    let cut = folder.path().join("cut.svs");
    std::fs::write(&cut, &std::fs::read(demo()).unwrap()[..500]).unwrap();
    assert_fails_with(&cli(&["info", text(&cut), "--json"]), "cut.svs)");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let target = file.join("region.png");
    let place = ["--level", "0", "--x", "0", "--y", "0", "--width", "8", "--height", "8"];
    let demo = demo();
    let output = cli(&[&["region", text(&demo)], &place[..], &["--out", text(&target)]].concat());
    assert_fails_with(&output, "cannot write the region: the folder is not a folder but a file");
    let Some(model) = shipped_model() else { return };
    let output = cli(&["predict", text(&demo), "--model", &model, "--out", text(&file)]);
    assert_fails_with(&output, "the output folder is not a folder but a file");
}

#[test]
fn an_unknown_model_is_named_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = cli(&["predict", text(&demo()), "--model", "nonesuch", "--out", text(&out)]);
    assert_fails_with(&output, "there is no model `nonesuch`");
    assert!(!out.exists());
}

#[test]
fn a_model_folder_of_another_architecture_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("manifest.json"), br#"{"architecture":"resnet"}"#).unwrap();
    let out = folder.path().join("out");
    let output = cli(&["predict", text(&demo()), "--model", text(&foreign), "--out", text(&out)]);
    assert_fails_with(&output, "foreign)");
}

#[test]
fn models_are_listed_as_one_object() {
    let output = cli(&["models", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(json(&output)["models"].is_array());
}

/// As [`cli`], with a folder of the user's models.
fn cli_with_models(models: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slidelight-cli"))
        .args(arguments)
        .env("SLIDELIGHT_MODELS", models)
        .output()
        .unwrap()
}

#[test]
fn a_model_goes_out_comes_in_is_replaced_rolled_back_and_deleted() {
    let Some(shipped) = shipped_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (models, out) = (folder.path().join("models"), folder.path().join("out"));
    let models = |arguments: &[&str]| cli_with_models(&models, &[&["models"], arguments].concat());
    assert_eq!(models(&["export", &shipped, "--out", text(&out)]).status.code(), Some(0));
    let exported = out.join(&shipped);
    let import = ["import", text(&exported), "--name", "mine", "--json"];
    let entry = json(&models(&import));
    assert_eq!(entry["name"], "mine");
    assert_fails_with(&models(&import), "`mine` already");
    assert_fails_with(&models(&["import", text(&exported)]), "came with the program");
    assert_fails_with(&models(&["roll-back", "mine"]), "no version of `mine` before");
    assert!(models(&[&import[..], &["--replace"]].concat()).status.success());
    assert!(models(&["roll-back", "mine"]).status.success());
    std::fs::write(exported.join("weights.safetensors"), b"others").unwrap();
    assert_fails_with(
        &models(&["import", text(&exported), "--name", "b"]),
        "not those of the manifest",
    );
    assert_fails_with(&models(&["delete", &shipped]), "stays as it is");
    assert_eq!(json(&models(&["delete", "mine", "--json"]))["deleted"], "mine");
    let listed = json(&models(&["--json"]));
    assert!(listed["models"].as_array().unwrap().iter().all(|it| it["name"] != "mine"));
    assert_fails_with(&models(&["add", text(&out), "--name", "b"]), "expected a run folder");
}

#[test]
fn a_configuration_with_an_unknown_field_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(&config, br#"{"epoch": 3}"#).unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    let output = cli(&["train", text(&data), "--out", text(&run), "--config", text(&config)]);
    assert_fails_with(&output, "unknown field `epoch`");
}

#[test]
fn predict_writes_every_file_and_reports_the_slide_that_failed() {
    let Some(model) = shipped_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    let slides = ["a/same.png", "b/same.png"].map(|name| folder.path().join(name));
    for (slide, x) in slides.iter().zip([300, 900]) {
        std::fs::create_dir(slide.parent().unwrap()).unwrap();
        small_picture(slide, x);
    }
    let out = folder.path().join("out");
    let missing = folder.path().join("missing.svs");
    let output = cli(&[
        "predict",
        text(&slides[0]),
        text(&missing),
        text(&slides[1]),
        "--model",
        &model,
        "--out",
        text(&out),
        "--threshold",
        "0.25",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let summary = json(&output);
    let results = summary["results"].as_array().unwrap();
    assert_eq!((results.len(), summary["errors"].as_array().unwrap().len()), (2, 1));
    assert!(summary["errors"][0]["path"].as_str().unwrap().ends_with("missing.svs"));
    assert_eq!(files_in(&out).len(), 12);
    for ending in ["heatmap.tif", "heatmap.png", "mask.png", "mask.json", "geojson", "json"] {
        assert!(out.join(format!("same.{ending}")).exists(), "{ending}");
    }
    for result in results {
        let probability = result["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&probability));
        assert_eq!(result["threshold"], 0.25);
        assert_eq!(result["area"]["um2"], Value::Null);
        assert!(!result["provenance"].as_object().unwrap().is_empty());
        assert!(!result["timings_s"].as_object().unwrap().is_empty());
        assert_eq!(result["research_use"], domain::RESEARCH_USE_ONLY);
    }
}

#[test]
fn predict_writes_only_what_is_asked_for_and_replaces_its_own_files() {
    let Some(model) = shipped_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("one.png");
    small_picture(&slide, 300);
    let out = folder.path().join("out");
    for _ in 0..2 {
        let wanted = ["--out", text(&out), "--format", "geojson"];
        let output = cli(&[&["predict", text(&slide), "--model", &model], &wanted[..]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty());
        assert_eq!(files_in(&out), ["one.geojson", "one.json"]);
    }
}
