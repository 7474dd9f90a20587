//! Reading pixels: any rectangle of any level, from any number of threads.

use std::sync::Arc;

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use domain::pixels::Pixels;

use crate::SlideError;
use crate::blit::{blit, fill};
use crate::buffer;
use crate::cache::StoredKey;
use crate::channel::{Channel, ChannelValues, Look};
use crate::limits::MAX_REGION_PIXELS;
use crate::number::{to_u32, to_usize};
use crate::pyramid::{STEP, halved};
use crate::slide::{Level, Region, Slide};
use crate::tile::{Part, Placement, Tile, TileSource, grid_under};

/// Outside the slide and where nothing is stored.
const NOTHING: [u8; 4] = [255, 255, 255, 0];

/// Quarters of a tile of which all is decoded as soon as more of it is wanted.
const LARGEST_GLIMPSE: u64 = 3;

impl Slide {
    /// Reads any rectangle of a level, past its edges too. A damaged stored tile does not fail the read.
    ///
    /// The coarse virtual levels of a slide without a pyramid read the whole area under them once; what was computed
    /// is kept for a while.
    ///
    /// # Errors
    /// If there is no such level, the rectangle is absurdly large, or the file cannot be read at all.
    pub fn read_region(&self, level: LevelIndex, rect: LevelRect) -> Result<Region, SlideError> {
        self.region(level, rect, Reach::Glimpse)
    }

    /// Reads the whole slide for a picture with `side_px` pixels on its longer side, from [`Self::level_of_side`].
    ///
    /// # Errors
    /// As [`Self::read_region`].
    pub fn read_whole(&self, side_px: u32) -> Result<Region, SlideError> {
        let index = self.level_of_side(side_px);
        let level = self.levels().get(usize::from(index.0));
        let size = level.map_or(self.size(), |level| level.size);
        self.read_region(index, LevelRect { x: 0, y: 0, size })
    }

    fn region(
        &self,
        level: LevelIndex,
        rect: LevelRect,
        reach: Reach<'_>,
    ) -> Result<Region, SlideError> {
        let found = self.gather(usize::from(level.0), rect, reach)?;
        Ok(Region {
            pixels: found.pixels.unwrap_or_else(|| Pixels::filled(rect.size, NOTHING)),
            damaged_tiles: found.n_damaged,
        })
    }

    /// Reads a display tile; tiles at the right and bottom edge are smaller than [`TILE_PX`].
    ///
    /// # Errors
    /// If there is no such tile, or as [`Self::read_region`].
    pub fn read_tile(&self, key: TileKey) -> Result<Region, SlideError> {
        self.display_tile(key, None)
    }

    /// As [`Self::read_tile`], with the channels in windows and colours of the caller's own; a slide in colours is read
    /// as it is. What models see does not change.
    ///
    /// # Errors
    /// As [`Self::read_tile`].
    pub fn read_tile_of_channels(
        &self,
        key: TileKey,
        channels: &[Channel],
    ) -> Result<Region, SlideError> {
        self.display_tile(key, self.channels.is_some().then(|| Look::new(channels)))
    }

    fn display_tile(&self, key: TileKey, look: Option<Look<'_>>) -> Result<Region, SlideError> {
        let size = self.level(usize::from(key.level.0))?.size;
        if size.width.div_ceil(TILE_PX) <= key.col {
            return Err(no_such("tile column", key.col as usize));
        }
        if size.height.div_ceil(TILE_PX) <= key.row {
            return Err(no_such("tile row", key.row as usize));
        }
        self.region(key.level, square(size, key.col, key.row, TILE_PX), Reach::Grid(look))
    }

    /// Decodes a picture beside the slide.
    ///
    /// # Errors
    /// If there is none of that name or it cannot be decoded.
    pub fn read_associated(&self, name: &str) -> Result<Pixels, SlideError> {
        let found = self.associated_images().iter().position(|image| image.name == name);
        let source = found
            .and_then(|index| self.associated_sources.get(index))
            .ok_or_else(|| SlideError::Unsupported(format!("the slide has no picture {name:?}")))?;
        let rect = LevelRect { x: 0, y: 0, size: source.size() };
        let read = |it: Placement| {
            let tile = SlideError::contain(self.format(), || source.read(it.col, it.row))?;
            Ok(Seen::Tile(Arc::new(tile)))
        };
        let ground = Ground::new(rect, source.size(), source.is_gapless());
        gather(ground, source.tiles_under(rect), read)?.pixels.ok_or_else(|| {
            SlideError::malformed(self.format(), format!("the {name} cannot be decoded"))
        })
    }

    /// Reads values of one channel, as the file has them, from a level that is stored.
    ///
    /// # Errors
    /// If there is no such channel or stored level, or as [`Self::read_region`].
    pub fn read_channel(
        &self,
        channel: usize,
        level: LevelIndex,
        rect: LevelRect,
    ) -> Result<ChannelValues, SlideError> {
        let index = usize::from(level.0);
        let planes = self.channels.as_ref().and_then(|it| it.levels.get(index));
        let planes = planes.ok_or_else(|| no_such("level of channels", index))?;
        let plane = planes.get(channel).ok_or_else(|| no_such("channel", channel))?;
        SlideError::check_limit("the pixels of a region", rect.size.area(), MAX_REGION_PIXELS)?;
        let mut values = ChannelValues::empty(rect.size);
        for placement in grid_under(plane.size(), plane.tile_size(), rect) {
            let read = || plane.read(placement.col, placement.row);
            if let Some(tile) = SlideError::contain(self.format(), read)?.values {
                values.copy(&tile, plane.tile_size().width, placement, rect);
            }
        }
        Ok(values)
    }

    fn level(&self, index: usize) -> Result<&Level, SlideError> {
        self.levels().get(index).ok_or_else(|| no_such("level", index))
    }

    /// What lies under a rectangle of any level, stored or virtual.
    fn gather(&self, level: usize, rect: LevelRect, reach: Reach<'_>) -> Result<Tile, SlideError> {
        let Level { size, stored_tile, .. } = *self.level(level)?;
        let read = |it| self.seen(level, it, reach);
        match self.source(level) {
            Some(source) => {
                let ground = Ground::new(rect, size, source.is_gapless());
                gather(ground, source.tiles_under(rect), read)
            }
            None => {
                let ground = Ground::new(rect, size, true);
                gather(ground, grid_under(size, stored_tile, rect), read)
            }
        }
    }

    fn source(&self, level: usize) -> Option<&dyn TileSource> {
        self.sources.get(level)?.as_deref()
    }

    /// A tile, or the part of it that is seen.
    fn seen(&self, level: usize, it: Placement, reach: Reach<'_>) -> Result<Seen, SlideError> {
        let Placement { col, row, part, .. } = it;
        let n_pixels = self.level(level)?.stored_tile.area();
        let key = StoredKey { level, col, row, look: reach.look().map_or(0, |look| look.id) };
        let is_glimpse =
            matches!(reach, Reach::Glimpse) && part.size.area() <= n_pixels / 4 * LARGEST_GLIMPSE;
        if is_glimpse
            && let Some(source) = self.source(level)
            && self.cache.is_first_glimpse(key)
            && let Ok(Some(tile)) =
                SlideError::contain(self.format(), || Ok(source.read_part(col, row, part)))
        {
            return Ok(Seen::Part(tile));
        }
        let decode = || self.decode(level, col, row, reach.look());
        self.cache.get_or_decode(key, n_pixels * 4, decode).map(Seen::Tile)
    }

    /// A stored tile, or a tile of a virtual level.
    fn decode(
        &self,
        level: usize,
        col: u32,
        row: u32,
        look: Option<Look<'_>>,
    ) -> Result<Tile, SlideError> {
        let Some(source) = self.source(level) else {
            return self.virtual_tile(level, col, row, look);
        };
        let decoded = SlideError::contain(self.format(), || match (look, &self.channels) {
            (Some(look), Some(channels)) => channels.compose(level, look, col, row),
            _ => source.read(col, row),
        });
        Tile::lost_if_damaged(decoded, col, row)
    }

    /// Halves the area of the next finer level under the tile. Recursion holds one such area a level: 4 MiB.
    fn virtual_tile(
        &self,
        level: usize,
        col: u32,
        row: u32,
        look: Option<Look<'_>>,
    ) -> Result<Tile, SlideError> {
        if let Some(source) = self.source_of_eighths(level) {
            return self.join_eighths(level, source, col, row);
        }
        let finer = level.checked_sub(1).ok_or_else(|| no_such("level", level))?;
        let rect = square(self.level(finer)?.size, col, row, TILE_PX * STEP);
        let found = self.gather(finer, rect, Reach::Grid(look))?;
        Ok(Tile { pixels: found.pixels.as_ref().map(halved), n_damaged: found.n_damaged })
    }

    /// Level `level` is an eighth of the stored level three before it, whose tiles can be read at that size.
    fn source_of_eighths(&self, level: usize) -> Option<&dyn TileSource> {
        let source = self.source(level.checked_sub(3)?)?;
        let is_between = |level: usize| self.source(level).is_none();
        (source.has_eighths() && is_between(level - 2) && is_between(level - 1)).then_some(source)
    }

    /// A tile of a virtual level out of stored tiles at an eighth of their size.
    fn join_eighths(
        &self,
        level: usize,
        source: &dyn TileSource,
        col: u32,
        row: u32,
    ) -> Result<Tile, SlideError> {
        let size = self.level(level)?.size;
        let PixelSize { width, height } = source.tile_size();
        let tile = PixelSize { width: width / 8, height: height / 8 };
        let rect = square(size, col, row, TILE_PX);
        let read = |it: Placement| {
            let decoded = SlideError::contain(self.format(), || {
                if let Some(eighth) = source.read_eighth(it.col, it.row) {
                    return Ok(eighth);
                }
                let whole = source.read(it.col, it.row)?;
                let eighth = |pixels| halved(&halved(&halved(pixels)));
                Ok(Tile { pixels: whole.pixels.as_ref().map(eighth), ..whole })
            });
            Ok(Seen::Tile(Arc::new(Tile::lost_if_damaged(decoded, it.col, it.row)?)))
        };
        gather(Ground::new(rect, size, source.is_gapless()), grid_under(size, tile, rect), read)
    }
}

/// Square number `(col, row)` of `side` pixels, cut at the edges of a level of `size`.
fn square(size: PixelSize, col: u32, row: u32, side: u32) -> LevelRect {
    let (x, y) = (u64::from(col) * u64::from(side), u64::from(row) * u64::from(side));
    LevelRect {
        x: i64::try_from(x).unwrap_or(i64::MAX),
        y: i64::try_from(y).unwrap_or(i64::MAX),
        size: PixelSize {
            width: to_u32(u64::from(size.width).saturating_sub(x)).min(side),
            height: to_u32(u64::from(size.height).saturating_sub(y)).min(side),
        },
    }
}

/// What a reader will want next.
#[derive(Clone, Copy)]
enum Reach<'a> {
    /// Perhaps nothing near. Of a tile that is touched the first time only what is wanted is decoded; the second time
    /// all of it, and kept.
    Glimpse,
    /// The neighbours: tiles are decoded whole and kept. The look is that of the channels.
    Grid(Option<Look<'a>>),
}

impl<'a> Reach<'a> {
    fn look(self) -> Option<Look<'a>> {
        match self {
            Self::Glimpse => None,
            Self::Grid(look) => look,
        }
    }
}

/// What a tile shows.
enum Seen {
    Tile(Arc<Tile>),
    /// Only what was asked for.
    Part(Tile),
}

impl Seen {
    fn tile(&self) -> &Tile {
        match self {
            Self::Tile(tile) => tile,
            Self::Part(tile) => tile,
        }
    }

    /// Where in the pixels `part` of the whole tile lies.
    fn place(&self, part: Part) -> Part {
        match self {
            Self::Tile(_) => part,
            Self::Part(_) => Part::top_left(part.size.width, part.size.height),
        }
    }

    fn recycle(self) {
        if let Self::Part(Tile { pixels: Some(pixels), .. }) = self {
            buffer::give(pixels.into_rgba());
        }
    }
}

/// What tiles are put together on.
#[derive(Clone, Copy)]
struct Ground {
    rect: LevelRect,
    /// The tiles cover every pixel, so that nothing need be cleared before.
    is_covered: bool,
}

impl Ground {
    /// `is_gapless`: every pixel of the level, which is of `size`, lies in some tile.
    fn new(rect: LevelRect, size: PixelSize, is_gapless: bool) -> Self {
        let right = rect.x.saturating_add(rect.size.width.into());
        let bottom = rect.y.saturating_add(rect.size.height.into());
        let is_inside = 0 <= rect.x
            && 0 <= rect.y
            && right <= i64::from(size.width)
            && bottom <= i64::from(size.height);
        Self { rect, is_covered: is_gapless && is_inside }
    }
}

/// Puts a rectangle together from the tiles under it. No pixels if all of them are empty, so that the blank parts of a
/// sparse slide cost next to nothing.
fn gather(
    Ground { rect, mut is_covered }: Ground,
    tiles: impl Iterator<Item = Placement>,
    read: impl Fn(Placement) -> Result<Seen, SlideError>,
) -> Result<Tile, SlideError> {
    let n_pixels = rect.size.area();
    SlideError::check_limit("the number of pixels of a region", n_pixels, MAX_REGION_PIXELS)?;
    let mut found = Tile::background();
    for placement in tiles.filter_map(|it| it.seen_in(rect)) {
        let Placement { x, y, part, .. } = placement;
        let seen = read(placement)?;
        let Tile { pixels, n_damaged } = seen.tile();
        let part = seen.place(part);
        found.n_damaged = found.n_damaged.saturating_add(*n_damaged);
        let is_whole = pixels.as_ref().is_some_and(|pixels| part.is_within(pixels.size()));
        match &mut found.pixels {
            Some(target) if !is_whole && is_covered => fill(target, x, y, part.size, NOTHING),
            None if !is_whole => is_covered = false,
            _ => {}
        }
        if let Some(pixels) = pixels {
            let target = found.pixels.get_or_insert_with(|| match is_covered {
                true => uncleared(rect.size),
                false => Pixels::filled(rect.size, NOTHING),
            });
            blit(target, pixels, x, y, part);
        }
        seen.recycle();
    }
    Ok(found)
}

/// Pixels of any content.
fn uncleared(size: PixelSize) -> Pixels {
    let n_bytes = to_usize(size.area()).saturating_mul(4);
    Pixels::new(size, vec![0; n_bytes]).unwrap_or_else(|| Pixels::filled(size, NOTHING))
}

fn no_such(what: &str, index: usize) -> SlideError {
    SlideError::Unsupported(format!("the slide has no {what} {index}"))
}
