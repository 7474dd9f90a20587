//! How the bytes of a stored tile become samples. Every output length is known before decoding begins, so no stream
//! can inflate to more than its tile.

pub(crate) mod deflate;
pub(crate) mod jpeg;
pub(crate) mod lzw;
pub(crate) mod packbits;
pub(crate) mod predictor;

use std::sync::Arc;

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
    /// A JPEG stream that may borrow its tables from the directory.
    Jpeg {
        /// The tag `JPEGTables`.
        tables: Option<Arc<[u8]>>,
    },
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
    pub(crate) fn from_tag(compression: u64, tables: Option<Vec<u8>>) -> Result<Self, SlideError> {
        match compression {
            1 => Ok(Self::Uncompressed),
            5 => Ok(Self::Lzw),
            7 => Ok(Self::Jpeg { tables: tables.map(Arc::from) }),
            8 | 32946 => Ok(Self::Deflate),
            32773 => Ok(Self::PackBits),
            _ => Err(SlideError::Unsupported(format!(
                "{} (TIFF compression {compression})",
                compression_name(compression)
            ))),
        }
    }

    /// Decodes `stored` to exactly `n_bytes` of samples. Not for JPEG, which yields pixels.
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
            Self::Jpeg { .. } => Err(SlideError::malformed("JPEG", "not a plain sample stream")),
        }
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
        33003 | 33005 => "Aperio JPEG 2000 tiles",
        34712 => "JPEG 2000 tiles",
        34887 => "LERC tiles",
        34925 => "LZMA tiles",
        50000 => "Zstandard tiles",
        50001 => "WebP tiles",
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
        let error = Codec::from_tag(34713, None).unwrap_err();
        assert!(error.to_string().contains("34713"), "{error}");
        let error = Codec::from_tag(33005, None).unwrap_err();
        assert!(error.to_string().contains("JPEG 2000"), "{error}");
    }

    #[test]
    fn an_uncompressed_tile_is_cut_to_its_length_and_never_padded() {
        let codec = Codec::Uncompressed;
        assert_eq!(codec.decode(vec![1, 2, 3, 4], 3).unwrap().samples, [1, 2, 3]);
        assert!(codec.decode(vec![1, 2], 3).is_err());
    }
}
