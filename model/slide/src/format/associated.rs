//! Pictures beside a slide: label, macro, thumbnail.

use domain::coords::PixelSize;

use crate::SlideError;
use crate::codec::jpeg;
use crate::tiff_file::{Directory, TiffImage};
use crate::tile::{Tile, TileSource};

/// A picture and its name, as [`super::Opened`] lists them.
pub(super) type Associated = (String, Box<dyn TileSource>);

/// The picture of a TIFF directory; `None` if it cannot be read, since no slide is refused for its label.
pub(super) fn from_directory(name: &str, directory: &Directory) -> Option<Associated> {
    match TiffImage::new(directory) {
        Ok(image) => Some((name.to_owned(), Box::new(image))),
        Err(error) => left_out(name, &error),
    }
}

/// A picture that is a JPEG file in memory; `None` if it is no such thing.
pub(super) fn from_jpeg(name: &str, bytes: Vec<u8>) -> Option<Associated> {
    match jpeg::size(&bytes) {
        Ok(size) => Some((name.to_owned(), Box::new(JpegInMemory { bytes, size }))),
        Err(error) => left_out(name, &error),
    }
}

fn left_out(name: &str, error: &SlideError) -> Option<Associated> {
    tracing::warn!("the {name} was left out: {error}");
    None
}

#[derive(Debug)]
struct JpegInMemory {
    bytes: Vec<u8>,
    size: PixelSize,
}

impl TileSource for JpegInMemory {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.size
    }

    fn read(&self, _col: u32, _row: u32) -> Result<Tile, SlideError> {
        let picture = jpeg::decode(&self.bytes, None, false, self.size)?;
        Ok(Tile { pixels: Some(picture.pixels), n_damaged: picture.is_lenient.into() })
    }
}
