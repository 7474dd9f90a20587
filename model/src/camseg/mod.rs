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

use std::collections::BTreeMap;
use std::path::Path;

use crate::analysis::{AnalysisSettings, AnalyzeError, default_feature_cache, open_model};
use crate::bag::feature_store::FeatureStore;
use crate::data::check::check;
use crate::data::folder::Split;
use crate::device::DeviceChoice;
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::ModelEntry;
use crate::train::run_folder::{CONFIG, Found, RunFolder};
use crate::train::{TrainControl, TrainError, TrainEvent, TrainReport};

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
    control: TrainControl<'_>,
) -> Result<TrainReport, TrainError> {
    if let Some(problem) = config.problem() {
        return Err(TrainError::Config(problem));
    }
    if RunFolder::look(run_dir) != Found::Nothing {
        let problem = "the folder already holds a run; choose another one";
        return Err(TrainError::Resume(problem.to_owned()));
    }
    let model = open(sources.model, device)?;
    let work = (control.progress, control.cancel);
    let bag = &model.config.bag;
    let folder = check(sources.folder, bag, config.seed, work)?;
    let mut run = RunFolder::open(run_dir)?;
    let files = folder.images.iter().map(|it| it.file.as_str());
    let by_file: BTreeMap<&str, Split> = files.zip(folder.splits.iter().copied()).collect();
    run.write_json("split.json", &by_file)?;
    run.write_json(CONFIG, config)?;
    let store = config.cache_features.then(default_feature_cache).flatten();
    let store = store.as_deref().map(FeatureStore::new);
    let source =
        dataset::Source { model: &model, store: store.as_ref(), masks: sources.masks, config };
    let dataset = source.load(&folder.images, &folder.splits, work)?;
    let mut trainer = trainer::Trainer::new(config, &dataset, model.device.device.clone())?;
    let outcome = trainer.run(&mut run, &folder.warnings, on_event, control)?;
    refiner::promote(&run, config, config.ratio(bag), sources.model, outcome)
}

/// Stage 1 on the device.
fn open(model: &ModelEntry, device: DeviceChoice) -> Result<LoadedModel, TrainError> {
    let settings = AnalysisSettings { device, ..AnalysisSettings::default() };
    open_model(model, &settings).map_err(|error| match error {
        AnalyzeError::Model(problem) => TrainError::Config(problem),
        other => TrainError::Compute(other.to_string()),
    })
}
