//! Training: a labelled folder in, a run folder out. A finished run holds a model folder (MODELS section 5.3).
//!
//! ```text
//! RUN/config.json split.json events.jsonl report.json
//!     checkpoints/NNN.safetensors best.safetensors
//!     model/manifest.json config.json weights.safetensors features.safetensors report.json
//! ```

pub(crate) mod adamw;
mod config;
pub(crate) mod ema;
mod event;

pub use config::{AugmentConfig, ModelDescription, TrainConfig};
pub use event::{StopReason, TrainEvent, TrainReport};

use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};

use crate::device::DeviceChoice;

/// Why a training did not finish.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user stopped it; the run folder keeps what was reached.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong with the labelled folder, one line each.
    #[error("the labelled folder cannot be used: {}", .0.join("; "))]
    Folder(Vec<String>),
    /// A setting is out of range or contradicts another.
    #[error("the training configuration cannot be used: {0}")]
    Config(String),
    /// The run folder cannot be written.
    #[error("cannot write the run folder: {0}")]
    Write(String),
    /// An image of the folder cannot be read.
    #[error("an image cannot be read: {0}")]
    Image(String),
    /// The device or the computation failed.
    #[error("the computation failed: {0}")]
    Compute(String),
}

/// Trains FMaMIL on the labelled folder `folder` and writes the run to `run_dir`.
///
/// # Errors
/// If the folder, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn train_fmamil(
    _folder: &Path,
    _run_dir: &Path,
    _config: &TrainConfig,
    _device: DeviceChoice,
    _on_event: &mut dyn FnMut(&TrainEvent),
    _progress: &dyn Progress,
    _cancel: &CancelToken,
) -> Result<TrainReport, TrainError> {
    Err(TrainError::Compute("not built yet".to_owned()))
}
