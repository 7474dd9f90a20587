//! A resolution as a grid of tiles that decode independently: what every format boils down to.

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use crate::SlideError;

/// One stored tile, decoded.
#[derive(Debug)]
pub(crate) struct Tile {
    /// `None` where the file stores nothing or nothing readable: background.
    pub(crate) pixels: Option<Pixels>,
    /// Stored tiles behind these pixels that were lost or decoded only leniently.
    pub(crate) n_damaged: u32,
}

impl Tile {
    /// A tile that decoded as it should.
    pub(crate) fn intact(pixels: Pixels) -> Self {
        Self { pixels: Some(pixels), n_damaged: 0 }
    }

    /// A tile the file leaves out on purpose.
    pub(crate) fn background() -> Self {
        Self { pixels: None, n_damaged: 0 }
    }

    /// A tile that is lost.
    pub(crate) fn lost() -> Self {
        Self { pixels: None, n_damaged: 1 }
    }

    /// Bytes it holds, with those of its bookkeeping: millions of empty tiles weigh something too.
    pub(crate) fn n_bytes(&self) -> usize {
        const BOOKKEEPING: usize = 256;
        BOOKKEEPING + self.pixels.as_ref().map_or(0, |pixels| pixels.rgba().len())
    }
}

/// One stored resolution. Tile `(col, row)` begins at pixel `(col * tile width, row * tile height)`.
pub(crate) trait TileSource: std::fmt::Debug + Send + Sync {
    /// Size in pixels.
    fn size(&self) -> PixelSize;

    /// Size of a stored tile. Tiles at the right and bottom edge may reach past the edge.
    fn tile_size(&self) -> PixelSize;

    /// Reads and decodes one tile; damage is counted in the tile.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError>;
}
