//! Measuring a model on a labelled folder, beside baselines measured by the same code (MODELS section 9).

mod report;

pub use report::{
    Baseline, Classification, EvalReport, PixelScores, Segmentation, ThresholdScores,
};

use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};

use crate::analysis::AnalysisSettings;
use crate::registry::ModelEntry;

/// Why a model could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong with the labelled folder, one line each.
    #[error("the labelled folder cannot be used: {}", .0.join("; "))]
    Folder(Vec<String>),
    /// A mask is missing, unreadable or of another size than its image.
    #[error("a mask cannot be used: {0}")]
    Mask(String),
    /// The model could not be run.
    #[error(transparent)]
    Analyze(#[from] crate::analysis::AnalyzeError),
}

/// Runs `model` over the folder's `test` rows, else its `val` rows, else all of it, and scores labels and, where
/// `masks` holds a `<stem>.png` per positive image, pixels.
///
/// # Errors
/// If the folder, a mask or the model cannot be used, or the run was cancelled.
pub fn evaluate(
    _folder: &Path,
    _masks: Option<&Path>,
    _model: &ModelEntry,
    _settings: &AnalysisSettings,
    _progress: &dyn Progress,
    _cancel: &CancelToken,
) -> Result<EvalReport, EvalError> {
    Err(EvalError::Folder(vec!["not built yet".to_owned()]))
}
