//! Where on a slide a model looks.

use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::loaded_model::LoadedModel;
use super::slide_run::windows_with_tissue;
use crate::analysis::{AnalysisSettings, AnalyzeError};
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue;
use crate::stopwatch::Stopwatch;

/// Tissue, and the windows over it.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) tissue: BinaryMask,
    pub(crate) grid: PatchGrid,
    /// At least one.
    pub(crate) windows: Vec<Window>,
    /// What the user must be told of the slide's resolution.
    pub(crate) notes: Vec<String>,
}

impl Survey {
    /// Finds tissue and lays the model's windows over it.
    ///
    /// # Errors
    /// If the slide cannot be read or has no tissue, its patches cannot be shifted as the settings ask, or the work was cancelled.
    pub(crate) fn of(
        slide: &Slide,
        model: &LoadedModel,
        settings: &AnalysisSettings,
        watch: &mut Stopwatch,
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<Self, AnalyzeError> {
        progress.stage("Finding tissue");
        let tissue = watch.time("Finding tissue", || tissue::find(slide, progress, cancel))?;
        let bag = &model.config.bag;
        let (scale, notes) = ModelScale::of(slide.mpp(), bag.mpp);
        let offsets = settings.fineness.offsets_of(bag)?;
        let grid = PatchGrid::at_offsets(slide.size(), scale, bag, offsets);
        let windows = windows_with_tissue(&grid, bag, &tissue);
        if windows.is_empty() {
            return Err(AnalyzeError::NoTissue);
        }
        Ok(Self { tissue, grid, windows, notes: notes.into_iter().collect() })
    }
}
