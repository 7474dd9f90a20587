//! Every number of a training, saved as `config.json` in the run folder.

use serde::{Deserialize, Serialize};

/// How the finished model describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Changes to training bags (MODELS section 1.5). All probabilities are per bag, `0.0..=1.0`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Smallest share of the grid's side that a random sub-grid keeps; 1 keeps the whole grid.
    pub crop_min: f64,
    /// Reverse the columns.
    pub flip_columns: f64,
    /// Reverse the rows.
    pub flip_rows: f64,
    /// Exchange rows and columns, on square grids.
    pub transpose: f64,
    /// Blank a rectangle of patches.
    pub erase: f64,
    /// Blend a batch with a shuffled copy of itself.
    pub mixup: f64,
    /// Both shape parameters of mixup's beta distribution.
    pub mixup_alpha: f64,
    /// Copies of each training image with changed colours, flips and quarter turns, beside the plain one.
    pub color_copies: u32,
}

/// Everything that decides a training besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How the finished model describes itself.
    pub description: ModelDescription,
    /// Seed of initial weights, split, order and augmentation.
    pub seed: u64,
    /// Passes over the training bags.
    pub epochs: usize,
    /// Changes to training bags.
    pub augment: AugmentConfig,
}

impl TrainConfig {
    /// The settings that the shipped model was trained with.
    pub fn shipped() -> Self {
        Self {
            description: ModelDescription {
                name: "my-model".to_owned(),
                title: "My model".to_owned(),
                trained_on: "not stated".to_owned(),
                licence: "not stated".to_owned(),
            },
            seed: 0,
            epochs: 20,
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
        }
    }

    /// Reads a JSON object whose fields replace those of [`Self::shipped`], at any depth.
    ///
    /// # Errors
    /// If it is no JSON object, names an unknown field, or a value has the wrong type.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut merged = serde_json::to_value(Self::shipped())?;
        merge(&mut merged, serde_json::from_str(text)?);
        serde_json::from_value(merged)
    }
}

/// Replaces the leaves of `base` that `patch` names.
fn merge(base: &mut serde_json::Value, patch: serde_json::Value) {
    match (base, patch) {
        (serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}
