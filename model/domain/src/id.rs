//! Names of things: slides by content, levels and tiles by index.

use serde::{Deserialize, Serialize};

/// Index of a resolution, 0 = full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LevelIndex(pub u16);

/// Side of a display tile in pixels of its level.
pub const TILE_PX: u32 = 512;

/// The identity of a display tile: the square of [`TILE_PX`] pixels at `(col, row)` of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileKey {
    /// Which resolution.
    pub level: LevelIndex,
    /// Tiles to the right of the left edge.
    pub col: u32,
    /// Tiles below the top edge.
    pub row: u32,
}

/// A slide by its content: equal for copies of one file, whatever their names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlideId(pub String);

impl std::fmt::Display for SlideId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
