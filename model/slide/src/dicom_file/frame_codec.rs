//! How the bytes of a frame become pixels (PS3.3 C.7.6.3, PS3.5 section 8.2 and annex G).

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use super::{DicomFile, tags};
use crate::SlideError;
use crate::codec::jpeg::Extent;
use crate::codec::{jpeg, jpeg2000, packbits};
use crate::number::to_usize;
use crate::tile::{Part, Tile};

/// The encoding that all frames of a level share.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameCodec {
    encoding: Encoding,
    colors: Colors,
    /// Bytes of one sample, 1 or 2.
    sample_bytes: usize,
    /// How many of a sample's bits count.
    n_bits: u32,
    /// One colour after another instead of pixel by pixel.
    is_planar: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Native,
    RunLength,
    Jpeg,
    Jpeg2000,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colors {
    Gray,
    InvertedGray,
    Rgb,
    Ybr,
}

impl FrameCodec {
    /// Reads the description of the file's pixels.
    pub(super) fn of(dicom: &DicomFile) -> Result<Self, SlideError> {
        let data = &dicom.data;
        let colors = match data.text(tags::PHOTOMETRIC).unwrap_or_default().as_str() {
            "MONOCHROME2" => Colors::Gray,
            "MONOCHROME1" => Colors::InvertedGray,
            // The codestream undoes the last two itself.
            "RGB" | "YBR_ICT" | "YBR_RCT" => Colors::Rgb,
            name if name.starts_with("YBR_") => Colors::Ybr,
            name => return Err(unsupported(format!("pixels of the kind {name:?}"))),
        };
        let n_samples = data.unsigned(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        if n_samples != colors.n_samples() as u64 {
            return Err(unsupported(format!("pixels of {n_samples} samples")));
        }
        let n_allocated = data.unsigned(tags::BITS_ALLOCATED).unwrap_or(8);
        let n_bits = data.unsigned(tags::BITS_STORED).unwrap_or(n_allocated);
        let sample_bytes = match (n_allocated, n_bits) {
            (8, 1..=8) => 1,
            (16, 1..=16) => 2,
            _ => return Err(unsupported(format!("samples of {n_bits} of {n_allocated} bits"))),
        };
        Ok(Self {
            encoding: encoding(&dicom.transfer_syntax)?,
            colors,
            sample_bytes,
            n_bits: u32::try_from(n_bits).unwrap_or(8),
            is_planar: data.unsigned(tags::PLANAR_CONFIGURATION) == Some(1),
        })
    }

    /// Bytes of a frame of `tile` pixels that is not compressed.
    pub(super) fn native_bytes(&self, tile: PixelSize) -> u64 {
        tile.area() * (self.colors.n_samples() * self.sample_bytes) as u64
    }

    /// One sample a pixel, which a channel may be made of.
    pub(super) fn is_gray(&self) -> bool {
        matches!(self.colors, Colors::Gray | Colors::InvertedGray)
    }

    /// Decodes a gray frame of `tile` pixels to its values as stored.
    pub(super) fn values(&self, stored: Vec<u8>, tile: PixelSize) -> Result<Vec<f32>, SlideError> {
        let samples = match self.encoding {
            Encoding::Native => stored,
            Encoding::RunLength => self.run_lengths(&stored, tile)?,
            Encoding::Jpeg | Encoding::Jpeg2000 => {
                let decoded = self.decode(stored, tile)?.pixels;
                let rgba = decoded.as_ref().map(Pixels::rgba).unwrap_or_default();
                return Ok(rgba.iter().step_by(4).map(|&value| value.into()).collect());
            }
        };
        let values: Vec<f32> = match self.sample_bytes {
            1 => samples.iter().map(|&value| value.into()).collect(),
            _ => samples.as_chunks().0.iter().map(|&it| u16::from_le_bytes(it).into()).collect(),
        };
        if values.len() < to_usize(tile.area()) {
            return Err(SlideError::malformed("DICOM", "a frame ends before its last pixel"));
        }
        Ok(values)
    }

    /// Decodes a frame of `tile` pixels.
    pub(super) fn decode(&self, stored: Vec<u8>, tile: PixelSize) -> Result<Tile, SlideError> {
        let (pixels, n_damaged) = match self.encoding {
            Encoding::Native => (self.pixels(stored, tile, self.is_planar)?, 0),
            Encoding::RunLength => (self.pixels(self.run_lengths(&stored, tile)?, tile, true)?, 0),
            Encoding::Jpeg => {
                let decoded = jpeg::decode(&stored, None, self.colors == Colors::Rgb, tile)?;
                (decoded.pixels, decoded.is_lenient.into())
            }
            Encoding::Jpeg2000 => {
                let decoded = jpeg2000::decode(&stored, self.colors == Colors::Ybr, tile)?;
                (decoded.pixels, decoded.is_lenient.into())
            }
        };
        if pixels.size() != tile {
            let PixelSize { width, height } = pixels.size();
            let problem = format!(
                "a frame of {} x {} pixels holds a picture of {width} x {height}",
                tile.width, tile.height
            );
            return Err(SlideError::malformed("DICOM", problem));
        }
        Ok(Tile { pixels: Some(pixels), n_damaged })
    }

    /// Decodes a part of a frame of `tile` pixels; `None` if that takes all of it.
    pub(super) fn decode_part(&self, stored: &[u8], tile: PixelSize, part: Part) -> Option<Pixels> {
        let is_jpeg = matches!(self.encoding, Encoding::Jpeg);
        let is_rgb = self.colors == Colors::Rgb;
        is_jpeg.then(|| jpeg::decode_less(stored, None, is_rgb, tile, Extent::Part(part)))?
    }

    /// One segment for each byte of a sample, high bytes first, colour by colour (PS3.5 annex G).
    fn run_lengths(&self, stored: &[u8], tile: PixelSize) -> Result<Vec<u8>, SlideError> {
        let broken = || SlideError::malformed("DICOM", "a frame's run lengths are broken");
        let header: Vec<usize> = stored
            .get(..64)
            .ok_or_else(broken)?
            .as_chunks()
            .0
            .iter()
            .map(|&word| to_usize(u32::from_le_bytes(word)))
            .collect();
        let n_segments = self.colors.n_samples() * self.sample_bytes;
        let n_pixels = to_usize(tile.area());
        let mut samples = vec![0; n_pixels * n_segments];
        for segment in 0..n_segments {
            let start = *header.get(segment + 1).ok_or_else(broken)?;
            let rest = stored.get(start..).ok_or_else(broken)?;
            let plane = packbits::decode(rest, n_pixels)?.samples;
            let (sample, byte) = (segment / self.sample_bytes, segment % self.sample_bytes);
            let low_first = self.sample_bytes - 1 - byte;
            let targets =
                samples.iter_mut().skip(sample * n_pixels * self.sample_bytes + low_first);
            for (to, from) in targets.step_by(self.sample_bytes).zip(plane) {
                *to = from;
            }
        }
        Ok(samples)
    }

    fn pixels(
        &self,
        samples: Vec<u8>,
        tile: PixelSize,
        is_planar: bool,
    ) -> Result<Pixels, SlideError> {
        let bytes = self.bytes(samples);
        let n_pixels = to_usize(tile.area());
        let mut rgba = vec![255; n_pixels * 4];
        let n_samples = self.colors.n_samples();
        let (start, step) = if is_planar { (n_pixels, 1) } else { (1, n_samples) };
        for channel in 0..3 {
            let plane = if n_samples == 1 { 0 } else { channel };
            let from = bytes.iter().skip(plane * start).step_by(step);
            for (to, from) in rgba.iter_mut().skip(channel).step_by(4).zip(from) {
                *to = *from;
            }
        }
        if self.colors == Colors::Ybr {
            rgba.as_chunks_mut().0.iter_mut().for_each(ybr_to_rgb);
        }
        Pixels::new(tile, rgba)
            .filter(|_| n_pixels * n_samples <= bytes.len())
            .ok_or_else(|| SlideError::malformed("DICOM", "a frame ends before its last pixel"))
    }

    /// The high bits of each sample; gray the right way round.
    fn bytes(self, mut samples: Vec<u8>) -> Vec<u8> {
        if self.sample_bytes == 2 {
            let limit = (1_u32 << self.n_bits) - 1;
            let words = samples.as_chunks().0.iter().map(|&word| u16::from_le_bytes(word));
            let scaled = words.map(|word| (u32::from(word).min(limit) * 255 + limit / 2) / limit);
            samples = scaled.map(|value| u8::try_from(value).unwrap_or(u8::MAX)).collect();
        }
        if self.colors == Colors::InvertedGray {
            samples.iter_mut().for_each(|sample| *sample = !*sample);
        }
        samples
    }
}

impl Colors {
    fn n_samples(self) -> usize {
        match self {
            Self::Gray | Self::InvertedGray => 1,
            Self::Rgb | Self::Ybr => 3,
        }
    }
}

/// ITU-R BT.601 in full range, as `YBR_FULL` means it.
fn ybr_to_rgb(pixel: &mut [u8; 4]) {
    let [y, cb, cr, _] = pixel.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    for (to, value) in pixel.iter_mut().zip(rgb) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is rounded and clamped to a byte"
        )]
        let byte = value.round().clamp(0.0, 255.0) as u8;
        *to = byte;
    }
}

fn encoding(transfer_syntax: &str) -> Result<Encoding, SlideError> {
    let name = match transfer_syntax.strip_prefix("1.2.840.10008.1.2") {
        Some("" | ".1") => return Ok(Encoding::Native),
        Some(".4.50" | ".4.51") => return Ok(Encoding::Jpeg),
        Some(".4.90" | ".4.91") => return Ok(Encoding::Jpeg2000),
        Some(".5") => return Ok(Encoding::RunLength),
        Some(".4.57" | ".4.70") => "lossless JPEG",
        Some(".4.80" | ".4.81") => "JPEG-LS",
        Some(".4.110" | ".4.111" | ".4.112") => "JPEG XL",
        Some(".4.201" | ".4.202" | ".4.203") => "high-throughput JPEG 2000",
        _ => "an unknown encoding",
    };
    Err(unsupported(format!("{name} frames (transfer syntax {transfer_syntax})")))
}

fn unsupported(what: String) -> SlideError {
    SlideError::Unsupported(format!("DICOM with {what}"))
}
