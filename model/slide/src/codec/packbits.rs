//! Runs of bytes (TIFF compression 32773).

use super::{Decoded, short};
use crate::SlideError;

/// Decodes to exactly `n_bytes`.
pub(crate) fn decode(stored: &[u8], n_bytes: usize) -> Result<Decoded, SlideError> {
    let mut samples = Vec::with_capacity(n_bytes);
    let mut rest = stored;
    while samples.len() < n_bytes {
        let Some((&control, after)) = rest.split_first() else { break };
        let room = n_bytes - samples.len();
        rest = match control {
            0..=127 => {
                let length = usize::from(control) + 1;
                let (literal, after) = after.split_at_checked(length).unwrap_or((after, &[]));
                samples.extend(literal.iter().take(room));
                after
            }
            128 => after,
            129..=255 => {
                let Some((&byte, after)) = after.split_first() else { break };
                let length = 257 - usize::from(control);
                samples.resize(samples.len() + length.min(room), byte);
                after
            }
        };
    }
    if samples.len() < n_bytes {
        return Err(short("PackBits", samples.len(), n_bytes));
    }
    Ok(Decoded { samples, is_overlong: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_tiff_specification_comes_back() {
        let stored = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7,
            0xAA,
        ];
        let samples = decode(&stored, 24).unwrap().samples;
        assert_eq!(samples[..7], [0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA]);
        assert_eq!(
            samples[10..],
            [0x80, 0x00, 0x2A, 0x22, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA]
        );
        assert!(decode(&stored, 25).is_err());
    }
}
