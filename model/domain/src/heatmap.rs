//! A class activation map placed on the slide, and the continuous field it stands for.
//!
//! The field is the bilinear interpolation of the cell values, which sit at the cell centers, held
//! constant between the outermost centers and the frame's edge, and 0 outside the frame. The shader,
//! the mask, the contour and the area read-out all cut this one field.
//!
//! # Invariant: the field is computed in whole numbers
//!
//! Cell values are rounded down to multiples of `1 /` [`FIELD_ONE`], the place between two cell
//! centers to multiples of `1 /` [`FRACTION_ONE`], and the interpolation is integer arithmetic that
//! fits into 32 bits. A graphics processor may fuse or reorder floating-point operations, flush tiny
//! numbers or round differently; it cannot compute integers differently. So the mask on the screen
//! and the exported one are equal in every pixel, on every driver, at every *t*. Rounding down keeps
//! a value that equals *t* in the background.

use serde::{Deserialize, Serialize};

use crate::coords::{Level0Px, Level0Rect, PixelSize};

/// Values in `0.0..=1.0` on a regular grid of cells that fills `frame`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heatmap {
    size: PixelSize,
    values: Vec<f32>,
    frame: Level0Rect,
}

/// Why numbers are no heatmap.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum HeatmapError {
    /// The grid is empty or does not match the number of values.
    #[error("a heatmap of {width} x {height} cells needs as many values, found {found}", width = size.width, height = size.height)]
    Size {
        /// Cells asked for.
        size: PixelSize,
        /// Values given.
        found: usize,
    },
    /// A value is not finite or outside `0.0..=1.0`.
    #[error("a heatmap value must lie in 0 to 1, found {0}")]
    Value(f32),
    /// The frame has no area.
    #[error("a heatmap needs a frame with an area, found {width} x {height} px", width = .0.width, height = .0.height)]
    Frame(Level0Rect),
}

impl Heatmap {
    /// `values` row-major, `size.width * size.height` of them.
    ///
    /// # Errors
    /// If the count, a value or the frame is out of range.
    pub fn new(size: PixelSize, values: Vec<f32>, frame: Level0Rect) -> Result<Self, HeatmapError> {
        if size.area() == 0 || usize::try_from(size.area()) != Ok(values.len()) {
            return Err(HeatmapError::Size { size, found: values.len() });
        }
        if let Some(&value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(HeatmapError::Value(value));
        }
        if !(0.0 < frame.width && 0.0 < frame.height) {
            return Err(HeatmapError::Frame(frame));
        }
        Ok(Self { size, values, frame })
    }

    /// Cells across and down.
    pub fn size(&self) -> PixelSize {
        self.size
    }

    /// Row-major values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The part of the slide that the cells fill.
    pub fn frame(&self) -> Level0Rect {
        self.frame
    }

    /// The largest value.
    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// Row-major values as the field uses them: whole multiples of `1 /` [`FIELD_ONE`], rounded down.
    pub fn quantized_values(&self) -> Vec<u32> {
        self.values.iter().copied().map(quantized).collect()
    }

    /// The field at a slide position; 0 outside the frame.
    pub fn sample(&self, point: Level0Px) -> f32 {
        let (Some(column), Some(row)) = (self.column_at(point.x), self.row_at(point.y)) else {
            return 0.0;
        };
        let value =
            |x: u32, y: u32| quantized(self.values.get(self.index(x, y)).map_or(0.0, |it| *it));
        field_value(interpolate(column, row, value))
    }

    /// The cell columns around a level-0 x; `None` outside the frame.
    pub fn column_at(&self, x: f64) -> Option<CellSpan> {
        let position = (x - self.frame.x) / self.frame.width;
        (0.0..1.0).contains(&position).then(|| CellSpan::at(position, self.size.width))
    }

    /// The cell rows around a level-0 y; `None` outside the frame.
    pub fn row_at(&self, y: f64) -> Option<CellSpan> {
        let position = (y - self.frame.y) / self.frame.height;
        (0.0..1.0).contains(&position).then(|| CellSpan::at(position, self.size.height))
    }

    /// The cell columns around the pixel centers of a raster of `pixels` columns that fills the frame.
    pub fn raster_columns(&self, pixels: u32) -> Vec<CellSpan> {
        CellSpan::of_raster(pixels, self.size.width)
    }

    /// The cell rows around the pixel centers of a raster of `pixels` rows that fills the frame.
    pub fn raster_rows(&self, pixels: u32) -> Vec<CellSpan> {
        CellSpan::of_raster(pixels, self.size.height)
    }

    /// The field at the pixel centers of a raster of `raster` pixels that fills the frame, row-major.
    pub fn resampled(&self, raster: PixelSize) -> Vec<f32> {
        let values = self.quantized_values();
        let value = |x: u32, y: u32| values.get(self.index(x, y)).map_or(0, |it| *it);
        let columns = self.raster_columns(raster.width);
        self.raster_rows(raster.height)
            .into_iter()
            .flat_map(|row| columns.iter().map(move |column| (*column, row)))
            .map(|(column, row)| field_value(interpolate(column, row, value)))
            .collect()
    }

    fn index(&self, x: u32, y: u32) -> usize {
        usize::try_from(u64::from(y) * u64::from(self.size.width) + u64::from(x))
            .unwrap_or(usize::MAX)
    }
}

/// The whole number that stands for a field value of 1.
pub const FIELD_ONE: u32 = 1 << 20;

/// The whole number that stands for a step from one cell center to the next.
pub const FRACTION_ONE: u32 = 1 << FRACTION_BITS;

/// `FIELD_ONE * FRACTION_ONE` must fit into 32 bits.
const FRACTION_BITS: u32 = 11;

/// `value` in `0.0..=1.0` as a whole multiple of `1 /` [`FIELD_ONE`], rounded down.
///
/// Scaling by a power of two is exact, so `value` exceeds a multiple of the quantum only if this does.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a value in 0 to 1 scaled to at most 2^20, and rounding down is the point"
)]
pub(crate) fn quantized(value: f32) -> u32 {
    (value * FIELD_ONE as f32) as u32
}

/// Exact: both are below 2^24.
#[expect(clippy::cast_precision_loss, reason = "field values are at most 2^20")]
fn field_value(quantized: u32) -> f32 {
    quantized as f32 / FIELD_ONE as f32
}

/// Lerp along x in both rows, then along y: the order of operations of `shaders/heatmap.wgsl`.
fn interpolate(column: CellSpan, row: CellSpan, value: impl Fn(u32, u32) -> u32) -> u32 {
    let top = column.lerp(value(column.low, row.low), value(column.high, row.low));
    let bottom = column.lerp(value(column.low, row.high), value(column.high, row.high));
    row.lerp(top, bottom)
}

/// Two neighbouring cell centers along one axis and the place between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSpan {
    /// Index of the cell before.
    pub low: u32,
    /// Index of the cell after; `low` itself between the frame's edge and the outermost centers.
    pub high: u32,
    /// `0..=FRACTION_ONE`, from `low` to `high`.
    pub fraction: u32,
}

impl CellSpan {
    /// `position` in `0.0..1.0` of the frame.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last cell, as checked just before"
    )]
    fn at(position: f64, cells: u32) -> Self {
        let last = cells.saturating_sub(1);
        let place = position * f64::from(cells) - 0.5;
        if place <= 0.0 {
            return Self { low: 0, high: 0, fraction: 0 };
        }
        if f64::from(last) <= place {
            return Self { low: last, high: last, fraction: 0 };
        }
        let low = place.floor();
        let fraction = ((place - low) * f64::from(FRACTION_ONE)).round() as u32;
        Self { low: low as u32, high: low as u32 + 1, fraction }
    }

    fn of_raster(pixels: u32, cells: u32) -> Vec<Self> {
        (0..pixels).map(|i| Self::at((f64::from(i) + 0.5) / f64::from(pixels), cells)).collect()
    }

    /// Whole numbers up to [`FIELD_ONE`] in and out, rounded down.
    fn lerp(self, low: u32, high: u32) -> u32 {
        (low * (FRACTION_ONE - self.fraction) + high * self.fraction) >> FRACTION_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_cells() -> Heatmap {
        let frame = Level0Rect { x: 100.0, y: 0.0, width: 20.0, height: 10.0 };
        Heatmap::new(PixelSize { width: 2, height: 1 }, vec![0.0, 1.0], frame).unwrap()
    }

    #[test]
    fn the_field_passes_through_cell_centers_and_rises_linearly_between() {
        let field = |x: f64| two_cells().sample(Level0Px { x, y: 5.0 });
        assert_eq!([105.0, 110.0, 115.0].map(field), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn the_field_is_flat_to_the_edge_and_zero_outside() {
        let field = |x: f64| two_cells().sample(Level0Px { x, y: 1.0 });
        assert_eq!([100.0, 119.9, 120.1, 99.9].map(field), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_raster_samples_the_same_field() {
        let heatmap = two_cells();
        let raster = heatmap.resampled(PixelSize { width: 5, height: 2 });
        let expected: Vec<f32> = (0..10)
            .map(|i| {
                let (col, row) = (f64::from(i % 5), f64::from(i / 5));
                heatmap.sample(Level0Px { x: 100.0 + (col + 0.5) * 4.0, y: (row + 0.5) * 5.0 })
            })
            .collect();
        assert_eq!(raster, expected);
    }

    #[test]
    fn interpolation_neither_overflows_nor_leaves_the_range_of_its_cells() {
        for fraction in 0..=FRACTION_ONE {
            let span = CellSpan { low: 0, high: 1, fraction };
            assert_eq!(span.lerp(FIELD_ONE, FIELD_ONE), FIELD_ONE);
            assert!((7..=9).contains(&span.lerp(9, 7)));
        }
    }

    #[test]
    fn a_cell_value_never_rises_above_itself() {
        for value in [0.0_f32, 0.1, 0.3, 0.5, 0.7, 0.999_999_9, 1.0, f32::MIN_POSITIVE] {
            let stored = field_value(quantized(value));
            assert!(stored <= value && value - stored < 1e-6);
        }
    }

    #[test]
    fn nan_is_no_heatmap_value() {
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let made = Heatmap::new(PixelSize { width: 1, height: 1 }, vec![f32::NAN], frame);
        assert!(matches!(made, Err(HeatmapError::Value(_))));
    }
}
