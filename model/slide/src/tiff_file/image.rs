//! One directory as a grid of tiles. Strips are tiles as wide as the picture.

use std::sync::Arc;

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use super::directory::{Directory, TiffBytes, UnsignedArray};
use super::samples::SampleLayout;
use super::tags;
use crate::SlideError;
use crate::codec::jpeg::Extent;
use crate::codec::{Codec, Decoded};
use crate::limits::{MAX_SIDE, MAX_TILE_BYTES, MAX_TILE_PIXELS, check_tiles};
use crate::number::{to_u32, to_usize};
use crate::tile::{Part, Tile, TileSource};

/// Uncompressed pictures of one strip are read in bands of about this size.
const BAND_BYTES: u64 = 1 << 20;

/// A directory whose tiles can be read.
#[derive(Debug)]
pub(crate) struct TiffImage {
    bytes: Arc<TiffBytes>,
    size: PixelSize,
    tile: PixelSize,
    /// Tiles beside one another, and in all.
    across: u64,
    n_tiles: u64,
    codec: Codec,
    layout: SampleLayout,
    offsets: UnsignedArray,
    byte_counts: Option<UnsignedArray>,
    is_tiled: bool,
    /// The one uncompressed strip is cut into bands, which stand one after another.
    is_banded: bool,
}

impl TiffImage {
    /// Reads the directory's layout and its arrays of offsets, but no tile.
    pub(crate) fn new(directory: &Directory) -> Result<Self, SlideError> {
        let size = PixelSize {
            width: side(directory, tags::IMAGE_WIDTH)?,
            height: side(directory, tags::IMAGE_LENGTH)?,
        };
        let codec = codec(directory)?;
        let layout = SampleLayout::parse(directory, &codec)?;
        let is_tiled = directory.has(tags::TILE_WIDTH);
        let stored_tile =
            if is_tiled { tile_size(directory)? } else { strip_size(directory, size)? };
        let is_banded = !is_tiled
            && !layout.is_planar
            && stored_tile.height == size.height
            && matches!(codec, Codec::Uncompressed);
        let tile = if is_banded { band_size(size, &layout) } else { stored_tile };
        check_tile(tile, &layout)?;
        let across = u64::from(size.width.div_ceil(tile.width));
        let n_tiles = across * u64::from(size.height.div_ceil(tile.height));
        check_tiles(n_tiles, tile)?;
        let n_planes = if layout.is_planar { layout.n_samples as u64 } else { 1 };
        let (offsets, counts) = if directory.has(tags::TILE_OFFSETS) {
            (tags::TILE_OFFSETS, tags::TILE_BYTE_COUNTS)
        } else {
            (tags::STRIP_OFFSETS, tags::STRIP_BYTE_COUNTS)
        };
        let offsets = directory.array(offsets, n_tiles * n_planes)?.ok_or_else(|| {
            SlideError::malformed("TIFF", "a directory says nowhere where its tiles are")
        })?;
        let byte_counts = directory.array(counts, n_tiles * n_planes)?;
        if byte_counts.is_none() && !matches!(codec, Codec::Uncompressed) {
            return Err(SlideError::malformed("TIFF", format!("the tag {} is missing", counts.1)));
        }
        let bytes = Arc::clone(directory.bytes());
        Ok(Self {
            bytes,
            size,
            tile,
            across,
            n_tiles,
            codec,
            layout,
            offsets,
            byte_counts,
            is_tiled,
            is_banded,
        })
    }

    /// Stored as tiles rather than strips.
    pub(crate) fn is_tiled(&self) -> bool {
        self.is_tiled
    }

    /// Whether it can be shown as it is; if not, its samples are channels.
    pub(crate) fn is_picture(&self) -> bool {
        self.layout.is_picture()
    }

    /// Samples of one pixel.
    pub(crate) fn n_samples(&self) -> usize {
        self.layout.n_samples
    }

    /// Whether the other directory holds pixels of the same kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.layout.is_like(&other.layout)
    }

    /// Shows only the top-left part, where the rest is padding. A size larger than the picture changes nothing.
    pub(crate) fn cut_to(mut self, size: PixelSize) -> Self {
        self.size.width = self.size.width.min(size.width);
        self.size.height = self.size.height.min(size.height);
        self
    }

    fn decode(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        if self.across <= u64::from(col) {
            return Ok(Tile::background());
        }
        let index = u64::from(row) * self.across + u64::from(col);
        let rows = self.stored_rows(row);
        if self.codec.is_picture() {
            self.decode_picture(index, rows)
        } else {
            self.decode_samples(index, rows)
        }
    }

    /// Less than all of a tile, where its codec can do that and the tile is intact.
    fn decode_less(&self, col: u32, row: u32, extent: Extent) -> Option<Tile> {
        if !self.codec.is_picture() || self.across <= u64::from(col) {
            return None;
        }
        let index = u64::from(row) * self.across + u64::from(col);
        let Some(stored) = self.stored(index, None).ok()? else { return Some(Tile::background()) };
        let pixels = self.codec.decode_less(&stored, self.layout.is_rgb(), self.tile, extent)?;
        Some(Tile::intact(pixels))
    }

    fn decode_picture(&self, index: u64, rows: u32) -> Result<Tile, SlideError> {
        let Some(stored) = self.stored(index, None)? else { return Ok(Tile::background()) };
        let decoded = self.codec.decode_picture(&stored, self.layout.is_rgb(), self.tile)?;
        let found = decoded.pixels.size();
        if found.width != self.tile.width || found.height < rows {
            let problem = format!(
                "a tile of {} x {rows} pixels holds a picture of {} x {}",
                self.tile.width, found.width, found.height
            );
            return Err(SlideError::malformed("TIFF", problem));
        }
        Ok(Tile { pixels: Some(decoded.pixels), n_damaged: decoded.is_lenient.into() })
    }

    fn decode_samples(&self, index: u64, rows: u32) -> Result<Tile, SlideError> {
        if !self.layout.kind.is_plain() {
            return Err(SlideError::Unsupported("colours of odd samples".to_owned()));
        }
        let n_planes = if self.layout.is_planar { self.layout.n_samples } else { 1 };
        let mut planes = Vec::with_capacity(n_planes);
        let mut is_damaged = false;
        for plane in 0..n_planes as u64 {
            let Some(decoded) = self.samples(plane * self.n_tiles + index, rows)? else {
                return Ok(Tile::background());
            };
            is_damaged |= decoded.is_overlong;
            let row = self.row_samples();
            planes.push(self.layout.to_8_bit(decoded.samples, row, self.bytes.order));
        }
        let rgba = match planes.as_slice() {
            [samples] => self.layout.rgba(samples),
            _ => self.layout.rgba(&interleaved(&planes)),
        };
        let size = PixelSize { width: self.tile.width, height: rows };
        let pixels = Pixels::new(size, rgba)
            .ok_or_else(|| SlideError::malformed("TIFF", "a tile lacks some of its samples"))?;
        Ok(Tile { pixels: Some(pixels), n_damaged: is_damaged.into() })
    }

    /// The values of one sample of each pixel of a tile; `None` if the file leaves the tile out.
    pub(super) fn values(
        &self,
        col: u32,
        row: u32,
        sample: usize,
    ) -> Result<Option<Vec<f32>>, SlideError> {
        if self.codec.is_picture() {
            let red = |pixels: &Pixels| {
                pixels.rgba().iter().step_by(4).map(|&it| f32::from(it)).collect()
            };
            return Ok(self.decode(col, row)?.pixels.as_ref().map(red));
        }
        let index = u64::from(row) * self.across + u64::from(col);
        let plane = if self.layout.is_planar { sample as u64 } else { 0 };
        let Some(decoded) = self.samples(plane * self.n_tiles + index, self.stored_rows(row))?
        else {
            return Ok(None);
        };
        let values = self.layout.values(decoded.samples, self.row_samples(), self.bytes.order);
        let n_beside = self.layout.samples_per_tile_pixel();
        if n_beside == 1 {
            return Ok(Some(values));
        }
        Ok(Some(values.into_iter().skip(sample).step_by(n_beside).collect()))
    }

    /// The samples of a stored tile of `rows` rows.
    fn samples(&self, index: u64, rows: u32) -> Result<Option<Decoded>, SlideError> {
        let n_bytes = self.row_samples() * to_usize(rows) * self.layout.sample_bytes();
        let stored = self.stored(index, Some(n_bytes as u64))?;
        stored.map(|stored| self.codec.decode(stored, n_bytes)).transpose()
    }

    fn row_samples(&self) -> usize {
        to_usize(self.tile.width) * self.layout.samples_per_tile_pixel()
    }

    /// Tiles are stored whole, the last strip only as far as the picture reaches.
    fn stored_rows(&self, row: u32) -> u32 {
        if self.is_tiled {
            return self.tile.height;
        }
        let above = u64::from(row) * u64::from(self.tile.height);
        self.tile.height.min(to_u32(u64::from(self.size.height).saturating_sub(above)))
    }

    /// The bytes of a tile; `None` if the file leaves it out. `n_bytes` is their number where they are uncompressed.
    fn stored(&self, index: u64, n_bytes: Option<u64>) -> Result<Option<Vec<u8>>, SlideError> {
        let n_raw = n_bytes.filter(|_| matches!(self.codec, Codec::Uncompressed));
        if let Some(n_raw) = n_raw.filter(|_| self.is_banded) {
            let band =
                u64::from(self.tile.width) * u64::from(self.tile.height) * self.pixel_bytes();
            let start = self.offsets.get(0).unwrap_or(0).saturating_add(index * band);
            return self.bytes.file.read(start, n_raw).map(Some);
        }
        let missing =
            || SlideError::malformed("TIFF", format!("nothing says where tile {index} is"));
        let offset = self.offsets.get(index).ok_or_else(missing)?;
        let count = match &self.byte_counts {
            Some(counts) => counts.get(index).ok_or_else(missing)?,
            None => n_raw.unwrap_or(0),
        };
        if offset == 0 || count == 0 {
            return Ok(None);
        }
        SlideError::check_limit("the bytes of a stored tile", count, MAX_TILE_BYTES)?;
        self.bytes.file.read(offset, n_raw.map_or(count, |n_raw| n_raw.min(count))).map(Some)
    }

    fn pixel_bytes(&self) -> u64 {
        (self.layout.n_samples * self.layout.sample_bytes()) as u64
    }
}

impl TileSource for TiffImage {
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
        self.decode_less(col, row, Extent::Part(part))
    }

    fn has_eighths(&self) -> bool {
        let is_jpeg = matches!(self.codec, Codec::Jpeg { .. });
        is_jpeg && self.tile.width.is_multiple_of(8) && self.tile.height.is_multiple_of(8)
    }

    fn read_eighth(&self, col: u32, row: u32) -> Option<Tile> {
        let rows = self.stored_rows(row).div_ceil(8);
        let is_whole = |it: PixelSize| it.width == self.tile.width / 8 && rows <= it.height;
        self.decode_less(col, row, Extent::Eighth)
            .filter(|tile| tile.pixels.as_ref().is_none_or(|pixels| is_whole(pixels.size())))
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        Tile::lost_if_damaged(self.decode(col, row), col, row)
    }
}

fn interleaved(planes: &[Vec<u8>]) -> Vec<u8> {
    let n_pixels = planes.iter().map(Vec::len).min().unwrap_or(0);
    let mut samples = vec![0; n_pixels * planes.len()];
    for (channel, plane) in planes.iter().enumerate() {
        for (to, from) in samples.iter_mut().skip(channel).step_by(planes.len()).zip(plane) {
            *to = *from;
        }
    }
    samples
}

pub(super) fn side(directory: &Directory, tag: tags::Tag) -> Result<u32, SlideError> {
    let pixels = directory.required(tag)?;
    if pixels == 0 {
        return Err(SlideError::malformed("TIFF", format!("{} is 0", tag.1)));
    }
    SlideError::check_limit(tag.1, pixels, MAX_SIDE)?;
    Ok(to_u32(pixels))
}

fn codec(directory: &Directory) -> Result<Codec, SlideError> {
    let compression = directory.unsigned(tags::COMPRESSION)?.unwrap_or(1);
    let is_ycbcr = directory.unsigned(tags::PHOTOMETRIC)? == Some(tags::YCBCR);
    let codec = Codec::from_tag(compression, directory.raw(tags::JPEG_TABLES)?, is_ycbcr)?;
    if directory.unsigned(tags::FILL_ORDER)?.unwrap_or(1) != 1 {
        return Err(SlideError::Unsupported("TIFF with reversed bit order".to_owned()));
    }
    Ok(codec)
}

fn tile_size(directory: &Directory) -> Result<PixelSize, SlideError> {
    Ok(PixelSize {
        width: side(directory, tags::TILE_WIDTH)?,
        height: side(directory, tags::TILE_LENGTH)?,
    })
}

fn strip_size(directory: &Directory, size: PixelSize) -> Result<PixelSize, SlideError> {
    let rows = directory.unsigned(tags::ROWS_PER_STRIP)?.unwrap_or(u64::MAX);
    if rows == 0 {
        return Err(SlideError::malformed("TIFF", "RowsPerStrip is 0"));
    }
    Ok(PixelSize { width: size.width, height: to_u32(rows).min(size.height) })
}

fn band_size(size: PixelSize, layout: &SampleLayout) -> PixelSize {
    let row_bytes = u64::from(size.width) * (layout.n_samples * layout.sample_bytes()) as u64;
    let rows = to_u32(BAND_BYTES / row_bytes.max(1)).clamp(1, size.height);
    PixelSize { width: size.width, height: rows }
}

fn check_tile(tile: PixelSize, layout: &SampleLayout) -> Result<(), SlideError> {
    SlideError::check_limit("the pixels of a stored tile", tile.area(), MAX_TILE_PIXELS)?;
    let n_bytes = tile.area() * (layout.n_samples * layout.sample_bytes()) as u64;
    SlideError::check_limit("the bytes of a decoded tile", n_bytes, MAX_TILE_BYTES)
}
