//! Patches over a slide, and the windows of patches that the model sees at once (MODELS 1.1, 1.2).

use domain::coords::{Level0Rect, PixelSize};

use super::BagConfig;
use super::scale::ModelScale;

/// The patches of one slide: patch `(row, column)` begins at model px `(column * step_px, row * step_px)`.
/// The last row and column may reach past the slide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PatchGrid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) patch_px: u32,
    /// From one patch to the next; at most `patch_px`.
    pub(crate) step_px: u32,
    /// Every how many patches a window takes one: as many grids, each a step further, lie across and down within each other.
    pub(crate) offsets: usize,
    pub(crate) scale: ModelScale,
    /// The slide in model px.
    model_width: f64,
    model_height: f64,
}

/// A rectangle of patches, every `spacing`-th of the grid across and down: one bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) spacing: usize,
}

impl Window {
    /// Patches in it.
    pub(crate) fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Its patches as `(row, column)` of the grid, row-major.
    pub(crate) fn patches(self) -> impl Iterator<Item = (usize, usize)> {
        let Self { row, column, spacing, .. } = self;
        (0..self.rows).flat_map(move |down| {
            (0..self.columns).map(move |across| (row + down * spacing, column + across * spacing))
        })
    }

    /// Past the last row of the grid that it takes patches from.
    pub(crate) fn end_row(self) -> usize {
        self.row + self.rows.saturating_sub(1) * self.spacing + usize::from(0 < self.rows)
    }
}

impl PatchGrid {
    /// Covers a slide of `size` level-0 px; at least one patch.
    pub(crate) fn cover(size: PixelSize, scale: ModelScale, bag: &BagConfig) -> Self {
        Self::of_patches(size, scale, (bag.patch_px, bag.step_px()))
    }

    /// [`Self::cover`] by `offsets` grids across and down, a divisor of the step, each shifted by that part of it: every window is as the model
    /// knows it, and together their maps are as many times finer (MODELS 6.5).
    pub(crate) fn at_offsets(
        size: PixelSize,
        scale: ModelScale,
        bag: &BagConfig,
        offsets: usize,
    ) -> Self {
        let step_px = bag.step_px() / offsets as u32;
        Self { offsets, ..Self::of_patches(size, scale, (bag.patch_px, step_px)) }
    }

    /// [`Self::cover`] with patches of that side and step.
    pub(crate) fn of_patches(
        size: PixelSize,
        scale: ModelScale,
        (patch_px, step_px): (u32, u32),
    ) -> Self {
        let model_width = f64::from(size.width) / scale.x;
        let model_height = f64::from(size.height) / scale.y;
        // A thousandth of a pixel past the last patch is rounding, not a further patch.
        let count = |side: f64| {
            let further = (side - 1e-3 - f64::from(patch_px)) / f64::from(step_px);
            further.ceil().max(0.0) as usize + 1
        };
        Self {
            rows: count(model_height),
            columns: count(model_width),
            patch_px,
            step_px,
            offsets: 1,
            scale,
            model_width,
            model_height,
        }
    }

    /// Whether at least half of a patch lies on the slide; others are masked.
    pub(crate) fn is_real(&self, row: usize, column: usize) -> bool {
        let (side, step) = (f64::from(self.patch_px), f64::from(self.step_px));
        let covered =
            |index: usize, length: f64| ((length - index as f64 * step) / side).clamp(0.0, 1.0);
        0.5 <= covered(row, self.model_height) * covered(column, self.model_width)
    }

    /// Model px across or down under `n` patches side by side.
    pub(crate) fn extent_px(&self, n: usize) -> usize {
        n.saturating_sub(1) * self.step_px as usize + self.patch_px as usize
    }

    /// The part of the slide plane under a window.
    pub(crate) fn level0_rect(&self, window: Window) -> Level0Rect {
        let step = f64::from(self.step_px);
        let extent = |n: usize| self.extent_px(n.saturating_sub(1) * window.spacing + 1) as f64;
        self.scale.level0_from_model(
            window.column as f64 * step,
            window.row as f64 * step,
            extent(window.columns),
            extent(window.rows),
        )
    }

    /// As many patches as a part has, for maps of that part alone, and where their cells lie on the slide.
    pub(crate) fn part(&self, part: Window) -> (Self, Level0Rect) {
        let corner = self.level0_rect(part);
        let grid = Self { rows: part.rows, columns: part.columns, ..self.clone() };
        let cells = grid.cells_rect();
        let frame = Level0Rect { x: corner.x + cells.x, y: corner.y + cells.y, ..cells };
        (grid, frame)
    }

    /// Cells of the map that a patch covers across and down: the shifted grids' patches share theirs.
    pub(crate) fn cells_per_patch(&self) -> usize {
        self.offsets
    }

    /// Rows and columns of cells.
    pub(crate) fn cells(&self) -> (usize, usize) {
        let shared = self.cells_per_patch() - 1;
        (self.rows + shared, self.columns + shared)
    }

    /// The part of the slide plane under the cells, which lie around the patches' centers.
    pub(crate) fn cells_rect(&self) -> Level0Rect {
        let step = f64::from(self.step_px);
        let covered = step * self.cells_per_patch() as f64;
        let overlap = 0.5 * (f64::from(self.patch_px) - covered);
        let (rows, columns) = self.cells();
        self.scale.level0_from_model(overlap, overlap, columns as f64 * step, rows as f64 * step)
    }

    /// The window of all patches.
    #[cfg(test)]
    pub(crate) fn whole(&self) -> Window {
        Window { row: 0, column: 0, rows: self.rows, columns: self.columns, spacing: 1 }
    }

    /// Windows that cover the grid, or each of the shifted grids, row by row. The last of a row or column is moved back to
    /// end with the grid; a side that one window covers has just that.
    pub(crate) fn windows(&self, window_patches: u32, stride_patches: u32) -> Vec<Window> {
        let spacing = self.offsets;
        let axis = |n: usize| -> Vec<(usize, usize)> {
            let of_grid = |first: usize| {
                let patches = n.saturating_sub(first).div_ceil(spacing);
                let spans = spans(patches, window_patches as usize, stride_patches as usize);
                spans.into_iter().map(move |(start, n)| (first + start * spacing, n))
            };
            (0..spacing.min(n)).flat_map(of_grid).collect()
        };
        let (mut rows, columns) = (axis(self.rows), axis(self.columns));
        rows.sort_unstable();
        let windows = rows.iter().flat_map(|&(row, rows)| {
            columns.iter().map(move |&(column, columns)| Window {
                row,
                column,
                rows,
                columns,
                spacing,
            })
        });
        windows.collect()
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
        PatchGrid::cover(PixelSize { width, height }, PIXEL_FOR_PIXEL, &BagConfig::of(patch_px))
    }

    #[test]
    fn patches_at_half_their_side_overlap_and_reach_the_edge() {
        let bag = BagConfig { patch_step_px: Some(50), ..BagConfig::of(100) };
        let size = PixelSize { width: 1100, height: 1120 };
        let long = PatchGrid::cover(size, PIXEL_FOR_PIXEL, &bag);
        assert_eq!((long.rows, long.columns), (22, 21));
        assert!(long.is_real(21, 0), "70 of its 100 px lie on the slide");
        let rect = long.level0_rect(Window { row: 1, column: 2, rows: 2, columns: 1, spacing: 1 });
        assert_eq!((rect.x, rect.y, rect.width, rect.height), (100.0, 50.0, 100.0, 150.0));
        let cells = long.cells_rect();
        assert_eq!((cells.x, cells.width), (25.0, 1050.0));
    }

    #[test]
    fn shifted_grids_see_the_same_spacing_and_cover_every_patch() {
        let bag = BagConfig::of(100);
        let size = PixelSize { width: 1100, height: 700 };
        let fine = PatchGrid::at_offsets(size, PIXEL_FOR_PIXEL, &bag, 2);
        assert_eq!((fine.rows, fine.columns, fine.step_px), (13, 21, 50));
        let windows = fine.windows(7, 4);
        let mut covered = vec![0; fine.rows * fine.columns];
        for (row, column) in windows.iter().flat_map(|it| it.patches()) {
            covered[row * fine.columns + column] += 1;
        }
        assert!(covered.iter().all(|it| 0 < *it));
        assert!(windows.is_sorted_by_key(|it| it.row), "windows are asked for row by row");
        let shifted = windows.iter().find(|it| (it.row, it.column) == (1, 1)).unwrap();
        assert_eq!((shifted.rows, shifted.columns, shifted.end_row()), (6, 7, 12));
        let rect = fine.level0_rect(*shifted);
        assert_eq!((rect.x, rect.y, rect.width, rect.height), (50.0, 50.0, 700.0, 600.0));
        assert_eq!(fine.cells(), (14, 22));
        let cells = fine.cells_rect();
        assert_eq!((cells.x, cells.y, cells.width, cells.height), (0.0, 0.0, 1100.0, 700.0));
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
        let grid =
            PatchGrid::cover(PixelSize { width: 64, height: 256 }, scale, &BagConfig::of(32));
        assert_eq!((grid.rows, grid.columns), (4, 4));
        let rect = grid.level0_rect(Window { row: 1, column: 2, rows: 2, columns: 1, spacing: 1 });
        assert_eq!((rect.x, rect.y, rect.width, rect.height), (32.0, 64.0, 16.0, 128.0));
    }
}
