//! Every number of a training of stage 2, saved as `config.json` in the run folder.

use serde::{Deserialize, Serialize};

use super::label::Refinement;
use super::network::NetworkConfig;
use super::optimizer::{OptimizerConfig, named_or_sgd};
use super::unet::ALIGNMENT;
use crate::bag::BagConfig;
use crate::data::folder::FolderUse;
use crate::loss::camseg::{CamsegLossConfig, Stage};
use crate::train::merge;

/// Everything that decides a training besides the data and stage 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CamsegConfig {
    /// The segmentation network.
    pub network: NetworkConfig,
    /// Longest side of a training tile in network px, a multiple of 16.
    pub tile_px: usize,
    /// Model px of stage 1 per network px; without it, as many as bring a window of stage 1 to `tile_px`, at least 1.
    pub pixel_ratio: Option<f64>,
    /// The heatmap's value that counts as one half: the *t* at which a heatmap becomes a pseudo-mask.
    pub pseudo_threshold: f32,
    /// Seed of initial weights, split, order and augmentation.
    pub seed: u64,
    /// Passes over the training tiles.
    pub epochs: usize,
    /// How many of them learn from the heatmaps as they are, before labels are refined.
    pub early_epochs: usize,
    /// Tiles in a step.
    pub batch: usize,
    /// The optimizer.
    #[serde(deserialize_with = "named_or_sgd")]
    pub optimizer: OptimizerConfig,
    /// The loss.
    pub loss: CamsegLossConfig,
    /// Whether tiles and labels are mirrored and turned, together.
    pub orient: bool,
    /// Epochs between two looks at the validation tiles.
    pub validate_every: usize,
    /// Whether the finished refiner looks only where stage 1 responds.
    pub is_gated: bool,
    /// The *t* that the finished refiner recommends.
    pub recommended_threshold: f32,
    /// Whether features of stage 1 are kept on disk for the next training.
    pub cache_features: bool,
    /// How the labelled folder is used.
    #[serde(default)]
    pub folder: FolderUse,
}

impl CamsegConfig {
    /// The paper's schedule on tiles that a CPU can learn from.
    pub fn paper() -> Self {
        let network = NetworkConfig::Unet { base: 16 };
        Self {
            optimizer: OptimizerConfig::of(&network),
            network,
            tile_px: 256,
            pixel_ratio: None,
            pseudo_threshold: 0.5,
            seed: 0,
            epochs: 150,
            early_epochs: 20,
            batch: 8,
            loss: CamsegLossConfig::paper(),
            orient: true,
            validate_every: 10,
            is_gated: true,
            recommended_threshold: 0.5,
            cache_features: true,
            folder: FolderUse::default(),
        }
    }

    /// Reads a JSON object whose fields replace those of [`Self::paper`], at any depth.
    ///
    /// # Errors
    /// If it is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        Self::paper().changed(serde_json::from_str(text)?)
    }

    /// These settings with the fields that `patch` names, at any depth, replaced. Another network comes with its usual
    /// size and optimizer, another optimizer with its usual constants.
    ///
    /// # Errors
    /// If `patch` is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn changed(&self, patch: serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut merged = serde_json::to_value(self)?;
        if let Some(word) = patch.pointer("/network/kind").and_then(|it| it.as_str())
            && let Some(network) = NetworkConfig::of_kind(word)
            && self.network.is_other(word)
        {
            merged["optimizer"] = serde_json::to_value(OptimizerConfig::of(&network))?;
            merged["network"] = serde_json::to_value(network)?;
        }
        if let Some(word) = patch.pointer("/optimizer/kind").and_then(|it| it.as_str())
            && let Some(optimizer) = OptimizerConfig::of_kind(word)
            && merged["optimizer"]["kind"] != word
        {
            merged["optimizer"] = serde_json::to_value(optimizer)?;
        }
        merge(&mut merged, patch);
        serde_json::from_value(merged)
    }

    /// The stage of an epoch, counted from 1.
    pub(crate) fn stage(&self, epoch: usize) -> Stage {
        if epoch <= self.early_epochs { Stage::Early } else { Stage::Late }
    }

    /// Model px per network px for a stage 1 with such bags.
    pub(crate) fn ratio(&self, bag: &BagConfig) -> f64 {
        let steps = bag.step_px() * bag.window_patches.saturating_sub(1);
        let window_px = f64::from(steps + bag.patch_px);
        self.pixel_ratio.unwrap_or_else(|| (window_px / self.tile_px as f64).max(1.0))
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let loss = &self.loss;
        let (above, beta) = match loss.refinement {
            Refinement::Confidence { above } | Refinement::Literal { above } => (above, 0.0),
            Refinement::Bootstrap { above, beta } => (above, beta),
            Refinement::Off => (0.0, 0.0),
        };
        let shares = [
            ("alpha", loss.alpha),
            ("mask_threshold", loss.mask_threshold),
            ("consistency_threshold", loss.consistency_threshold),
            ("refinement.above", above),
            ("refinement.beta", beta),
            ("recommended_threshold", f64::from(self.recommended_threshold)),
            ("folder.val_share", self.folder.val_share),
        ];
        let outside = shares.iter().find(|(_, value)| !(0.0..=1.0).contains(value));
        if let Some((name, value)) = outside {
            return Some(format!("{name} must lie in 0 to 1, found {value}"));
        }
        if !(0.01..=0.99).contains(&self.pseudo_threshold) {
            let found = self.pseudo_threshold;
            return Some(format!("pseudo_threshold must lie in 0.01 to 0.99, found {found}"));
        }
        let counts = [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("validate_every", self.validate_every),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("{name} must be at least 1, found 0"));
        }
        if !self.tile_px.is_multiple_of(ALIGNMENT) || !(32..=2048).contains(&self.tile_px) {
            let found = self.tile_px;
            return Some(format!("tile_px must be a multiple of 16 in 32 to 2048, found {found}"));
        }
        if loss.structure_window.is_multiple_of(2) {
            return Some(format!("structure_window must be odd, found {}", loss.structure_window));
        }
        if self.pixel_ratio.is_some_and(|it| !(0.1..=64.0).contains(&it)) {
            return Some("pixel_ratio must lie in 0.1 to 64".to_owned());
        }
        self.network.problem().or_else(|| self.optimizer.problem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camseg::sgd::SgdConfig;

    #[test]
    fn the_papers_settings_are_in_range_and_a_file_replaces_what_it_names() {
        assert_eq!(CamsegConfig::paper().problem(), None);
        let text = r#"{ "epochs": 30, "network": { "base": 32 }, "loss": { "alpha_on": "hard" } }"#;
        let config = CamsegConfig::from_json(text).unwrap();
        assert_eq!((config.epochs, config.network), (30, NetworkConfig::Unet { base: 32 }));
        assert_eq!(config.loss.alpha, 0.3);
        assert!(CamsegConfig::from_json(r#"{ "alpha": 1 }"#).is_err());
    }

    #[test]
    fn a_network_comes_with_its_optimizer_unless_another_is_named() {
        let kind = |text: &str| CamsegConfig::from_json(text).unwrap().optimizer.kind();
        assert_eq!(kind(r#"{ "network": { "kind": "unet" } }"#), "sgd");
        assert_eq!(kind(r#"{ "network": { "kind": "vmaml" } }"#), "adamw");
        let text =
            r#"{ "network": { "kind": "vmaml" }, "optimizer": { "kind": "sgd", "rate": 0.1 } }"#;
        let config = CamsegConfig::from_json(text).unwrap();
        let want = SgdConfig { rate: 0.1, ..SgdConfig::paper() };
        assert_eq!(config.optimizer, OptimizerConfig::Sgd(want));
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(CamsegConfig::from_json(&written).unwrap(), config);
        let earlier = written.replace(r#""kind":"sgd","#, "");
        assert_eq!(serde_json::from_str::<CamsegConfig>(&earlier).unwrap(), config);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let problem = |text: &str| CamsegConfig::from_json(text).unwrap().problem().unwrap();
        assert_eq!(problem(r#"{ "loss": { "alpha": 2 } }"#), "alpha must lie in 0 to 1, found 2");
        assert!(problem(r#"{ "tile_px": 100 }"#).contains("multiple of 16"));
        assert!(problem(r#"{ "network": { "base": 1 } }"#).contains("base"));
        assert!(problem(r#"{ "optimizer": { "momentum": 2 } }"#).contains("momentum"));
    }

    #[test]
    fn large_windows_are_reduced_to_the_tile_and_small_ones_kept() {
        let bag =
            |patch_px, window_patches| BagConfig { window_patches, ..BagConfig::of(patch_px) };
        let config = CamsegConfig::paper();
        assert_eq!(config.ratio(&bag(32, 7)), 1.0);
        assert_eq!(config.ratio(&bag(64, 8)), 2.0);
    }

    #[test]
    fn labels_are_refined_after_the_early_epochs() {
        let config = CamsegConfig::paper();
        assert_eq!((config.stage(20), config.stage(21)), (Stage::Early, Stage::Late));
    }
}
