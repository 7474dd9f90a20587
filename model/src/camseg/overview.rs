//! A refined map of bounded size: a cell per pixel of the network, or the mean of several on larger slides.

use domain::coords::{Level0Rect, PixelSize};
use domain::heatmap::{Heatmap, HeatmapError};

use crate::cam::stitch::on_slide;

/// Most cells along a side.
const MAX_CELLS: usize = 4096;

/// A map that is filled row by row.
#[derive(Debug)]
pub(super) struct Overview {
    /// The slide in network px, height and width.
    size: [usize; 2],
    /// Network px along a side of a cell.
    cell_px: usize,
    columns: usize,
    n_rows: usize,
    sums: Vec<f32>,
}

impl Overview {
    /// Of a slide of that height and width in network px.
    pub(super) fn new(size: [usize; 2]) -> Self {
        let cell_px = size[0].max(size[1]).div_ceil(MAX_CELLS).max(1);
        let [rows, columns] = size.map(|it| it.div_ceil(cell_px));
        Self { size, cell_px, columns, n_rows: 0, sums: vec![0.0; rows * columns] }
    }

    /// Adds the next row of network px.
    pub(super) fn add_row(&mut self, row: &[f32]) {
        let cells = &mut self.sums[self.n_rows / self.cell_px * self.columns..][..self.columns];
        for (cell, pixels) in cells.iter_mut().zip(row.chunks(self.cell_px)) {
            *cell += pixels.iter().sum::<f32>();
        }
        self.n_rows += 1;
    }

    /// Means per cell on the `frame` under the network px; cells at the far edges may reach past it.
    ///
    /// # Errors
    /// If a value is not finite.
    pub(super) fn finish(
        self,
        frame: Level0Rect,
        slide: PixelSize,
    ) -> Result<Heatmap, HeatmapError> {
        let Self { size, cell_px, columns, mut sums, .. } = self;
        let rows = sums.len() / columns;
        let filled = |cell: usize, length: usize| cell_px.min(length - cell * cell_px);
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum /= (filled(i / columns, size[0]) * filled(i % columns, size[1])) as f32;
        }
        let reach = |cells: usize, length: usize| (cells * cell_px) as f64 / length as f64;
        let frame = Level0Rect {
            width: frame.width * reach(columns, size[1]),
            height: frame.height * reach(rows, size[0]),
            ..frame
        };
        let size = PixelSize { width: columns as u32, height: rows as u32 };
        on_slide(Heatmap::new(size, sums, frame)?, Level0Rect::of_size(slide))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_slide_gets_larger_cells_not_more_of_them() {
        let overview = Overview::new([20_000, 9_000]);
        assert_eq!((overview.cell_px, overview.columns), (5, 1800));
        assert_eq!(overview.sums.len(), 4000 * 1800);
    }

    #[test]
    fn a_cell_is_the_mean_of_its_pixels_and_a_cut_one_of_what_is_there() {
        let mut overview = Overview { cell_px: 2, columns: 2, ..Overview::new([3, 3]) };
        overview.sums.truncate(4);
        for row in [[0.0, 0.4, 0.6], [0.2, 0.2, 0.8], [0.1, 0.3, 1.0]] {
            overview.add_row(&row);
        }
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 3.0, height: 3.0 };
        let map = overview.finish(frame, PixelSize { width: 4, height: 4 }).unwrap();
        for (found, expected) in map.values().iter().zip([0.2, 0.7, 0.2, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{:?}", map.values());
        }
    }
}
