//! The refiner over a slide of any size: overlapping windows, blended so that no seam shows, on tissue only.
//!
//! A window's outer pixels lack context and count nothing; further in their weight rises to 1 and falls again
//! where the neighbour takes over. Windows begin at multiples of 16 px, so every pixel is pooled with the same
//! neighbours in each of them. Memory is that of one window and of the map, whose cells grow with the slide.

use domain::coords::{Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::mask::BinaryMask;
use domain::progress::{CancelToken, Progress};
use slide::Slide;

use super::dataset::{PAD_VALUE, network_grid};
use super::refiner::Refiner;
use super::unet::ALIGNMENT;
use crate::analysis::AnalyzeError;
use crate::bag::extract::read_block;
use crate::bag::grid::{PatchGrid, Window};
use crate::bag::scale::ModelScale;
use crate::bag::tissue::TissueShare;
use crate::cam::stitch::on_slide;
use crate::registry::weights::one_line;

/// Side of a window, in units of 16 px: 512 px.
const WINDOW_UNITS: u32 = 32;
/// From one window to the next: 320 px, so that two share 192.
const STRIDE_UNITS: u32 = 20;
/// Pixels at a window's inner edges that count nothing.
const MARGIN_PX: f32 = 64.0;
/// Pixels over which a window's weight then rises to 1: `192 - 2 * 64`.
const RAMP_PX: f32 = 64.0;
/// Most cells of a map along a side.
const MAX_CELLS: usize = 4096;

/// Lesion probabilities over a slide. With `heatmap`, windows where stage 1 does not respond stay 0.
///
/// # Errors
/// If the slide or the device fails, or the work was cancelled.
pub(crate) fn refined(
    refiner: &Refiner,
    slide: &Slide,
    scale: ModelScale,
    tissue: &BinaryMask,
    heatmap: Option<&Heatmap>,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<Heatmap, AnalyzeError> {
    let grid = network_grid(slide, scale, refiner.description.pixel_ratio);
    let size = network_size(slide, &grid);
    let share = TissueShare::new(tissue);
    let is_wanted = |window: &Window| {
        let rect = grid.level0_rect(*window);
        0.0 < share.of(rect) && heatmap.is_none_or(|it| responds(it, rect))
    };
    let windows: Vec<Window> =
        grid.windows(WINDOW_UNITS, STRIDE_UNITS).into_iter().filter(is_wanted).collect();
    let mut blend = Blend::new(size);
    for (i, window) in windows.iter().enumerate() {
        cancel.check()?;
        progress.report(i as u64, windows.len() as u64);
        let place = Place::of(*window, size);
        let (rgb, _) = read_block(slide, &grid, *window, PAD_VALUE)?;
        let rgb = place.cut(&rgb, window.columns * ALIGNMENT);
        let p = refiner
            .probabilities(&rgb, place.rows, place.columns)
            .map_err(|error| AnalyzeError::Compute(one_line(&error)))?;
        blend.add(place, &p);
    }
    blend.finish(&grid, slide.size()).map_err(|error| AnalyzeError::Compute(error.to_string()))
}

/// The slide in network px, rounded up.
fn network_size(slide: &Slide, grid: &PatchGrid) -> [usize; 2] {
    let side =
        |level0: u32, scale: f64| (f64::from(level0) / scale - 1e-3).ceil().max(1.0) as usize;
    [side(slide.size().height, grid.scale.y), side(slide.size().width, grid.scale.x)]
}

/// Whether a heatmap is above 0 somewhere in a rectangle or a cell beside it.
fn responds(heatmap: &Heatmap, rect: Level0Rect) -> bool {
    let (size, frame) = (heatmap.size(), heatmap.frame());
    let cells = |start: f64, length: f64, frame: f64, n: u32| {
        let cell = frame / f64::from(n);
        let first = (start / cell - 1.0).floor().max(0.0) as u32;
        first..(((start + length) / cell + 1.0).ceil().max(0.0) as u32).min(n)
    };
    let columns = cells(rect.x - frame.x, rect.width, frame.width, size.width);
    cells(rect.y - frame.y, rect.height, frame.height, size.height).any(|row| {
        columns.clone().any(|column| {
            let at = row as usize * size.width as usize + column as usize;
            heatmap.values().get(at).is_some_and(|it| 0.0 < *it)
        })
    })
}

/// A window in network px, ending with the slide.
#[derive(Clone, Copy, Debug)]
struct Place {
    top: usize,
    left: usize,
    rows: usize,
    columns: usize,
}

impl Place {
    fn of(window: Window, [height, width]: [usize; 2]) -> Self {
        let (top, left) = (window.row * ALIGNMENT, window.column * ALIGNMENT);
        let rows = (window.rows * ALIGNMENT).min(height - top);
        Self { top, left, rows, columns: (window.columns * ALIGNMENT).min(width - left) }
    }

    /// Its part of RGB rows of `width` px.
    fn cut(self, rgb: &[u8], width: usize) -> Vec<u8> {
        let rows = rgb.chunks_exact(3 * width).take(self.rows);
        rows.flat_map(|row| &row[..3 * self.columns]).copied().collect()
    }
}

/// Weights along one axis of a window from `start` on, on a slide of `total` px; the slide's own edges have no ramp.
fn weights(start: usize, len: usize, total: usize) -> Vec<f32> {
    let ramp = |distance: usize| ((distance as f32 + 0.5 - MARGIN_PX) / RAMP_PX).clamp(0.0, 1.0);
    let one = |i: usize| {
        let before = if start == 0 { 1.0 } else { ramp(i) };
        let behind = if start + len == total { 1.0 } else { ramp(len - 1 - i) };
        f32::min(before, behind)
    };
    (0..len).map(one).collect()
}

/// Weighted sums per cell.
#[derive(Debug)]
struct Blend {
    /// The slide in network px, height and width.
    size: [usize; 2],
    /// Network px along a side of a cell.
    cell_px: usize,
    columns: usize,
    sums: Vec<f32>,
    weights: Vec<f32>,
}

impl Blend {
    fn new(size: [usize; 2]) -> Self {
        let cell_px = size[0].max(size[1]).div_ceil(MAX_CELLS).max(1);
        let [rows, columns] = size.map(|it| it.div_ceil(cell_px));
        let zeros = vec![0.0; rows * columns];
        Self { size, cell_px, columns, sums: zeros.clone(), weights: zeros }
    }

    /// Adds the probabilities of a window.
    fn add(&mut self, place: Place, p: &[f32]) {
        let down = weights(place.top, place.rows, self.size[0]);
        let across = weights(place.left, place.columns, self.size[1]);
        for (y, (p, down)) in p.chunks_exact(place.columns).zip(&down).enumerate() {
            let row = (place.top + y) / self.cell_px * self.columns;
            for (x, (p, across)) in p.iter().zip(&across).enumerate() {
                let cell = row + (place.left + x) / self.cell_px;
                self.sums[cell] += down * across * p;
                self.weights[cell] += down * across;
            }
        }
    }

    /// The mean where a window counted, 0 elsewhere.
    fn finish(
        self,
        grid: &PatchGrid,
        slide: PixelSize,
    ) -> Result<Heatmap, domain::heatmap::HeatmapError> {
        let mean = |(sum, weight): (&f32, &f32)| {
            if *weight <= 0.0 { 0.0 } else { (sum / weight).clamp(0.0, 1.0) }
        };
        let values: Vec<f32> = self.sums.iter().zip(&self.weights).map(mean).collect();
        let rows = values.len() / self.columns;
        let px = |cells: usize| (cells * self.cell_px) as f64;
        let frame = Level0Rect {
            x: 0.0,
            y: 0.0,
            width: px(self.columns) * grid.scale.x,
            height: px(rows) * grid.scale.y,
        };
        let size = PixelSize { width: self.columns as u32, height: rows as u32 };
        on_slide(Heatmap::new(size, values, frame)?, Level0Rect::of_size(slide))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_neighbouring_windows_add_to_one_everywhere() {
        let (window, stride) = (512, 320);
        let total = window + 3 * stride;
        let mut sums = vec![0.0f32; total];
        for start in (0..=3 * stride).step_by(stride) {
            for (i, weight) in weights(start, window, total).iter().enumerate() {
                sums[start + i] += weight;
            }
        }
        assert!(sums.iter().all(|it| (it - 1.0).abs() < 1e-5));
    }

    #[test]
    fn blended_windows_that_agree_leave_no_seam() {
        let mut blend = Blend::new([40, 832]);
        for left in [0, 320] {
            let place = Place { top: 0, left, rows: 40, columns: 512 };
            let p: Vec<f32> = (0..40 * 512).map(|i| (left + i % 512) as f32 / 832.0).collect();
            blend.add(place, &p);
        }
        for (i, (sum, weight)) in blend.sums.iter().zip(&blend.weights).enumerate() {
            assert!((sum / weight - (i % 832) as f32 / 832.0).abs() < 1e-5, "pixel {i}");
        }
    }

    #[test]
    fn a_huge_slide_gets_larger_cells_not_more_of_them() {
        let blend = Blend::new([20_000, 9_000]);
        assert_eq!((blend.cell_px, blend.columns), (5, 1800));
        assert_eq!(blend.sums.len(), 4000 * 1800);
    }

    #[test]
    fn stage_1_responds_in_cells_under_and_beside_a_rectangle() {
        let mut values = vec![0.0; 16];
        values[5] = 0.3;
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 400.0, height: 400.0 };
        let map = Heatmap::new(PixelSize { width: 4, height: 4 }, values, frame).unwrap();
        let square = |x: f64, y: f64| Level0Rect { x, y, width: 50.0, height: 50.0 };
        assert!(responds(&map, square(110.0, 110.0)) && responds(&map, square(220.0, 120.0)));
        assert!(!responds(&map, square(340.0, 340.0)));
    }
}
