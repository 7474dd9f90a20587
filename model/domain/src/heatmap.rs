//! A class activation map placed on the slide, and the continuous field it stands for.
//!
//! The field is the bilinear interpolation of the cell values, which sit at the cell centers, held
//! constant between the outermost centers and the frame's edge, and 0 outside the frame. The shader,
//! the mask, the contour and the area read-out all cut this one field.

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

    /// The field at a slide position; 0 outside the frame.
    pub fn sample(&self, point: Level0Px) -> f32 {
        let u = (point.x - self.frame.x) / self.frame.width;
        let v = (point.y - self.frame.y) / self.frame.height;
        if !((0.0..1.0).contains(&u) && (0.0..1.0).contains(&v)) {
            return 0.0;
        }
        self.interpolate(Axis::at(u, self.size.width), Axis::at(v, self.size.height))
    }

    /// The field at the pixel centers of a raster of `raster` pixels that fills the frame, row-major.
    pub fn resampled(&self, raster: PixelSize) -> Vec<f32> {
        let along = |pixels: u32, cells: u32| -> Vec<Axis> {
            (0..pixels).map(|i| Axis::at((f64::from(i) + 0.5) / f64::from(pixels), cells)).collect()
        };
        let columns = along(raster.width, self.size.width);
        let rows = along(raster.height, self.size.height);
        rows.iter()
            .flat_map(|row| columns.iter().map(|column| self.interpolate(*column, *row)))
            .collect()
    }

    /// Lerp along x in both rows, then along y: the order of operations of `shaders/heatmap.wgsl`.
    fn interpolate(&self, column: Axis, row: Axis) -> f32 {
        let width = usize::try_from(self.size.width).unwrap_or(0);
        let at = |x: usize, y: usize| self.values.get(y * width + x).copied().unwrap_or(0.0);
        let top = column.lerp(at(column.low, row.low), at(column.high, row.low));
        let bottom = column.lerp(at(column.low, row.high), at(column.high, row.high));
        row.lerp(top, bottom)
    }
}

/// Two neighbouring cell centers along one axis and the place between them.
#[derive(Clone, Copy)]
struct Axis {
    low: usize,
    high: usize,
    fraction: f32,
}

impl Axis {
    /// `position` in `0.0..1.0` of the frame.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the cell range just before"
    )]
    fn at(position: f64, cells: u32) -> Self {
        let last = f64::from(cells.saturating_sub(1));
        let s = (position * f64::from(cells) - 0.5).clamp(0.0, last);
        let low = s.floor();
        Self { low: low as usize, high: (low + 1.0).min(last) as usize, fraction: (s - low) as f32 }
    }

    fn lerp(self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.fraction
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
    fn nan_is_no_heatmap_value() {
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let made = Heatmap::new(PixelSize { width: 1, height: 1 }, vec![f32::NAN], frame);
        assert!(matches!(made, Err(HeatmapError::Value(_))));
    }
}
