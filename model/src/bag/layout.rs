//! Where the bags of an image lie that a training learns from. The training and whoever wants to see it beforehand ask
//! here, so that what is shown is what is learned from.

use domain::coords::{Level0Rect, PixelSize};
use domain::progress::CancelToken;
use slide::Slide;

use super::BagConfig;
use super::grid::{PatchGrid, Window};
use super::scale::ModelScale;
use crate::analysis::AnalyzeError;
use crate::pipeline::slide_run::windows_side_by_side;

/// What becomes of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchUse {
    /// A bag holds it.
    Seen,
    /// It lies in a bag, masked: less than half of it is on the slide.
    Padding,
    /// Its window holds too little tissue: no bag has it.
    LeftOut,
}

/// A patch on the slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchPlace {
    /// It may reach past the slide at the right and below.
    pub rect: Level0Rect,
    /// What becomes of it.
    pub used: PatchUse,
}

/// The patches of an image, and the windows of them that are its bags.
#[derive(Clone, Debug, PartialEq)]
pub struct BagLayout {
    pub(crate) grid: PatchGrid,
    /// The bags, row by row.
    pub(crate) windows: Vec<Window>,
    notes: Vec<String>,
}

impl BagLayout {
    /// Windows side by side, with enough tissue; the whole of an image that is one window. Reads the tissue where there
    /// are several.
    ///
    /// # Errors
    /// If the slide cannot be read or no window holds tissue, or the work was cancelled.
    pub fn of_training(
        slide: &Slide,
        bag: &BagConfig,
        cancel: &CancelToken,
    ) -> Result<Self, AnalyzeError> {
        let (scale, notes) = ModelScale::of(slide.mpp(), bag.mpp);
        let grid = PatchGrid::cover(slide.size(), scale, bag);
        let windows = windows_side_by_side(slide, &grid, bag, cancel)?;
        Ok(Self { grid, windows, notes })
    }

    /// Patches over the whole image, across and down.
    pub fn size(&self) -> PixelSize {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        PixelSize { width: count(self.grid.columns), height: count(self.grid.rows) }
    }

    /// Side of a patch in model px.
    pub fn patch_px(&self) -> u32 {
        self.grid.patch_px
    }

    /// What the user should know about the resolution.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The bags on the slide. The last of a row or column may overlap the one before.
    pub fn bags(&self) -> Vec<Level0Rect> {
        self.windows.iter().map(|window| self.grid.level0_rect(*window)).collect()
    }

    /// Every patch of the image, row by row.
    pub fn patches(&self) -> Vec<PatchPlace> {
        let PatchGrid { rows, columns, .. } = self.grid;
        let mut is_in_bag = vec![false; rows * columns];
        for (row, column) in self.windows.iter().flat_map(|window| window.patches()) {
            is_in_bag[row * columns + column] = true;
        }
        let place = |(i, is_in_bag): (usize, bool)| {
            let (row, column) = (i / columns, i % columns);
            let used = match (is_in_bag, self.grid.is_real(row, column)) {
                (false, _) => PatchUse::LeftOut,
                (true, true) => PatchUse::Seen,
                (true, false) => PatchUse::Padding,
            };
            let patch = Window { row, column, rows: 1, columns: 1, spacing: 1 };
            PatchPlace { rect: self.grid.level0_rect(patch), used }
        };
        is_in_bag.into_iter().enumerate().map(place).collect()
    }
}
