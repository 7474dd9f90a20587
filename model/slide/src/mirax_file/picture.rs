//! Pictures inside the data files, as JPEG, PNG or BMP.

use std::io::Cursor;
use std::sync::Arc;

use domain::coords::PixelSize;
use domain::pixels::Pixels;
use image::{ImageReader, Limits};

use super::Record;
use crate::SlideError;
use crate::codec::jpeg;
use crate::file::SlideFile;
use crate::limits::{MAX_REGION_PIXELS, MAX_TEXT_BYTES, MAX_TILE_BYTES};
use crate::number::to_usize;
use crate::tile::{Tile, TileSource};

/// The data files by number; `None` for one that is missing.
pub(crate) type DataFiles = Arc<[Option<Arc<SlideFile>>]>;

/// Reads a record's bytes.
pub(crate) fn stored(files: &DataFiles, record: Record) -> Result<Vec<u8>, SlideError> {
    let file = files.get(to_usize(record.file)).and_then(Option::as_ref).ok_or_else(|| {
        SlideError::malformed("MIRAX", format!("data file {} is missing", record.file))
    })?;
    SlideError::check_limit("the bytes of a stored tile", record.length, MAX_TILE_BYTES)?;
    file.read(record.offset, record.length)
}

/// Decodes a picture of at most `limit` pixels.
pub(crate) fn decode(stored: &[u8], limit: PixelSize) -> Result<Tile, SlideError> {
    if stored.starts_with(&[0xFF, 0xD8]) {
        let decoded = jpeg::decode(stored, None, false, limit)?;
        return Ok(Tile { pixels: Some(decoded.pixels), n_damaged: decoded.is_lenient.into() });
    }
    let mut reader = ImageReader::new(Cursor::new(stored)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(limit.width);
    limits.max_image_height = Some(limit.height);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| malformed(error.to_string()))?.into_rgba8();
    let size = PixelSize { width: picture.width(), height: picture.height() };
    let pixels = Pixels::new(size, picture.into_raw());
    pixels.map(Tile::intact).ok_or_else(|| malformed("a picture lacks some of its pixels"))
}

/// A picture beside the slide.
#[derive(Debug)]
pub(crate) struct StoredPicture {
    files: DataFiles,
    record: Record,
    size: PixelSize,
}

impl StoredPicture {
    /// Reads the picture's header.
    pub(crate) fn new(files: &DataFiles, record: Record) -> Result<Self, SlideError> {
        let what = "the bytes of a picture beside the slide";
        SlideError::check_limit(what, record.length, MAX_TEXT_BYTES)?;
        let bytes = stored(files, record)?;
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
        let (width, height) =
            reader.into_dimensions().map_err(|error| malformed(error.to_string()))?;
        let size = PixelSize { width, height };
        SlideError::check_limit("the pixels of a picture", size.area(), MAX_REGION_PIXELS)?;
        Ok(Self { files: Arc::clone(files), record, size })
    }
}

impl TileSource for StoredPicture {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.size
    }

    fn read(&self, _col: u32, _row: u32) -> Result<Tile, SlideError> {
        decode(&stored(&self.files, self.record)?, self.size)
    }
}

fn malformed(problem: impl Into<String>) -> SlideError {
    SlideError::malformed("MIRAX", problem)
}
