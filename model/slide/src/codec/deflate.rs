//! zlib streams (TIFF compressions 8 and 32946), with an exact output limit.

use flate2::{Decompress, FlushDecompress};

use super::{Decoded, short};
use crate::SlideError;
use crate::number::to_usize;

/// Inflates to exactly `n_bytes`; a stream that would go on is stopped there.
pub(crate) fn decode(stored: &[u8], n_bytes: usize) -> Result<Decoded, SlideError> {
    // One byte of room more than wanted tells a stream that goes on.
    let mut samples = vec![0; n_bytes.saturating_add(1)];
    let mut inflate = Decompress::new(true);
    inflate
        .decompress(stored, &mut samples, FlushDecompress::Finish)
        .map_err(|error| SlideError::malformed("deflate", error.to_string()))?;
    let n_found = to_usize(inflate.total_out());
    if n_found < n_bytes {
        return Err(short("deflate", n_found, n_bytes));
    }
    samples.truncate(n_bytes);
    Ok(Decoded { samples, is_overlong: n_bytes < n_found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_stream_of_the_right_length_comes_back() {
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let decoded = decode(&zlib(&bytes), 5000).unwrap();
        assert_eq!(decoded.samples, bytes);
        assert!(!decoded.is_overlong);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_tile() {
        let decoded = decode(&zlib(&vec![9; 10_000_000]), 100).unwrap();
        assert_eq!(decoded.samples, [9; 100]);
        assert!(decoded.is_overlong);
    }

    #[test]
    fn a_short_or_scrambled_stream_is_an_error() {
        assert!(decode(&zlib(&[1; 50]), 51).is_err());
        assert!(decode(&[0xAB; 40], 51).is_err());
        assert!(decode(&[], 1).is_err());
    }
}
