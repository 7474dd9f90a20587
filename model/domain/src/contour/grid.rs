//! The nodes that marching squares runs on: the raster's pixel centers, framed by two more rings.
//!
//! The first ring repeats the outermost pixels on the frame's edge, the second lies on the same edge
//! and is background. The band between them has no width, so a lesion that reaches the frame is closed
//! exactly along it.

use crate::coords::{Level0Px, Level0Rect, PixelSize};
use crate::mask::BinaryThreshold;

/// Row and column of a node.
pub(super) type Node = (usize, usize);

/// How near a crossing may come to a node, as a share of the node spacing. Without it a value equal to
/// *t* would put the crossings of all four edges of a node into one point, and rings would touch.
const CLEARANCE: f64 = 1.0 / 64.0;

/// Node rows and columns beyond the first pixel.
const MARGIN: usize = 2;

pub(super) struct Grid<'a> {
    values: &'a [f32],
    threshold: BinaryThreshold,
    pixels_across: usize,
    xs: Vec<f64>,
    ys: Vec<f64>,
}

impl<'a> Grid<'a> {
    /// `values` of the field at the pixel centers of `raster`, row-major.
    pub(super) fn new(
        values: &'a [f32],
        raster: PixelSize,
        frame: Level0Rect,
        threshold: BinaryThreshold,
    ) -> Self {
        let xs = node_positions(frame.x, frame.width, raster.width);
        let ys = node_positions(frame.y, frame.height, raster.height);
        Self { values, threshold, pixels_across: xs.len() - 2 * MARGIN, xs, ys }
    }

    pub(super) fn rows(&self) -> usize {
        self.ys.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.xs.len()
    }

    /// The shorter distance between neighbouring pixel centers.
    pub(super) fn spacing_level0_px(&self) -> f64 {
        let extent = |positions: &[f64]| match positions {
            [first, .., last] => last - first,
            _ => 0.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "a raster has at most a few thousand rows")]
        let pixels = |positions: &[f64]| (positions.len() - 2 * MARGIN).max(1) as f64;
        (extent(&self.xs) / pixels(&self.xs)).min(extent(&self.ys) / pixels(&self.ys))
    }

    /// A name for the edge from `(row, col)` to `(row, col + 1)`.
    pub(super) fn horizontal_edge(&self, row: usize, col: usize) -> usize {
        row * self.columns() + col
    }

    /// The field at a node that is a pixel center and not part of the added rings.
    pub(super) fn pixel(&self, row: usize, col: usize) -> Option<f32> {
        let inside = |index: usize, n_nodes: usize| MARGIN <= index && index + MARGIN < n_nodes;
        (inside(row, self.rows()) && inside(col, self.columns()))
            .then(|| self.value(row, col))
            .flatten()
    }

    pub(super) fn is_foreground(&self, row: usize, col: usize) -> bool {
        self.value(row, col).is_some_and(|value| self.threshold.is_exceeded_by(value))
    }

    /// Where the field equals *t* between a foreground node and its background neighbor.
    pub(super) fn crossing(&self, foreground: Node, background: Node) -> Level0Px {
        let threshold = f64::from(self.threshold.get());
        let above = f64::from(self.value_at(foreground)) - threshold;
        let below = threshold - f64::from(self.value_at(background));
        let fraction = (above / (above + below)).clamp(CLEARANCE, 1.0 - CLEARANCE);
        let (from, to) = (self.position(foreground), self.position(background));
        Level0Px { x: from.x + (to.x - from.x) * fraction, y: from.y + (to.y - from.y) * fraction }
    }

    /// `None` on the outermost ring.
    fn value(&self, row: usize, col: usize) -> Option<f32> {
        let pixel_row = pixel_index(row, self.rows())?;
        let pixel_col = pixel_index(col, self.columns())?;
        self.values.get(pixel_row * self.pixels_across + pixel_col).copied()
    }

    fn value_at(&self, (row, col): Node) -> f32 {
        self.value(row, col).unwrap_or(0.0)
    }

    fn position(&self, (row, col): Node) -> Level0Px {
        let at = |positions: &[f64], index: usize| positions.get(index).copied().unwrap_or(0.0);
        Level0Px { x: at(&self.xs, col), y: at(&self.ys, row) }
    }
}

/// The pixel whose value a node carries.
fn pixel_index(node: usize, n_nodes: usize) -> Option<usize> {
    let is_outermost = node == 0 || n_nodes <= node + 1;
    (!is_outermost).then(|| node.saturating_sub(MARGIN).min(n_nodes - 2 * MARGIN - 1))
}

fn node_positions(start: f64, length: f64, pixels: u32) -> Vec<f64> {
    let centers = (0..pixels).map(|i| start + (f64::from(i) + 0.5) * length / f64::from(pixels));
    let end = start + length;
    [start, start].into_iter().chain(centers).chain([end, end]).collect()
}
