//! Plain pictures: PNG, JPEG, BMP and WebP. Decoded whole at the first read and kept; opening reads only the header.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::{Arc, OnceLock};

use domain::coords::PixelSize;
use domain::id::TILE_PX;
use domain::pixels::Pixels;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader};

use super::{Candidate, Opened};
use crate::SlideError;
use crate::file::{FileStream, SlideFile};
use crate::limits::MAX_REGION_PIXELS;
use crate::tile::{Tile, TileSource};

/// Opens a picture.
pub(super) fn open(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    let file = candidate.file;
    let format = match image::guess_format(candidate.head) {
        Ok(
            format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Bmp | ImageFormat::WebP),
        ) => format,
        _ => return Ok(None),
    };
    let decoder = reader(file, format).into_decoder().map_err(|error| problem(format, error))?;
    let (width, height) = decoder.dimensions();
    let size = PixelSize { width, height };
    if size.area() == 0 {
        return Err(SlideError::malformed(name(format), "the picture has no pixels"));
    }
    SlideError::check_limit(
        "the number of pixels of a plain picture (save it as a tiled TIFF)",
        size.area(),
        MAX_REGION_PIXELS,
    )?;
    let picture = Picture { file: Arc::clone(file), format, size, decoded: OnceLock::new() };
    Ok(Some(Opened {
        properties: BTreeMap::from([("image.format".to_owned(), name(format).to_owned())]),
        ..Opened::new("image", vec![Box::new(picture)])
    }))
}

/// A picture in memory, cut into display tiles.
#[derive(Debug)]
struct Picture {
    file: Arc<SlideFile>,
    format: ImageFormat,
    size: PixelSize,
    /// As the file has its samples, which is often less than four bytes a pixel; `None` inside if it cannot be decoded.
    decoded: OnceLock<Option<DynamicImage>>,
}

impl Picture {
    fn decode(&self) -> Result<DynamicImage, SlideError> {
        let picture = SlideError::contain(name(self.format), || {
            let decoded = reader(&self.file, self.format).decode();
            decoded.map_err(|error| problem(self.format, error))
        })?;
        let size = PixelSize { width: picture.width(), height: picture.height() };
        if size != self.size {
            return Err(SlideError::malformed(name(self.format), "its size changed while open"));
        }
        Ok(picture)
    }
}

impl TileSource for Picture {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        PixelSize { width: TILE_PX, height: TILE_PX }
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        let decoded = self.decoded.get_or_init(|| {
            self.decode().inspect_err(|error| tracing::warn!("the picture is lost: {error}")).ok()
        });
        let Some(decoded) = decoded else { return Ok(Tile::lost()) };
        let (x, y) = (col.saturating_mul(TILE_PX), row.saturating_mul(TILE_PX));
        let tile = decoded.crop_imm(x, y, TILE_PX, TILE_PX).into_rgba8();
        let size = PixelSize { width: tile.width(), height: tile.height() };
        Ok(Pixels::new(size, tile.into_raw()).map_or_else(Tile::lost, Tile::intact))
    }
}

fn reader(file: &SlideFile, format: ImageFormat) -> ImageReader<BufReader<FileStream<'_>>> {
    let mut reader = ImageReader::with_format(BufReader::new(FileStream::new(file)), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(8 * MAX_REGION_PIXELS);
    reader.limits(limits);
    reader
}

fn problem(format: ImageFormat, error: ImageError) -> SlideError {
    match error {
        ImageError::Unsupported(error) => SlideError::Unsupported(error.to_string()),
        ImageError::IoError(error) if error.raw_os_error().is_some() => SlideError::Io(error),
        error => SlideError::malformed(name(format), error.to_string()),
    }
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Bmp => "BMP",
        _ => "WebP",
    }
}
