//! Outlines of a heatmap at *t*, as polygons with holes in level-0 pixels.
//!
//! Marching squares over the pixel centers of the heatmap's [`mask_raster`], so that the outline
//! separates exactly the pixels that [`BinaryMask::cut`](crate::mask::BinaryMask::cut) calls
//! foreground from the others; between two centers it passes where the field equals *t*. Pixels that
//! touch only at a corner are not connected (4-connected foreground, 8-connected background): two
//! lesions never merge through a single point.

mod grid;
mod straighten;
mod walk;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::coords::Level0Px;
use crate::heatmap::Heatmap;
use crate::mask::{BinaryThreshold, mask_raster, pixel_area_level0_px};
use grid::Grid;
use straighten::straightened;
use walk::Walk;

/// A closed ring; the first point is not repeated at the end.
pub type Ring = Vec<Level0Px>;

/// One connected lesion: its outline and the outlines of its holes.
///
/// No ring touches itself or another one, and all stay inside the heatmap's frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Polygon {
    /// Outer ring, clockwise on screen.
    pub outer: Ring,
    /// Inner rings, counter-clockwise on screen.
    pub holes: Vec<Ring>,
}

impl Polygon {
    /// Enclosed area without the holes, in level-0 pixels.
    pub fn area_level0_px(&self) -> f64 {
        signed_area(&self.outer) + self.holes.iter().map(|hole| signed_area(hole)).sum::<f64>()
    }
}

/// One connected lesion with what the heatmap says inside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    /// Its outline.
    pub outline: Polygon,
    /// Area of its mask pixels in level-0 pixels; those of all lesions add up to the mask's area.
    pub area_level0_px: f64,
    /// Mean of the field over its mask pixels.
    pub mean: f64,
    /// Largest value of the field over its mask pixels.
    pub max: f32,
}

/// Traces `heatmap` at `threshold`, topmost lesion first.
pub fn trace(heatmap: &Heatmap, threshold: BinaryThreshold) -> Vec<Polygon> {
    lesions(heatmap, threshold, 0.0).into_iter().map(|lesion| lesion.outline).collect()
}

/// Traces and measures the lesions of at least `min_area_level0_px`, topmost first.
///
/// Takes time in proportion to the raster's pixels.
pub fn lesions(
    heatmap: &Heatmap,
    threshold: BinaryThreshold,
    min_area_level0_px: f64,
) -> Vec<Lesion> {
    let raster = mask_raster(heatmap.frame());
    let values = heatmap.resampled(raster);
    let grid = Grid::new(&values, raster, heatmap.frame(), threshold);
    let mut scan = Scan::new(&grid);
    for row in 0..grid.rows() {
        scan.row(row);
    }
    let pixel_area = pixel_area_level0_px(heatmap.frame(), raster);
    let measured = scan.found.into_iter().map(|found| found.into_lesion(pixel_area));
    measured.filter(|lesion| min_area_level0_px <= lesion.area_level0_px).collect()
}

/// A lesion while its rows are being scanned.
struct Found {
    outline: Polygon,
    n_pixels: u64,
    sum: f64,
    max: f32,
}

impl Found {
    fn new(outer: Ring) -> Self {
        Self { outline: Polygon { outer, holes: Vec::new() }, n_pixels: 0, sum: 0.0, max: 0.0 }
    }

    fn add_pixel(&mut self, value: f32) {
        self.n_pixels += 1;
        self.sum += f64::from(value);
        self.max = self.max.max(value);
    }

    #[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
    fn into_lesion(self, pixel_area: f64) -> Lesion {
        let n_pixels = self.n_pixels as f64;
        Lesion {
            outline: self.outline,
            area_level0_px: n_pixels * pixel_area,
            mean: self.sum / n_pixels.max(1.0),
            max: self.max,
        }
    }
}

/// Reads the grid row by row. The first crossing of an outer ring that a row-major scan meets leads
/// into the foreground, the first one of a hole leads out of it; a hole therefore belongs to the lesion
/// that the scan is inside at that moment, and no search for an enclosing ring is needed.
struct Scan<'a> {
    grid: &'a Grid<'a>,
    found: Vec<Found>,
    /// Which lesion's ring crosses the horizontal edge that begins at this node.
    lesion_at_crossing: HashMap<usize, usize>,
}

impl<'a> Scan<'a> {
    fn new(grid: &'a Grid<'a>) -> Self {
        Self { grid, found: Vec::new(), lesion_at_crossing: HashMap::new() }
    }

    fn row(&mut self, row: usize) {
        let mut inside: Option<usize> = None;
        for col in 1..self.grid.columns() {
            let is_foreground = self.grid.is_foreground(row, col);
            if is_foreground != inside.is_some() {
                inside = self.cross(row, col, inside);
            }
            let pixel = if is_foreground { self.grid.pixel(row, col) } else { None };
            let lesion = inside.and_then(|index| self.found.get_mut(index));
            if let (Some(value), Some(lesion)) = (pixel, lesion) {
                lesion.add_pixel(value);
            }
        }
    }

    /// Steps over the ring between `col - 1` and `col`; returns the lesion that `col` is in.
    fn cross(&mut self, row: usize, col: usize, inside: Option<usize>) -> Option<usize> {
        let edge = self.grid.horizontal_edge(row, col - 1);
        let known = self.lesion_at_crossing.get(&edge).copied();
        match (inside, known) {
            (Some(lesion), None) => {
                let hole = self.ring(Walk::down_past(row, col - 1), lesion);
                if let Some(found) = self.found.get_mut(lesion) {
                    found.outline.holes.push(hole);
                }
                None
            }
            (Some(_), Some(_)) => None,
            (None, Some(lesion)) => Some(lesion),
            (None, None) => {
                let lesion = self.found.len();
                let outer = self.ring(Walk::up_past(row, col), lesion);
                self.found.push(Found::new(outer));
                Some(lesion)
            }
        }
    }

    /// Follows a ring once around and remembers where it crosses the rows.
    fn ring(&mut self, start: Walk, lesion: usize) -> Ring {
        let mut ring = Ring::new();
        let mut walk = start;
        loop {
            ring.push(self.grid.crossing(walk.right(), walk.left()));
            if let Some((row, col)) = walk.crossed_row() {
                self.lesion_at_crossing.insert(self.grid.horizontal_edge(row, col), lesion);
            }
            walk = walk.next(self.grid);
            if walk == start {
                return straightened(ring, self.grid.spacing_level0_px());
            }
        }
    }
}

/// Shoelace formula; positive for a ring that runs clockwise on screen.
fn signed_area(ring: &[Level0Px]) -> f64 {
    let Some(origin) = ring.first() else { return 0.0 };
    let next = ring.iter().skip(1).chain(std::iter::once(origin));
    let doubled: f64 = ring
        .iter()
        .zip(next)
        .map(|(a, b)| (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y))
        .sum();
    doubled * 0.5
}

#[cfg(test)]
mod tests;
