//! WISE-MAE: an encoder learned from the lab's own slides. A reconstruction from its abstract (MODELS 10): wavelet energy says which
//! patches of a low magnification are worth a look, and a masked autoencoder learns from the high magnification of those.
//!
//! `wavelet`, `selection` and `places` say where to look, `sources`, `survey`, `tiles` and `crop` what is learned from, `tokens`, `transformer`
//! and `autoencoder` are the network, `learner` and `lesson` do the learning, `promote` leaves the encoder.

pub(crate) mod autoencoder;
mod config;
pub(crate) mod crop;
mod learner;
mod lesson;
mod picture;
pub mod places;
mod promote;
pub(crate) mod roll;
pub(crate) mod selection;
mod sources;
mod survey;
mod tiles;
pub(crate) mod tokens;
pub(crate) mod transformer;
pub(crate) mod wavelet;

pub use autoencoder::AutoencoderConfig;
pub use config::{Choice, PretrainConfig, TileConfig};
pub use picture::{picture_path, rows_of_tiles};
pub use survey::{SourceSurvey, survey};
pub use wavelet::Wavelet;

use std::path::Path;

use crate::device::DeviceChoice;
use crate::train::course::{Course, Material, compute_error};
use crate::train::run_folder::{Opening, RunFolder};
use crate::train::{TrainControl, TrainError, TrainEvent, TrainReport};
use lesson::Pretraining;
use tiles::Tiles;

/// Where each training tile lies, in the run folder.
const TILES: &str = "tiles.json";

/// What an encoder learns from, and into which folder.
#[derive(Clone, Debug)]
pub struct PretrainJob<'a> {
    /// A folder of slides and images, however deep; of one with `labels.csv` and splits, what it lists for training and validation.
    pub folder: &'a Path,
    /// The run folder; made if missing.
    pub run_dir: &'a Path,
    /// The settings; without them those of the run to continue, else [`PretrainConfig::small`].
    pub config: Option<PretrainConfig>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Whether an unfinished run in `run_dir` goes on. A finished one then answers with its report, and where there is
    /// none a run begins. Without it, a folder with a run is refused.
    pub resume: bool,
}

/// Trains an encoder without labels and writes the run to its folder, whose `model` folder holds the encoder. One seed, one result,
/// however often the run is broken off and continued.
///
/// # Errors
/// If the folder, configuration, device or run folder cannot be used, or the run was cancelled.
pub fn pretrain(
    job: &PretrainJob<'_>,
    on_event: &mut dyn FnMut(&TrainEvent),
    control: TrainControl<'_>,
) -> Result<TrainReport, TrainError> {
    let asked = job.config.clone();
    let (usual, problem) = (PretrainConfig::small, PretrainConfig::problem);
    let opening = RunFolder::opening(job.run_dir, job.resume, asked, usual, problem)?;
    let (found, config) = match opening {
        Opening::Finished(report) => return Ok(report),
        Opening::ToRun(found, config) => (found, config),
    };
    let device = job.device.open().map_err(|error| TrainError::Compute(error.to_string()))?.device;
    let mut tiles = Tiles::gather(job.folder, &config.tiles, config.seed, control)?;
    let split = tiles.split_by_file.iter().map(|(file, split)| (file.as_str(), *split));
    let mut run = RunFolder::begin(job.run_dir, found, &config, &split.collect())?;
    run.write_json(TILES, &tiles.origins)?;
    let material = Material {
        fingerprint: tiles.fingerprint.clone(),
        title: "the slides",
        warnings: std::mem::take(&mut tiles.warnings),
    };
    let lesson = Pretraining::new(&config, &tiles, &device).map_err(compute_error)?;
    let outcome = Course::new(lesson, material, &mut run, on_event, control)?.run()?;
    promote::promote(&run, &config, outcome)
}
