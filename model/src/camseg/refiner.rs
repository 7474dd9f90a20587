//! The trained network of stage 2 in a model folder: `refiner.json` and `refiner.safetensors` beside stage 1.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CamsegConfig;
use super::learner::normalized;
use super::network::{self, Answer, NetworkConfig, SegmentationNetwork, SideScale, variables};
use crate::bag::feature_store::hex;
use crate::registry::weights::{self, one_line};
use crate::registry::{Manifest, ModelEntry, Provenance};
use crate::train::course::Outcome;
use crate::train::run_folder::{RunFolder, write_file, write_json};
use crate::train::{StopReason, TrainError, TrainReport};

/// The description of a refiner in a model folder.
pub(crate) const DESCRIPTION: &str = "refiner.json";
const WEIGHTS: &str = "refiner.safetensors";
/// Files of stage 1 that a refined model folder takes over as they are.
const OF_STAGE_1: [&str; 2] = ["config.json", "weights.safetensors"];

/// What a refiner says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefinerDescription {
    /// The network.
    pub network: NetworkConfig,
    /// Model px of stage 1 per network px.
    pub pixel_ratio: f64,
    /// Whether it looks only where stage 1 responds.
    pub is_gated: bool,
    /// The *t* to cut its probabilities at.
    pub recommended_threshold: f32,
    /// SHA-256 of the weights, lower-case hex.
    pub weights_sha256: String,
    /// Figures of its training by name.
    pub metrics: BTreeMap<String, f64>,
}

impl RefinerDescription {
    /// Reads the description of the refiner in a model folder; `None` without one. The error is one line.
    ///
    /// # Errors
    /// If it is damaged or out of range.
    pub fn read(dir: &Path) -> Result<Option<Self>, String> {
        let path = dir.join(DESCRIPTION);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let found: Self =
            serde_json::from_str(&text).map_err(|error| format!("{DESCRIPTION}: {error}"))?;
        if let Some(problem) = found.network.problem() {
            return Err(problem);
        }
        let is_in_range = (0.1..=64.0).contains(&found.pixel_ratio)
            && (0.0..=1.0).contains(&found.recommended_threshold);
        if is_in_range { Ok(Some(found)) } else { Err(format!("{DESCRIPTION} is out of range")) }
    }
}

/// A refiner in memory.
#[derive(Debug)]
pub(crate) struct Refiner {
    pub(crate) description: RefinerDescription,
    network: Box<dyn SegmentationNetwork>,
    device: Device,
}

impl Refiner {
    /// Reads the refiner of a model folder; `None` without one. The error is one line.
    pub(crate) fn open(dir: &Path, device: &Device) -> Result<Option<Self>, String> {
        let Some(description) = RefinerDescription::read(dir)? else { return Ok(None) };
        let tensors = weights::read(&dir.join(WEIGHTS), Some(&description.weights_sha256))
            .map_err(|error| error.to_string())?;
        let expected = description.network.first_weights(0).map_err(|error| one_line(&error))?;
        weights::check_strict(&expected, &tensors).map_err(|error| error.to_string())?;
        let build = || {
            let moved: candle_core::Result<weights::Tensors> =
                tensors.into_iter().map(|(name, it)| Ok((name, it.to_device(device)?))).collect();
            description.network.build(&variables(&moved?)?)
        };
        let network = build().map_err(|error| one_line(&error))?;
        Ok(Some(Self { network, description, device: device.clone() }))
    }

    /// What an RGB image of `rows` x `columns` shows.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn probabilities(
        &self,
        rgb: &[u8],
        rows: usize,
        columns: usize,
    ) -> candle_core::Result<Probabilities> {
        let pixels: Vec<f32> = normalized(rgb).collect();
        let images = Tensor::from_vec(pixels, (1, rows, columns, 3), &self.device)?;
        let Answer { logits, sides } = self.network.apply(&images)?;
        let per_pixel = |logits: &Tensor| candle_nn::ops::sigmoid(logits)?.flatten_all()?.to_vec1();
        let side = |it: &network::Side| {
            let weight = f64::from(it.weight.get(0)?.to_scalar::<f32>()?);
            Ok(Side { scale: it.scale, weight, probabilities: per_pixel(&it.logits)? })
        };
        let sides = sides.iter().map(side).collect::<candle_core::Result<_>>()?;
        Ok(Probabilities { mask: per_pixel(&logits)?, sides })
    }
}

/// Lesion probabilities of the pixels of an image, row by row.
#[derive(Debug)]
pub(crate) struct Probabilities {
    pub(crate) mask: Vec<f32>,
    /// By the network's side masks, the coarsest first.
    pub(crate) sides: Vec<Side>,
}

/// What a side mask says.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) scale: SideScale,
    /// What it counts on this image, `0.0..=1.0`.
    pub(crate) weight: f64,
    pub(crate) probabilities: Vec<f32>,
}

/// Writes `model/` of the run: stage 1 as it was, and the refiner.
pub(super) fn promote(
    run: &RunFolder,
    (config, pixel_ratio): (&CamsegConfig, f64),
    stage_1: &ModelEntry,
    outcome: Outcome,
    provenance: Provenance,
) -> Result<TrainReport, TrainError> {
    let dir = run.model_dir();
    let write_error = |error: &dyn std::fmt::Display| TrainError::Write(one_line(error));
    std::fs::create_dir_all(&dir).map_err(|error| write_error(&error))?;
    for file in OF_STAGE_1 {
        let bytes = std::fs::read(stage_1.dir.join(file)).map_err(|error| write_error(&error))?;
        write_file(&dir.join(file), &bytes)?;
    }
    let bytes = weights::to_bytes(&run.best()?).map_err(|error| write_error(&error))?;
    write_file(&dir.join(WEIGHTS), &bytes)?;
    let description = RefinerDescription {
        network: config.network.clone(),
        pixel_ratio,
        is_gated: config.is_gated,
        recommended_threshold: config.recommended_threshold,
        weights_sha256: hex(&Sha256::digest(&bytes)),
        metrics: outcome.figures.clone(),
    };
    write_json(&dir.join(DESCRIPTION), &description)?;
    let report = TrainReport {
        best_attempt: 1,
        best_epoch: outcome.n_epochs,
        n_epochs: outcome.n_epochs,
        stopped: StopReason::Finished,
        metrics: outcome.figures,
        model_dir: dir.clone(),
    };
    write_json(&dir.join("report.json"), &report)?;
    // The manifest comes last: a folder without one is no model.
    let manifest = &stage_1.manifest;
    let manifest = Manifest {
        name: format!("{}-refined", manifest.name),
        title: format!("{}, refined", manifest.title),
        provenance: Some(provenance),
        ..manifest.clone()
    };
    write_json(&dir.join("manifest.json"), &manifest)?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> RefinerDescription {
        RefinerDescription {
            network: NetworkConfig::Unet { base: 4 },
            pixel_ratio: 1.0,
            is_gated: true,
            recommended_threshold: 0.5,
            weights_sha256: "0".repeat(64),
            metrics: BTreeMap::new(),
        }
    }

    #[test]
    fn a_folder_without_a_refiner_has_none_and_a_damaged_one_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(RefinerDescription::read(dir.path()), Ok(None));
        write_json(&dir.path().join(DESCRIPTION), &description()).unwrap();
        assert_eq!(RefinerDescription::read(dir.path()), Ok(Some(description())));
        assert!(Refiner::open(dir.path(), &Device::Cpu).is_err(), "its weights are missing");
        let outside = RefinerDescription { pixel_ratio: 0.0, ..description() };
        write_json(&dir.path().join(DESCRIPTION), &outside).unwrap();
        assert!(RefinerDescription::read(dir.path()).unwrap_err().contains("out of range"));
    }

    #[test]
    fn weights_that_are_not_the_descriptions_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tensors = NetworkConfig::Unet { base: 4 }.first_weights(1).unwrap();
        let bytes = weights::to_bytes(&tensors).unwrap();
        write_file(&dir.path().join(WEIGHTS), &bytes).unwrap();
        write_json(&dir.path().join(DESCRIPTION), &description()).unwrap();
        let error = Refiner::open(dir.path(), &Device::Cpu).unwrap_err();
        assert!(error.contains("SHA-256"), "{error}");
        let right =
            RefinerDescription { weights_sha256: hex(&Sha256::digest(&bytes)), ..description() };
        write_json(&dir.path().join(DESCRIPTION), &right).unwrap();
        let refiner = Refiner::open(dir.path(), &Device::Cpu).unwrap().unwrap();
        let found = refiner.probabilities(&[120; 3 * 20 * 17], 20, 17).unwrap();
        assert!(found.sides.is_empty());
        let p = found.mask;
        assert!(p.len() == 340 && p.iter().all(|it| (0.0..=1.0).contains(it)));
    }
}
