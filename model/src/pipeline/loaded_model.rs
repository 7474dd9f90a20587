//! A model folder in memory: encoder, network and feature statistics, ready to run.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::feature_space::FeatureSpace;
use super::slide_run::Describer;
use crate::cam::MapKind;
use crate::cam::faithfulness::faithfulness;
use crate::cam::grad_cam::normalize_cam;
use crate::camseg::refiner::Refiner;
use crate::device::OpenDevice;
use crate::encoder::{self, Encoder};
use crate::fmamil::Grid;
use crate::mil::{self, Bags, Calibration, Judgement, MilNetwork};
use crate::registry::weights::{self, one_line};
use crate::registry::{ModelConfig, ModelEntry};

/// Bags that pass through the network at once.
pub(crate) const BATCH: usize = 32;

/// Everything that a run needs.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) config: ModelConfig,
    pub(crate) encoder: Arc<dyn Encoder>,
    pub(crate) network: Box<dyn MilNetwork>,
    pub(crate) space: FeatureSpace,
    /// How probabilities of the network are to be read.
    pub(crate) calibration: Option<Calibration>,
    pub(crate) device: OpenDevice,
    /// Stage 2, where the folder has one.
    pub(crate) refiner: Option<Refiner>,
    /// Maps that are drawn beside the model's own, as far as its network has them.
    pub(crate) further_maps: Vec<MapKind>,
}

/// What the network says about one bag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BagOutput {
    /// Of the positive class, calibrated if the [`NetworkReader`] is.
    pub(crate) probability: f32,
    /// The map per patch, `0.0..=1.0`, row-major, not gated by the prediction (MODELS 6.3).
    pub(crate) cam: Vec<f32>,
}

/// Another reading of the network over several bags, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FurtherMap {
    pub(crate) kind: MapKind,
    /// As [`BagOutput::cam`].
    pub(crate) windows: Vec<Vec<f32>>,
}

/// Bags of one grid, scaled features.
#[derive(Clone, Debug)]
pub(crate) struct BagBatch {
    pub(crate) grid: Grid,
    /// `[n, P, F]`.
    pub(crate) features: Vec<f32>,
    /// `[n, P]`.
    pub(crate) is_real: Vec<bool>,
}

impl BagBatch {
    pub(crate) fn empty(grid: Grid) -> Self {
        Self { grid, features: Vec::new(), is_real: Vec::new() }
    }

    /// Bags in it.
    pub(crate) fn len(&self) -> usize {
        self.is_real.len() / self.grid.patches().max(1)
    }

    /// Adds a bag of the same grid.
    pub(crate) fn push(&mut self, features: &[f32], is_real: &[bool]) {
        self.features.extend_from_slice(features);
        self.is_real.extend_from_slice(is_real);
    }

    /// Those bags of it alone.
    pub(crate) fn part(&self, bags: std::ops::Range<usize>) -> Self {
        let patches = self.grid.patches();
        let values = self.features.len() / self.len().max(1);
        Self {
            grid: self.grid,
            features: self.features[bags.start * values..bags.end * values].to_vec(),
            is_real: self.is_real[bags.start * patches..bags.end * patches].to_vec(),
        }
    }

    /// Features `[n, P, F]` and mask `[n, P]`.
    pub(crate) fn tensors(&self, device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        let (n, patches) = (self.len(), self.grid.patches());
        let dim = self.features.len() / (n * patches).max(1);
        let mask: Vec<f32> = self.is_real.iter().map(|it| f32::from(u8::from(*it))).collect();
        Ok((
            Tensor::from_slice(&self.features, (n, patches, dim), device)?,
            Tensor::from_vec(mask, (n, patches), device)?,
        ))
    }
}

impl LoadedModel {
    /// Reads config, weights and encoder of a model folder; `map` replaces the model's own. The error is one line.
    pub(crate) fn open(
        entry: &ModelEntry,
        device: OpenDevice,
        map: Option<MapKind>,
    ) -> Result<Self, String> {
        let mut config = entry.config().map_err(|error| error.to_string())?;
        if let Some(map) = map {
            config.network.draw(map)?;
        }
        let encoder = encoder::load(&config.encoder.name).map_err(|error| error.to_string())?;
        if encoder.feature_dim() != config.network.feature_dim() {
            return Err(format!(
                "the network expects {} values per patch, the encoder {} gives {}",
                config.network.feature_dim(),
                encoder.name(),
                encoder.feature_dim()
            ));
        }
        entry.manifest.check_encoder(encoder.as_ref())?;
        let path = entry.dir.join("weights.safetensors");
        let mut tensors = weights::read(&path, Some(&entry.manifest.weights_sha256))
            .map_err(|error| error.to_string())?;
        let space = FeatureSpace::take(&mut tensors, config.network.feature_dim())
            .map_err(|error| error.to_string())?;
        let expected =
            mil::initial_weights(&config.network, 0).map_err(|error| one_line(&error))?;
        weights::check_strict(&expected, &tensors).map_err(|error| error.to_string())?;
        let network = mil::build(&config.network, tensors, &device.device)
            .map_err(|error| one_line(&error))?;
        let refiner = Refiner::open(&entry.dir, &device.device)?;
        let calibration = entry.manifest.calibration;
        let further_maps = Vec::new();
        Ok(Self { config, encoder, network, space, calibration, device, refiner, further_maps })
    }

    /// Runs the network on a batch of bags.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn forward(&self, batch: &BagBatch) -> candle_core::Result<Vec<BagOutput>> {
        self.reader().outputs(self.network.as_ref(), batch)
    }

    /// Makes of patches what the model's network knows.
    pub(crate) fn describer(&self) -> Describer<'_> {
        Describer { encoder: self.encoder.as_ref(), config: &self.config, space: &self.space }
    }

    /// Reads the model's network and variants of it.
    pub(crate) fn reader(&self) -> NetworkReader<'_> {
        NetworkReader { device: &self.device.device, calibration: self.calibration }
    }

    /// The further maps of each bag of a batch, as [`BagOutput::cam`].
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn further(&self, batch: &BagBatch) -> candle_core::Result<Vec<FurtherMap>> {
        if self.further_maps.is_empty() {
            return Ok(Vec::new());
        }
        let (features, mask) = batch.tensors(&self.device.device)?;
        let bags = Bags { features: &features, mask: &mask, grid: batch.grid };
        let maps = self.network.further_maps(bags, &self.further_maps)?;
        maps.into_iter()
            .map(|(kind, raw)| Ok(FurtherMap { kind, windows: normalized(&raw, batch)? }))
            .collect()
    }
}

/// Each bag's map, normalized.
fn normalized(raw: &Tensor, batch: &BagBatch) -> candle_core::Result<Vec<Vec<f32>>> {
    let raw: Vec<Vec<f32>> = raw.to_vec2()?; // [n, P]
    let masks = batch.is_real.chunks_exact(batch.grid.patches());
    Ok(raw.iter().zip(masks).map(|(raw, mask)| normalize_cam(raw, mask)).collect())
}

/// Reads what networks say about bags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkReader<'a> {
    pub(crate) device: &'a Device,
    /// Without it probabilities are the network's own.
    pub(crate) calibration: Option<Calibration>,
}

impl NetworkReader<'_> {
    /// Probability and map of each bag of a batch.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn outputs(
        self,
        network: &dyn MilNetwork,
        batch: &BagBatch,
    ) -> candle_core::Result<Vec<BagOutput>> {
        let (features, mask) = batch.tensors(self.device)?;
        let bags = Bags { features: &features, mask: &mask, grid: batch.grid };
        let Judgement { probabilities, map } = network.judge(bags)?;
        let positive: Vec<f32> = probabilities.narrow(1, 1, 1)?.flatten_all()?.to_vec1()?;
        let meant = |p| self.calibration.map_or(p, |calibration| calibration.apply(p));
        let output = |(cam, p)| BagOutput { probability: meant(p), cam };
        Ok(normalized(&map, batch)?.into_iter().zip(positive).map(output).collect())
    }
}

/// Probability of the positive class, as the network itself gives it, when only the patches where the map exceeds one half keep their features and
/// all others become `negative_patch`, scaled (MODELS 6.6).
///
/// # Errors
/// If the device fails.
pub(crate) fn kept_probabilities(
    network: &dyn MilNetwork,
    batch: &BagBatch,
    outputs: &[BagOutput],
    negative_patch: &[f32],
    device: &Device,
) -> candle_core::Result<Vec<f32>> {
    let (features, mask) = batch.tensors(device)?;
    let cam: Vec<f32> = outputs.iter().flat_map(|it| it.cam.iter().copied()).collect();
    let cam = Tensor::from_vec(cam, (batch.len(), batch.grid.patches()), device)?;
    let fill = Tensor::new(negative_patch, device)?;
    let bags = Bags { features: &features, mask: &mask, grid: batch.grid };
    Ok(faithfulness(network, bags, &cam, &fill, 0.5)?.kept)
}
