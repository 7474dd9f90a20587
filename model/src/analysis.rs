//! What comes out of running a model over a slide: plain data for window, CLI and exports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::RESEARCH_USE_ONLY;
use domain::coords::{Level0Px, PixelSize};
use domain::heatmap::{Heatmap, HeatmapError};
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use crate::bag::BagConfig;
use crate::bag::feature_store::FeatureStore;
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue::TissueError;
use crate::cam::MapKind;
use crate::cam::stitch::{POSITIVE, stitched};
use crate::camseg::SideMask;
use crate::camseg::infer::{self, Refined};
use crate::device::DeviceChoice;
use crate::pipeline::loaded_model::LoadedModel;
use crate::pipeline::slide_run::{self, SlideRun, Views};
use crate::pipeline::survey::Survey;
use crate::registry::ModelEntry;
use crate::stopwatch::Stopwatch;
use crate::wise::places::{PlaceConfig, judge};

/// Share of a slide's windows unlike the training data from which the whole result is said not to be relied on.
const OUTSIDE_SHARE: f64 = 0.5;

/// Below this faithfulness the map is said not to explain the prediction (MODELS 6.6).
const FAITHFUL: f64 = 0.5;

/// How to run a model.
#[derive(Clone, Debug, Default)]
pub struct AnalysisSettings {
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of cached features; `None` computes afresh and keeps nothing.
    pub feature_cache: Option<PathBuf>,
    /// Whether the model's refiner, stage 2, draws a sharper map as well.
    pub refine: bool,
    /// The TIFF file, replaced if it is there, for the whole refined map as a pyramid: beside a sharper map whose cells grow
    /// with the slide.
    pub refined_pyramid: Option<PathBuf>,
    /// Which map is drawn; `None` is the model's own.
    pub map: Option<MapKind>,
    /// Maps that are drawn beside it, as far as the network has them.
    pub further_maps: Vec<MapKind>,
    /// How fine the map is drawn.
    pub fineness: Fineness,
    /// The share of the tissue's patches, `0.0..=1.0`, that is looked at, those with the most energy in their edges first
    /// ([`crate::wise::places`]); `None` looks everywhere.
    pub preselect: Option<f64>,
}

/// By how many shifted grids of patches a slide is seen (MODELS 6.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fineness {
    /// One grid: a cell of the map is a patch.
    #[default]
    Patch,
    /// Grids half a patch apart: cells of half its side, four times the work.
    HalfPatch,
    /// Grids a quarter of a patch apart: cells of a quarter of its side, sixteen times the work.
    QuarterPatch,
}

impl Fineness {
    /// Grids across and down, if whole pixels lie between them: a model sees no other distance of patches than its own.
    pub(crate) fn offsets_of(self, bag: &BagConfig) -> Result<usize, AnalyzeError> {
        let (offsets, step) = (self.offsets(), bag.step_px());
        if !(step as usize).is_multiple_of(offsets) {
            return Err(AnalyzeError::Compute(format!(
                "patches {step} px apart cannot be shifted by whole pixels to {offsets} places; choose another fineness"
            )));
        }
        Ok(offsets)
    }

    /// Grids across and down.
    fn offsets(self) -> usize {
        match self {
            Self::Patch => 1,
            Self::HalfPatch => 2,
            Self::QuarterPatch => 4,
        }
    }
}

/// Names another folder for cached features.
pub const CACHE_VARIABLE: &str = "SLIDELIGHT_CACHE";

/// The folder of cached features: the one that [`CACHE_VARIABLE`] names, else `slidelight/features` of the
/// platform's cache folder; `None` where there is none.
pub fn default_feature_cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    match std::env::var_os(CACHE_VARIABLE) {
        Some(named) => Some(PathBuf::from(named)),
        None => etcetera::choose_base_strategy()
            .ok()
            .map(|it| it.cache_dir().join("slidelight").join("features")),
    }
}

/// Whether the slide looks like what the model was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingFit {
    /// Share of the slide's windows, `0.0..=1.0`, whose features lie outside those of the training data.
    pub outside_share: f64,
    /// Whether the result should not be relied on for that reason.
    pub is_outside: bool,
    /// Everything the user must be told, one sentence each: unlike the training data, predicted negative, not
    /// calibrated, coarser than the model's resolution, damaged tiles.
    pub notes: Vec<String>,
}

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Probability of the positive class for the whole slide: the largest of its windows'.
    pub probability: f64,
    /// CAM on the slide, gated by the prediction; all 0 if predicted negative.
    pub heatmap: Heatmap,
    /// Other readings of the same run, as far as they were asked for; gated and placed as the CAM.
    pub further_maps: Vec<(MapKind, Heatmap)>,
    /// Lesion probability per pixel by stage 2, where it was asked for.
    pub refined: Option<Heatmap>,
    /// The side masks of stage 2, the coarsest first, where it was asked for and has any.
    pub side_masks: Vec<SideMask>,
    /// Where tissue was found.
    pub tissue: BinaryMask,
    /// Whether the slide resembles the training data.
    pub training_fit: TrainingFit,
    /// Mean probability that positive windows keep with the patches under the map alone; `None` if none is positive.
    pub faithfulness: Option<f64>,
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
    #[error("no tissue was found on this slide, so there is nothing to analyze")]
    NoTissue,
    /// A result that is too large for memory cannot be kept.
    #[error(transparent)]
    Export(#[from] slide::export::ExportError),
    /// The device is absent, or the computation itself failed.
    #[error("the computation failed: {0}")]
    Compute(String),
}

impl From<TissueError> for AnalyzeError {
    fn from(error: TissueError) -> Self {
        match error {
            TissueError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            TissueError::Slide(error) => Self::Slide(error),
        }
    }
}

/// Tissue, grid, features, FMaMIL, CAM, stitching: the whole of stage 1 on one slide.
///
/// # Errors
/// If the device, model or slide cannot be used, nothing but glass is on it, or the run was cancelled.
pub fn analyze(
    slide: &Slide,
    model: &ModelEntry,
    settings: &AnalysisSettings,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<Analysis, AnalyzeError> {
    progress.stage("Loading the model");
    let mut watch = Stopwatch::default();
    let loaded = watch.time("Loading the model", || open_model(model, settings))?;
    analyze_with(slide, &loaded, model, settings, watch, (progress, cancel))
}

/// A model folder on the device and with the map that the settings ask for.
pub(crate) fn open_model(
    model: &ModelEntry,
    settings: &AnalysisSettings,
) -> Result<LoadedModel, AnalyzeError> {
    let device =
        settings.device.open().map_err(|error| AnalyzeError::Compute(error.to_string()))?;
    let mut loaded = LoadedModel::open(model, device, settings.map).map_err(AnalyzeError::Model)?;
    loaded.further_maps.clone_from(&settings.further_maps);
    Ok(loaded)
}

/// [`analyze`] with a model that is in memory.
pub(crate) fn analyze_with(
    slide: &Slide,
    model: &LoadedModel,
    entry: &ModelEntry,
    settings: &AnalysisSettings,
    mut watch: Stopwatch,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Analysis, AnalyzeError> {
    let work = (progress, cancel);
    let survey = Survey::of(slide, model, settings, &mut watch, work)?;
    let Survey { tissue, grid, mut windows, mut notes } = survey;
    if let Some(share) = settings.preselect {
        let chosen =
            watch.time("Judging patches", || preselected(slide, (&grid, &windows), share, work))?;
        windows = chosen;
        notes.push(format!(
            "Only the {:.0} % most informative patches of the tissue were looked at; nothing is marked elsewhere.",
            100.0 * share
        ));
    }
    notes.extend(model.device.status.note.clone());
    progress.stage("Computing features");
    let store = settings.feature_cache.as_deref().map(FeatureStore::new);
    let views = Views {
        slide,
        grid: &grid,
        windows: &windows,
        describer: model.describer(),
        store: store.as_ref(),
    };
    let run = slide_run::run(model, views, &mut watch, work)?;
    progress.stage("Drawing the heatmap");
    let (heatmap, further_maps) = watch
        .time("Drawing the heatmap", || stitch(&grid, &windows, &run, slide.size()))
        .map_err(|error| AnalyzeError::Compute(error.to_string()))?;
    let refined = if settings.refine {
        progress.stage("Refining");
        let pyramid = settings.refined_pyramid.as_deref();
        let pyramid = pyramid.map(|it| (it, entry.manifest.name.as_str()));
        let run = || refined(slide, model, (&tissue, &heatmap), pyramid, work);
        Some(watch.time("Refining", run)?)
    } else {
        None
    };
    let (refined, side_masks) = refined.map(|it| (it.map, it.sides)).unzip();
    let side_masks = side_masks.unwrap_or_default();
    let mut provenance = provenance(slide, model, entry, settings);
    provenance.extend(weights_of(&side_masks));
    Ok(Analysis {
        refined,
        side_masks,
        probability: run.probability(),
        heatmap,
        further_maps,
        tissue,
        training_fit: training_fit(&run, notes),
        faithfulness: run.faithfulness(),
        timings: watch.into_timings(),
        provenance,
    })
}

/// The windows in the middle of which lie the most informative patches.
fn preselected(
    slide: &Slide,
    (grid, windows): (&PatchGrid, &[Window]),
    share: f64,
    work: (&dyn Progress, &CancelToken),
) -> Result<Vec<Window>, AnalyzeError> {
    let patches = judge(slide, &PlaceConfig::default(), work)?;
    let chooses = patches.chooses(share);
    let size = slide.size();
    let middle = |window: &Window| {
        let rect = grid.level0_rect(*window);
        // Windows may reach past the slide, patches do not.
        let right = (rect.x + rect.width).min(f64::from(size.width));
        let bottom = (rect.y + rect.height).min(f64::from(size.height));
        Level0Px { x: 0.5 * (rect.x + right), y: 0.5 * (rect.y + bottom) }
    };
    let chosen: Vec<Window> = windows.iter().copied().filter(|it| chooses(middle(it))).collect();
    if chosen.is_empty() {
        let problem = "no window of the model lies in the chosen patches; take a larger share";
        return Err(AnalyzeError::Compute(problem.to_owned()));
    }
    Ok(chosen)
}

/// Stage 2 over a slide on which stage 1 has drawn `heatmap`.
fn refined(
    slide: &Slide,
    model: &LoadedModel,
    (tissue, heatmap): (&BinaryMask, &Heatmap),
    pyramid: Option<(&Path, &str)>,
    work: (&dyn Progress, &CancelToken),
) -> Result<Refined, AnalyzeError> {
    let Some(refiner) = &model.refiner else {
        return Err(AnalyzeError::Model(
            "it has no refiner; train one with --stage camseg".to_owned(),
        ));
    };
    let (scale, _) = ModelScale::of(slide.mpp(), model.config.bag.mpp);
    let gate = refiner.description.is_gated.then_some(heatmap);
    infer::refined(refiner, infer::Subject { slide, scale, tissue, gate }, pyramid, work)
}

/// The map of the run and its further ones on the slide.
fn stitch(
    grid: &PatchGrid,
    windows: &[Window],
    run: &SlideRun,
    slide: PixelSize,
) -> Result<(Heatmap, Vec<(MapKind, Heatmap)>), HeatmapError> {
    let further = run.further.iter().map(|map| {
        let probabilities = run.outputs.iter().map(|it| it.probability);
        let maps = map.windows.iter().map(Vec::as_slice).zip(probabilities);
        Ok((map.kind, stitched(grid, windows, maps, slide)?))
    });
    let own = run.outputs.iter().map(|it| (it.cam.as_slice(), it.probability));
    Ok((stitched(grid, windows, own, slide)?, further.collect::<Result<_, _>>()?))
}

/// What the user must be told before trusting the result.
fn training_fit(run: &SlideRun, run_notes: Vec<String>) -> TrainingFit {
    let outside_share = run.n_outside as f64 / run.outputs.len().max(1) as f64;
    let is_outside = OUTSIDE_SHARE <= outside_share;
    let mut notes = Vec::new();
    if is_outside {
        notes.push(format!(
            "This slide lies outside what the model was trained on ({:.0} % of its windows): do not rely on the result.",
            100.0 * outside_share
        ));
    }
    if run.probability() < f64::from(POSITIVE) {
        notes.push("Predicted negative: the heatmap is empty.".to_owned());
    }
    if run.faithfulness().is_some_and(|kept| kept < FAITHFUL) {
        notes.push(
            "The prediction does not rest on the marked area alone: take its outline with care."
                .to_owned(),
        );
    }
    notes.extend(run_notes);
    if 0 < run.damaged_tiles {
        notes.push(format!("{} damaged tiles were taken as blank.", run.damaged_tiles));
    }
    TrainingFit { outside_share, is_outside, notes }
}

/// What the side masks of stage 2 count, if it has any.
fn weights_of(sides: &[SideMask]) -> Option<(String, String)> {
    let one = |it: &SideMask| format!("1/{} {:.3}", it.scale.side_px(), it.weight);
    let all = sides.iter().map(one).collect::<Vec<_>>().join(", ");
    (!all.is_empty()).then(|| ("refiner_scale_weights".to_owned(), all))
}

fn provenance(
    slide: &Slide,
    model: &LoadedModel,
    entry: &ModelEntry,
    settings: &AnalysisSettings,
) -> BTreeMap<String, String> {
    let (manifest, config) = (&entry.manifest, &model.config);
    let bag = &config.bag;
    let refiner = model.refiner.as_ref().filter(|_| settings.refine);
    let refiner = refiner.map(|it| ("refiner_sha256", it.description.weights_sha256.clone()));
    let preselect = settings.preselect.map(|share| ("preselected_share", share.to_string()));
    let calibration = model.calibration.map(|it| {
        let line = format!("slope {:.4}, offset {:.4}", it.slope, it.offset);
        ("probability_calibration", format!("{line}, fitted to {} images", it.n_images))
    });
    [
        ("software", concat!("Slidelight ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("notice", RESEARCH_USE_ONLY.to_owned()),
        ("slide_id", slide.id().to_string()),
        ("model", manifest.name.clone()),
        ("model_title", manifest.title.clone()),
        ("model_licence", manifest.licence.clone()),
        ("weights_sha256", manifest.weights_sha256.clone()),
        ("encoder", config.encoder.name.clone()),
        ("encoder_sha256", model.encoder.weights_sha256().to_owned()),
        ("encoder_input_px", config.encoder.input_px.to_string()),
        ("mpp", bag.mpp.to_string()),
        ("patch_px", bag.patch_px.to_string()),
        ("grids_per_patch", settings.fineness.offsets().to_string()),
        ("window_patches", bag.window_patches.to_string()),
        ("stride_patches", bag.stride_patches.to_string()),
        ("cam", config.network.map_description().to_owned()),
        ("device", model.device.status.name.to_owned()),
    ]
    .into_iter()
    .chain(refiner)
    .chain(preselect)
    .chain(calibration)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::loaded_model::{BagOutput, FurtherMap};

    #[test]
    fn patches_that_cannot_be_parted_into_whole_pixels_are_refused() {
        let offsets = |fineness: Fineness, patch_px| fineness.offsets_of(&BagConfig::of(patch_px));
        assert_eq!(offsets(Fineness::QuarterPatch, 100).unwrap(), 4);
        assert_eq!(offsets(Fineness::Patch, 25).unwrap(), 1);
        let error = offsets(Fineness::HalfPatch, 25).unwrap_err().to_string();
        assert!(error.contains("25 px apart") && error.contains("another fineness"), "{error}");
    }

    fn run(probabilities: &[f32], n_outside: usize, kept: &[f32]) -> SlideRun {
        let outputs = probabilities
            .iter()
            .map(|&probability| BagOutput { probability, cam: vec![1.0] })
            .collect();
        SlideRun { outputs, n_outside, kept: kept.to_vec(), ..SlideRun::default() }
    }

    #[test]
    fn a_slide_is_as_positive_as_its_most_positive_window() {
        assert!((run(&[0.1, 0.9, 0.3], 0, &[]).probability() - 0.9).abs() < 1e-6);
    }

    #[test]
    fn further_maps_are_gated_and_placed_as_the_cam() {
        let grid = PatchGrid::cover(
            PixelSize { width: 20, height: 10 },
            ModelScale { x: 1.0, y: 1.0 },
            &BagConfig::of(10),
        );
        let windows = [
            Window { row: 0, column: 0, rows: 1, columns: 1, spacing: 1 },
            Window { row: 0, column: 1, rows: 1, columns: 1, spacing: 1 },
        ];
        let mut run = run(&[0.8, 0.2], 0, &[]);
        let windows_of_map = vec![vec![0.5], vec![0.5]];
        run.further = vec![FurtherMap { kind: MapKind::Instance, windows: windows_of_map }];
        let slide = PixelSize { width: 20, height: 10 };
        let (own, further) = stitch(&grid, &windows, &run, slide).unwrap();
        assert_eq!(own.values(), [0.8, 0.0]);
        assert_eq!(further[0].0, MapKind::Instance);
        assert_eq!(further[0].1.values(), [0.4, 0.0]);
        assert_eq!(further[0].1.frame(), own.frame());
    }

    #[test]
    fn a_slide_unlike_the_training_data_is_said_to_be() {
        let fit = training_fit(&run(&[0.9, 0.9], 1, &[0.9]), Vec::new());
        assert!(fit.is_outside && fit.notes[0].contains("50 % of its windows"));
        assert!(!training_fit(&run(&[0.9; 3], 1, &[0.9]), Vec::new()).is_outside);
    }

    #[test]
    fn a_negative_slide_says_why_its_heatmap_is_empty() {
        let fit = training_fit(&run(&[0.2], 0, &[]), Vec::new());
        assert_eq!(fit.notes, ["Predicted negative: the heatmap is empty."]);
    }

    #[test]
    fn damage_and_weak_evidence_are_told() {
        let mut run = run(&[0.9], 0, &[0.1]);
        run.damaged_tiles = 2;
        let notes = training_fit(&run, vec!["scale".to_owned()]).notes;
        assert_eq!(notes.len(), 3);
        assert!(notes[2].starts_with("2 damaged tiles"));
    }
}
