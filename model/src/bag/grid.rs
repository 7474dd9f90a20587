//! Patches over a slide, and the windows of patches that the model sees at once (MODELS 1.1, 1.2).

use domain::coords::{Level0Rect, PixelSize};

use super::BagConfig;
use super::scale::ModelScale;

/// The patches of one slide: patch `(row, column)` begins at model px `(left + column * patch_px, top + row * patch_px)`.
/// The last row and column may reach past the slide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PatchGrid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) patch_px: u32,
    pub(crate) scale: ModelScale,
    /// Where the first patch begins, in model px.
    pub(crate) left: f64,
    pub(crate) top: f64,
    /// The slide in model px.
    model_width: f64,
    model_height: f64,
}

/// A rectangle of patches: one bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Window {
    /// Patches in it.
    pub(crate) fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Its patches as `(row, column)` of the grid, row-major.
    pub(crate) fn patches(self) -> impl Iterator<Item = (usize, usize)> {
        (self.row..self.row + self.rows).flat_map(move |row| {
            (self.column..self.column + self.columns).map(move |column| (row, column))
        })
    }
}

impl PatchGrid {
    /// Covers a slide of `size` level-0 px; at least one patch.
    pub(crate) fn cover(size: PixelSize, scale: ModelScale, patch_px: u32) -> Self {
        Self::cover_from((0.0, 0.0), size, scale, patch_px)
    }

    /// Covers what of a slide lies right of and below `(left, top)`, in model px.
    pub(crate) fn cover_from(
        (left, top): (f64, f64),
        size: PixelSize,
        scale: ModelScale,
        patch_px: u32,
    ) -> Self {
        let model_width = f64::from(size.width) / scale.x;
        let model_height = f64::from(size.height) / scale.y;
        // A thousandth of a pixel past the last patch is rounding, not a further patch.
        let count = |side: f64| ((side - 1e-3) / f64::from(patch_px)).ceil().max(1.0) as usize;
        Self {
            rows: count(model_height - top),
            columns: count(model_width - left),
            patch_px,
            scale,
            left,
            top,
            model_width,
            model_height,
        }
    }

    /// Whether at least half of a patch lies on the slide; others are masked.
    pub(crate) fn is_real(&self, row: usize, column: usize) -> bool {
        let side = f64::from(self.patch_px);
        let covered =
            |index: usize, length: f64| ((length - index as f64 * side) / side).clamp(0.0, 1.0);
        let (height, width) = (self.model_height - self.top, self.model_width - self.left);
        0.5 <= covered(row, height) * covered(column, width)
    }

    /// The part of the slide plane under a window.
    pub(crate) fn level0_rect(&self, window: Window) -> Level0Rect {
        let side = f64::from(self.patch_px);
        self.scale.level0_from_model(
            self.left + window.column as f64 * side,
            self.top + window.row as f64 * side,
            window.columns as f64 * side,
            window.rows as f64 * side,
        )
    }

    /// The window of all patches.
    pub(crate) fn whole(&self) -> Window {
        Window { row: 0, column: 0, rows: self.rows, columns: self.columns }
    }

    /// Windows that cover the grid, row by row. The last of a row or column is moved back to end with the
    /// grid; a side that one window covers has just that.
    pub(crate) fn windows(&self, window_patches: u32, stride_patches: u32) -> Vec<Window> {
        let rows = spans(self.rows, window_patches as usize, stride_patches as usize);
        let columns = spans(self.columns, window_patches as usize, stride_patches as usize);
        rows.iter()
            .flat_map(|&(row, rows)| {
                columns.iter().map(move |&(column, columns)| Window { row, column, rows, columns })
            })
            .collect()
    }

    /// [`Self::windows`] as a model's configuration asks for.
    pub(crate) fn windows_of(&self, config: &BagConfig) -> Vec<Window> {
        self.windows(config.window_patches, config.stride_patches)
    }
}

/// Starts and lengths along one axis.
fn spans(n: usize, window: usize, stride: usize) -> Vec<(usize, usize)> {
    if n <= window {
        return vec![(0, n)];
    }
    let last = n - window;
    let mut starts: Vec<usize> = (0..last).step_by(stride.max(1)).collect();
    starts.push(last);
    starts.into_iter().map(|start| (start, window)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL_FOR_PIXEL: ModelScale = ModelScale { x: 1.0, y: 1.0 };

    fn grid(width: u32, height: u32, patch_px: u32) -> PatchGrid {
        PatchGrid::cover(PixelSize { width, height }, PIXEL_FOR_PIXEL, patch_px)
    }

    #[test]
    fn the_papers_image_is_eleven_by_eleven_patches() {
        let paper = grid(1100, 1100, 100);
        assert_eq!((paper.rows, paper.columns), (11, 11));
        assert_eq!(paper.windows(11, 11), vec![paper.whole()]);
    }

    #[test]
    fn a_side_that_does_not_divide_gets_one_more_patch_which_is_masked_if_mostly_padding() {
        let grid = grid(1100, 1050, 200);
        assert_eq!((grid.rows, grid.columns), (6, 6));
        assert!(grid.is_real(4, 5), "half of it lies on the slide");
        assert!(!grid.is_real(5, 0), "a quarter of it lies on the slide");
    }

    #[test]
    fn a_grid_that_begins_half_a_patch_later_covers_the_rest_of_the_slide() {
        let size = PixelSize { width: 1100, height: 1100 };
        let grid = PatchGrid::cover_from((50.0, 0.0), size, PIXEL_FOR_PIXEL, 100);
        assert_eq!((grid.rows, grid.columns), (11, 11));
        assert_eq!(grid.level0_rect(grid.whole()).x, 50.0);
        assert!(grid.is_real(0, 10), "half of it lies on the slide");
        let later = PatchGrid::cover_from((75.0, 0.0), size, PIXEL_FOR_PIXEL, 100);
        assert!(!later.is_real(0, 10), "a quarter of it lies on the slide");
    }

    #[test]
    fn an_image_smaller_than_a_patch_is_one_patch() {
        assert_eq!(grid(10, 30, 32).whole().len(), 1);
    }

    #[test]
    fn windows_reach_the_last_patch_without_leaving_the_grid() {
        let grid = grid(32 * 10, 32 * 7, 32);
        let starts: Vec<(usize, usize)> =
            grid.windows(7, 2).iter().map(|it| (it.row, it.column)).collect();
        assert_eq!(starts, [(0, 0), (0, 2), (0, 3)]);
    }

    #[test]
    fn every_patch_lies_in_a_window() {
        let grid = grid(32 * 23, 32 * 16, 32);
        let mut covered = vec![false; grid.rows * grid.columns];
        for (row, column) in grid.windows(7, 5).into_iter().flat_map(Window::patches) {
            covered[row * grid.columns + column] = true;
        }
        assert!(covered.into_iter().all(|it| it));
    }

    #[test]
    fn a_window_lies_where_the_scale_says() {
        let scale = ModelScale { x: 0.5, y: 2.0 };
        let grid = PatchGrid::cover(PixelSize { width: 64, height: 256 }, scale, 32);
        assert_eq!((grid.rows, grid.columns), (4, 4));
        let rect = grid.level0_rect(Window { row: 1, column: 2, rows: 2, columns: 1 });
        assert_eq!((rect.x, rect.y, rect.width, rect.height), (32.0, 64.0, 16.0, 128.0));
    }
}
