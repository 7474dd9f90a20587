//! Every number of a pre-training, saved as `config.json` in the run folder.

use serde::{Deserialize, Serialize};

use super::autoencoder::AutoencoderConfig;
use super::places::PlaceConfig;
use crate::encoder::own::EncoderNote;
use crate::train::adamw::AdamWConfig;
use crate::train::{Preset, ScheduleConfig, merge};

/// Images of a batch at which the learning rate is the base rate (He et al. 2022).
const BASE_BATCH: f64 = 256.0;

/// Which patches are learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Those with the most energy in their edges.
    Wavelet,
    /// As many, drawn at random, to compare with.
    Random,
}

/// What is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileConfig {
    /// How patches are judged.
    pub places: PlaceConfig,
    /// Which of them are taken.
    pub choice: Choice,
    /// Share of the candidates that is taken, `0.0..=1.0`: of each slide with several magnifications, and of all images without
    /// together.
    pub share: f64,
    /// Least share of a tile that must be tissue.
    pub min_tissue: f64,
    /// Tiles of a patch at most.
    pub most_per_patch: usize,
    /// Tiles at most; so many lie in memory.
    pub most: usize,
    /// Share of the files that is only looked at, where the folder has no splits of its own.
    pub val_share: f64,
}

/// Everything that decides a pre-training besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// How the finished encoder describes itself.
    pub description: EncoderNote,
    /// What is learned from.
    pub tiles: TileConfig,
    /// The network.
    pub network: AutoencoderConfig,
    /// Seed of choice, initial weights, order, crops and masks.
    pub seed: u64,
    /// Passes over the tiles.
    pub epochs: usize,
    /// Epochs from nearly 0 to the highest learning rate.
    pub warmup_epochs: usize,
    /// Tiles in a step.
    pub batch: usize,
    /// Highest learning rate of a batch of 256; other batches have their share of it.
    pub base_rate: f64,
    /// The optimizer's constants.
    pub optimizer: AdamWConfig,
    /// Least share of a tile's area that a crop keeps.
    pub crop_min: f64,
    /// Whether every other crop is mirrored.
    pub flip: bool,
    /// Epochs between two looks at the tiles that are only looked at.
    pub validate_every: usize,
    /// Epochs between two pictures of what the network makes of hidden patches.
    pub picture_every: usize,
    /// Tiles in such a picture.
    pub pictured_tiles: usize,
}

impl PretrainConfig {
    /// The schedule of He et al. on the small network (MODELS 10.4).
    pub fn small() -> Self {
        Self {
            description: EncoderNote::default(),
            tiles: TileConfig {
                places: PlaceConfig::default(),
                choice: Choice::Wavelet,
                share: 0.2,
                min_tissue: 0.5,
                most_per_patch: 9,
                most: 4096,
                val_share: 0.1,
            },
            network: AutoencoderConfig::small(),
            seed: 0,
            epochs: 400,
            warmup_epochs: 40,
            batch: 64,
            base_rate: 1.5e-4,
            optimizer: AdamWConfig::autoencoder(),
            crop_min: 0.2,
            flip: true,
            validate_every: 10,
            picture_every: 20,
            pictured_tiles: 6,
        }
    }

    /// The settings of a preset: an encoder for the patches that FMaMIL cuts as shipped, and the shorter it learns, the longer its
    /// steps.
    pub fn of(preset: Preset) -> Self {
        let small = Self::small();
        let places = PlaceConfig { tile_px: 64, ..small.tiles.places };
        let usual = Self { tiles: TileConfig { places, ..small.tiles }, crop_min: 0.25, ..small };
        let of_epochs = |epochs: usize, usual: Self| Self {
            epochs,
            warmup_epochs: epochs / 10,
            base_rate: 2e-3,
            validate_every: (epochs / 20).max(1),
            picture_every: (epochs / 10).max(1),
            ..usual
        };
        match preset {
            Preset::Quick => {
                let tiles = TileConfig { most: 512, ..usual.tiles.clone() };
                of_epochs(20, Self { tiles, ..usual })
            }
            Preset::Balanced => of_epochs(100, usual),
            Preset::Thorough => usual,
        }
    }

    /// Side of the smallest and of the largest piece of tissue that an input shows, µm.
    pub(super) fn seen_um(&self) -> [f64; 2] {
        let PlaceConfig { mpp, tile_px, .. } = self.tiles.places;
        let tile_um = f64::from(tile_px) * mpp;
        [tile_um * self.crop_min.sqrt(), tile_um]
    }

    /// Reads a JSON object whose fields replace those of [`Self::small`], at any depth.
    ///
    /// # Errors
    /// If it is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        Self::small().changed(serde_json::from_str(text)?)
    }

    /// These settings with the fields that `patch` names, at any depth, replaced.
    ///
    /// # Errors
    /// If `patch` is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn changed(&self, patch: serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut merged = serde_json::to_value(self)?;
        merge(&mut merged, patch);
        serde_json::from_value(merged)
    }

    /// The learning rate over time.
    pub(super) fn schedule(&self) -> ScheduleConfig {
        let peak = self.base_rate * self.batch as f64 / BASE_BATCH;
        ScheduleConfig { peak, last: 0.0, warmup_epochs: self.warmup_epochs }
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let tiles = &self.tiles;
        let shares = [
            ("share", tiles.share),
            ("min_tissue", tiles.min_tissue),
            ("val_share", tiles.val_share),
            ("crop_min", self.crop_min),
        ];
        if let Some((name, value)) = shares.iter().find(|(_, it)| !(0.0..=1.0).contains(it)) {
            return Some(format!("{name} must lie in 0 to 1, found {value}"));
        }
        let counts = [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("validate_every", self.validate_every),
            ("picture_every", self.picture_every),
            ("most", tiles.most),
            ("most_per_patch", tiles.most_per_patch),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("{name} must be at least 1, found 0"));
        }
        if self.crop_min <= 0.0 {
            return Some("crop_min must be above 0".to_owned());
        }
        if !(0.0..=1.0).contains(&self.base_rate) {
            return Some(format!("base_rate must lie in 0 to 1, found {}", self.base_rate));
        }
        let parts = tiles.places.problem().or_else(|| self.network.problem());
        parts.or_else(|| self.description.problem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainConfig;

    #[test]
    fn the_small_settings_are_in_range_and_a_file_replaces_what_it_names() {
        assert_eq!(PretrainConfig::small().problem(), None);
        let text =
            r#"{ "epochs": 3, "tiles": { "choice": "random", "places": { "wavelet": "haar" } } }"#;
        let config = PretrainConfig::from_json(text).unwrap();
        assert_eq!((config.epochs, config.tiles.choice), (3, Choice::Random));
        assert_eq!(config.tiles.share, 0.2);
        assert!(PretrainConfig::from_json(r#"{ "wavelet": "haar" }"#).is_err());
    }

    #[test]
    fn every_preset_is_in_range_and_leaves_pictures_on_its_way() {
        for preset in Preset::ALL {
            let config = PretrainConfig::of(preset);
            assert_eq!(config.problem(), None, "{preset:?}");
            assert!((5..=20).contains(&(config.epochs / config.picture_every)), "{preset:?}");
            let bag = TrainConfig::shipped().model.bag;
            let [least, most] = config.seen_um();
            assert!((least..=most).contains(&(f64::from(bag.patch_px) * bag.mpp)), "{preset:?}");
        }
    }

    #[test]
    fn the_rate_grows_with_the_batch() {
        let config = PretrainConfig { batch: 128, ..PretrainConfig::small() };
        assert_eq!(config.schedule().peak, 0.75e-4);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let problem = |text: &str| PretrainConfig::from_json(text).unwrap().problem().unwrap();
        assert!(problem(r#"{ "tiles": { "share": 2 } }"#).starts_with("share must"));
        assert!(problem(r#"{ "crop_min": 0 }"#).starts_with("crop_min"));
        assert!(problem(r#"{ "network": { "dim": 191 } }"#).starts_with("dim"));
        let name = problem(r#"{ "description": { "name": "a/b" } }"#);
        assert!(name.contains("letters, digits"), "{name}");
    }
}
