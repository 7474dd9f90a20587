//! A resolution as tiles that decode independently: what every format boils down to.
//!
//! Most files lay their tiles out as a grid; some scanners let them overlap or leave gaps, so a source says itself which
//! tiles lie under a rectangle and where.

use domain::coords::{LevelRect, PixelSize};
use domain::pixels::Pixels;

use crate::SlideError;
use crate::number::to_u32;

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

    /// Damage loses the tile it is in and nothing else; a file that cannot be read at all is another matter.
    pub(crate) fn lost_if_damaged(
        decoded: Result<Self, SlideError>,
        col: u32,
        row: u32,
    ) -> Result<Self, SlideError> {
        decoded.or_else(|error| match error {
            SlideError::Io(_) => Err(error),
            damage => {
                tracing::warn!("tile {col}, {row} is lost: {damage}");
                Ok(Self::lost())
            }
        })
    }

    /// Bytes it holds, with those of its bookkeeping: millions of empty tiles weigh something too.
    pub(crate) fn n_bytes(&self) -> usize {
        const BOOKKEEPING: usize = 256;
        BOOKKEEPING + self.pixels.as_ref().map_or(0, |pixels| pixels.rgba().len())
    }
}

/// Where one stored tile is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// What [`TileSource::read`] is called with; unique within the source.
    pub(crate) col: u32,
    /// As `col`.
    pub(crate) row: u32,
    /// Where the part lands: left edge in pixels of the level.
    pub(crate) x: i64,
    /// As `x`, the top edge.
    pub(crate) y: i64,
    /// What of the tile is shown; the rest is padding or belongs elsewhere.
    pub(crate) part: Part,
}

impl Placement {
    /// What of it lies in `rect`, in pixels from the rectangle's corner.
    pub(crate) fn seen_in(self, rect: LevelRect) -> Option<Self> {
        let (x, left, width) = overlap(self.x, self.part.size.width, rect.x, rect.size.width)?;
        let (y, top, height) = overlap(self.y, self.part.size.height, rect.y, rect.size.height)?;
        let size = PixelSize { width, height };
        let part = Part { x: self.part.x + left, y: self.part.y + top, size };
        Some(Self { x, y, part, ..self })
    }
}

/// What a line of `length` from `at` shares with one of `limit` from `start`: where the shared piece begins in the second
/// and in the first, and its length.
fn overlap(at: i64, length: u32, start: i64, limit: u32) -> Option<(i64, u32, u32)> {
    let end = at.saturating_add(length.into()).min(start.saturating_add(limit.into()));
    let first = at.max(start);
    let shared = u32::try_from(end.checked_sub(first)?).ok().filter(|&it| 0 < it)?;
    Some((first.checked_sub(start)?, u32::try_from(first.checked_sub(at)?).ok()?, shared))
}

/// A rectangle within a stored tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Pixels left of it.
    pub(crate) x: u32,
    /// Pixels above it.
    pub(crate) y: u32,
    /// Its size.
    pub(crate) size: PixelSize,
}

impl Part {
    /// The top-left part of a tile.
    pub(crate) fn top_left(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, size: PixelSize { width, height } }
    }

    /// Whether a tile of `size` has all of it.
    pub(crate) fn is_within(self, size: PixelSize) -> bool {
        self.x.saturating_add(self.size.width) <= size.width
            && self.y.saturating_add(self.size.height) <= size.height
    }
}

/// One stored resolution.
pub(crate) trait TileSource: std::fmt::Debug + Send + Sync {
    /// Size in pixels.
    fn size(&self) -> PixelSize;

    /// Size of a stored tile. Tiles at the right and bottom edge may reach past the edge.
    fn tile_size(&self) -> PixelSize;

    /// The tiles that may share a pixel with `rect`, in the order in which they are painted: of two that overlap, the
    /// later one is seen. Unless a format knows better, tile `(col, row)` begins at `(col * tile width, row * tile height)`.
    fn tiles_under(&self, rect: LevelRect) -> Box<dyn Iterator<Item = Placement> + '_> {
        Box::new(grid_under(self.size(), self.tile_size(), rect))
    }

    /// Whether every pixel lies in some tile, be it stored or left out: true of plain grids.
    fn is_gapless(&self) -> bool {
        false
    }

    /// Reads a part of a tile that lies within it, for less than all of it costs. `None` where a part takes the whole
    /// tile, or where the tile is not as it should be, which only [`Self::read`] tells.
    fn read_part(&self, _col: u32, _row: u32, _part: Part) -> Option<Tile> {
        None
    }

    /// Whether tiles can be read at an eighth of their size for much less; their sides are multiples of 8 then.
    fn has_eighths(&self) -> bool {
        false
    }

    /// Reads a tile at an eighth of its size: the means of 8 x 8 pixels. `None` as for [`Self::read_part`].
    fn read_eighth(&self, _col: u32, _row: u32) -> Option<Tile> {
        None
    }

    /// Reads and decodes one tile; damage is counted in the tile.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError>;
}

/// The tiles of a plain grid over a level of `size` that share a pixel with `rect`.
pub(crate) fn grid_under(
    size: PixelSize,
    tile: PixelSize,
    rect: LevelRect,
) -> impl Iterator<Item = Placement> + use<> {
    let cols = tiles_under(rect.x, rect.size.width, size.width, tile.width);
    let rows = tiles_under(rect.y, rect.size.height, size.height, tile.height);
    rows.flat_map(move |row| {
        cols.clone().map(move |col| {
            let x = i64::from(col) * i64::from(tile.width);
            let y = i64::from(row) * i64::from(tile.height);
            let part = Part::top_left(
                to_u32(i64::from(size.width) - x).min(tile.width),
                to_u32(i64::from(size.height) - y).min(tile.height),
            );
            Placement { col, row, x, y, part }
        })
    })
}

/// Indices of the tiles of `tile` pixels under `length` pixels from `start`, on a line of `limit` pixels.
fn tiles_under(start: i64, length: u32, limit: u32, tile: u32) -> std::ops::Range<u32> {
    let end = start.saturating_add(i64::from(length)).clamp(0, i64::from(limit));
    let first = start.clamp(0, i64::from(limit));
    if tile == 0 || end <= first {
        return 0..0;
    }
    to_u32(first) / tile..to_u32(end).div_ceil(tile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tiles_that_share_a_pixel_are_read() {
        assert_eq!(tiles_under(0, 256, 1000, 256), 0..1);
        assert_eq!(tiles_under(255, 2, 1000, 256), 0..2);
        assert_eq!(tiles_under(-5, 5, 1000, 256), 0..0);
        assert_eq!(tiles_under(900, 5000, 1000, 256), 3..4);
        assert_eq!(tiles_under(1000, 10, 1000, 256), 0..0);
        assert_eq!(tiles_under(i64::MIN, u32::MAX, 1000, 256), 0..0);
        assert_eq!(tiles_under(i64::MAX, u32::MAX, 1000, 256), 0..0);
    }

    #[test]
    fn tiles_at_the_edge_show_only_what_lies_inside() {
        let size = PixelSize { width: 1000, height: 300 };
        let tile = PixelSize { width: 256, height: 256 };
        let rect = LevelRect { x: 700, y: 255, size: PixelSize { width: 500, height: 500 } };
        let parts: Vec<_> = grid_under(size, tile, rect)
            .map(|it| (it.col, it.row, it.x, it.y, it.part.size.width, it.part.size.height))
            .collect();
        assert_eq!(
            parts,
            [
                (2, 0, 512, 0, 256, 256),
                (3, 0, 768, 0, 232, 256),
                (2, 1, 512, 256, 256, 44),
                (3, 1, 768, 256, 232, 44)
            ]
        );
    }

    #[test]
    fn a_placement_is_cut_to_what_a_rectangle_sees_of_it() {
        let part = Part { x: 2, y: 3, size: PixelSize { width: 10, height: 10 } };
        let placement = Placement { col: 0, row: 0, x: 100, y: 200, part };
        let seen = |x, y, side| {
            let size = PixelSize { width: side, height: side };
            let seen = placement.seen_in(LevelRect { x, y, size })?;
            Some((seen.x, seen.y, seen.part.x, seen.part.y, seen.part.size.width))
        };
        assert_eq!(seen(90, 190, 100), Some((10, 10, 2, 3, 10)));
        assert_eq!(seen(104, 207, 3), Some((0, 0, 6, 10, 3)));
        assert_eq!(seen(110, 200, 5), None);
        assert_eq!(seen(i64::MIN, i64::MAX, u32::MAX), None);
    }
}
