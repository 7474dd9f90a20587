//! What a model folder says about itself.

use serde::{Deserialize, Serialize};

/// The architecture word of stage 1.
pub const ARCHITECTURE: &str = "fmamil";

/// The newest manifest layout that this program reads.
pub const MANIFEST_SCHEMA: u32 = 1;

/// What a model folder says about itself; shown to the user before a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file, [`MANIFEST_SCHEMA`] or older.
    pub schema: u32,
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Architecture word; this program runs [`ARCHITECTURE`].
    pub architecture: String,
    /// What it was trained on, for a pathologist: organ, stain, magnification, source.
    pub trained_on: String,
    /// Licence and attribution of the training data and weights.
    pub licence: String,
    /// The *t* that was best on the validation split.
    pub recommended_threshold: f32,
    /// How the recommended *t* was chosen.
    pub threshold_note: String,
    /// Micrometres per pixel that patches are resampled to.
    pub mpp: f64,
    /// The patch encoder and the size of its input, for a reader.
    pub encoder: String,
    /// SHA-256 of `weights.safetensors`, lower-case hex; a folder whose weights differ is refused.
    pub weights_sha256: String,
    /// Measured figures by name, as in its report.
    pub metrics: std::collections::BTreeMap<String, f64>,
}
