//! Stage 1: from the folder to a model, from the model to heatmaps and figures.

use std::path::Path;

use domain::coords::Level0Rect;
use domain::progress::{CancelToken, PauseToken};
use image::{Rgb, RgbImage};
use model::analysis::{AnalysisSettings, AnalyzeError, analyze};
use model::data::folder::Split;
use model::device::DeviceChoice;
use model::encoder::named;
use model::eval::{EvalSettings, ThresholdRule, evaluate};
use model::registry::find;
use model::train::{StopReason, TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob};
use slide::Slide;

use crate::toy::{
    SIDE, TINY, TRAINED, analyze_image, labelled_folder, model, picture, train, train_with,
};

#[test]
fn a_finished_run_is_a_whole_folder() {
    for file in [
        "config.json",
        "split.json",
        "validation.json",
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
    let first = events.iter().find(|it| !matches!(it, TrainEvent::Warning { .. }));
    assert!(matches!(first, Some(TrainEvent::Started { n_train: 16, n_val: 8, .. })));
    let finished = TrainEvent::Stopped { reason: StopReason::Finished };
    let last_words = events.iter().rev().take_while(|it| **it != finished).count();
    assert!((1..=2).contains(&last_words), "how it was calibrated, or why not: {events:?}");
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
fn an_encoder_of_another_scale_is_warned_of() {
    let mut config = TrainConfig::from_json(TINY).unwrap();
    config.epochs = 1;
    config = config.described_by(&named("wise-mae-ebhi").unwrap());
    let run_dir = &TRAINED.folder.path().join("another-scale");
    let (folder, device) = (TRAINED.folder.path(), DeviceChoice::Cpu);
    let job =
        TrainJob { folder, run_dir, config: Some(config), device, resume: false, watched: None };
    let cancel = &CancelToken::default();
    let control = TrainControl { progress: &(), cancel, pause: &PauseToken::default() };
    let mut warnings = Vec::new();
    let mut keep = |event: &TrainEvent| {
        if let TrainEvent::Warning { text } = event {
            warnings.push(text.clone());
        }
    };
    model::train::train(&job, &mut keep, control).unwrap();
    let doubt = "wise-mae-ebhi was shown tissue 8 to 16 µm across, patches are 4 µm";
    assert!(warnings.iter().any(|it| it.starts_with(doubt)), "{warnings:?}");
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
fn weights_or_an_encoder_that_are_not_the_manifests_are_refused_in_one_line() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["manifest.json", "config.json", "weights.safetensors"] {
        std::fs::copy(TRAINED.report.model_dir.join(file), copy.path().join(file)).unwrap();
    }
    let slide = Slide::open(&TRAINED.folder.path().join("images/00.png")).unwrap();
    let refusal = || {
        let entry = find(copy.path().to_str().unwrap()).unwrap();
        let settings = AnalysisSettings::default();
        analyze(&slide, &entry, &settings, &(), &CancelToken::default()).unwrap_err().to_string()
    };
    let manifest = copy.path().join("manifest.json");
    let own = std::fs::read_to_string(&manifest).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&own).unwrap();
    other["encoder_sha256"] = "ab".repeat(32).into();
    std::fs::write(&manifest, other.to_string()).unwrap();
    let error = refusal();
    assert!(error.contains("other weights of the encoder resnet50-in1k-layer3"), "{error}");
    std::fs::write(&manifest, own).unwrap();

    let weights = copy.path().join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = refusal();
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
    assert_eq!(problems[0], "no image can be used");
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(
        !dir.path().join("run").exists(),
        "nothing is written for a folder that cannot be used"
    );
}
