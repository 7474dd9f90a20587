//! Training: a labelled folder in, a run folder out. A finished run holds a model folder (MODELS section 5.3).
//!
//! ```text
//! RUN/config.json split.json events.jsonl report.json
//!     checkpoints/NNN.safetensors best.safetensors
//!     model/manifest.json config.json weights.safetensors report.json
//! ```

pub mod adamw;
mod batches;
mod config;
mod dataset;
pub(crate) mod ema;
mod event;
mod promote;
pub(crate) mod run_folder;
mod schedule;
mod selection;
mod statistics;
mod trainer;
mod validate;

pub use config::{AugmentConfig, ModelDescription, ScheduleConfig, TrainConfig};
pub(crate) use config::merge;
pub use event::{StopReason, TrainEvent, TrainReport};

use std::collections::BTreeMap;
use std::path::Path;

use domain::progress::{CancelToken, Cancelled, Progress};

use crate::bag::feature_store::FeatureStore;
use crate::data::folder::{LabelledFolder, Split};
use crate::data::split;
use crate::device::DeviceChoice;
use crate::encoder;
use crate::registry::weights::one_line;
use run_folder::RunFolder;
use trainer::Trainer;

/// Why a training did not finish.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user stopped it; the run folder keeps what was reached.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong with the labelled folder or its images.
    #[error("the labelled folder cannot be used: {}", .0.join("; "))]
    Folder(Vec<String>),
    /// A setting is out of range or contradicts another.
    #[error("the training configuration cannot be used: {0}")]
    Config(String),
    /// The run folder cannot be written.
    #[error("cannot write the run folder: {0}")]
    Write(String),
    /// The device or the computation failed.
    #[error("the computation failed: {0}")]
    Compute(String),
}

fn write_error(error: &dyn std::fmt::Display) -> TrainError {
    TrainError::Write(one_line(error))
}

/// Trains FMaMIL on the labelled folder `folder` and writes the run to `run_dir`. One seed, one result.
///
/// # Errors
/// If the folder, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn train_fmamil(
    folder: &Path,
    run_dir: &Path,
    config: &TrainConfig,
    device: DeviceChoice,
    on_event: &mut dyn FnMut(&TrainEvent),
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<TrainReport, TrainError> {
    progress.stage("Reading the labelled folder");
    if let Some(problem) = config.problem() {
        return Err(TrainError::Config(problem));
    }
    let device = device.open().map_err(|error| TrainError::Compute(error.to_string()))?;
    let folder = LabelledFolder::read(folder).map_err(TrainError::Folder)?;
    let splits = split::assign(&folder.images, config.seed);
    let problems = split::problems(&folder.images, &splits);
    if !problems.is_empty() {
        return Err(TrainError::Folder(problems));
    }
    let encoder = encoder::load(&config.model.encoder.name)
        .map_err(|error| TrainError::Config(error.to_string()))?;
    if encoder.feature_dim() != config.model.network.feature_dim {
        return Err(TrainError::Config(format!(
            "the encoder gives {} values per patch, the network expects {}",
            encoder.feature_dim(),
            config.model.network.feature_dim
        )));
    }
    let mut run = RunFolder::create(run_dir)?;
    run.write_json("config.json", config)?;
    let by_file: BTreeMap<&str, Split> =
        folder.images.iter().map(|it| it.file.as_str()).zip(splits.iter().copied()).collect();
    run.write_json("split.json", &by_file)?;
    let store = config.cache_features.then(crate::analysis::default_feature_cache).flatten();
    let store = store.as_deref().map(FeatureStore::new);
    let work = (progress, cancel);
    let dataset =
        dataset::load(&folder.images, &splits, encoder.as_ref(), config, store.as_ref(), work)?;
    let space = statistics::feature_space(&dataset, encoder.feature_dim());
    let mut trainer = Trainer::new(config, &dataset, &space, device)?;
    let outcome = trainer.run(&mut run, on_event, progress, cancel)?;
    promote::promote(&run, config, &space, &outcome)
}
