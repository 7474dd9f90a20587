//! Cam-seg, stage 2: the heatmaps of stage 1 as labels of a segmentation network (the paper's section 3.6, MODELS 7).
//!
//! `label` and [`crate::loss::camseg`] are the equations, `unet` the network behind the [`network`] trait,
//! `dataset` and `trainer` the learning, `refiner` and `infer` the trained network on a slide. Images are
//! channel last, `[b, h, w, 3]`; *network px* are model px of stage 1 times [`CamsegConfig::pixel_ratio`].

mod config;
mod dataset;
pub(crate) mod infer;
pub mod label;
pub mod network;
pub(crate) mod refiner;
pub mod sgd;
mod trainer;
pub(crate) mod unet;

pub use config::CamsegConfig;
pub use refiner::RefinerDescription;

use std::path::Path;

use domain::progress::{CancelToken, Progress};

use crate::analysis::open_model;
use crate::bag::feature_store::FeatureStore;
use crate::data::folder::LabelledFolder;
use crate::data::split;
use crate::device::DeviceChoice;
use crate::registry::ModelEntry;
use crate::train::run_folder::RunFolder;
use crate::train::{TrainError, TrainEvent, TrainReport};

/// What stage 2 learns from.
#[derive(Clone, Copy, Debug)]
pub struct CamsegSources<'a> {
    /// A labelled folder, as for stage 1.
    pub folder: &'a Path,
    /// Folder of corrected masks, `STEM.png` each: they take the place of these images' heatmaps.
    pub masks: Option<&'a Path>,
    /// The trained stage 1.
    pub model: &'a ModelEntry,
}

/// Trains a refiner and writes the run to `run_dir`; its `model` folder is that of stage 1 with the refiner in it.
/// One seed, one result.
///
/// # Errors
/// If the folder, model, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn train_camseg(
    sources: CamsegSources<'_>,
    run_dir: &Path,
    config: &CamsegConfig,
    device: DeviceChoice,
    on_event: &mut dyn FnMut(&TrainEvent),
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<TrainReport, TrainError> {
    progress.stage("Reading the labelled folder");
    if let Some(problem) = config.problem() {
        return Err(TrainError::Config(problem));
    }
    let folder = LabelledFolder::read(sources.folder).map_err(TrainError::Folder)?;
    let splits = split::assign(&folder.images, config.seed);
    let problems = split::problems(&folder.images, &splits);
    if !problems.is_empty() {
        return Err(TrainError::Folder(problems));
    }
    progress.stage("Loading the model");
    let model = open_model(sources.model, device).map_err(|error| match error {
        crate::analysis::AnalyzeError::Model(problem) => TrainError::Config(problem),
        other => TrainError::Compute(other.to_string()),
    })?;
    let mut run = RunFolder::create(run_dir)?;
    run.write_json("config.json", config)?;
    let by_file: std::collections::BTreeMap<_, _> =
        folder.images.iter().map(|it| &it.file).zip(&splits).collect();
    run.write_json("split.json", &by_file)?;
    let store = config.cache_features.then(crate::analysis::default_feature_cache).flatten();
    let store = store.as_deref().map(FeatureStore::new);
    let source =
        dataset::Source { model: &model, store: store.as_ref(), masks: sources.masks, config };
    let dataset = source.load(&folder.images, &splits, (progress, cancel))?;
    let mut trainer = trainer::Trainer::new(config, &dataset, model.device.clone())?;
    let outcome = trainer.run(&mut run, on_event, progress, cancel)?;
    let ratio = config.ratio(&model.config.bag);
    refiner::promote(&run, config, ratio, sources.model, outcome)
}
