//! Zstandard (TIFF compression 50000), with an exact output limit.

use std::io::Read as _;

use ruzstd::decoding::StreamingDecoder;

use super::{Decoded, short};
use crate::SlideError;
use crate::limits::MAX_TILE_BYTES;

/// Decodes to exactly `n_bytes`; a stream that would go on is stopped there.
pub(crate) fn decode(stored: &[u8], n_bytes: usize) -> Result<Decoded, SlideError> {
    let problem = |error: String| SlideError::malformed("Zstandard", error);
    let stream = StreamingDecoder::new_with_max_window_size(stored, MAX_TILE_BYTES)
        .map_err(|error| problem(error.to_string()))?;
    let mut samples = Vec::with_capacity(n_bytes);
    // One byte more than wanted tells a stream that goes on.
    stream
        .take(n_bytes as u64 + 1)
        .read_to_end(&mut samples)
        .map_err(|error| problem(error.to_string()))?;
    if samples.len() < n_bytes {
        return Err(short("Zstandard", samples.len(), n_bytes));
    }
    let is_overlong = n_bytes < samples.len();
    samples.truncate(n_bytes);
    Ok(Decoded { samples, is_overlong })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    #[test]
    fn a_stream_comes_back_and_a_cut_or_endless_one_is_told() {
        let bytes: Vec<u8> = (0..200).cycle().take(50_000).collect();
        let stored = compress_to_vec(bytes.as_slice(), CompressionLevel::Fastest);
        let decoded = decode(&stored, bytes.len()).unwrap();
        assert_eq!((decoded.samples == bytes, decoded.is_overlong), (true, false));
        assert!(decode(&stored, 100).unwrap().is_overlong);
        assert!(decode(&stored, bytes.len() + 1).is_err());
        assert!(decode(&stored[..stored.len() / 2], bytes.len()).is_err());
        assert!(decode(&[], 1).is_err());
    }
}
