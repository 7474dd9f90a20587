//! What a trained model's probabilities mean.

use std::path::Path;

use domain::progress::{CancelToken, PauseToken};
use model::device::DeviceChoice;
use model::registry::{Manifest, find};
use model::train::{TrainConfig, TrainControl, TrainEvent, TrainJob, train};
use serde_json::{Value, json};

use crate::toy::{TINY, TRAINED};

/// Trains longer than the others do, so that images are told apart.
fn trained(run_dir: &Path, calibrate: bool) -> (Manifest, Vec<TrainEvent>) {
    let patch = json!({ "epochs": 10, "calibrate": calibrate, "learning_rate": { "peak": 0.01 } });
    let config = TrainConfig::from_json(TINY).unwrap().changed(patch).unwrap();
    let folder = TRAINED.folder.path();
    let device = DeviceChoice::Cpu;
    let config = Some(config);
    let job = TrainJob { folder, run_dir, config, device, resume: false, watched: None };
    let (cancel, pause) = (CancelToken::default(), PauseToken::default());
    let mut events = Vec::new();
    let control = TrainControl { progress: &(), cancel: &cancel, pause: &pause };
    train(&job, &mut |event| events.push(event.clone()), control).unwrap();
    (find(run_dir.join("model").to_str().unwrap()).unwrap().manifest, events)
}

/// Share of validation images whose probability, as the finished run measured it, is on the side of their label.
fn measured_accuracy(run_dir: &Path) -> f64 {
    let text = std::fs::read_to_string(run_dir.join("validation.json")).unwrap();
    let measured: Value = serde_json::from_str(&text).unwrap();
    let images = measured["images"].as_array().unwrap();
    let is_right = |image: &&Value| {
        (0.5 <= image["probability"].as_f64().unwrap()) == image["is_positive"].as_bool().unwrap()
    };
    images.iter().filter(is_right).count() as f64 / images.len() as f64
}

#[test]
fn a_model_is_calibrated_on_its_validation_images_and_its_network_stays_as_it_is() {
    let runs = tempfile::tempdir().unwrap();
    let [calibrated, plain] = ["calibrated", "plain"].map(|name| runs.path().join(name));
    let (manifest, events) = trained(&calibrated, true);
    let told = events.iter().find_map(|event| match event {
        TrainEvent::Calibrated { n_images, accuracy, accuracy_before } => {
            Some((*n_images, *accuracy, *accuracy_before))
        }
        _ => None,
    });
    let (n_images, accuracy, accuracy_before) = told.unwrap();
    assert_eq!((n_images, manifest.calibration.unwrap().n_images), (8, 8));
    assert_eq!(measured_accuracy(&calibrated), accuracy);

    let (of_plain, events) = trained(&plain, false);
    assert!(!events.iter().any(|it| matches!(it, TrainEvent::Calibrated { .. })));
    assert_eq!(of_plain.calibration, None);
    assert_eq!(of_plain.weights_sha256, manifest.weights_sha256);
    assert_eq!(measured_accuracy(&plain), accuracy_before);
}
