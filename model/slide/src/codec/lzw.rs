//! TIFF's LZW (compression 5): most significant bit first, code width switched one code early.

use weezl::{BitOrder, LzwStatus};

use super::{Decoded, short};
use crate::SlideError;

/// Decodes to exactly `n_bytes`.
pub(crate) fn decode(stored: &[u8], n_bytes: usize) -> Result<Decoded, SlideError> {
    let mut decoder = weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8).build();
    let mut samples = vec![0; n_bytes];
    let (mut n_in, mut n_out) = (0, 0);
    while n_out < n_bytes {
        let (Some(input), Some(output)) = (stored.get(n_in..), samples.get_mut(n_out..)) else {
            break;
        };
        let step = decoder.decode_bytes(input, output);
        n_in += step.consumed_in;
        n_out += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::Done | LzwStatus::NoProgress) => break,
            Err(error) => return Err(SlideError::malformed("LZW", error.to_string())),
        }
    }
    if n_out < n_bytes {
        return Err(short("LZW", n_out, n_bytes));
    }
    Ok(Decoded { samples, is_overlong: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_comes_back_and_a_cut_one_is_an_error() {
        let bytes: Vec<u8> = (0..200).cycle().take(20_000).collect();
        let stored =
            weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8).encode(&bytes).unwrap();
        assert_eq!(decode(&stored, bytes.len()).unwrap().samples, bytes);
        assert!(decode(&stored[..stored.len() / 2], bytes.len()).is_err());
        assert!(decode(&[], 1).is_err());
    }
}
