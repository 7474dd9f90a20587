//! The report of a run: its model on the validation images, image by image.

use domain::progress::{CancelToken, PauseToken, Progress};
use model::device::DeviceChoice;
use model::eval::{
    CompareJob, EvalSettings, Measurement, Metric, Rows, ThresholdRule, compare, evaluate,
};
use model::registry::ModelEntry;
use model::train::{TrainConfig, TrainControl, TrainError, TrainJob, WrittenRun, validation_files};

use crate::toy::{N_IMAGES, TINY, TRAINED, labelled_folder, model, train_with};

fn validation() -> Measurement {
    WrittenRun::read(&TRAINED.run).unwrap().validation.unwrap()
}

#[test]
fn a_finished_run_holds_its_figures_image_by_image() {
    let measured = validation();
    assert_eq!((measured.split.as_str(), measured.images.len() as u32), ("val", N_IMAGES / 3));
    assert_eq!(measured.folder, TRAINED.folder.path());
    let auc = measured.figure(Metric::Auc).unwrap();
    let metrics = &TRAINED.report.metrics;
    assert!((auc.value - metrics["val_auc"]).abs() < 1e-9, "small images are one window each");
    let [low, high] = auc.interval.unwrap();
    assert!(low <= auc.value && auc.value <= high);
    assert_eq!(measured.roc().last().unwrap().sensitivity, 1.0);
}

#[test]
fn masks_beside_the_images_give_pixels_and_a_t() {
    let measured = validation();
    assert_eq!(measured.thresholds.len(), 101);
    let best = measured.recommended_threshold().unwrap();
    assert_eq!((best.rule, best.threshold), (ThresholdRule::Miou, measured.threshold));
    let miou = measured.figure(Metric::Miou).unwrap().value;
    assert!((miou - best.pooled.unwrap().miou).abs() < 1e-12);
    let highest = measured.thresholds.iter().map(|it| it.pooled.miou).fold(0.0, f64::max);
    assert_eq!(miou, highest);
    assert_eq!(measured.least_overlap().len(), 4, "every positive image has a mask");
}

#[test]
fn an_evaluation_says_the_same_of_every_image() {
    let settings = EvalSettings { without_baselines: true, ..EvalSettings::default() };
    let folder = TRAINED.folder.path();
    let report = evaluate(folder, None, &model(), &settings, &(), &CancelToken::default()).unwrap();
    let measured = validation();
    assert_eq!(report.images.len(), measured.images.len());
    for (one, other) in report.images.iter().zip(&measured.images) {
        assert_eq!((&one.file, one.probability), (&other.file, other.probability));
        assert_eq!(one.pixels, None, "no masks were named");
    }
}

#[test]
fn without_masks_the_maps_alone_propose_a_t() {
    let folder = labelled_folder();
    std::fs::remove_dir_all(folder.path().join("masks")).unwrap();
    let run = folder.path().join("run");
    crate::toy::train(folder.path(), &run, &CancelToken::default(), &mut |_| {}).unwrap();
    let measured = WrittenRun::read(&run).unwrap().validation.unwrap();
    assert!(measured.thresholds.is_empty() && measured.figure(Metric::Miou).is_none());
    let rules: Vec<ThresholdRule> =
        measured.suggested_thresholds.iter().map(|it| it.rule).collect();
    assert!(rules.iter().all(|rule| *rule == ThresholdRule::Otsu), "{rules:?}");
}

#[test]
fn two_models_are_compared_on_the_images_that_validated_a_run() {
    let files = validation_files(&TRAINED.run).unwrap();
    let config = r#"{ "seed": 5, "epochs": 1 }"#;
    let config = TrainConfig::from_json(TINY)
        .and_then(|it| it.changed(serde_json::from_str(config)?))
        .unwrap();
    let (folder, run) = (TRAINED.folder.path(), TRAINED.folder.path().join("rival"));
    let job = TrainJob {
        folder,
        run_dir: &run,
        config: Some(config),
        device: DeviceChoice::Cpu,
        resume: false,
        watched: None,
    };
    let cancel = CancelToken::default();
    let control = TrainControl { progress: &(), cancel: &cancel, pause: &PauseToken::default() };
    let report = model::train::train(&job, &mut |_| {}, control).unwrap();
    let rival = ModelEntry::open(&report.model_dir).unwrap();
    let job = CompareJob {
        folder,
        masks: None,
        models: [&model(), &rival],
        rows: Rows::Files(files),
        device: DeviceChoice::Cpu,
        feature_cache: None,
    };
    let found = compare(&job, &(), &cancel).unwrap();
    let measured = validation();
    let p = |it: &Measurement| it.images.iter().map(|it| it.probability).collect::<Vec<f64>>();
    assert_eq!(p(&found.first), p(&measured));
    assert_eq!(found.first.threshold, 0.3, "at the model's own t");
    assert_eq!(found.second.model.weights_sha256, rival.manifest.weights_sha256);
    let auc = found.differences.iter().find(|it| it.first.metric == Metric::Auc).unwrap();
    assert!((auc.second.value - report.metrics["val_auc"]).abs() < 1e-9);
    assert_eq!(found.differences.len(), Metric::ALL.len(), "the folder has masks");
    let strangers = Rows::Files(["nobody.png".to_owned()].into());
    let error = compare(&CompareJob { rows: strangers, ..job }, &(), &cancel).unwrap_err();
    assert!(error.to_string().contains("none of the run's validation images"), "{error}");
}

/// Cancels as soon as the model is measured.
struct CancelsTheMeasuring(CancelToken);

impl Progress for CancelsTheMeasuring {
    fn stage(&self, name: &'static str) {
        if name == "Measuring the model" {
            self.0.cancel();
        }
    }

    fn report(&self, _done: u64, _total: u64) {}
}

#[test]
fn a_run_that_is_stopped_while_it_is_measured_goes_on_to_the_same_end() {
    let (folder, run) = (TRAINED.folder.path(), TRAINED.folder.path().join("unmeasured"));
    let cancel = CancelToken::default();
    let job = TrainJob {
        folder,
        run_dir: &run,
        config: Some(TrainConfig::from_json(TINY).unwrap()),
        device: DeviceChoice::Cpu,
        resume: false,
        watched: None,
    };
    let progress = CancelsTheMeasuring(cancel.clone());
    let control =
        TrainControl { progress: &progress, cancel: &cancel, pause: &PauseToken::default() };
    let broken = model::train::train(&job, &mut |_| {}, control);
    assert!(matches!(broken, Err(TrainError::Cancelled(_))), "{broken:?}");
    assert!(WrittenRun::read(&run).unwrap().report.is_none());
    let report = train_with(folder, &run, true, &CancelToken::default(), &mut |_| {}).unwrap();
    assert_eq!(report.metrics, TRAINED.report.metrics);
    let written = WrittenRun::read(&run).unwrap();
    let whole = WrittenRun::read(&TRAINED.run).unwrap();
    assert_eq!(written.validation, whole.validation);
    let told = |run: WrittenRun| {
        let is_told =
            |it: &model::train::TrainEvent| !matches!(it, model::train::TrainEvent::Resumed { .. });
        run.events.into_iter().filter(is_told).collect::<Vec<_>>()
    };
    assert_eq!(told(written), told(whole));
}

#[test]
fn a_model_says_what_it_was_trained_from() {
    let provenance = model().manifest.provenance.unwrap();
    assert_eq!((provenance.images.train, provenance.images.val), ([8, 8], [4, 4]));
    assert_eq!((provenance.data.len(), provenance.start_from.as_deref()), (64, None));
    assert_eq!(provenance.settings["epochs"], 3);
    assert!(provenance.date.ends_with(" UTC"), "{}", provenance.date);
}
