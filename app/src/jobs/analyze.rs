//! Running a model on the open slide, and preparing its result for a slider.

use std::sync::Arc;

use domain::lesion_curve::LesionCurve;
use domain::mask::BinaryThreshold;
use domain::otsu::otsu;
use domain::progress::{CancelToken, Progress};
use model::analysis::{Analysis, AnalysisSettings, AnalyzeError, analyze, default_feature_cache};
use model::registry::ModelEntry;
use slide::Slide;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::overlay::{HISTOGRAM_BINS, SlideResult};

pub(super) fn start(entry: ModelEntry, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let title = format!("Running {}", entry.manifest.title);
    runner.start(state, JobKind::Analyze, "analyze", title, move |progress, cancel| {
        let result = run(&slide, &entry, progress, cancel)?;
        Ok(Outcome::Analyzed { generation, result: Arc::new(result) })
    });
}

fn run(
    slide: &Slide,
    entry: &ModelEntry,
    progress: &dyn Progress,
    cancel: &CancelToken,
) -> Result<SlideResult, JobError> {
    let settings =
        AnalysisSettings { feature_cache: default_feature_cache(), ..AnalysisSettings::default() };
    let analysis =
        analyze(slide, entry, &settings, progress, cancel).map_err(|error| match error {
            AnalyzeError::Cancelled(_) => JobError::Cancelled,
            error => JobError::Failed(format!("The model did not finish: {error}")),
        })?;
    progress.stage("Preparing the slider");
    Ok(prepared(analysis, entry))
}

/// Floods the field once, so that every position of the slider costs a binary search.
fn prepared(analysis: Analysis, entry: &ModelEntry) -> SlideResult {
    let lesions = LesionCurve::new(&analysis.heatmap);
    let histogram = lesions.histogram(HISTOGRAM_BINS);
    SlideResult {
        model_name: entry.manifest.name.clone(),
        model_title: entry.manifest.title.clone(),
        recommended: BinaryThreshold::clamped(entry.manifest.recommended_threshold),
        probability: analysis.probability,
        otsu: otsu_threshold(&histogram),
        lesions,
        histogram,
        heatmap: Arc::new(analysis.heatmap),
        tissue_area_level0_px: analysis.tissue.area_level0_px(),
        tissue: analysis.tissue,
        training_fit: analysis.training_fit,
        faithfulness: analysis.faithfulness,
        timings: analysis.timings,
        provenance: analysis.provenance,
    }
}

/// The upper end of the last bin that Otsu's rule calls low.
#[expect(clippy::cast_precision_loss, reason = "a hundred bins")]
fn otsu_threshold(histogram: &[u64]) -> Option<BinaryThreshold> {
    let last_low = otsu(histogram)?;
    Some(BinaryThreshold::clamped((last_low + 1) as f32 / f32::from(HISTOGRAM_BINS)))
}
