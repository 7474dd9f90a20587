//! The numbers that samples are stored as.

use super::byte_order::ByteOrder;
use super::directory::Directory;
use super::tags;
use crate::SlideError;
use crate::codec::predictor::{self, Predictor};

/// Signedness and width of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SampleKind {
    /// Whole numbers from 0.
    Unsigned(Width),
    /// Whole numbers with a sign.
    Signed(Width),
    /// IEEE 754; of 32 or 64 bits.
    Float(Width),
}

/// Bytes of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 8 bits.
    One = 1,
    /// 16 bits.
    Two = 2,
    /// 32 bits.
    Four = 4,
    /// 64 bits.
    Eight = 8,
}

impl SampleKind {
    /// What all samples of a directory are; samples of several kinds are refused.
    pub(crate) fn parse(directory: &Directory) -> Result<Self, SlideError> {
        let unsupported = |what: String| Err(SlideError::Unsupported(what));
        let mut bits = directory.unsigneds(tags::BITS_PER_SAMPLE)?;
        bits.dedup();
        let width = match bits.as_slice() {
            [8] => Width::One,
            [16] => Width::Two,
            [32] => Width::Four,
            [64] => Width::Eight,
            [] | [1] => return unsupported("TIFF samples of 1 bit".to_owned()),
            [bits] => return unsupported(format!("TIFF samples of {bits} bits")),
            _ => return unsupported("TIFF samples of mixed widths".to_owned()),
        };
        let mut formats = directory.unsigneds(tags::SAMPLE_FORMAT)?;
        formats.dedup();
        match (formats.as_slice(), width) {
            ([] | [1 | 4], Width::One | Width::Two | Width::Four) => Ok(Self::Unsigned(width)),
            ([2], Width::One | Width::Two | Width::Four) => Ok(Self::Signed(width)),
            ([3], Width::Four | Width::Eight) => Ok(Self::Float(width)),
            _ => {
                unsupported("TIFF samples that are complex, or of an odd kind and width".to_owned())
            }
        }
    }

    /// Bytes of one sample.
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Self::Unsigned(width) | Self::Signed(width) | Self::Float(width) => width as usize,
        }
    }

    /// Whether samples map to display values by themselves.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Unsigned(Width::One | Width::Two))
    }

    /// Undoes the predictor and gives the numbers. `row` is the number of samples in a row, `n_samples` how many of them
    /// stand side by side in a pixel.
    pub(crate) fn values(
        self,
        mut raw: Vec<u8>,
        row: usize,
        n_samples: usize,
        predictor: Predictor,
        mut order: ByteOrder,
    ) -> Vec<f32> {
        let n_bytes = self.n_bytes();
        match predictor {
            Predictor::None => {}
            Predictor::Difference => predictor::undo(&mut raw, row, n_samples, n_bytes, order),
            Predictor::FloatingPoint => {
                predictor::undo_floating_point(&mut raw, row, n_samples, n_bytes);
                order = ByteOrder::Big;
            }
        }
        raw.chunks_exact(n_bytes).map(|sample| self.value(sample, order)).collect()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a display value needs no more than 24 bits"
    )]
    fn value(self, sample: &[u8], order: ByteOrder) -> f32 {
        let bits = order.unsigned(sample).unwrap_or(0);
        let low = bits as u32;
        match self {
            Self::Unsigned(_) => bits as f32,
            Self::Signed(Width::One) => f32::from((low as u8).cast_signed()),
            Self::Signed(Width::Two) => f32::from((low as u16).cast_signed()),
            Self::Signed(_) => low.cast_signed() as f32,
            Self::Float(Width::Eight) => f64::from_bits(bits) as f32,
            Self::Float(_) => f32::from_bits(low),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: SampleKind, bytes: &[u8], order: ByteOrder) -> f32 {
        kind.values(bytes.to_vec(), 1, 1, Predictor::None, order)[0]
    }

    #[test]
    fn every_kind_of_number_comes_out() {
        assert_eq!(one(SampleKind::Signed(Width::One), &[0xFE], ByteOrder::Little), -2.0);
        assert_eq!(one(SampleKind::Signed(Width::Two), &[0xFF, 0x00], ByteOrder::Big), -256.0);
        assert_eq!(
            one(SampleKind::Unsigned(Width::Four), &[1, 0, 1, 0], ByteOrder::Little),
            65537.0
        );
        let float = 1.5_f32.to_be_bytes();
        assert_eq!(one(SampleKind::Float(Width::Four), &float, ByteOrder::Big), 1.5);
        let double = (-0.25_f64).to_le_bytes();
        assert_eq!(one(SampleKind::Float(Width::Eight), &double, ByteOrder::Little), -0.25);
    }
}
