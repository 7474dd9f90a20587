//! How the bytes of a stored tile become samples. Every output length is known before decoding begins, so no stream
//! can inflate to more than its tile.

pub(crate) mod deflate;
pub(crate) mod jpeg;
pub(crate) mod jpeg2000;
pub(crate) mod lzw;
pub(crate) mod packbits;
pub(crate) mod predictor;
pub(crate) mod webp;
pub(crate) mod zstd;

use std::sync::Arc;

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use self::jpeg::Extent;
use crate::SlideError;

/// The compression of a TIFF directory, with what all its tiles share.
#[derive(Clone, Debug)]
pub(crate) enum Codec {
    /// Samples as they are.
    Uncompressed,
    /// TIFF's own variant of LZW.
    Lzw,
    /// A zlib stream.
    Deflate,
    /// Runs of bytes.
    PackBits,
    /// A Zstandard frame.
    Zstd,
    /// A JPEG stream that may borrow its tables from the directory.
    Jpeg {
        /// The tag `JPEGTables`.
        tables: Option<Arc<[u8]>>,
    },
    /// A JPEG 2000 codestream or file.
    Jpeg2000 {
        /// Three components are brightness and colour differences that the codestream itself does not know as such.
        is_ycbcr: bool,
    },
    /// A WebP file.
    WebP,
}

/// Pixels out of a codec that knows what its samples mean.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Its pixels.
    pub(crate) pixels: Pixels,
    /// The stream is damaged and was decoded as far as it goes.
    pub(crate) is_lenient: bool,
}

/// Samples out of a lossless codec.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// Exactly as many bytes as the tile holds.
    pub(crate) samples: Vec<u8>,
    /// The stream held more than its tile; the rest was ignored.
    pub(crate) is_overlong: bool,
}

impl Codec {
    /// By the number in the tag `Compression`.
    ///
    /// `is_ycbcr` is what the photometric interpretation says; Aperio's two kinds of JPEG 2000 say it themselves.
    pub(crate) fn from_tag(
        compression: u64,
        tables: Option<Vec<u8>>,
        is_ycbcr: bool,
    ) -> Result<Self, SlideError> {
        match compression {
            1 => Ok(Self::Uncompressed),
            5 => Ok(Self::Lzw),
            7 => Ok(Self::Jpeg { tables: tables.map(Arc::from) }),
            8 | 32946 => Ok(Self::Deflate),
            32773 => Ok(Self::PackBits),
            33003 => Ok(Self::Jpeg2000 { is_ycbcr: true }),
            33005 => Ok(Self::Jpeg2000 { is_ycbcr: false }),
            34712 => Ok(Self::Jpeg2000 { is_ycbcr }),
            50000 => Ok(Self::Zstd),
            50001 => Ok(Self::WebP),
            _ => Err(SlideError::Unsupported(format!(
                "{} (TIFF compression {compression})",
                compression_name(compression)
            ))),
        }
    }

    /// Whether tiles decode to pixels rather than to samples that the directory explains.
    pub(crate) fn is_picture(&self) -> bool {
        matches!(self, Self::Jpeg { .. } | Self::Jpeg2000 { .. } | Self::WebP)
    }

    /// Decodes a tile of at most `limit` pixels; `is_rgb` is what the directory says of three samples.
    pub(crate) fn decode_picture(
        &self,
        stored: &[u8],
        is_rgb: bool,
        limit: PixelSize,
    ) -> Result<Picture, SlideError> {
        match self {
            Self::Jpeg { tables } => jpeg::decode(stored, tables.as_deref(), is_rgb, limit),
            Self::Jpeg2000 { is_ycbcr } => jpeg2000::decode(stored, *is_ycbcr, limit),
            Self::WebP => webp::decode(stored, limit),
            _ => Err(SlideError::malformed("TIFF", "a stream of samples is no picture")),
        }
    }

    /// Decodes less than all of a tile; `None` if that cannot be done.
    pub(crate) fn decode_less(
        &self,
        stored: &[u8],
        is_rgb: bool,
        limit: PixelSize,
        extent: Extent,
    ) -> Option<Pixels> {
        let Self::Jpeg { tables } = self else { return None };
        jpeg::decode_less(stored, tables.as_deref(), is_rgb, limit, extent)
    }

    /// Decodes `stored` to exactly `n_bytes` of samples.
    pub(crate) fn decode(
        &self,
        mut stored: Vec<u8>,
        n_bytes: usize,
    ) -> Result<Decoded, SlideError> {
        match self {
            Self::Uncompressed if stored.len() < n_bytes => {
                Err(short("TIFF", stored.len(), n_bytes))
            }
            Self::Uncompressed => {
                stored.truncate(n_bytes);
                Ok(Decoded { samples: stored, is_overlong: false })
            }
            Self::Lzw => lzw::decode(&stored, n_bytes),
            Self::Deflate => deflate::decode(&stored, n_bytes),
            Self::PackBits => packbits::decode(&stored, n_bytes),
            Self::Zstd => zstd::decode(&stored, n_bytes),
            Self::Jpeg { .. } | Self::Jpeg2000 { .. } | Self::WebP => {
                Err(SlideError::malformed("TIFF", "a picture is no stream of samples"))
            }
        }
    }
}

fn rgba_from_rgb(rgb: &[u8]) -> Vec<u8> {
    let mut rgba = vec![0; rgb.len() / 3 * 4];
    spread_rgb(rgb, &mut rgba);
    rgba
}

/// Opaque pixels.
fn spread_rgb(rgb: &[u8], rgba: &mut [u8]) {
    let pixels = rgba.as_chunks_mut().0.iter_mut().zip(rgb.as_chunks().0);
    for (to, &[r, g, b]) in pixels {
        *to = [r, g, b, 255];
    }
}

/// A tile that ends before its last pixel.
fn short(format: &'static str, found: usize, expected: usize) -> SlideError {
    SlideError::malformed(format, format!("a tile holds {found} bytes, {expected} were expected"))
}

fn compression_name(compression: u64) -> &'static str {
    match compression {
        2..=4 => "CCITT fax tiles",
        6 => "old-style JPEG tiles",
        34887 => "LERC tiles",
        34925 => "LZMA tiles",
        50002 | 52546 => "JPEG XL tiles",
        22610 | 34892 | 34933 => "JPEG XR or lossy JPEG tiles",
        _ => "tiles of an unknown compression",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_compression_is_named_by_its_number() {
        let error = Codec::from_tag(34713, None, false).unwrap_err();
        assert!(error.to_string().contains("34713"), "{error}");
        let error = Codec::from_tag(34925, None, false).unwrap_err();
        assert!(error.to_string().contains("LZMA"), "{error}");
    }

    #[test]
    fn an_uncompressed_tile_is_cut_to_its_length_and_never_padded() {
        let codec = Codec::Uncompressed;
        assert_eq!(codec.decode(vec![1, 2, 3, 4], 3).unwrap().samples, [1, 2, 3]);
        assert!(codec.decode(vec![1, 2], 3).is_err());
    }
}
