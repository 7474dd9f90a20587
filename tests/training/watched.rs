//! The slide that is looked at after every epoch.

use std::cell::RefCell;
use std::path::Path;

use domain::coords::Level0Px;
use domain::progress::{CancelToken, PauseToken};
use model::analysis::{AnalysisSettings, analyze};
use model::device::DeviceChoice;
use model::registry::{ModelEntry, find};
use model::train::{EpochLook, TrainConfig, TrainControl, TrainEvent, TrainJob, Watched, train};
use slide::Slide;

use crate::toy::{TINY, TRAINED};

/// What is seen of an image in a training that otherwise is [`TRAINED`], and its events.
fn watched(image: &Path, run_dir: &Path) -> (Vec<Result<EpochLook, String>>, Vec<TrainEvent>) {
    let slide = Slide::open(image).unwrap();
    let looks = RefCell::new(Vec::new());
    let tell = |look| looks.borrow_mut().push(look);
    let job = TrainJob {
        folder: TRAINED.folder.path(),
        run_dir,
        config: Some(TrainConfig::from_json(TINY).unwrap()),
        device: DeviceChoice::Cpu,
        resume: false,
        watched: Some(Watched { slide: &slide, around: Level0Px { x: 5.0, y: 5.0 }, tell: &tell }),
    };
    let (cancel, pause) = (CancelToken::default(), PauseToken::default());
    let control = TrainControl { progress: &(), cancel: &cancel, pause: &pause };
    let mut events = Vec::new();
    train(&job, &mut |event| events.push(event.clone()), control).unwrap();
    (looks.into_inner(), events)
}

/// The model of [`TRAINED`] with its network's own probabilities.
fn not_calibrated(into: &Path) -> ModelEntry {
    for file in ["config.json", "weights.safetensors"] {
        std::fs::copy(TRAINED.report.model_dir.join(file), into.join(file)).unwrap();
    }
    let text = std::fs::read_to_string(TRAINED.report.model_dir.join("manifest.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest.as_object_mut().unwrap().remove("calibration");
    std::fs::write(into.join("manifest.json"), manifest.to_string()).unwrap();
    find(into.to_str().unwrap()).unwrap()
}

#[test]
fn a_watched_slide_is_seen_as_the_model_would_see_it_and_changes_nothing_of_the_run() {
    let runs = tempfile::tempdir().unwrap();
    let image = TRAINED.folder.path().join("images/04.png");
    let (looks, events) = watched(&image, &runs.path().join("run"));
    assert_eq!(events, TRAINED.events);
    let looks: Vec<EpochLook> = looks.into_iter().map(Result::unwrap).collect();
    assert_eq!(looks.iter().map(|it| it.epoch).collect::<Vec<_>>(), [1, 2, 3]);
    let best = &looks[TRAINED.report.best_epoch - 1];
    let network = not_calibrated(runs.path());
    let (slide, settings) = (Slide::open(&image).unwrap(), AnalysisSettings::default());
    let analysis = analyze(&slide, &network, &settings, &(), &CancelToken::default()).unwrap();
    assert_eq!(best.probability, analysis.probability);
    assert_eq!(best.heatmap, analysis.heatmap);
}

#[test]
fn a_slide_that_cannot_be_watched_is_said_once_and_the_training_goes_on() {
    let runs = tempfile::tempdir().unwrap();
    let glass = runs.path().join("glass.png");
    image::RgbImage::from_pixel(64, 64, image::Rgb([245, 245, 245])).save(&glass).unwrap();
    let (looks, events) = watched(&glass, &runs.path().join("run"));
    assert_eq!(events, TRAINED.events);
    assert_eq!(looks.len(), 1);
    assert!(looks[0].as_ref().unwrap_err().contains("no tissue"), "{looks:?}");
}
