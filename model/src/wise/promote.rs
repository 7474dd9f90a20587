//! A finished pre-training leaves its encoder: a folder with a manifest and one weights file that describes itself.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::autoencoder::VisionEncoder;
use super::config::PretrainConfig;
use super::crop::{MEAN, STD};
use super::roll::Roll;
use crate::bag::feature_store::hex;
use crate::encoder::own::{EncoderManifest, MANIFEST, SCHEMA, WEIGHTS};
use crate::encoder::vision::ARCHITECTURE;
use crate::registry::weights::{Tensors, one_line, to_described_bytes};
use crate::train::course::Outcome;
use crate::train::run_folder::{REPORT, RunFolder, write_file, write_json};
use crate::train::{StopReason, TrainError, TrainReport, write_error};

/// Writes `model/` of the run from its last weights.
pub(super) fn promote(
    run: &RunFolder,
    config: &PretrainConfig,
    outcome: Outcome,
) -> Result<TrainReport, TrainError> {
    let dir = run.model_dir();
    std::fs::create_dir_all(&dir).map_err(|error| write_error(&error))?;
    let bytes = weights_file(&run.best()?, config)?;
    write_file(&dir.join(WEIGHTS), &bytes)?;
    let report = TrainReport {
        best_attempt: 1,
        best_epoch: outcome.n_epochs,
        n_epochs: outcome.n_epochs,
        stopped: StopReason::Finished,
        metrics: outcome.figures,
        model_dir: dir.clone(),
    };
    write_json(&dir.join("report.json"), &report)?;
    let note = config.description.clone();
    let manifest = EncoderManifest {
        schema: SCHEMA,
        name: note.name,
        title: note.title,
        architecture: ARCHITECTURE.to_owned(),
        trained_on: note.trained_on,
        licence: note.licence,
        mpp: config.tiles.places.mpp,
        input_px: config.network.img as u32,
        feature_dim: config.network.dim,
        seen_um: Some(config.seen_um()),
        weights_sha256: hex(&Sha256::digest(&bytes)),
        metrics: report.metrics.clone(),
    };
    // The manifest comes last: a folder without one is no encoder.
    write_json(&dir.join(MANIFEST), &manifest)?;
    run.write_json(REPORT, &report)?;
    run.forget_state()?;
    Ok(report)
}

/// The encoder's half of the weights, and what is needed to run it.
fn weights_file(all: &Tensors, config: &PretrainConfig) -> Result<Vec<u8>, TrainError> {
    let sizes = config.network.encoder();
    let mut roll = Roll::default();
    VisionEncoder::new(&sizes, &mut roll);
    let names: Vec<String> = roll.shapes().map(|(name, _)| name.to_owned()).collect();
    let sorted = roll.sorted(all).map_err(|error| TrainError::Compute(one_line(&error)))?;
    let own: Tensors = names.into_iter().zip(sorted).collect();
    let words = |text: serde_json::Result<String>| text.map_err(|error| write_error(&error));
    let described = BTreeMap::from([
        ("arch".to_owned(), ARCHITECTURE.to_owned()),
        ("config".to_owned(), words(serde_json::to_string(&sizes))?),
        ("mean".to_owned(), words(serde_json::to_string(&MEAN))?),
        ("std".to_owned(), words(serde_json::to_string(&STD))?),
    ]);
    to_described_bytes(&own, described).map_err(|error| write_error(&error))
}
