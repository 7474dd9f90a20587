//! The circle of learning on a tiny synthetic folder: train, find the model, analyze, evaluate.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use domain::coords::Level0Rect;
use domain::progress::{CancelToken, PauseToken};
use image::{GrayImage, Luma, Rgb, RgbImage};
use model::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze};
use model::camseg::{CamsegConfig, CamsegSources, train_camseg};
use model::data::folder::Split;
use model::device::DeviceChoice;
use model::eval::{EvalSettings, ThresholdRule, evaluate};
use model::registry::{ModelEntry, find};
use model::train::{
    StopReason, TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport,
};
use slide::Slide;
use tempfile::TempDir;

/// 3 x 3 patches of 16 px, a network of a few thousand numbers, three epochs.
const TINY: &str = r#"{
    "description": { "name": "tiny", "title": "A toy", "recommended_threshold": 0.3 },
    "model": {
        "bag": { "patch_px": 16, "window_patches": 3, "stride_patches": 2 },
        "encoder": { "input_px": 32 },
        "network": { "dim": 8, "dt_rank": 1, "state": 4, "head_dim": 8, "attention_dim": 8 }
    },
    "epochs": 3,
    "batch": 4,
    "augment": { "color_copies": 1, "crop_min": 0.6, "erase": 0.3, "mixup": 0.3 },
    "cache_features": false
}"#;

const SIDE: u32 = 48;
const N_IMAGES: u32 = 24;

/// Pink tissue with a little texture; a positive image has a dark blue patch in a corner.
fn picture(index: u32) -> (RgbImage, GrayImage) {
    let is_lesion = |x: u32, y: u32| index.is_multiple_of(2) && x < 16 + index % 16 && y < 20;
    let noise =
        |x: u32, y: u32| ((x * 31 + y * 17 + index * 101).wrapping_mul(2_654_435_761) >> 27) as u8;
    let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let n = noise(x / 3, y / 3);
        if is_lesion(x, y) { Rgb([60 + n, 30 + n, 120]) } else { Rgb([200 + n, 120 + n, 170]) }
    });
    let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([255 * u8::from(is_lesion(x, y))]));
    (image, mask)
}

/// `labels.csv`, `images/` and `masks/`; every third patient validates.
fn labelled_folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut table = String::from("file,label,patient,split\n");
    for folder in ["images", "masks"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for index in 0..N_IMAGES {
        let (image, mask) = picture(index);
        let name = format!("{index:02}.png");
        image.save(dir.path().join("images").join(&name)).unwrap();
        let label = u32::from(index.is_multiple_of(2));
        if label == 1 {
            mask.save(dir.path().join("masks").join(&name)).unwrap();
        }
        let split = if index / 2 % 3 == 2 { "val" } else { "train" };
        table += &format!("{name},{label},P{},{split}\n", index / 2);
    }
    std::fs::write(dir.path().join("labels.csv"), table).unwrap();
    dir
}

fn train(
    folder: &Path,
    run: &Path,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    train_with(folder, run, false, cancel, on_event)
}

fn train_with(
    folder: &Path,
    run_dir: &Path,
    resume: bool,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    let config = (!resume).then(|| TrainConfig::from_json(TINY).unwrap());
    let job = TrainJob { folder, run_dir, config, device: DeviceChoice::Cpu, resume };
    let control = TrainControl { progress: &(), cancel, pause: &PauseToken::default() };
    model::train::train(&job, on_event, control)
}

/// One training that several tests look at.
struct Trained {
    folder: TempDir,
    run: PathBuf,
    report: TrainReport,
    events: Vec<TrainEvent>,
}

static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let folder = labelled_folder();
    let run = folder.path().join("run");
    let mut events = Vec::new();
    let report = train(folder.path(), &run, &CancelToken::default(), &mut |event| {
        events.push(event.clone());
    });
    Trained { report: report.unwrap(), folder, run, events }
});

fn model() -> ModelEntry {
    find(TRAINED.report.model_dir.to_str().unwrap()).unwrap()
}

fn analyze_image(index: u32, settings: &AnalysisSettings) -> Analysis {
    let path = TRAINED.folder.path().join(format!("images/{index:02}.png"));
    let slide = Slide::open(&path).unwrap();
    analyze(&slide, &model(), settings, &(), &CancelToken::default()).unwrap()
}

#[test]
fn a_finished_run_is_a_whole_folder() {
    for file in [
        "config.json",
        "split.json",
        "events.jsonl",
        "report.json",
        "best.safetensors",
        "checkpoints/003.safetensors",
        "model/manifest.json",
        "model/config.json",
        "model/weights.safetensors",
        "model/report.json",
    ] {
        assert!(TRAINED.run.join(file).is_file(), "{file} is missing");
    }
    let config = std::fs::read_to_string(TRAINED.run.join("config.json")).unwrap();
    assert_eq!(TrainConfig::from_json(&config).unwrap(), TrainConfig::from_json(TINY).unwrap());
}

#[test]
fn events_come_in_order_and_stand_in_the_run_folder() {
    let events = &TRAINED.events;
    assert!(matches!(&events[0], TrainEvent::Warning { text } if text.contains("resolution")));
    assert!(matches!(&events[1], TrainEvent::Started { n_train: 16, n_val: 8, .. }));
    assert_eq!(events.last(), Some(&TrainEvent::Stopped { reason: StopReason::Finished }));
    let is_epoch = |it: &&TrainEvent| matches!(it, TrainEvent::Epoch { .. });
    let is_step = |it: &&TrainEvent| matches!(it, TrainEvent::Step { .. });
    assert_eq!(events.iter().filter(is_epoch).count(), 3);
    assert_eq!(events.iter().filter(is_step).count(), 3 * 4);
    let lines = std::fs::read_to_string(TRAINED.run.join("events.jsonl")).unwrap();
    let logged: Vec<&str> = lines.lines().collect();
    let expected: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    assert_eq!(logged, expected);
}

#[test]
fn one_seed_gives_identical_figures_at_every_step() {
    let mut again = Vec::new();
    let run = TRAINED.folder.path().join("again");
    let cancel = CancelToken::default();
    let report =
        train(TRAINED.folder.path(), &run, &cancel, &mut |event| again.push(event.clone()))
            .unwrap();
    assert_eq!(again, TRAINED.events);
    assert_eq!(report.metrics, TRAINED.report.metrics);
    let weights = |run: &Path| std::fs::read(run.join("model/weights.safetensors")).unwrap();
    assert_eq!(weights(&run), weights(&TRAINED.run));
}

#[test]
fn the_trained_model_analyzes_an_image() {
    let analysis = analyze_image(4, &AnalysisSettings::default());
    assert!((0.0..=1.0).contains(&analysis.probability));
    let size = analysis.heatmap.size();
    assert_eq!((size.width, size.height), (3, 3));
    let whole = Level0Rect { x: 0.0, y: 0.0, width: 48.0, height: 48.0 };
    assert_eq!(analysis.heatmap.frame(), whole);
    assert_eq!(0.5 <= analysis.probability, 0.0 < analysis.heatmap.max());
    assert!(analysis.training_fit.notes.iter().any(|it| it.contains("not calibrated")));
    assert_eq!(analysis.provenance["model"], "tiny");
    assert!(analysis.timings.iter().any(|(stage, _)| *stage == "Computing features"));
}

#[test]
fn cached_features_give_the_same_heatmap() {
    let cache = tempfile::tempdir().unwrap();
    let settings = AnalysisSettings {
        feature_cache: Some(cache.path().to_owned()),
        ..AnalysisSettings::default()
    };
    let first = analyze_image(2, &settings);
    let second = analyze_image(2, &settings);
    assert_eq!(first.heatmap, second.heatmap);
    assert!(second.timings.iter().any(|(stage, _)| *stage == "Reading cached features"));
    assert!(second.timings.iter().all(|(stage, _)| *stage != "Computing features"));
}

#[test]
fn a_larger_image_is_covered_by_overlapping_windows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.png");
    let (tile, _) = picture(1);
    RgbImage::from_fn(150, 100, |x, y| *tile.get_pixel(x % SIDE, y % SIDE)).save(&path).unwrap();
    let slide = Slide::open(&path).unwrap();
    let settings = AnalysisSettings::default();
    let analysis = analyze(&slide, &model(), &settings, &(), &CancelToken::default()).unwrap();
    let size = analysis.heatmap.size();
    assert_eq!((size.width, size.height), (10, 7), "150 x 100 px in patches of 16");
    let frame = analysis.heatmap.frame();
    assert_eq!((frame.width, frame.height), (150.0, 100.0));
}

#[test]
fn white_glass_has_nothing_to_analyze() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glass.png");
    RgbImage::from_pixel(64, 64, Rgb([245, 245, 245])).save(&path).unwrap();
    let slide = Slide::open(&path).unwrap();
    let result =
        analyze(&slide, &model(), &AnalysisSettings::default(), &(), &CancelToken::default());
    assert!(matches!(result, Err(AnalyzeError::NoTissue)));
}

#[test]
fn a_cancelled_training_stops_at_the_next_step_and_says_so() {
    let cancel = CancelToken::default();
    let run = TRAINED.folder.path().join("cancelled");
    let mut events = Vec::new();
    let result = train(TRAINED.folder.path(), &run, &cancel, &mut |event| {
        events.push(event.clone());
        cancel.cancel();
    });
    assert!(matches!(result, Err(TrainError::Cancelled(_))) || events.is_empty());
    assert!(events.iter().any(|it| matches!(it, TrainEvent::Started { .. })));
    assert_eq!(events.last(), Some(&TrainEvent::Stopped { reason: StopReason::Cancelled }));
    assert!(!run.join("model").exists());
}

#[test]
fn a_run_cancelled_in_its_second_epoch_goes_on_to_the_same_end() {
    let (folder, run) = (TRAINED.folder.path(), TRAINED.folder.path().join("continued"));
    let cancel = CancelToken::default();
    let broken = train(folder, &run, &cancel, &mut |event| {
        if matches!(event, TrainEvent::Step { epoch: 2, step: 2, .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(broken, Err(TrainError::Cancelled(_))));
    let refused = train(folder, &run, &CancelToken::default(), &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("holds an unfinished run"), "{refused}");

    let mut events = Vec::new();
    let mut keep = |event: &TrainEvent| events.push(event.clone());
    let report = train_with(folder, &run, true, &CancelToken::default(), &mut keep).unwrap();
    assert_eq!(events[0], TrainEvent::Resumed { epoch: 2, attempt: 1 });
    assert_eq!(report.metrics, TRAINED.report.metrics);
    let weights = |run: &Path| std::fs::read(run.join("model/weights.safetensors")).unwrap();
    assert_eq!(weights(&run), weights(&TRAINED.run));
    let logged = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let logged: Vec<TrainEvent> = logged
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event| !matches!(event, TrainEvent::Resumed { .. }))
        .collect();
    assert_eq!(logged, TRAINED.events);
    assert!(!run.join("state.safetensors").exists());
    let again = train_with(folder, &run, true, &CancelToken::default(), &mut |_| {}).unwrap();
    assert_eq!(again, report, "a finished run answers with its report");
}

#[test]
fn a_run_is_not_continued_with_another_folder() {
    let folder = labelled_folder();
    let run = folder.path().join("run");
    let cancel = CancelToken::default();
    let broken = train(folder.path(), &run, &cancel, &mut |event| {
        if matches!(event, TrainEvent::Step { epoch: 2, .. }) {
            cancel.cancel();
        }
    });
    assert!(matches!(broken, Err(TrainError::Cancelled(_))));
    picture(77).0.save(folder.path().join("images/03.png")).unwrap();
    let error = train_with(folder.path(), &run, true, &CancelToken::default(), &mut |_| {});
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the labelled folder has changed"), "{error}");
}

#[test]
fn an_analysis_can_be_cancelled() {
    let cancel = CancelToken::default();
    cancel.cancel();
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let result = analyze(&slide, &model(), &AnalysisSettings::default(), &(), &cancel);
    assert!(matches!(result, Err(AnalyzeError::Cancelled(_))));
}

#[test]
fn a_report_measures_labels_pixels_and_baselines() {
    let (folder, masks) = (TRAINED.folder.path(), TRAINED.folder.path().join("masks"));
    let settings = EvalSettings::default();
    let cancel = CancelToken::default();
    let report = evaluate(folder, Some(&masks), &model(), &settings, &(), &cancel).unwrap();
    assert_eq!((report.split.as_str(), report.n_images, report.n_positive), ("val", 8, 4));
    assert_eq!(report.threshold, 0.3);
    let pixels = report.segmentation.unwrap().pooled;
    assert!((0.0..=1.0).contains(&pixels.miou));
    let all = report.baselines.iter().find(|it| it.name == "every pixel of every image").unwrap();
    assert_eq!(all.segmentation.unwrap().pooled.recall, 1.0);
    let dark = report.baselines.iter().find(|it| it.name.starts_with("Otsu")).unwrap();
    assert!(0.3 < dark.segmentation.unwrap().pooled_positives.dice, "the lesion is the dark part");
    assert!(report.baselines.iter().any(|it| it.classification.is_some()));
    let sensitive =
        report.suggested_thresholds.iter().find(|it| it.rule == ThresholdRule::Sensitivity90);
    assert!(sensitive.is_none_or(|it| 0.9 <= it.pooled.unwrap().recall));
    let train = EvalSettings {
        split: Some(Split::Train),
        threshold: Some(0.6),
        without_baselines: true,
        ..settings
    };
    let report = evaluate(folder, Some(&masks), &model(), &train, &(), &cancel).unwrap();
    assert_eq!((report.split.as_str(), report.n_images, report.threshold), ("train", 16, 0.6));
    assert!(report.baselines.is_empty());
}

#[test]
fn weights_that_are_not_the_manifests_are_refused_in_one_line() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["manifest.json", "config.json", "weights.safetensors"] {
        std::fs::copy(TRAINED.report.model_dir.join(file), copy.path().join(file)).unwrap();
    }
    let weights = copy.path().join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let entry = find(copy.path().to_str().unwrap()).unwrap();
    let error = analyze(&slide, &entry, &AnalysisSettings::default(), &(), &CancelToken::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("not those of the manifest"), "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn a_folder_with_problems_names_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("labels.csv"), "file,label\na.png,1\nb.png,7\n").unwrap();
    let error = train(dir.path(), &dir.path().join("run"), &CancelToken::default(), &mut |_| {})
        .unwrap_err();
    let TrainError::Folder(problems) = error else { unreachable!("{error}") };
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        !dir.path().join("run").exists(),
        "nothing is written for a folder that cannot be used"
    );
}

/// A U-Net of a few thousand numbers for the toy, two epochs of each stage.
const TINY_REFINER: &str = r#"{
    "network": { "base": 4 },
    "tile_px": 64,
    "epochs": 4,
    "early_epochs": 2,
    "validate_every": 2,
    "is_gated": false,
    "cache_features": false
}"#;

fn refine(
    run: &str,
    masks: Option<&Path>,
    cancel: &CancelToken,
    on_event: &mut dyn FnMut(&TrainEvent),
) -> Result<TrainReport, TrainError> {
    let (stage_1, config) = (model(), CamsegConfig::from_json(TINY_REFINER).unwrap());
    let sources = CamsegSources { folder: TRAINED.folder.path(), masks, model: &stage_1 };
    let run = TRAINED.folder.path().join(run);
    let control = TrainControl { progress: &(), cancel, pause: &PauseToken::default() };
    train_camseg(sources, &run, &config, DeviceChoice::Cpu, on_event, control)
}

/// A refiner that several tests look at, with its events.
static REFINED: LazyLock<(TrainReport, Vec<TrainEvent>)> = LazyLock::new(|| {
    let mut events = Vec::new();
    let report = refine("refined", None, &CancelToken::default(), &mut |event| {
        events.push(event.clone());
    });
    (report.unwrap(), events)
});

fn refined_model() -> ModelEntry {
    find(REFINED.0.model_dir.to_str().unwrap()).unwrap()
}

fn refined_map(image: &RgbImage) -> domain::heatmap::Heatmap {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image.png");
    image.save(&path).unwrap();
    let settings = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let slide = Slide::open(&path).unwrap();
    let cancel = CancelToken::default();
    let analysis = analyze(&slide, &refined_model(), &settings, &(), &cancel).unwrap();
    assert!(analysis.provenance.contains_key("refiner_sha256"));
    analysis.refined.unwrap()
}

#[test]
fn a_refiner_learns_in_two_stages_and_stands_beside_stage_1() {
    let (report, events) = &*REFINED;
    assert_eq!((report.n_epochs, report.stopped), (4, StopReason::Finished));
    assert!((0.0..=1.0).contains(&report.metrics["val_label_miou"]));
    for file in ["manifest.json", "weights.safetensors", "refiner.json", "refiner.safetensors"] {
        assert!(report.model_dir.join(file).is_file(), "{file} is missing");
    }
    assert_eq!(refined_model().manifest.name, "tiny-refined");
    let consistency: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            TrainEvent::SegmentationEpoch { consistency_loss, .. } => Some(0.0 < *consistency_loss),
            _ => None,
        })
        .collect();
    assert_eq!(consistency, [false, false, true, true], "only the late stage holds to the map");
}

#[test]
fn the_refined_map_has_the_images_own_pixels_and_is_measured_like_any_map() {
    let (image, _) = picture(4);
    let size = refined_map(&image).size();
    assert_eq!((size.width, size.height), (SIDE, SIDE));
    let analysis = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let settings = EvalSettings { analysis, ..EvalSettings::default() };
    let (folder, masks) = (TRAINED.folder.path(), TRAINED.folder.path().join("masks"));
    let cancel = CancelToken::default();
    let report = evaluate(folder, Some(&masks), &refined_model(), &settings, &(), &cancel).unwrap();
    assert_eq!(report.threshold, 0.5, "the refiner's own");
    assert!(report.segmentation.is_some());
}

#[test]
fn a_model_without_a_refiner_says_so() {
    let settings = AnalysisSettings { refine: true, ..AnalysisSettings::default() };
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let error = analyze(&slide, &model(), &settings, &(), &CancelToken::default()).unwrap_err();
    assert!(error.to_string().contains("no refiner"), "{error}");
}

#[test]
fn corrected_masks_take_the_place_of_heatmaps() {
    let masks = TRAINED.folder.path().join("masks");
    let cancel = CancelToken::default();
    let corrected = refine("corrected", Some(&masks), &cancel, &mut |_| {}).unwrap();
    assert_ne!(corrected.metrics, REFINED.0.metrics);
}

#[test]
fn a_cancelled_refiner_says_so_and_leaves_no_model() {
    let cancel = CancelToken::default();
    let mut events = Vec::new();
    let result = refine("refining-cancelled", None, &cancel, &mut |event| {
        events.push(event.clone());
        cancel.cancel();
    });
    assert!(matches!(result, Err(TrainError::Cancelled(_))));
    assert_eq!(events.last(), Some(&TrainEvent::Stopped { reason: StopReason::Cancelled }));
    assert!(!TRAINED.folder.path().join("refining-cancelled/model").exists());
}

#[test]
fn a_region_is_refined_alone_as_in_the_whole() {
    const WIDTH: u32 = 1200;
    const HEIGHT: u32 = 640;
    let (tile, _) = picture(2);
    let pixel = |x: u32, y: u32| *tile.get_pixel((x + y / 7) % SIDE, (y + x / 11) % SIDE);
    let whole = refined_map(&RgbImage::from_fn(WIDTH, HEIGHT, pixel));
    // The region crosses two seams of the whole; what lies near its own edge has other neighbours there.
    let (left, top, side, margin) = (256, 64, 512, 112);
    let alone = refined_map(&RgbImage::from_fn(side, side, |x, y| pixel(left + x, top + y)));
    let mut largest = 0.0f32;
    for y in margin..side - margin {
        for x in margin..side - margin {
            let in_whole = whole.values()[((top + y) * WIDTH + left + x) as usize];
            largest = largest.max((alone.values()[(y * side + x) as usize] - in_whole).abs());
        }
    }
    assert!(largest < 0.02, "{largest}");
}

#[test]
fn every_row_of_the_experiment_lists_can_be_read() {
    for list in ["mosaics.json", "ebhi.json"] {
        let text = std::fs::read(tests::repository().join("docs/recipes").join(list)).unwrap();
        let list: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let rows = list["rows"].as_object().unwrap();
        for settings in rows.values().chain([&list["base"]]) {
            let config = TrainConfig::from_json(&settings.to_string());
            assert!(config.is_ok(), "{settings}: {config:?}");
        }
    }
}
