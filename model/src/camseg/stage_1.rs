//! Stage 1 over an image that is known to be positive, kept on disk for the next training.
//!
//! What is kept are the windows' probabilities and maps in half precision, one row per window, in a [`FeatureStore`].
//! They are rounded on the first run as well, so that every run learns from the same numbers.

use domain::heatmap::Heatmap;
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use half::f16;
use slide::Slide;

use crate::analysis::AnalyzeError;
use crate::bag::feature_store::{FeatureStore, StoredFeatures, key};
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::cam::stitch::{POSITIVE, Stitcher};
use crate::pipeline::loaded_model::LoadedModel;
use crate::pipeline::slide_run;
use crate::registry::ModelEntry;
use crate::stopwatch::Stopwatch;

/// An image and where its tissue is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) slide: &'a Slide,
    pub(super) tissue: &'a BinaryMask,
}

/// Changes with everything that decides a map besides the image.
pub(super) fn name(model: &LoadedModel, entry: &ModelEntry) -> String {
    let config = serde_json::to_string(&model.config).unwrap_or_default();
    let [weights, encoder] = [&entry.manifest.weights_sha256, model.encoder.weights_sha256()];
    let calibration = model.calibration.map(|it| format!("{it:?}")).unwrap_or_default();
    let decides = [weights, encoder, config.as_str(), &calibration];
    key(&[&[b"stage 1".as_slice()], &decides.map(str::as_bytes)[..]].concat())
}

/// The heatmap of a positive image. Its likeliest window counts as positive, whatever stage 1 says.
pub(super) fn map_of_positive(
    model: &LoadedModel,
    entry: &ModelEntry,
    store: Option<&FeatureStore>,
    place: Place<'_>,
    cancel: &CancelToken,
) -> Result<Heatmap, AnalyzeError> {
    let (slide, bag) = (place.slide, &model.config.bag);
    let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
    let grid = PatchGrid::cover(slide.size(), scale, bag);
    let mut windows = slide_run::windows_with_tissue(&grid, bag, place.tissue);
    if windows.is_empty() {
        windows = grid.windows_of(bag);
    }
    let values_per_window = 1 + windows.first().map_or(0, |it| it.len());
    let key = key(&[name(model, entry).as_bytes(), slide.id().to_string().as_bytes()]);
    let kept = store.and_then(|it| it.read(&key, windows.len(), values_per_window));
    let kept = match kept {
        Some(kept) => kept,
        None => {
            let found = outputs(model, store, (&grid, &windows), slide, cancel)?;
            store.inspect(|it| it.write(&key, values_per_window, &found));
            found
        }
    };
    let rows: Vec<Vec<f32>> = kept
        .values
        .chunks_exact(values_per_window)
        .map(|row| row.iter().map(|it| it.to_f32()).collect())
        .collect();
    let highest = rows.iter().map(|row| row[0]).fold(0.0, f32::max);
    let mut stitcher = Stitcher::new(&grid, windows.len());
    for (window, row) in windows.iter().zip(&rows) {
        let least = if row[0] == highest { POSITIVE } else { 0.0 };
        stitcher.add(*window, &row[1..], row[0].max(least));
    }
    let map = stitcher.finish(&grid, slide.size());
    map.map_err(|error| AnalyzeError::Compute(error.to_string()))
}

/// Probability and map of every window.
fn outputs(
    model: &LoadedModel,
    store: Option<&FeatureStore>,
    (grid, windows): (&PatchGrid, &[Window]),
    slide: &Slide,
    cancel: &CancelToken,
) -> Result<StoredFeatures, AnalyzeError> {
    let work: (&dyn Progress, &CancelToken) = (&(), cancel);
    let mut watch = Stopwatch::default();
    let views = slide_run::Views { slide, grid, windows, describer: model.describer(), store };
    let run = slide_run::run(model, views, &mut watch, work)?;
    let row = |it: &crate::pipeline::loaded_model::BagOutput| {
        let values: Vec<f16> =
            [&it.probability].into_iter().chain(&it.cam).map(|it| f16::from_f32(*it)).collect();
        values
    };
    Ok(StoredFeatures {
        values: run.outputs.iter().flat_map(row).collect(),
        damaged_tiles: run.damaged_tiles,
    })
}
