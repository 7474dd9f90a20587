//! Running a model on the open slide, and making layers of what it found.

use std::sync::Arc;

use domain::coords::PixelSize;
use domain::heatmap::Heatmap;
use domain::mask::{BinaryMask, BinaryThreshold};
use domain::progress::{CancelToken, Progress};
use model::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze, default_feature_cache};
use model::cam::MapKind;
use model::camseg::{RefinerDescription, SideMask};
use model::registry::ModelEntry;
use slide::Slide;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::{Layer, LayerKind, Readout};
use crate::state::overlay::SlideResult;

pub(super) fn start(entry: ModelEntry, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let preselect = state.informative.preselect();
    let title = format!("Running {}", entry.manifest.title);
    runner.start(state, JobKind::Analyze, "analyze", title, move |progress, cancel| {
        let (result, layers) = run(&slide, (&entry, preselect), progress, cancel)?;
        Ok(Outcome::Analyzed { generation, result: Arc::new(result), layers })
    });
}

fn run(
    slide: &Slide,
    (entry, preselect): (&ModelEntry, Option<f64>),
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<(SlideResult, Vec<Layer>), JobError> {
    let failed = |error: &dyn std::fmt::Display| {
        JobError::Failed(format!("The model did not finish: {error}"))
    };
    let refiner = RefinerDescription::read(&entry.dir).map_err(|error| failed(&error))?;
    let settings = AnalysisSettings {
        feature_cache: default_feature_cache(),
        refine: refiner.is_some(),
        further_maps: MapKind::ALL.to_vec(),
        preselect,
        ..AnalysisSettings::default()
    };
    let analysis =
        analyze(slide, entry, &settings, progress, cancel).map_err(|error| match error {
            AnalyzeError::Cancelled(_) => JobError::Cancelled,
            error => failed(&error),
        })?;
    progress.stage("Preparing the slider");
    Ok(prepared(analysis, entry, refiner.as_ref()))
}

/// Result and layers; the CAM is ready for its slider, so that every position costs a binary search.
fn prepared(
    analysis: Analysis,
    entry: &ModelEntry,
    refiner: Option<&RefinerDescription>,
) -> (SlideResult, Vec<Layer>) {
    let manifest = &entry.manifest;
    let recommended = Some(BinaryThreshold::clamped(manifest.recommended_threshold));
    #[expect(clippy::cast_possible_truncation, reason = "a share of 1")]
    let youden = manifest.youden_threshold().map(|t| BinaryThreshold::clamped(t as f32));
    let cam = Arc::new(analysis.heatmap);
    let readout = Some(Arc::new(Readout::of(&cam, &analysis.tissue)));
    let mut layers = Vec::new();
    layers.extend(tissue_layer(&analysis.tissue));
    layers.extend(
        analysis
            .further_maps
            .into_iter()
            .map(|(kind, heatmap)| Layer::new(LayerKind::Further(kind), Arc::new(heatmap), None)),
    );
    for kind in [LayerKind::Cam, LayerKind::PseudoMask] {
        let layer = Layer::new(kind, Arc::clone(&cam), recommended);
        layers.push(Layer { readout: readout.clone(), youden, ..layer });
    }
    layers.extend(analysis.side_masks.into_iter().map(|SideMask { scale, map, .. }| {
        Layer::new(LayerKind::Side(scale), Arc::new(map), None)
    }));
    layers.extend(analysis.refined.map(|heatmap| {
        let own = refiner.map(|it| BinaryThreshold::clamped(it.recommended_threshold));
        Layer::new(LayerKind::Refined, Arc::new(heatmap), own)
    }));
    let result = SlideResult {
        model_name: manifest.name.clone(),
        model_title: manifest.title.clone(),
        probability: analysis.probability,
        tissue: analysis.tissue,
        training_fit: analysis.training_fit,
        faithfulness: analysis.faithfulness,
        timings: analysis.timings,
        provenance: analysis.provenance,
    };
    (result, layers)
}

/// The tissue as values of 1 and 0; `None` where the mask has no area.
fn tissue_layer(tissue: &BinaryMask) -> Option<Layer> {
    let PixelSize { width, height } = tissue.size();
    let values = tissue.bits().iter().map(|&is_tissue| f32::from(u8::from(is_tissue))).collect();
    let heatmap = Heatmap::new(PixelSize { width, height }, values, tissue.frame()).ok()?;
    Some(Layer::new(LayerKind::Tissue, Arc::new(heatmap), None))
}
