//! What comes out of running a model over a slide: plain data for window, CLI and exports.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::heatmap::Heatmap;
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use crate::device::DeviceChoice;
use crate::registry::ModelEntry;

/// How to run a model.
#[derive(Clone, Debug, Default)]
pub struct AnalysisSettings {
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of cached features; `None` computes afresh and keeps nothing.
    pub feature_cache: Option<std::path::PathBuf>,
}

/// Whether the slide looks like what the model was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingFit {
    /// Share of the slide's windows, `0.0..=1.0`, whose features lie outside those of the training data.
    pub outside_share: f64,
    /// Whether the result should not be relied on for that reason.
    pub is_outside: bool,
    /// Everything the user must be told, one sentence each: unlike the training data, not calibrated,
    /// coarser than the model's resolution.
    pub notes: Vec<String>,
}

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Probability of the positive class for the whole slide.
    pub probability: f64,
    /// CAM on the slide, gated by the prediction; all 0 if predicted negative.
    pub heatmap: Heatmap,
    /// Where tissue was found.
    pub tissue: BinaryMask,
    /// Whether the slide resembles the training data.
    pub training_fit: TrainingFit,
    /// Stage name and how long it took, in order.
    pub timings: Vec<(&'static str, Duration)>,
    /// Model, weights hash, settings, software version: by name, for exports.
    pub provenance: BTreeMap<String, String>,
}

/// Why a model could not be run. Names what was expected and found.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] domain::progress::Cancelled),
    /// The model folder cannot be used.
    #[error("the model cannot be loaded: {0}")]
    Model(String),
    /// The slide cannot be read.
    #[error("the slide cannot be read: {0}")]
    Slide(#[from] slide::SlideError),
    /// No tissue was found.
    #[error("no tissue was found on this slide, so there is nothing to analyse")]
    NoTissue,
    /// The computation itself failed.
    #[error("the computation failed: {0}")]
    Compute(String),
}

/// Tissue, grid, features, FMaMIL, CAM, stitching: the whole of stage 1 on one slide.
///
/// # Errors
/// If the model or slide cannot be used, or the run was cancelled.
pub fn analyze(
    _slide: &Slide,
    _model: &ModelEntry,
    _settings: &AnalysisSettings,
    _progress: &dyn Progress,
    _cancel: &CancelToken,
) -> Result<Analysis, AnalyzeError> {
    Err(AnalyzeError::Compute("not built yet".to_owned()))
}
