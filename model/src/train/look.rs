//! The open slide after every epoch: what a training changes, where its owner can see it. Nothing of it goes into the run.

use candle_core::Device;
use domain::coords::{Level0Px, Level0Rect};
use domain::heatmap::Heatmap;
use domain::progress::{CancelToken, Cancelled};
use slide::Slide;

use crate::analysis::AnalyzeError;
use crate::bag::feature_store::FeatureStore;
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue;
use crate::cam::stitch::Stitcher;
use crate::mil::MilNetwork;
use crate::pipeline::loaded_model::{BagBatch, NetworkReader};
use crate::pipeline::slide_run::{Describer, Views, each_batch, windows_with_tissue};
use crate::registry::weights::one_line;
use crate::stopwatch::Stopwatch;

/// Patches across and down that are looked at, at most: seconds for the encoder, nothing for the network.
const FIELD_PATCHES: usize = 32;

/// A slide that is looked at after every epoch.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The slide.
    pub slide: &'a Slide,
    /// Of larger slides the surroundings of this place are looked at.
    pub around: Level0Px,
    /// Told what is seen, or once why nothing can be.
    pub tell: &'a dyn Fn(Result<EpochLook, String>),
}

impl std::fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("around", &self.around).finish_non_exhaustive()
    }
}

/// What a network in training says of the watched slide.
#[derive(Clone, Debug)]
pub struct EpochLook {
    /// Counted from 1; 0 for the model that training goes on from.
    pub epoch: usize,
    /// Of the positive class, of the likeliest window; the network's own, not calibrated.
    pub probability: f64,
    /// The model's own map where it looked; 0 in windows that are predicted negative.
    pub heatmap: Heatmap,
}

/// The part of a slide that is looked at, ready for any network.
#[derive(Debug)]
pub(super) struct Field<'a> {
    watched: Watched<'a>,
    /// Patches of the field alone.
    grid: PatchGrid,
    frame: Level0Rect,
    /// By the field's rows and columns.
    windows: Vec<Window>,
    /// The windows in their order.
    batches: Vec<BagBatch>,
}

impl<'a> Field<'a> {
    /// Describes the patches of the field. `None`, once it is told why, if they cannot be.
    ///
    /// # Errors
    /// If the work was cancelled.
    pub(super) fn of(
        watched: Watched<'a>,
        describer: Describer<'_>,
        store: Option<&FeatureStore>,
        cancel: &CancelToken,
    ) -> Result<Option<Self>, Cancelled> {
        match Self::described(watched, describer, store, cancel) {
            Ok(field) => Ok(Some(field)),
            Err(AnalyzeError::Cancelled(cancelled)) => Err(cancelled),
            Err(error) => {
                (watched.tell)(Err(one_line(&error)));
                Ok(None)
            }
        }
    }

    fn described(
        watched: Watched<'a>,
        describer: Describer<'_>,
        store: Option<&FeatureStore>,
        cancel: &CancelToken,
    ) -> Result<Self, AnalyzeError> {
        let Watched { slide, around, .. } = watched;
        let bag = &describer.config.bag;
        let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
        let whole = PatchGrid::cover(slide.size(), scale, bag);
        let tissue = tissue::find(slide, &(), cancel)?;
        let part = part_around(&whole, around);
        let mut windows = windows_with_tissue(&whole, bag, &tissue);
        windows.retain(|it| is_within(part, *it));
        if windows.is_empty() {
            return Err(AnalyzeError::NoTissue);
        }
        let mut batches = Vec::new();
        let views = Views { slide, grid: &whole, windows: &windows, describer, store };
        each_batch(views, &mut Stopwatch::default(), (&(), cancel), |batch, _| {
            batches.push(batch);
            Ok(())
        })?;
        for window in &mut windows {
            (window.row, window.column) = (window.row - part.row, window.column - part.column);
        }
        let (grid, frame) = whole.part(part);
        Ok(Self { watched, grid, frame, windows, batches })
    }

    /// Tells what `network` says of the field.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn look(
        &self,
        epoch: usize,
        network: &dyn MilNetwork,
        device: &Device,
    ) -> candle_core::Result<()> {
        let reader = NetworkReader { device, calibration: None };
        let mut stitcher = Stitcher::new(&self.grid, self.windows.len());
        let mut probability = 0.0_f32;
        let mut windows = self.windows.iter();
        for batch in &self.batches {
            for (output, window) in reader.outputs(network, batch)?.iter().zip(&mut windows) {
                stitcher.add(*window, &output.cam, output.probability);
                probability = probability.max(output.probability);
            }
        }
        let heatmap = stitcher.cells(self.frame).map_err(|error| error.to_string());
        let look =
            heatmap.map(|heatmap| EpochLook { epoch, probability: probability.into(), heatmap });
        (self.watched.tell)(look);
        Ok(())
    }
}

/// As much of the grid as is looked at, with the patch at `around` in its middle where there is room.
fn part_around(whole: &PatchGrid, around: Level0Px) -> Window {
    let patch = whole.level0_rect(Window { row: 0, column: 0, rows: 1, columns: 1, spacing: 1 });
    let axis = |n: usize, place: f64, step: f64| {
        let length = n.min(FIELD_PATCHES);
        let middle = (place / step).max(0.0) as usize;
        (middle.saturating_sub(length / 2).min(n - length), length)
    };
    let share = f64::from(whole.step_px) / f64::from(whole.patch_px);
    let (row, rows) = axis(whole.rows, around.y, share * patch.height);
    let (column, columns) = axis(whole.columns, around.x, share * patch.width);
    Window { row, column, rows, columns, spacing: 1 }
}

fn is_within(part: Window, window: Window) -> bool {
    let is_inside = |start: usize, n: usize, first: usize, length: usize| {
        first <= start && start + n <= first + length
    };
    is_inside(window.row, window.rows, part.row, part.rows)
        && is_inside(window.column, window.columns, part.column, part.columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagConfig;
    use domain::coords::PixelSize;

    const PIXEL_FOR_PIXEL: ModelScale = ModelScale { x: 1.0, y: 1.0 };

    fn grid(width: u32, height: u32) -> PatchGrid {
        PatchGrid::cover(PixelSize { width, height }, PIXEL_FOR_PIXEL, &BagConfig::of(10))
    }

    #[test]
    fn of_a_small_slide_everything_is_looked_at() {
        let whole = grid(95, 200);
        let part = part_around(&whole, Level0Px { x: 90.0, y: 3.0 });
        assert_eq!(part, whole.whole());
        let (cells, frame) = whole.part(part);
        assert_eq!((cells, frame), (whole.clone(), whole.cells_rect()));
    }

    #[test]
    fn of_a_large_slide_the_surroundings_of_a_place_are_looked_at() {
        let whole = grid(2000, 1000);
        let part = part_around(&whole, Level0Px { x: 1005.0, y: 995.0 });
        assert_eq!((part.row, part.column), (100 - FIELD_PATCHES, 100 - FIELD_PATCHES / 2));
        let (cells, frame) = whole.part(part);
        assert_eq!((cells.rows, cells.columns), (FIELD_PATCHES, FIELD_PATCHES));
        assert_eq!((frame.x, frame.y, frame.width, frame.height), (840.0, 680.0, 320.0, 320.0));
        let window = Window { rows: 7, columns: 7, ..part };
        assert!(is_within(part, window));
        assert!(!is_within(part, Window { column: part.column - 1, ..window }));
        assert!(!is_within(part, Window { row: part.row + FIELD_PATCHES - 6, ..window }));
    }
}
