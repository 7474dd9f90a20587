//! Windows' maps to one heatmap of the slide (MODELS 6.4, 6.5).

use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::heatmap::{Heatmap, HeatmapError};

use crate::bag::grid::{PatchGrid, Window};

/// From this probability on a window is predicted positive; below, its map is 0.
pub(crate) const POSITIVE: f32 = 0.5;

/// Sums windows' maps; a patch has a cell of its own, or shares several with its neighbours of shifted grids.
#[derive(Debug)]
pub(crate) struct Stitcher {
    /// Sum of gated maps, weighted if there are several windows.
    sums: Vec<f32>,
    /// Patches over each cell.
    n_covers: Vec<u16>,
    columns: usize,
    rows: usize,
    cells_per_patch: usize,
    is_weighted: bool,
}

impl Stitcher {
    /// For `n_windows` windows over `grid`. The map of a single window is kept as it is; several are averaged where
    /// they overlap, each weighted with its probability.
    pub(crate) fn new(grid: &PatchGrid, n_windows: usize) -> Self {
        let (rows, columns) = grid.cells();
        Self {
            sums: vec![0.0; rows * columns],
            n_covers: vec![0; rows * columns],
            columns,
            rows,
            cells_per_patch: grid.cells_per_patch(),
            is_weighted: 1 < n_windows,
        }
    }

    /// Adds the map of a window; a window predicted negative adds zeros.
    pub(crate) fn add(&mut self, window: Window, cam: &[f32], probability: f32) {
        let weight = match (probability < POSITIVE, self.is_weighted) {
            (true, _) => 0.0,
            (false, true) => probability,
            (false, false) => 1.0,
        };
        for ((row, column), value) in window.patches().zip(cam) {
            for row in row..row + self.cells_per_patch {
                let cells =
                    row * self.columns + column..row * self.columns + column + self.cells_per_patch;
                for (sum, n) in self.sums[cells.clone()].iter_mut().zip(&mut self.n_covers[cells]) {
                    *sum += weight * value;
                    *n = n.saturating_add(1);
                }
            }
        }
    }

    /// [`Self::cells`] on a frame that ends with the slide.
    ///
    /// # Errors
    /// If a value is not finite.
    pub(crate) fn finish(
        self,
        grid: &PatchGrid,
        slide: PixelSize,
    ) -> Result<Heatmap, HeatmapError> {
        on_slide(self.cells(grid.cells_rect())?, Level0Rect::of_size(slide))
    }

    /// The mean over covering windows, 0 where there is none, on the frame of the cells.
    ///
    /// # Errors
    /// If a value is not finite.
    pub(crate) fn cells(self, frame: Level0Rect) -> Result<Heatmap, HeatmapError> {
        let mean = |(sum, n): (&f32, &u16)| (sum / f32::from((*n).max(1))).clamp(0.0, 1.0);
        let values = self.sums.iter().zip(&self.n_covers).map(mean).collect();
        let size = PixelSize { width: self.columns as u32, height: self.rows as u32 };
        Heatmap::new(size, values, frame)
    }
}

/// Windows' maps, each with its window's probability, as one heatmap of the slide.
///
/// # Errors
/// If a value is not finite.
pub(crate) fn stitched<'a>(
    grid: &PatchGrid,
    windows: &[Window],
    maps: impl Iterator<Item = (&'a [f32], f32)>,
    slide: PixelSize,
) -> Result<Heatmap, HeatmapError> {
    let mut stitcher = Stitcher::new(grid, windows.len());
    for (window, (map, probability)) in windows.iter().zip(maps) {
        stitcher.add(*window, map, probability);
    }
    stitcher.finish(grid, slide)
}

/// The same field on the slide's `frame`, which may end within the last cells or, where patches overlap, reach past
/// all of them: about as many cells, each with the field's value nearest to its center.
pub(crate) fn on_slide(cells: Heatmap, frame: Level0Rect) -> Result<Heatmap, HeatmapError> {
    let old = cells.frame();
    if (old.width - frame.width).abs() < 1e-6 && (old.height - frame.height).abs() < 1e-6 {
        return Ok(cells);
    }
    let side =
        |length: f64, old: f64, n: u32| (length / old * f64::from(n) - 1e-6).ceil().max(1.0) as u32;
    let size = PixelSize {
        width: side(frame.width, old.width, cells.size().width),
        height: side(frame.height, old.height, cells.size().height),
    };
    let center = |i: u32, n: u32, side: f64, (start, length): (f64, f64)| {
        let end = start + length * (1.0 - 1e-9);
        ((f64::from(i) + 0.5) / f64::from(n) * side).clamp(start, end)
    };
    let values = (0..size.height)
        .flat_map(|row| (0..size.width).map(move |column| (row, column)))
        .map(|(row, column)| {
            cells.sample(Level0Px {
                x: center(column, size.width, frame.width, (old.x, old.width)),
                y: center(row, size.height, frame.height, (old.y, old.height)),
            })
        })
        .collect();
    Heatmap::new(size, values, frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagConfig;
    use crate::bag::scale::ModelScale;

    const SCALE: ModelScale = ModelScale { x: 1.0, y: 1.0 };

    fn stitched(width: u32, windows: &[(Window, Vec<f32>, f32)]) -> Heatmap {
        let size = PixelSize { width, height: 10 };
        let grid = PatchGrid::cover(size, SCALE, &BagConfig::of(10));
        let mut stitcher = Stitcher::new(&grid, windows.len());
        for (window, cam, probability) in windows {
            stitcher.add(*window, cam, *probability);
        }
        stitcher.finish(&grid, size).unwrap()
    }

    fn window(column: usize, columns: usize) -> Window {
        Window { row: 0, column, rows: 1, columns, spacing: 1 }
    }

    #[test]
    fn the_map_of_one_window_is_kept_as_it_is() {
        let heatmap = stitched(30, &[(window(0, 3), vec![0.0, 1.0, 0.5], 0.7)]);
        assert_eq!(heatmap.values(), [0.0, 1.0, 0.5]);
    }

    #[test]
    fn overlapping_windows_are_averaged_with_their_probability() {
        let windows = [(window(0, 2), vec![1.0, 0.5], 0.8), (window(1, 2), vec![1.0, 1.0], 0.6)];
        let heatmap = stitched(30, &windows);
        let expected = [0.8, (0.8 * 0.5 + 0.6) / 2.0, 0.6];
        assert!(heatmap.values().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_window_predicted_negative_has_a_zero_map() {
        assert_eq!(stitched(30, &[(window(0, 3), vec![1.0; 3], 0.49)]).max(), 0.0);
    }

    #[test]
    fn patches_that_no_window_covers_are_zero() {
        assert_eq!(stitched(30, &[(window(1, 1), vec![1.0], 0.9)]).values(), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn overlapping_patches_make_a_finer_field_that_reaches_the_edge() {
        let size = PixelSize { width: 40, height: 10 };
        let bag = BagConfig { patch_step_px: Some(5), ..BagConfig::of(10) };
        let grid = PatchGrid::cover(size, SCALE, &bag);
        assert_eq!((grid.rows, grid.columns), (1, 7));
        let mut stitcher = Stitcher::new(&grid, 1);
        stitcher.add(grid.whole(), &[1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 1.0], 0.9);
        let heatmap = stitcher.finish(&grid, size).unwrap();
        assert_eq!((heatmap.size().width, heatmap.size().height), (8, 2));
        assert_eq!((heatmap.frame().width, heatmap.frame().height), (40.0, 10.0));
        let row = &heatmap.values()[..8];
        for (found, expected) in row.iter().zip([1.0, 0.5, 0.0, 0.25, 0.25, 0.0, 0.5, 1.0]) {
            assert!((found - expected).abs() < 1e-3, "{row:?}");
        }
    }

    #[test]
    fn patches_of_shifted_grids_share_their_cells() {
        let size = PixelSize { width: 30, height: 10 };
        let grid = PatchGrid::at_offsets(size, SCALE, &BagConfig::of(10), 2);
        let windows = grid.windows(7, 7);
        let columns: Vec<(usize, usize)> =
            windows.iter().map(|it| (it.column, it.columns)).collect();
        assert_eq!(columns, [(0, 3), (1, 2)]);
        let mut stitcher = Stitcher::new(&grid, windows.len());
        stitcher.add(windows[0], &[1.0, 0.0, 0.0], 1.0);
        stitcher.add(windows[1], &[1.0, 0.0], 0.5);
        let heatmap = stitcher.finish(&grid, size).unwrap();
        assert_eq!((heatmap.size().width, heatmap.size().height), (6, 2));
        assert_eq!(heatmap.values()[..6], [1.0, 0.75, 0.25, 0.0, 0.0, 0.0]);
        assert_eq!((heatmap.frame().width, heatmap.frame().height), (30.0, 10.0));
    }

    #[test]
    fn the_frame_ends_with_the_slide_and_the_field_stays_in_place() {
        let heatmap = stitched(26, &[(window(0, 3), vec![0.0, 1.0, 0.0], 0.9)]);
        assert_eq!(heatmap.frame().width, 26.0);
        assert_eq!(heatmap.size().width, 3);
        let peak = heatmap.values()[1];
        // A field is sampled at fractions of 1/2048 of a cell.
        assert!((peak - 0.8).abs() < 1e-3, "the field at 13 px, 2 px left of the peak: {peak}");
    }
}
