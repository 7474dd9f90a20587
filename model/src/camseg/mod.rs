//! Cam-seg, stage 2: the heatmaps of stage 1 as labels of a segmentation network (the paper's section 3.6, MODELS 7).
//!
//! `label` and [`crate::loss::camseg`] are the equations, `unet` the network behind the [`network`] trait,
//! `stage_1` and `dataset` make the labels, `learner`, `optimizer` and `trainer` do the learning, `refiner` and `infer` are the trained
//! network on a slide. Images are channel last, `[b, h, w, 3]`; *network px* are model px of stage 1 times [`CamsegConfig::pixel_ratio`].

mod band;
mod config;
mod dataset;
pub(crate) mod infer;
pub mod label;
mod learner;
pub mod network;
pub mod optimizer;
mod overview;
pub(crate) mod refiner;
pub mod sgd;
mod stage_1;
mod trainer;
pub(crate) mod unet;
pub mod vmaml;

pub use config::CamsegConfig;
pub use infer::SideMask;
pub use network::SideScale;
pub use refiner::RefinerDescription;

use std::path::Path;

use crate::analysis::{AnalysisSettings, AnalyzeError, default_feature_cache, open_model};
use crate::bag::feature_store::FeatureStore;
use crate::data::check::check;
use crate::device::DeviceChoice;
use crate::pipeline::loaded_model::LoadedModel;
use crate::registry::{ModelEntry, Provenance};
use crate::train::course::{Course, Material, compute_error};
use crate::train::run_folder::{Opening, RunFolder};
use crate::train::validation;
use crate::train::{TrainControl, TrainError, TrainEvent, TrainReport};
use dataset::Source;
use trainer::Segmentation;

/// What stage 2 learns from, and into which folder.
#[derive(Clone, Debug)]
pub struct CamsegJob<'a> {
    /// A labelled folder, as for stage 1.
    pub folder: &'a Path,
    /// Folder of corrected masks, `STEM.labels.ome.tif` or `STEM.png` each: they take the place of these images' heatmaps.
    pub masks: Option<&'a Path>,
    /// The trained stage 1.
    pub model: &'a ModelEntry,
    /// The run folder; made if missing.
    pub run_dir: &'a Path,
    /// The settings; without them those of the run to continue, else [`CamsegConfig::paper`].
    pub config: Option<CamsegConfig>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Whether an unfinished run in `run_dir` goes on. A finished one then answers with its report, and where there is
    /// none a run begins. Without it, a folder with a run is refused.
    pub resume: bool,
}

/// Trains a refiner and writes the run to its folder, whose `model` folder is that of stage 1 with the refiner in it.
/// One seed, one result, however often the run is broken off and continued.
///
/// # Errors
/// If the folder, model, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn train_camseg(
    job: &CamsegJob<'_>,
    on_event: &mut dyn FnMut(&TrainEvent),
    control: TrainControl<'_>,
) -> Result<TrainReport, TrainError> {
    let asked = job.config.clone();
    let (usual, problem) = (CamsegConfig::paper, CamsegConfig::problem);
    let opening = RunFolder::opening(job.run_dir, job.resume, asked, usual, problem)?;
    let (found, config) = match opening {
        Opening::Finished(report) => return Ok(report),
        Opening::ToRun(found, config) => (found, config),
    };
    let model = open(job.model, job.device)?;
    let work = (control.progress, control.cancel);
    let folder = check(job.folder, &model.config.bag, &config.folder, config.seed, work)?;
    let mut run = RunFolder::begin(job.run_dir, found, &config, &folder.split_by_file())?;
    let cache = config.cache_features.then(default_feature_cache).flatten();
    let store = cache.as_deref().map(FeatureStore::new);
    let source = Source {
        model: &model,
        entry: job.model,
        store: store.as_ref(),
        masks: job.masks,
        config: &config,
    };
    let dataset = source.load(&folder.images, &folder.splits, control)?;
    let lesson =
        Segmentation::new(&config, &dataset, &model.device.device).map_err(compute_error)?;
    let material = Material {
        fingerprint: source.fingerprint(&folder),
        title: "the labelled folder, the masks or the model of stage 1",
        warnings: folder.warnings.clone(),
    };
    let outcome = Course::new(lesson, material, &mut run, on_event, control)?.run()?;
    let stage_1 = job.model.manifest.name.clone();
    let provenance = Provenance::now(&folder, Some(stage_1), &config);
    let ratio = config.ratio(&model.config.bag);
    let report = refiner::promote(&run, (&config, ratio), job.model, outcome, provenance)?;
    let settings = AnalysisSettings {
        device: job.device,
        feature_cache: cache,
        refine: true,
        ..AnalysisSettings::default()
    };
    validation::finish(&run, (job.folder, &folder), &settings, &report, control)?;
    Ok(report)
}

/// Stage 1 on the device.
fn open(model: &ModelEntry, device: DeviceChoice) -> Result<LoadedModel, TrainError> {
    let settings = AnalysisSettings { device, ..AnalysisSettings::default() };
    open_model(model, &settings).map_err(|error| match error {
        AnalyzeError::Model(problem) => TrainError::Config(problem),
        other => TrainError::Compute(other.to_string()),
    })
}
