//! Every number of a training, saved as `config.json` in the run folder.

use serde::{Deserialize, Serialize};

use super::adamw::AdamWConfig;
use crate::bag::BagConfig;
use crate::data::folder::FolderUse;
use crate::encoder::EncoderEntry;
use crate::fmamil::{FmamilConfig, Grid};
use crate::loss::mil::LossConfig;
use crate::mil::NetworkConfig;
use crate::registry::{EncoderConfig, ModelConfig, ModelEntry, RegistryError};

/// How the finished model describes itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Organ, stain, magnification, source.
    pub trained_on: String,
    /// Licence and attribution of data and weights.
    pub licence: String,
    /// The *t* that the finished model recommends. Training sees no masks, so it cannot choose one.
    pub recommended_threshold: f32,
    /// How that *t* was chosen.
    pub threshold_note: String,
}

/// Changes to training bags (MODELS section 1.5). All probabilities are `0.0..=1.0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Smallest share of the grid's side that a random sub-grid keeps; 1 keeps the whole grid.
    pub crop_min: f64,
    /// Reverse the columns of a bag.
    pub flip_columns: f64,
    /// Reverse the rows of a bag.
    pub flip_rows: f64,
    /// Exchange rows and columns of a bag, on square grids.
    pub transpose: f64,
    /// Blank a rectangle of patches of a bag.
    pub erase: f64,
    /// Blend a batch with a shuffled copy of itself.
    pub mixup: f64,
    /// Both shape parameters of mixup's beta distribution.
    pub mixup_alpha: f64,
    /// Copies of each training image with changed colors, flips and quarter turns, beside the plain one.
    pub color_copies: u32,
}

/// Learning rate over time: linear warm-up, then a cosine (MODELS 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Reached after the warm-up.
    pub peak: f64,
    /// Reached at the end.
    pub last: f64,
    /// Epochs from nearly 0 to the peak.
    pub warmup_epochs: usize,
}

/// When to begin again from other first weights (MODELS 6.6): right labels do not imply right maps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartConfig {
    /// Further attempts at most; 0 for one attempt.
    pub most: usize,
    /// A further attempt is made while no attempt's best epoch keeps this share of the probability.
    pub faithfulness: f64,
}

/// Everything that decides a training besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How the finished model describes itself.
    pub description: ModelDescription,
    /// Bags, encoder and network.
    pub model: ModelConfig,
    /// Seed of initial weights, split, order and augmentation.
    pub seed: u64,
    /// Passes over the training bags.
    pub epochs: usize,
    /// Bags that pass through the network at once; all of one grid.
    pub batch: usize,
    /// Batches in an optimizer step: 12 of one bag each weigh as one of 12.
    pub accumulate: usize,
    /// Whether the averaged weights are measured and kept, or the last ones as they are.
    pub average_weights: bool,
    /// Attempts from other first weights.
    pub restart: RestartConfig,
    /// A model's name or folder whose weights training starts from, as for long-sequence fine-tuning, with the scale of
    /// features that these weights are used to.
    pub start_from: Option<String>,
    /// Epochs without a better validation before training ends.
    pub patience_epochs: usize,
    /// Learning rate.
    pub learning_rate: ScheduleConfig,
    /// The optimizer's constants.
    pub optimizer: AdamWConfig,
    /// Whether the finished model's probabilities are calibrated on the validation images.
    #[serde(default = "is_usual")]
    pub calibrate: bool,
    /// The loss.
    pub loss: LossConfig,
    /// Changes to training bags.
    pub augment: AugmentConfig,
    /// Whether features are kept on disk for the next training.
    pub cache_features: bool,
    /// How the labelled folder is used.
    #[serde(default)]
    pub folder: FolderUse,
}

impl TrainConfig {
    /// The settings that the shipped model was trained with, under another name; its probabilities were not calibrated.
    pub fn shipped() -> Self {
        Self {
            description: ModelDescription {
                name: "my-model".to_owned(),
                title: "My model".to_owned(),
                trained_on: "not stated".to_owned(),
                licence: "not stated".to_owned(),
                recommended_threshold: 0.5,
                threshold_note: "The middle of the range; not chosen on data.".to_owned(),
            },
            model: shipped_model(),
            seed: 0,
            epochs: 12,
            batch: 12,
            accumulate: 1,
            average_weights: true,
            restart: RestartConfig { most: 0, faithfulness: 0.5 },
            start_from: None,
            patience_epochs: 8,
            learning_rate: ScheduleConfig { peak: 1e-3, last: 1e-5, warmup_epochs: 2 },
            optimizer: AdamWConfig::paper(),
            calibrate: true,
            loss: LossConfig { label_smoothing: 0.1, ..LossConfig::paper() },
            augment: AugmentConfig {
                crop_min: 1.0,
                flip_columns: 0.5,
                flip_rows: 0.5,
                transpose: 0.5,
                erase: 0.0,
                mixup: 0.0,
                mixup_alpha: 0.8,
                color_copies: 2,
            },
            cache_features: true,
            folder: FolderUse::default(),
        }
    }

    /// These settings for going on from a trained model: its bags, encoder, network and *t*, and shorter steps.
    ///
    /// # Errors
    /// If the model's configuration cannot be read.
    pub fn starting_from(self, model: &ModelEntry) -> Result<Self, RegistryError> {
        let manifest = &model.manifest;
        let mut config = self.with_shorter_steps();
        config.description.recommended_threshold = manifest.recommended_threshold;
        config.description.threshold_note =
            format!("That of {}, which training started from.", manifest.name);
        config.model = model.config()?;
        config.start_from = Some(manifest.name.clone());
        Ok(config)
    }

    /// These settings with the patches described by another encoder.
    pub fn described_by(mut self, encoder: &EncoderEntry) -> Self {
        let input_px = encoder.input_px.unwrap_or(self.model.encoder.input_px);
        self.model.encoder = EncoderConfig { name: encoder.name.clone(), input_px };
        self.model.network.describe_by(encoder.feature_dim);
        self
    }

    /// These settings with the learning rate of fine-tuning.
    pub fn with_shorter_steps(self) -> Self {
        let peak = FINE_TUNING_SHARE * self.learning_rate.peak;
        Self { learning_rate: ScheduleConfig { peak, ..self.learning_rate }, ..self }
    }

    /// Reads a JSON object whose fields replace those of [`Self::shipped`], at any depth.
    ///
    /// # Errors
    /// If it is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        Self::shipped().changed(serde_json::from_str(text)?)
    }

    /// These settings with the fields that `patch` names, at any depth, replaced.
    ///
    /// # Errors
    /// If `patch` is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn changed(&self, patch: serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut merged = serde_json::to_value(self)?;
        if let Some(word) = patch.pointer("/model/network/architecture").and_then(|it| it.as_str())
            && let Some(network) =
                NetworkConfig::of_architecture(word, self.model.network.feature_dim())
        {
            merged["model"]["network"] = serde_json::to_value(network)?;
        }
        merge(&mut merged, patch);
        serde_json::from_value(merged)
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let augment = &self.augment;
        let shares = [
            ("crop_min", augment.crop_min),
            ("flip_columns", augment.flip_columns),
            ("flip_rows", augment.flip_rows),
            ("transpose", augment.transpose),
            ("erase", augment.erase),
            ("mixup", augment.mixup),
            ("lambda", self.loss.lambda),
            ("label_smoothing", self.loss.label_smoothing),
            ("restart.faithfulness", self.restart.faithfulness),
            ("recommended_threshold", f64::from(self.description.recommended_threshold)),
            ("folder.val_share", self.folder.val_share),
        ];
        let outside = shares.iter().find(|(_, value)| !(0.0..=1.0).contains(value));
        if let Some((name, value)) = outside {
            return Some(format!("{name} must lie in 0 to 1, found {value}"));
        }
        let counts =
            [("epochs", self.epochs), ("batch", self.batch), ("accumulate", self.accumulate)];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("{name} must be at least 1, found 0"));
        }
        if augment.mixup_alpha <= 0.0 || augment.mixup_alpha.is_nan() {
            return Some(format!("mixup_alpha must be positive, found {}", augment.mixup_alpha));
        }
        self.model.problem()
    }
}

/// What is done by runs whose configuration does not speak of it.
fn is_usual() -> bool {
    true
}

/// Learning rate of fine-tuning against that of a fresh start.
const FINE_TUNING_SHARE: f64 = 0.2;
/// Values per patch of the shipped encoder.
const SHIPPED_FEATURE_DIM: usize = 1024;

/// Windows of 7 x 7 patches of 32 px at 40x, ResNet50 features, a network of one block.
fn shipped_model() -> ModelConfig {
    ModelConfig {
        bag: BagConfig {
            mpp: 0.25,
            patch_px: 32,
            patch_step_px: None,
            window_patches: 7,
            stride_patches: 4,
            pad_value: 0,
            tissue_min: 0.25,
        },
        encoder: EncoderConfig { name: "resnet50-in1k-layer3".to_owned(), input_px: 64 },
        network: NetworkConfig::Fmamil(FmamilConfig {
            dim: 96,
            depth: 1,
            dt_rank: 6,
            head_dim: 96,
            position_grid: Grid { rows: 7, columns: 7 },
            ..FmamilConfig::paper(SHIPPED_FEATURE_DIM)
        }),
    }
}

/// Replaces the leaves of `base` that `patch` names.
pub(crate) fn merge(base: &mut serde_json::Value, patch: serde_json::Value) {
    match (base, patch) {
        (serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_settings_are_in_range() {
        assert_eq!(TrainConfig::shipped().problem(), None);
    }

    #[test]
    fn a_file_replaces_only_what_it_names() {
        let text = r#"{ "epochs": 3, "model": { "network": { "dim": 32 } } }"#;
        let config = TrainConfig::from_json(text).unwrap();
        let NetworkConfig::Fmamil(network) = config.model.network else { unreachable!() };
        assert_eq!((config.epochs, network.dim, network.depth), (3, 32, 1));
    }

    #[test]
    fn another_architecture_starts_from_its_own_defaults() {
        let text = r#"{ "model": { "network": { "architecture": "abmil", "hidden": 64 } } }"#;
        let config = TrainConfig::from_json(text).unwrap();
        assert_eq!(config.model.network.architecture(), "abmil");
        assert_eq!(config.model.network.feature_dim(), SHIPPED_FEATURE_DIM);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(TrainConfig::from_json(&text).unwrap(), config, "as in a run folder");
    }

    #[test]
    fn a_misspelled_setting_is_refused() {
        let error = TrainConfig::from_json(r#"{ "augment": { "flip": 1 } }"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `flip`"), "{error}");
        assert!(TrainConfig::from_json("[1]").is_err());
    }

    #[test]
    fn a_share_above_one_is_named() {
        let config = TrainConfig::from_json(r#"{ "augment": { "erase": 1.5 } }"#).unwrap();
        assert_eq!(config.problem().unwrap(), "erase must lie in 0 to 1, found 1.5");
    }
}
