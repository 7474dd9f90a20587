//! Training: a labelled folder in, a run folder out. A finished run holds a model folder (MODELS section 5.3).
//!
//! ```text
//! RUN/config.json split.json events.jsonl validation.json report.json
//!     state.safetensors                  while unfinished: what the run goes on from
//!     checkpoints/NNN.safetensors        averaged weights of the last epochs
//!     best.safetensors
//!     model/manifest.json config.json weights.safetensors report.json
//! ```
//!
//! The configuration is written first and the report last, every file aside and renamed. A run that was stopped at any
//! moment, by Ctrl-C or by a power cut, goes on after its last epoch and ends with the figures of an unbroken run.

pub mod adamw;
mod batches;
mod calibrate;
mod config;
pub(crate) mod course;
mod dataset;
pub(crate) mod ema;
mod event;
mod learner;
mod look;
mod narrator;
pub mod options;
mod pace;
mod preset;
mod promote;
pub(crate) mod run_folder;
pub(crate) mod schedule;
mod selection;
mod state;
mod statistics;
mod trainer;
mod validate;
pub(crate) mod validation;
mod written_run;

pub(crate) use config::merge;
pub use config::{AugmentConfig, ModelDescription, RestartConfig, ScheduleConfig, TrainConfig};
pub use event::{StopReason, TrainEvent, TrainReport};
pub use look::{EpochLook, Watched};
pub use narrator::Narrator;
pub use pace::Pace;
pub use preset::Preset;
pub(crate) use state::{Position, TrainState};
pub use written_run::{Stage, WrittenRun, free_run_folder, validation_files};

use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, Cancelled, PauseToken, Progress};

use crate::analysis::{AnalysisSettings, default_feature_cache};
use crate::bag::feature_store::FeatureStore;
use crate::data::check::{CheckedFolder, FolderError, check};
use crate::device::DeviceChoice;
use crate::encoder::{self, Encoder};
use crate::pipeline::feature_space::FeatureSpace;
use crate::pipeline::slide_run::Describer;
use crate::registry::Provenance;
use crate::registry::weights::{self, Tensors, one_line};
use dataset::Dataset;
use look::Field;
use run_folder::{Opening, RunFolder};
use trainer::{Setup, Trainer};

/// Why a training did not finish.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user stopped it; the run folder keeps what was reached.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Everything that is wrong with the folder that is learned from, or its images.
    #[error("the folder cannot be used: {}", .0.join("; "))]
    Folder(Vec<String>),
    /// A setting is out of range or contradicts another.
    #[error("the training configuration cannot be used: {0}")]
    Config(String),
    /// The run folder holds a run that cannot be continued, or one that should not be written over.
    #[error("the run cannot be continued: {0}")]
    Resume(String),
    /// The run folder cannot be written.
    #[error("cannot write the run folder: {0}")]
    Write(String),
    /// The device or the computation failed.
    #[error("the computation failed: {0}")]
    Compute(String),
}

pub(crate) fn write_error(error: &dyn std::fmt::Display) -> TrainError {
    TrainError::Write(one_line(error))
}

impl From<FolderError> for TrainError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            FolderError::Problems(problems) => Self::Folder(problems),
        }
    }
}

/// What is trained, from what, and into which folder.
#[derive(Clone, Debug)]
pub struct TrainJob<'a> {
    /// The labelled folder.
    pub folder: &'a Path,
    /// The run folder; made if missing.
    pub run_dir: &'a Path,
    /// The settings; without them those of the run to continue, else [`TrainConfig::shipped`].
    pub config: Option<TrainConfig>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Whether an unfinished run in `run_dir` goes on. A finished one then answers with its report, and where there is
    /// none a run begins. Without it, a folder with a run is refused.
    pub resume: bool,
    /// A slide to look at after every epoch.
    pub watched: Option<Watched<'a>>,
}

/// How a training is watched and stopped.
#[derive(Clone, Copy)]
pub struct TrainControl<'a> {
    /// Told how far the work is.
    pub progress: &'a dyn Progress,
    /// Ends the work; the run can be continued.
    pub cancel: &'a CancelToken,
    /// Holds the work between two images and between two steps.
    pub pause: &'a PauseToken,
}

impl std::fmt::Debug for TrainControl<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainControl").field("cancel", self.cancel).finish_non_exhaustive()
    }
}

/// Trains a network on a labelled folder. One seed, one result, however often the run is broken off and continued.
///
/// # Errors
/// If the folder, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn train(
    job: &TrainJob<'_>,
    on_event: &mut dyn FnMut(&TrainEvent),
    control: TrainControl<'_>,
) -> Result<TrainReport, TrainError> {
    let asked = job.config.clone();
    let (usual, problem) = (TrainConfig::shipped, TrainConfig::problem);
    let opening = RunFolder::opening(job.run_dir, job.resume, asked, usual, problem)?;
    let (found, config) = match opening {
        Opening::Finished(report) => return Ok(report),
        Opening::ToRun(found, config) => (found, config),
    };
    let device = job.device.open().map_err(|error| TrainError::Compute(error.to_string()))?.device;
    let work = (control.progress, control.cancel);
    let folder = check(job.folder, &config.model.bag, &config.folder, config.seed, work)?;
    let encoder = encoder_for(&config)?;
    let start = start(&config, encoder.as_ref())?;
    let mut run = RunFolder::begin(job.run_dir, found, &config, &folder.split_by_file())?;
    let dataset = dataset(&folder, encoder.as_ref(), &config, control)?;
    let seen = statistics::feature_space(&dataset, encoder.feature_dim());
    let (start, space) = match start {
        Some((weights, before)) => (Some(weights), seen.scaled_like(before)),
        None => (None, seen),
    };
    let field = field(job.watched, encoder.as_ref(), &config, &space, control)?;
    let setup = Setup {
        config: &config,
        dataset: &dataset,
        space: &space,
        field,
        warnings: warnings(&folder, &config),
        data: folder.fingerprint.clone(),
        start,
        device,
    };
    let outcome = Trainer::new(&setup, &mut run, &mut *on_event, &control)?.run()?;
    let provenance = Provenance::now(&folder, config.start_from.clone(), &config);
    let report = promote::promote(&run, &config, (encoder.as_ref(), &space), &outcome, provenance)?;
    let settings = AnalysisSettings {
        device: job.device,
        feature_cache: feature_cache(config.cache_features),
        ..AnalysisSettings::default()
    };
    let words = if config.calibrate {
        calibrate::calibrate(&run, &folder, &settings, control)?
    } else {
        outcome.doubt().into_iter().collect()
    };
    for event in &words {
        on_event(event);
        run.log(event)?;
    }
    validation::finish(&run, (job.folder, &folder), &settings, &report, control)?;
    Ok(report)
}

/// What is odd about the folder, and about the encoder for such bags.
fn warnings(folder: &CheckedFolder, config: &TrainConfig) -> Vec<String> {
    let encoder = encoder::named(&config.model.encoder.name).ok();
    let doubt = encoder.and_then(|it| it.doubt(&config.model.bag));
    folder.warnings.iter().cloned().chain(doubt).collect()
}

/// Where features are kept, if they are.
fn feature_cache(is_kept: bool) -> Option<PathBuf> {
    is_kept.then(default_feature_cache).flatten()
}

fn encoder_for(config: &TrainConfig) -> Result<std::sync::Arc<dyn Encoder>, TrainError> {
    let encoder = encoder::load(&config.model.encoder.name)
        .map_err(|error| TrainError::Config(error.to_string()))?;
    let expected = config.model.network.feature_dim();
    if encoder.feature_dim() == expected {
        return Ok(encoder);
    }
    let found = encoder.feature_dim();
    Err(TrainError::Config(format!(
        "the encoder gives {found} values per patch, the network expects {expected}"
    )))
}

/// Weights of the model that training starts from, if it does, and the features that they are used to.
fn start(
    config: &TrainConfig,
    encoder: &dyn Encoder,
) -> Result<Option<(Tensors, FeatureSpace)>, TrainError> {
    let Some(name) = &config.start_from else { return Ok(None) };
    let unusable = |error: &dyn std::fmt::Display| {
        TrainError::Config(format!("start_from: {}", one_line(error)))
    };
    let entry = crate::registry::find(name).map_err(|error| unusable(&error))?;
    entry.manifest.check_encoder(encoder).map_err(|error| unusable(&error))?;
    let path = entry.dir.join("weights.safetensors");
    let sha256 = Some(entry.manifest.weights_sha256.as_str());
    let mut tensors = weights::read(&path, sha256).map_err(|error| unusable(&error))?;
    let dim = config.model.network.feature_dim();
    let space = FeatureSpace::take(&mut tensors, dim).map_err(|error| unusable(&error))?;
    let expected = crate::mil::initial_weights(&config.model.network, config.seed)
        .map_err(|error| unusable(&error))?;
    weights::check_strict(&expected, &tensors).map_err(|error| unusable(&error))?;
    Ok(Some((tensors, space)))
}

/// What is looked at after every epoch, if anything.
fn field<'a>(
    watched: Option<Watched<'a>>,
    encoder: &dyn Encoder,
    config: &TrainConfig,
    space: &FeatureSpace,
    control: TrainControl<'_>,
) -> Result<Option<Field<'a>>, TrainError> {
    let Some(watched) = watched else { return Ok(None) };
    control.progress.stage("Describing the open slide");
    let store = feature_cache(config.cache_features);
    let store = store.as_deref().map(FeatureStore::new);
    let describer = Describer { encoder, config: &config.model, space };
    Ok(Field::of(watched, describer, store.as_ref(), control.cancel)?)
}

fn dataset(
    folder: &CheckedFolder,
    encoder: &dyn Encoder,
    config: &TrainConfig,
    control: TrainControl<'_>,
) -> Result<Dataset, TrainError> {
    let store = feature_cache(config.cache_features);
    let store = store.as_deref().map(FeatureStore::new);
    store.iter().for_each(FeatureStore::tidy);
    dataset::load(&folder.images, &folder.splits, encoder, config, store.as_ref(), control)
}
