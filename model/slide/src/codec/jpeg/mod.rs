//! JPEG tiles: tables borrowed from the directory, colours as TIFF means them, damage told apart.

mod baseline;
pub(crate) mod header;

use domain::coords::PixelSize;
use domain::pixels::Pixels;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use self::header::{JpegHeader, is_frame, segments};
use super::{Picture, spread_rgb};
use crate::SlideError;
use crate::buffer;
use crate::limits::{MAX_JPEG_PIXELS_PER_BYTE, MAX_TILE_PIXELS};
use crate::number::{to_u32, to_usize};
pub(crate) use baseline::Extent;

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// An Adobe segment that says "no colour transform": what Aperio's RGB tiles lack.
const ADOBE_RGB: [u8; 16] =
    [0xFF, 0xEE, 0x00, 0x0E, b'A', b'd', b'o', b'b', b'e', 0x00, 0x64, 0, 0, 0, 0, 0];

/// What the headers say about colour.
#[derive(Clone, Copy, Debug, Default)]
struct ColorHints {
    n_components: u8,
    n_pixels: u64,
    is_subsampled: bool,
    /// The components are called R, G and B.
    is_named_rgb: bool,
    /// The Adobe segment's colour transform: 0 none, 1 YCbCr.
    adobe_transform: Option<u8>,
}

/// Decodes one tile of at most `limit` pixels.
///
/// `stored_as_rgb` is what the TIFF directory says of three components. The stream's own word, where it has one,
/// goes first: writers exist that tag YCbCr streams as RGB and the reverse.
pub(crate) fn decode(
    stored: &[u8],
    tables: Option<&[u8]>,
    stored_as_rgb: bool,
    limit: PixelSize,
) -> Result<Picture, SlideError> {
    let hints = ColorHints::of(stored, tables);
    let is_rgb = hints.is_rgb(stored_as_rgb)?;
    let limit_by_bytes = (stored.len() as u64).saturating_mul(MAX_JPEG_PIXELS_PER_BYTE);
    SlideError::check_limit(
        "the pixels of so short a JPEG stream",
        hints.n_pixels,
        limit_by_bytes,
    )?;
    let plain = baseline::decode(tables.unwrap_or_default(), stored, is_rgb, limit, Extent::Whole);
    if let Some(pixels) = plain {
        return Ok(Picture { pixels, is_lenient: false });
    }
    let bytes = splice(stored, tables, is_rgb && hints.adobe_transform.is_none())?;
    let stream = JpegStream { bytes, is_rgb, limit };
    match stream.decode_strictly() {
        Ok(pixels) => Ok(Picture { pixels, is_lenient: false }),
        Err(_) => Ok(Picture { pixels: stream.decode_leniently()?, is_lenient: true }),
    }
}

/// Decodes less than all of a tile; `None` if the stream is not one of which less can be decoded.
pub(crate) fn decode_less(
    stored: &[u8],
    tables: Option<&[u8]>,
    stored_as_rgb: bool,
    limit: PixelSize,
    extent: Extent,
) -> Option<Pixels> {
    let is_rgb = ColorHints::of(stored, tables).is_rgb(stored_as_rgb).ok()?;
    baseline::decode(tables.unwrap_or_default(), stored, is_rgb, limit, extent)
}

/// The size of the picture in a complete stream.
pub(crate) fn size(stream: &[u8]) -> Result<PixelSize, SlideError> {
    let size = JpegHeader::parse(stream.to_vec())?.size;
    SlideError::check_limit("the pixels of a JPEG picture", size.area(), MAX_TILE_PIXELS)?;
    Ok(size)
}

/// One stream out of start marker, `ADOBE_RGB` if wanted, the tables' segments and the tile's.
fn splice(
    stored: &[u8],
    tables: Option<&[u8]>,
    add_adobe_rgb: bool,
) -> Result<Vec<u8>, SlideError> {
    let tile = stored
        .strip_prefix(&START_OF_IMAGE)
        .ok_or_else(|| SlideError::malformed("JPEG", "a tile does not begin like a JPEG stream"))?;
    let tables = tables
        .and_then(|tables| tables.strip_prefix(&START_OF_IMAGE))
        .map(|tables| tables.strip_suffix(&END_OF_IMAGE).unwrap_or(tables))
        .unwrap_or_default();
    let adobe: &[u8] = if add_adobe_rgb { &ADOBE_RGB } else { &[] };
    Ok([&START_OF_IMAGE, adobe, tables, tile].concat())
}

/// A complete stream and what is known about it.
struct JpegStream {
    bytes: Vec<u8>,
    is_rgb: bool,
    limit: PixelSize,
}

impl JpegStream {
    fn decode_strictly(&self) -> Result<Pixels, SlideError> {
        self.decode(DecoderOptions::default().set_strict_mode(true), buffer::take)
    }

    /// Damaged data come out as scrambled pixels, missing data as black.
    fn decode_leniently(&self) -> Result<Pixels, SlideError> {
        self.decode(DecoderOptions::default().set_strict_mode(false), |n_bytes| vec![0; n_bytes])
    }

    fn decode(
        &self,
        options: DecoderOptions,
        allocate: impl Fn(usize) -> Vec<u8>,
    ) -> Result<Pixels, SlideError> {
        // The decoder has no path from RGB to RGBA.
        let output = if self.is_rgb { ColorSpace::RGB } else { ColorSpace::RGBA };
        let options = options
            .jpeg_set_out_colorspace(output)
            .set_max_width(to_usize(self.limit.width))
            .set_max_height(to_usize(self.limit.height));
        let problem = |error: DecodeErrors| SlideError::malformed("JPEG", format!("{error:?}"));
        let empty = || SlideError::malformed("JPEG", "the stream holds no picture");
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&self.bytes), options);
        decoder.decode_headers().map_err(problem)?;
        let (width, height) = decoder.dimensions().ok_or_else(empty)?;
        let mut samples = allocate(decoder.output_buffer_size().ok_or_else(empty)?);
        decoder.decode_into(&mut samples).map_err(problem)?;
        let size = PixelSize { width: to_u32(width), height: to_u32(height) };
        let rgba = if self.is_rgb {
            let mut rgba = allocate(to_usize(size.area()) * 4);
            spread_rgb(&samples, &mut rgba);
            buffer::give(samples);
            rgba
        } else {
            samples
        };
        Pixels::new(size, rgba)
            .ok_or_else(|| SlideError::malformed("JPEG", "the picture ends before its last pixel"))
    }
}

impl ColorHints {
    /// What the tables and the stream say, the stream last.
    fn of(stored: &[u8], tables: Option<&[u8]>) -> Self {
        let mut hints = Self::default();
        hints.scan(tables.unwrap_or_default());
        hints.scan(stored);
        hints
    }

    /// Reads the segments up to the picture data; what it cannot read it leaves to the decoder to refuse.
    fn scan(&mut self, stream: &[u8]) {
        for (marker, _, body) in segments(stream) {
            if is_frame(marker) {
                self.read_frame(body);
            } else if marker == 0xEE && body.starts_with(b"Adobe") {
                self.adobe_transform = body.get(11).copied();
            }
        }
    }

    fn read_frame(&mut self, body: &[u8]) {
        let components: Vec<&[u8]> = body.get(6..).unwrap_or_default().chunks_exact(3).collect();
        self.n_components = body.get(5).copied().unwrap_or(0);
        let side = |at: usize| body.get(at..).and_then(<[u8]>::first_chunk).copied();
        let [height, width] = [1, 3].map(|at| u16::from_be_bytes(side(at).unwrap_or_default()));
        self.n_pixels = u64::from(height) * u64::from(width);
        let sampling = |component: &&[u8]| component.get(1).copied();
        let first = components.first().and_then(sampling);
        self.is_subsampled = components.iter().any(|component| sampling(component) != first);
        let names = components.iter().filter_map(|component| component.first());
        self.is_named_rgb = names.eq(b"RGB");
    }

    fn is_rgb(&self, stored_as_rgb: bool) -> Result<bool, SlideError> {
        if ![0, 1, 3].contains(&self.n_components) {
            let problem = format!("JPEG tiles of {} components", self.n_components);
            return Err(SlideError::Unsupported(problem));
        }
        if self.n_components != 3 {
            return Ok(false);
        }
        Ok(match self.adobe_transform {
            Some(transform) => transform == 0,
            None => self.is_named_rgb || (stored_as_rgb && !self.is_subsampled),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    const SIZE: PixelSize = PixelSize { width: 16, height: 16 };

    /// A plain 4:4:4 YCbCr stream of one colour.
    fn stream_of(color: [u8; 3]) -> Vec<u8> {
        let mut stream = Vec::new();
        let rgb = color.repeat(256);
        JpegEncoder::new_with_quality(&mut stream, 100)
            .encode(&rgb, 16, 16, image::ExtendedColorType::Rgb8)
            .unwrap();
        stream
    }

    /// Splits a stream as TIFF writers do: tables (quantization, Huffman) and the rest.
    fn abbreviated(stream: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut tables, mut tile) = (START_OF_IMAGE.to_vec(), START_OF_IMAGE.to_vec());
        let mut at = 2;
        loop {
            let marker = stream[at + 1];
            if marker == 0xDA {
                break;
            }
            let end = at + 2 + usize::from(u16::from_be_bytes([stream[at + 2], stream[at + 3]]));
            let target = if [0xDB, 0xC4].contains(&marker) { &mut tables } else { &mut tile };
            target.extend(&stream[at..end]);
            at = end;
        }
        tile.extend(&stream[at..]);
        tables.extend(END_OF_IMAGE);
        (tables, tile)
    }

    #[test]
    fn tables_of_the_directory_are_spliced_in() {
        let (tables, tile) = abbreviated(&stream_of([200, 100, 50]));
        assert!(decode(&tile, None, false, SIZE).is_err());
        let decoded = decode(&tile, Some(&tables), false, SIZE).unwrap();
        let [r, g, b, a] = decoded.pixels.get(8, 8).unwrap();
        assert!(r.abs_diff(200) <= 2 && g.abs_diff(100) <= 2 && b.abs_diff(50) <= 2, "{r} {g} {b}");
        assert_eq!((a, decoded.is_lenient), (255, false));
    }

    #[test]
    fn components_tagged_rgb_are_not_transformed() {
        // Read as RGB, the stream's luma is the red channel.
        let decoded = decode(&stream_of([80, 80, 80]), None, true, SIZE).unwrap();
        assert_eq!(decoded.pixels.get(3, 3).unwrap(), [80, 128, 128, 255]);
    }

    #[test]
    fn the_streams_own_word_goes_before_the_directorys() {
        let mut stream = stream_of([80, 80, 80]);
        let mut adobe_ycbcr = ADOBE_RGB;
        adobe_ycbcr[15] = 1;
        stream.splice(2..2, adobe_ycbcr);
        let decoded = decode(&stream, None, true, SIZE).unwrap();
        assert_eq!(decoded.pixels.get(3, 3).unwrap(), [80, 80, 80, 255]);
    }

    #[test]
    fn a_stream_larger_than_its_tile_is_refused() {
        let limit = PixelSize { width: 8, height: 16 };
        assert!(decode(&stream_of([1, 2, 3]), None, false, limit).is_err());
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode(&[0; 100], None, false, SIZE).is_err());
        assert!(decode(&START_OF_IMAGE, None, true, SIZE).is_err());
        let stream = stream_of([9, 9, 9]);
        for length in 0..stream.len() / 2 {
            let cut = decode(&stream[..length], None, false, SIZE);
            assert!(cut.is_err() || cut.is_ok_and(|tile| tile.is_lenient), "{length} bytes");
        }
    }
}
