//! One slide through one model, window by window: shared by analysis and evaluation.

use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::familiarity::window_mean;
use super::feature_space::FeatureSpace;
use super::loaded_model::{
    BATCH, BagBatch, BagOutput, FurtherMap, LoadedModel, kept_probabilities,
};
use crate::analysis::AnalyzeError;
use crate::bag::BagConfig;
use crate::bag::feature_store::FeatureStore;
use crate::bag::features::{FeatureError, FeatureReader, FeatureRecipe};
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::tissue::{self, TissueShare};
use crate::cam::stitch::POSITIVE;
use crate::encoder::Encoder;
use crate::fmamil::Grid;
use crate::registry::ModelConfig;
use crate::registry::weights::one_line;
use crate::stopwatch::Stopwatch;

impl From<FeatureError> for AnalyzeError {
    fn from(error: FeatureError) -> Self {
        match error {
            FeatureError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            FeatureError::Slide(error) => Self::Slide(error),
            FeatureError::Encoder(error) => Self::Compute(error.to_string()),
        }
    }
}

/// What every window of a slide came out as, in the order of the windows.
#[derive(Debug, Default)]
pub(crate) struct SlideRun {
    pub(crate) outputs: Vec<BagOutput>,
    /// What else was drawn over them.
    pub(crate) further: Vec<FurtherMap>,
    /// Windows unlike the training data.
    pub(crate) n_outside: usize,
    /// Probabilities that the positive windows keep with the patches under their map alone.
    pub(crate) kept: Vec<f32>,
    /// Stored tiles that could not be read.
    pub(crate) damaged_tiles: u32,
}

impl SlideRun {
    /// Of the slide: the largest of its windows (a slide is positive if any part of it is).
    pub(crate) fn probability(&self) -> f64 {
        self.outputs.iter().map(|it| f64::from(it.probability)).fold(0.0, f64::max)
    }

    /// Mean of [`Self::kept`]; `None` if no window is positive.
    pub(crate) fn faithfulness(&self) -> Option<f64> {
        let sum: f64 = self.kept.iter().map(|it| f64::from(*it)).sum();
        (!self.kept.is_empty()).then(|| sum / self.kept.len() as f64)
    }
}

/// The windows that are looked at: all with enough tissue; the only window of a small image if it has any.
pub(crate) fn windows_with_tissue(
    grid: &PatchGrid,
    config: &BagConfig,
    tissue: &BinaryMask,
) -> Vec<Window> {
    let share = TissueShare::new(tissue);
    let windows = grid.windows_of(config);
    let is_single = windows.len() <= grid.offsets * grid.offsets;
    windows
        .into_iter()
        .filter(|window| {
            let tissue = share.of(grid.level0_rect(*window));
            if is_single { 0.0 < tissue } else { config.tissue_min <= tissue }
        })
        .collect()
}

/// The windows that are learned from: side by side, with enough tissue; the whole of an image that is one window.
///
/// # Errors
/// If the slide cannot be read or no window holds tissue, or the work was cancelled.
pub(crate) fn windows_side_by_side(
    slide: &Slide,
    grid: &PatchGrid,
    bag: &BagConfig,
    cancel: &CancelToken,
) -> Result<Vec<Window>, AnalyzeError> {
    let side_by_side = BagConfig { stride_patches: bag.window_patches, ..bag.clone() };
    let all = grid.windows_of(&side_by_side);
    if all.len() == 1 {
        return Ok(all);
    }
    let tissue = tissue::find(slide, &(), cancel)?;
    let windows = windows_with_tissue(grid, &side_by_side, &tissue);
    if windows.is_empty() { Err(AnalyzeError::NoTissue) } else { Ok(windows) }
}

/// What patches become before a network sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Describer<'a> {
    pub(crate) encoder: &'a dyn Encoder,
    pub(crate) config: &'a ModelConfig,
    pub(crate) space: &'a FeatureSpace,
}

/// What of a slide a network is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'a> {
    pub(crate) slide: &'a Slide,
    pub(crate) grid: &'a PatchGrid,
    pub(crate) windows: &'a [Window],
    pub(crate) describer: Describer<'a>,
    /// Where features are kept.
    pub(crate) store: Option<&'a FeatureStore>,
}

/// Runs the model over the windows.
pub(crate) fn run(
    model: &LoadedModel,
    views: Views<'_>,
    watch: &mut Stopwatch,
    work: (&dyn Progress, &CancelToken),
) -> Result<SlideRun, AnalyzeError> {
    let mut run = SlideRun::default();
    let (n_outside, damaged_tiles) = each_batch(views, watch, work, |batch, watch| {
        watch
            .time("Running the model", || score(model, &batch, &mut run))
            .map_err(|error| AnalyzeError::Compute(one_line(&error)))
    })?;
    Ok(SlideRun { n_outside, damaged_tiles, ..run })
}

/// Hands out the scaled features of the windows, in their order and as many at once as a batch holds. Returns how many windows are
/// unlike the training data, and how many stored tiles could not be read.
pub(crate) fn each_batch(
    views: Views<'_>,
    watch: &mut Stopwatch,
    (progress, cancel): (&dyn Progress, &CancelToken),
    mut take: impl FnMut(BagBatch, &mut Stopwatch) -> Result<(), AnalyzeError>,
) -> Result<(usize, u32), AnalyzeError> {
    let Views { slide, grid, windows, describer, store } = views;
    let Describer { encoder, config, space } = describer;
    let recipe = FeatureRecipe {
        encoder,
        input_px: config.encoder.input_px,
        pad_value: config.bag.pad_value,
        strip_rows: config.bag.window_patches as usize * grid.offsets,
        jitter: None,
        store,
    };
    let mut reader = FeatureReader::new(slide, grid, windows, recipe);
    let mut n_outside = 0;
    let alike = windows.chunk_by(|a, b| (a.rows, a.columns) == (b.rows, b.columns));
    for windows in alike.flat_map(|windows| windows.chunks(BATCH)) {
        let (rows, columns) = windows.first().map_or((0, 0), |it| (it.rows, it.columns));
        let mut batch = BagBatch::empty(Grid { rows, columns });
        for window in windows {
            cancel.check()?;
            let mut features = reader.window(*window, watch, progress, cancel)?;
            let is_real: Vec<bool> =
                window.patches().map(|(row, column)| grid.is_real(row, column)).collect();
            let mean = window_mean(&features, &is_real, space.dim());
            n_outside += usize::from(space.familiarity.is_outside(&mean));
            space.standardize(&mut features);
            batch.push(&features, &is_real);
        }
        take(batch, watch)?;
    }
    Ok((n_outside, reader.damaged_tiles))
}

/// Adds what the network says about a batch.
fn score(model: &LoadedModel, batch: &BagBatch, run: &mut SlideRun) -> candle_core::Result<()> {
    let outputs = model.forward(batch)?;
    if outputs.iter().any(|it| POSITIVE <= it.probability) {
        let fill = model.space.scaled_negative_patch();
        let kept = kept_probabilities(
            model.network.as_ref(),
            batch,
            &outputs,
            &fill,
            &model.device.device,
        )?;
        let positive = outputs.iter().map(|it| POSITIVE <= it.probability);
        run.kept.extend(kept.iter().zip(positive).filter(|(_, is)| *is).map(|(kept, _)| *kept));
    }
    run.outputs.extend(outputs);
    for map in model.further(batch)? {
        match run.further.iter_mut().find(|known| known.kind == map.kind) {
            Some(known) => known.windows.extend(map.windows),
            None => run.further.push(map),
        }
    }
    Ok(())
}
