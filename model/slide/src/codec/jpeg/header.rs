//! The segments of a JPEG stream before its picture data.

use domain::coords::PixelSize;

use crate::SlideError;

/// Segments of a stream from its start marker up to and including the start of the scan: marker, offset of the body, body.
pub(crate) fn segments(stream: &[u8]) -> impl Iterator<Item = (u8, usize, &[u8])> {
    const SCAN: u8 = 0xDA;
    const END: u8 = 0xD9;
    let mut at = 2;
    let mut is_over = !stream.starts_with(&[0xFF, 0xD8]);
    std::iter::from_fn(move || {
        while !is_over && stream.get(at) == Some(&0xFF) && stream.get(at + 1) == Some(&0xFF) {
            at += 1;
        }
        let (0xFF, marker) = (*stream.get(at)?, *stream.get(at + 1)?) else { return None };
        let length = usize::from(u16::from_be_bytes(*stream.get(at + 2..)?.first_chunk()?)).max(2);
        let body = stream.get(at + 4..at + 2 + length)?;
        if is_over || marker == END {
            return None;
        }
        let body_at = at + 4;
        at += 2 + length;
        is_over = marker == SCAN;
        Some((marker, body_at, body))
    })
}

/// Whether a marker begins a frame that can be decoded: baseline, extended or progressive.
pub(crate) fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xC2)
}

/// What the header says, and the header itself.
#[derive(Debug)]
pub(crate) struct JpegHeader {
    bytes: Vec<u8>,
    size_at: usize,
    /// Its size; a scanner's stream may be larger than 65535 and say anything here.
    pub(crate) size: PixelSize,
    /// Pixels of a minimum coded unit.
    pub(crate) mcu: PixelSize,
    /// Minimum coded units between two restart markers; 0 for no markers.
    pub(crate) restart_interval: u32,
}

impl JpegHeader {
    /// Reads the header that `bytes` begin with.
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Result<Self, SlideError> {
        let problem = |text: &str| SlideError::malformed("JPEG", text.to_owned());
        let (mut frame, mut end, mut restart_interval) = (None, None, 0);
        for (marker, at, body) in segments(&bytes) {
            match (marker, body) {
                (marker, body) if is_frame(marker) => frame = Frame::parse(at, body),
                (0xDD, &[high, low, ..]) => {
                    restart_interval = u32::from(u16::from_be_bytes([high, low]));
                }
                (0xDA, body) => end = Some(at + body.len()),
                _ => {}
            }
        }
        let frame = frame.ok_or_else(|| problem("a stream has no frame header"))?;
        bytes.truncate(end.ok_or_else(|| problem("a stream has no scan"))?);
        Ok(Self {
            bytes,
            size_at: frame.size_at,
            size: frame.size,
            mcu: frame.mcu,
            restart_interval,
        })
    }

    /// Bytes up to the picture data.
    pub(crate) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The header of a stream of another size, 65535 at most.
    pub(crate) fn resized(&self, size: PixelSize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX).to_be_bytes();
        let [[a, b], [c, d]] = [side(size.height), side(size.width)];
        if let Some(field) = bytes.get_mut(self.size_at..self.size_at + 4) {
            field.copy_from_slice(&[a, b, c, d]);
        }
        bytes
    }
}

struct Frame {
    size_at: usize,
    size: PixelSize,
    mcu: PixelSize,
}

impl Frame {
    /// Precision, height, width, number of components, and three bytes for each.
    fn parse(at: usize, body: &[u8]) -> Option<Self> {
        let &[_, h1, h0, w1, w0, _, ..] = body else { return None };
        let sampling = body.get(6..)?.chunks_exact(3).filter_map(|it| it.get(1));
        let (mut across, mut down) = (1, 1);
        for &factors in sampling {
            across = across.max(u32::from(factors >> 4));
            down = down.max(u32::from(factors & 15));
        }
        let is_single = body.get(5) == Some(&1);
        let (across, down) = if is_single { (1, 1) } else { (across, down) };
        Some(Self {
            size_at: at + 1,
            size: PixelSize {
                width: u16::from_be_bytes([w1, w0]).into(),
                height: u16::from_be_bytes([h1, h0]).into(),
            },
            mcu: PixelSize { width: 8 * across, height: 8 * down },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4:2:0, 32 x 48 pixels, a restart marker after 2 units.
    fn header() -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xDD, 0, 4, 0, 2];
        bytes.extend([0xFF, 0xC0, 0, 17, 8, 0, 48, 0, 32, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        bytes.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 1, 2, 3]);
        bytes
    }

    #[test]
    fn a_header_gives_its_size_units_and_restarts() {
        let header = JpegHeader::parse(header()).unwrap();
        assert_eq!(header.size, PixelSize { width: 32, height: 48 });
        assert_eq!(header.mcu, PixelSize { width: 16, height: 16 });
        assert_eq!((header.restart_interval, header.length()), (2, 41));
    }

    #[test]
    fn another_size_is_written_where_the_old_one_stood() {
        let resized =
            JpegHeader::parse(header()).unwrap().resized(PixelSize { width: 300, height: 16 });
        assert_eq!(JpegHeader::parse(resized).unwrap().size, PixelSize { width: 300, height: 16 });
    }

    #[test]
    fn a_cut_header_is_an_error() {
        for length in 0..41 {
            assert!(JpegHeader::parse(header()[..length].to_vec()).is_err(), "{length}");
        }
    }
}
