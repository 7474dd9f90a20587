//! Outlines of a heatmap at *t*, as polygons with holes in level-0 pixels.

use crate::coords::Level0Px;
use crate::heatmap::Heatmap;
use crate::mask::BinaryThreshold;

/// A closed ring; the first point is not repeated at the end.
pub type Ring = Vec<Level0Px>;

/// One connected lesion: its outline and the outlines of its holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    /// Outer ring, clockwise on screen.
    pub outer: Ring,
    /// Inner rings, counter-clockwise on screen.
    pub holes: Vec<Ring>,
}

/// Traces `heatmap` at `threshold` by marching squares on its mask raster.
pub fn trace(_heatmap: &Heatmap, _threshold: BinaryThreshold) -> Vec<Polygon> {
    Vec::new()
}
