//! Where the camera stood: the stage never moves by exactly one picture.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use crate::SlideError;
use crate::number::to_usize;

/// Bytes of one position: a flag, x, y.
const RECORD: usize = 9;

/// Top-left corners of the camera's pictures, row by row, in pixels of the finest level.
#[derive(Debug)]
pub(crate) enum Positions {
    /// As the scanner wrote them down.
    Stored(Vec<(i32, i32)>),
    /// Evenly, of slides that store none.
    Even {
        /// Positions in a row.
        across: u32,
        /// From one to the next, in both directions.
        step: (f64, f64),
    },
}

impl Positions {
    /// Reads `n_positions` of a position buffer, which newer scanners compress.
    pub(crate) fn parse(
        stored: &[u8],
        is_compressed: bool,
        n_positions: u64,
    ) -> Result<Self, SlideError> {
        let n_bytes = to_usize(n_positions).saturating_mul(RECORD);
        let mut inflated = Vec::new();
        let bytes = if is_compressed {
            let limit = n_bytes as u64 + 1;
            ZlibDecoder::new(stored).take(limit).read_to_end(&mut inflated).map_err(|error| {
                SlideError::malformed("MIRAX", format!("camera positions: {error}"))
            })?;
            inflated.as_slice()
        } else {
            stored
        };
        if bytes.len() != n_bytes {
            return Err(SlideError::malformed(
                "MIRAX",
                format!("{} bytes of camera positions, {n_bytes} expected", bytes.len()),
            ));
        }
        let records = bytes.as_chunks::<RECORD>().0.iter();
        let position = |&[_, x0, x1, x2, x3, y0, y1, y2, y3]: &[u8; RECORD]| {
            (i32::from_le_bytes([x0, x1, x2, x3]), i32::from_le_bytes([y0, y1, y2, y3]))
        };
        Ok(Self::Stored(records.map(position).collect()))
    }

    /// Position number `index`; `None` if the camera was never there, which the scanner writes as zeros.
    pub(crate) fn get(&self, index: u32) -> Option<(f64, f64)> {
        match self {
            Self::Stored(positions) => {
                let &(x, y) = positions.get(to_usize(index))?;
                (index == 0 || (x, y) != (0, 0)).then_some((x.into(), y.into()))
            }
            Self::Even { across, step } => {
                let (col, row) = (index.checked_rem(*across)?, index.checked_div(*across)?);
                Some((f64::from(col) * step.0, f64::from(row) * step.1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const TWO: [u8; 18] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF];

    #[test]
    fn plain_and_compressed_buffers_hold_the_same() {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&TWO).unwrap();
        let compressed = encoder.finish().unwrap();
        for (stored, is_compressed) in [(&TWO[..], false), (&compressed, true)] {
            let positions = Positions::parse(stored, is_compressed, 2).unwrap();
            assert_eq!(positions.get(0), Some((0.0, 0.0)));
            assert_eq!(positions.get(1), Some((256.0, -2.0)));
            assert_eq!(positions.get(2), None);
            assert!(Positions::parse(stored, is_compressed, 3).is_err());
            assert!(Positions::parse(stored, is_compressed, 1).is_err());
        }
    }

    #[test]
    fn zeros_mean_that_the_camera_was_not_there() {
        let positions = Positions::parse(&[0; 18], false, 2).unwrap();
        assert_eq!((positions.get(0), positions.get(1)), (Some((0.0, 0.0)), None));
    }
}
