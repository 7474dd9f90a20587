//! A trained network becomes a model folder, and its run is finished.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::run_folder::{RunFolder, write_file, write_json};
use super::trainer::Outcome;
use super::{TrainConfig, TrainError, TrainReport, write_error};
use crate::bag::feature_store::hex;
use crate::encoder::Encoder;
use crate::pipeline::feature_space::FeatureSpace;
use crate::registry::weights::{self, one_line};
use crate::registry::{MANIFEST_SCHEMA, Manifest, Provenance};

/// Writes `model/` of the run from its best weights.
pub(super) fn promote(
    run: &RunFolder,
    config: &TrainConfig,
    (encoder, space): (&dyn Encoder, &FeatureSpace),
    outcome: &Outcome,
    provenance: Provenance,
) -> Result<TrainReport, TrainError> {
    let dir = run.model_dir();
    std::fs::create_dir_all(&dir).map_err(|error| write_error(&error))?;
    let mut tensors = run.best()?;
    tensors.append(&mut space.to_tensors().map_err(|error| TrainError::Compute(one_line(&error)))?);
    let bytes = weights::to_bytes(&tensors).map_err(|error| write_error(&error))?;
    let report = report(outcome, dir.clone());
    write_file(&dir.join("weights.safetensors"), &bytes)?;
    write_json(&dir.join("config.json"), &config.model)?;
    write_json(&dir.join("report.json"), &report)?;
    // The manifest comes last: a folder without one is no model.
    let manifest = Manifest {
        provenance: Some(provenance),
        encoder_sha256: Some(encoder.weights_sha256().to_owned()),
        ..manifest(config, &hex(&Sha256::digest(&bytes)), &report.metrics)
    };
    write_json(&dir.join("manifest.json"), &manifest)?;
    Ok(report)
}

fn report(outcome: &Outcome, model_dir: PathBuf) -> TrainReport {
    TrainReport {
        best_attempt: outcome.best.attempt,
        best_epoch: outcome.best.epoch,
        n_epochs: outcome.n_epochs,
        stopped: outcome.stopped,
        metrics: outcome
            .best
            .scores
            .named()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        model_dir,
    }
}

fn manifest(config: &TrainConfig, sha256: &str, metrics: &BTreeMap<String, f64>) -> Manifest {
    let description = config.description.clone();
    let encoder = &config.model.encoder;
    Manifest {
        schema: MANIFEST_SCHEMA,
        name: description.name,
        title: description.title,
        architecture: config.model.network.architecture().to_owned(),
        trained_on: description.trained_on,
        licence: description.licence,
        recommended_threshold: description.recommended_threshold,
        threshold_note: description.threshold_note,
        calibration: None,
        mpp: config.model.bag.mpp,
        encoder: format!("{} at {} px", encoder.name, encoder.input_px),
        encoder_sha256: None,
        weights_sha256: sha256.to_owned(),
        metrics: metrics.clone(),
        note: String::new(),
        provenance: None,
    }
}
