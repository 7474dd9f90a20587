//! Model folders: `manifest.json config.json weights.safetensors report.json`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a model folder says about itself; shown to the user before a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Architecture word; this program runs `fmamil`.
    pub architecture: String,
    /// What it was trained on, for a pathologist: organ, stain, magnification, source.
    pub trained_on: String,
    /// Licence and attribution of the training data and weights.
    pub licence: String,
    /// The *t* that was best on the validation split.
    pub recommended_threshold: f32,
    /// Micrometres per pixel that patches are resampled to.
    pub mpp: f64,
    /// Measured figures by name, as in its report.
    pub metrics: std::collections::BTreeMap<String, f64>,
}

/// A model folder that was found and whose manifest could be read.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// Where it lies.
    pub dir: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// Every usable model folder: shipped ones first, then the user's, by name.
pub fn discover() -> Vec<ModelEntry> {
    Vec::new()
}
