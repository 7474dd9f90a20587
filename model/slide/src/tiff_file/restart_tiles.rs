//! One long JPEG stream as tiles: what stands between two restart markers decodes by itself.
//!
//! Scanners write levels of 100,000 pixels a side as one stream, with sizes no JPEG header can hold, and list the
//! offsets of the intervals in vendor tags. A tile is the stream's header with another size, an interval, and an end
//! marker. Intervals that span whole rows are short and wide, so eight of them, after which the numbers of the markers
//! repeat, make one tile.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use domain::coords::PixelSize;

use super::directory::{Directory, UnsignedArray};
use super::image::side;
use super::tags;
use crate::SlideError;
use crate::codec::jpeg::header::JpegHeader;
use crate::codec::jpeg::{self, Extent};
use crate::file::SlideFile;
use crate::limits::{MAX_TILE_BYTES, MAX_TILE_PIXELS, check_tiles};
use crate::number::{to_u32, to_usize};
use crate::tile::{Part, Tile, TileSource};

/// Headers with all their tables stay far below this.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// The most that is searched for markers where the list of intervals is missing or wrong.
const MAX_SEARCHED_BYTES: u64 = 1 << 30;
const SEARCH_STEP: u64 = 1 << 20;
/// Restart markers are numbered from 0 to 7.
const N_MARKERS: u64 = 8;
/// A tile of eight intervals must leave room for others in the cache.
const MAX_GROUP_PIXELS: u64 = 1 << 20;
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// A directory of one JPEG stream.
#[derive(Debug)]
pub(crate) struct RestartTiles {
    file: Arc<SlideFile>,
    size: PixelSize,
    tile: PixelSize,
    /// Rows of one interval.
    interval_rows: u32,
    /// Intervals in one tile.
    group: u64,
    across: u64,
    n_intervals: u64,
    header: JpegHeader,
    stream: Range<u64>,
    listed: Option<Listed>,
    searched: OnceLock<Vec<u64>>,
}

/// Starts of the intervals from the start of the stream, low and high halves apart.
#[derive(Debug)]
struct Listed {
    low: UnsignedArray,
    high: Option<UnsignedArray>,
}

impl RestartTiles {
    /// `None` if the directory is no single JPEG stream with restart markers at the ends of tiles.
    pub(crate) fn new(directory: &Directory) -> Result<Option<Self>, SlideError> {
        const JPEG: u64 = 7;
        let size = PixelSize {
            width: side(directory, tags::IMAGE_WIDTH)?,
            height: side(directory, tags::IMAGE_LENGTH)?,
        };
        if directory.unsigned(tags::COMPRESSION)? != Some(JPEG) {
            return Ok(None);
        }
        let start = directory.required(tags::STRIP_OFFSETS)?;
        let length = directory.required(tags::STRIP_BYTE_COUNTS)?;
        let file = Arc::clone(&directory.bytes().file);
        let length = length.min(file.length().saturating_sub(start));
        let header = JpegHeader::parse(file.read(start, length.min(MAX_HEADER_BYTES))?)?;
        let Some((tile, interval)) = tiling(size, &header) else { return Ok(None) };
        SlideError::check_limit("the pixels of a stored tile", tile.area(), MAX_TILE_PIXELS)?;
        let across = u64::from(size.width.div_ceil(tile.width));
        let n_intervals = across * u64::from(size.height.div_ceil(interval));
        check_tiles(n_intervals, tile)?;
        let low = directory.array(tags::NDPI_MCU_STARTS, n_intervals)?;
        let high = directory.array(tags::NDPI_MCU_STARTS_HIGH, n_intervals)?;
        Ok(Some(Self {
            file,
            size,
            tile,
            interval_rows: interval,
            group: u64::from(tile.height / interval),
            across,
            n_intervals,
            header,
            stream: start..start.saturating_add(length),
            listed: low.map(|low| Listed { low, high }),
            searched: OnceLock::new(),
        }))
    }

    fn decode(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        let Some((stream, size)) = self.stream(col, row)? else { return Ok(Tile::background()) };
        let picture = jpeg::decode(&stream, None, false, size)?;
        Ok(Tile { pixels: Some(picture.pixels), n_damaged: picture.is_lenient.into() })
    }

    /// A tile as a stream of its own, and its size; `None` beyond the edges.
    fn stream(&self, col: u32, row: u32) -> Result<Option<(Vec<u8>, PixelSize)>, SlideError> {
        let first = (u64::from(row) * self.across + u64::from(col)) * self.group;
        let intervals = first..(first + self.group).min(self.n_intervals);
        if intervals.is_empty() || self.across <= u64::from(col) {
            return Ok(None);
        }
        let n_rows = self.interval_rows * to_u32(intervals.end - intervals.start);
        let data = self.data(intervals)?;
        let size = PixelSize { width: self.tile.width, height: n_rows };
        let mut stream = self.header.resized(size);
        stream.extend(data);
        stream.extend(END_OF_IMAGE);
        Ok(Some((stream, size)))
    }

    /// The bytes of some intervals, without the marker that ends them.
    fn data(&self, intervals: Range<u64>) -> Result<Vec<u8>, SlideError> {
        if let Some(data) = self.data_as_listed(&intervals)? {
            return Ok(data);
        }
        let searched = self.searched.get_or_init(|| self.search());
        let start = |index: u64| searched.get(to_usize(index)).copied();
        let missing = || SlideError::malformed("NDPI", "a restart marker is missing");
        let from = start(intervals.start).ok_or_else(missing)?;
        let to = self.end(&intervals, start).ok_or_else(missing)?;
        self.read(from..to)
    }

    /// `None` if the list does not point behind the right restart marker.
    fn data_as_listed(&self, intervals: &Range<u64>) -> Result<Option<Vec<u8>>, SlideError> {
        let Some(listed) = &self.listed else { return Ok(None) };
        let start = |index: u64| {
            let high = listed.high.as_ref().map_or(Some(0), |high| high.get(index))?;
            self.stream.start.checked_add((high << 32) | listed.low.get(index)?)
        };
        let (Some(from), Some(to)) = (start(intervals.start), self.end(intervals, start)) else {
            return Ok(None);
        };
        let is_inside = self.stream.start + 2 <= from && from < to && to <= self.stream.end;
        if !is_inside {
            return Ok(None);
        }
        let is_marked = match intervals.start.checked_sub(1) {
            None => from == self.stream.start + self.header.length(),
            Some(before) => self.file.read(from - 2, 2)? == [0xFF, marker(before)],
        };
        if is_marked { self.read(from..to).map(Some) } else { Ok(None) }
    }

    fn end(&self, intervals: &Range<u64>, start: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        if intervals.end < self.n_intervals { start(intervals.end) } else { Some(self.stream.end) }
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SlideError> {
        let length = range.end.saturating_sub(range.start);
        SlideError::check_limit("the bytes of a stored tile", length, MAX_TILE_BYTES)?;
        let mut data = self.file.read(range.start, length)?;
        if let [.., 0xFF, 0xD0..=0xD9] = data.as_slice() {
            data.truncate(data.len() - 2);
        }
        Ok(data)
    }

    /// Where intervals start, by the markers in the stream; ends early where a number is out of turn.
    fn search(&self) -> Vec<u64> {
        let mut starts = vec![self.stream.start + self.header.length()];
        let end = self.stream.end.min(self.stream.start.saturating_add(MAX_SEARCHED_BYTES));
        let mut at = self.stream.start + self.header.length();
        while at + 2 <= end && (starts.len() as u64) < self.n_intervals {
            let length = SEARCH_STEP.min(end - at);
            let Ok(bytes) = self.file.read(at, length) else { break };
            for (offset, pair) in bytes.windows(2).enumerate() {
                let before = starts.len() as u64 - 1;
                if pair == [0xFF, marker(before)] {
                    starts.push(at + offset as u64 + 2);
                }
            }
            // The last byte may begin a marker.
            at += length - 1;
        }
        starts
    }
}

/// The marker that ends an interval.
fn marker(interval: u64) -> u8 {
    0xD0 + u8::try_from(interval % N_MARKERS).unwrap_or(0)
}

/// Size of a tile, and how many rows one interval has; `None` if restart intervals do not end where rows or tiles do.
fn tiling(size: PixelSize, header: &JpegHeader) -> Option<(PixelSize, u32)> {
    let mcu = header.mcu;
    let interval = Some(header.restart_interval).filter(|&it| 0 < it)?;
    let per_row = size.width.div_ceil(mcu.width);
    if per_row.is_multiple_of(interval) && interval < per_row {
        return Some((PixelSize { width: interval * mcu.width, height: mcu.height }, mcu.height));
    }
    if !interval.is_multiple_of(per_row) {
        return None;
    }
    let width = per_row * mcu.width;
    let rows = (interval / per_row).checked_mul(mcu.height)?;
    let group = u64::from(rows) * N_MARKERS;
    let is_small = u64::from(width) * group <= MAX_GROUP_PIXELS;
    Some((PixelSize { width, height: if is_small { to_u32(group) } else { rows } }, rows))
}

impl TileSource for RestartTiles {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.tile
    }

    fn is_gapless(&self) -> bool {
        true
    }

    fn read_part(&self, col: u32, row: u32, part: Part) -> Option<Tile> {
        let (stream, size) = self.stream(col, row).ok()??;
        jpeg::decode_less(&stream, None, false, size, Extent::Part(part)).map(Tile::intact)
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        Tile::lost_if_damaged(self.decode(col, row), col, row)
    }
}
