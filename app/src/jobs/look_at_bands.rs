//! What the model hears in which band of frequencies, from the features that its run has kept.

use std::sync::Arc;

use domain::heatmap::Heatmap;
use domain::mask::BinaryThreshold;
use model::analysis::{AnalysisSettings, AnalyzeError, default_feature_cache};
use model::lens::model_bands::{ModelBands, look};
use model::registry::ModelEntry;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::{Layer, LayerKind};
use crate::state::lens::BandFigures;

pub(super) fn start(entry: ModelEntry, state: &mut State, runner: &mut Runner) {
    let (Some(slide), Some(result)) = (state.slide.clone(), state.overlay.result.clone()) else {
        return;
    };
    let title = "Looking at the model's bands".to_owned();
    let kind = JobKind::LookAtBands;
    runner.start(state, kind, "look-at-bands", title, move |progress, cancel| {
        let settings =
            AnalysisSettings { feature_cache: default_feature_cache(), ..Default::default() };
        let bands =
            look(&slide, &entry, &settings, progress, cancel).map_err(|error| match error {
                AnalyzeError::Cancelled(_) => JobError::Cancelled,
                error => JobError::Failed(format!("The bands cannot be told apart: {error}")),
            })?;
        let (figures, layers) = prepared(bands, entry.manifest.recommended_threshold);
        Ok(Outcome::BandsSeen { result, figures, layers })
    });
}

/// Figures for the panel and a layer for every map.
fn prepared(bands: ModelBands, recommended: f32) -> (BandFigures, Vec<Layer>) {
    let figures = BandFigures {
        probability: bands.probability,
        readings: bands.readings.iter().map(|it| (it.heard, it.probability)).collect(),
        shares: bands.energies.iter().map(|it| (it.band, it.share)).collect(),
        filters: bands.filters,
    };
    let energy = |band, heatmap: Heatmap| Layer {
        // Energy is looked at as a whole: there is nothing to cut.
        threshold: BinaryThreshold::clamped(0.0),
        ..Layer::new(LayerKind::BandEnergy(band), Arc::new(heatmap), None)
    };
    let mut layers: Vec<Layer> =
        bands.energies.into_iter().map(|it| energy(it.band, it.heatmap)).collect();
    // Cut where the whole model is cut, so that the two can be compared.
    let recommended = Some(BinaryThreshold::clamped(recommended));
    layers.extend(
        bands
            .readings
            .into_iter()
            .map(|it| Layer::new(LayerKind::Heard(it.heard), Arc::new(it.heatmap), recommended)),
    );
    (figures, layers)
}
