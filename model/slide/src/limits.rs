//! The most that any number in a file may ask for. Headers lie; real slides stay far below these.

use domain::coords::PixelSize;

use crate::SlideError;

/// Directories of one TIFF file, sub-directories included.
pub(crate) const MAX_DIRECTORIES: usize = 10_000;
/// Entries of one directory.
pub(crate) const MAX_ENTRIES: u64 = 4_096;
/// Entries of all directories of a TIFF file; a stack of 10,000 planes has some 200,000.
pub(crate) const MAX_ALL_ENTRIES: u64 = 1 << 19;
/// Bytes of one text, profile or table; the largest real ones are scanner XML of some MiB.
pub(crate) const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Pixels along one side of a level.
pub(crate) const MAX_SIDE: u64 = 1 << 22;
/// Stored tiles of one level.
pub(crate) const MAX_TILES: u64 = 1 << 24;
/// Stored tiles of one level if they are smaller than 16 x 16 pixels: only small pictures come in such crumbs.
const MAX_TINY_TILES: u64 = 1 << 16;
/// Pixels of one stored tile.
pub(crate) const MAX_TILE_PIXELS: u64 = 1 << 26;
/// Bytes of one stored tile, as stored and as raw samples.
pub(crate) const MAX_TILE_BYTES: u64 = 1 << 28;
/// Pixels that a byte of a JPEG stream can stand for: each of its eight bits at most a block of one component of several.
pub(crate) const MAX_JPEG_PIXELS_PER_BYTE: u64 = 1 << 10;
/// Pixels of a JPEG 2000 stream that may be blank; larger ones must have a byte for every 256 pixels.
pub(crate) const MAX_BLANK_JPEG_2000: u64 = 1 << 22;
/// Pixels of a region read at once, and of a plain picture, which is held in memory whole: 512 MiB.
pub(crate) const MAX_REGION_PIXELS: u64 = 1 << 27;
/// Bytes of decoded tiles that one open slide keeps.
pub(crate) const CACHE_BYTES: usize = 64 << 20;

/// Fails if a level has too many tiles of that size.
pub(crate) fn check_tiles(n_tiles: u64, tile: PixelSize) -> Result<(), SlideError> {
    if tile.area() < 16 * 16 {
        SlideError::check_limit("the number of tiny tiles of a level", n_tiles, MAX_TINY_TILES)
    } else {
        SlideError::check_limit("the number of tiles of a level", n_tiles, MAX_TILES)
    }
}
