//! What the samples of a directory mean, and how they become 8-bit RGBA.

use super::byte_order::ByteOrder;
use super::directory::Directory;
use super::tags;
use crate::SlideError;
use crate::codec::{Codec, predictor};

/// How pixels are made of samples.
#[derive(Clone, Debug)]
pub(crate) struct SampleLayout {
    /// Samples of one pixel.
    pub(crate) n_samples: usize,
    /// 1 or 2.
    pub(crate) sample_bytes: usize,
    /// Each sample has tiles of its own instead of standing beside its fellows.
    pub(crate) is_planar: bool,
    color: Color,
    alpha: Alpha,
    has_predictor: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Color {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    /// Red, green and blue of each index.
    Palette(Vec<[u8; 3]>),
    /// Only inside pictures, whose decoder transforms it.
    YCbCr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alpha {
    Opaque,
    Straight,
    Premultiplied,
}

impl SampleLayout {
    /// Refuses what would be shown wrongly.
    pub(crate) fn parse(directory: &Directory, codec: &Codec) -> Result<Self, SlideError> {
        let n_samples = directory.unsigned(tags::SAMPLES_PER_PIXEL)?.unwrap_or(1);
        if !(1..=16).contains(&n_samples) {
            return Err(unsupported(format!("TIFF pixels of {n_samples} samples")));
        }
        let sample_bytes = sample_bytes(directory)?;
        let color = color(directory, sample_bytes)?;
        let is_picture = codec.is_picture();
        if color == Color::YCbCr && !is_picture {
            return Err(unsupported("YCbCr pixels outside JPEG and JPEG 2000".to_owned()));
        }
        if is_picture && sample_bytes != 1 {
            return Err(unsupported(
                "JPEG, JPEG 2000 or WebP tiles of more than 8 bits".to_owned(),
            ));
        }
        let layout = Self {
            n_samples: usize::try_from(n_samples).unwrap_or(1),
            sample_bytes,
            is_planar: n_samples != 1 && directory.unsigned(tags::PLANAR_CONFIGURATION)? == Some(2),
            alpha: alpha(directory, &color, n_samples)?,
            has_predictor: !is_picture && has_predictor(directory)?,
            color,
        };
        if n_samples < layout.n_colors() {
            return Err(unsupported(format!("RGB pixels of {n_samples} samples")));
        }
        if is_picture && layout.is_planar {
            return Err(unsupported("JPEG tiles of one color channel each".to_owned()));
        }
        Ok(layout)
    }

    /// Whether three JPEG components are red, green and blue as they stand.
    pub(crate) fn is_rgb(&self) -> bool {
        self.color == Color::Rgb
    }

    /// Whether two directories hold pixels of one kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.n_samples, self.sample_bytes) == (other.n_samples, other.sample_bytes)
    }

    /// Samples that stand side by side in one tile.
    pub(crate) fn samples_per_tile_pixel(&self) -> usize {
        if self.is_planar { 1 } else { self.n_samples }
    }

    fn n_colors(&self) -> u64 {
        if matches!(self.color, Color::Rgb | Color::YCbCr) { 3 } else { 1 }
    }

    /// Undoes the predictor and brings samples to 8 bits; 16 bits are scaled, not cut, so 65535 is 255.
    /// `row` is the number of samples in a row.
    pub(crate) fn to_8_bit(&self, mut raw: Vec<u8>, row: usize, order: ByteOrder) -> Vec<u8> {
        let n_samples = self.samples_per_tile_pixel();
        if self.sample_bytes == 1 {
            if self.has_predictor {
                predictor::undo_8_bit(&mut raw, row, n_samples);
            }
            return raw;
        }
        let mut wide: Vec<u16> =
            raw.chunks_exact(2).map(|bytes| order.u16(bytes).unwrap_or(0)).collect();
        if self.has_predictor {
            predictor::undo_16_bit(&mut wide, row, n_samples);
        }
        wide.iter()
            .map(|&sample| u8::try_from((u32::from(sample) + 128) / 257).unwrap_or(u8::MAX))
            .collect()
    }

    /// Interleaved 8-bit samples to RGBA.
    pub(crate) fn rgba(&self, samples: &[u8]) -> Vec<u8> {
        let mut rgba = vec![255; samples.len() / self.n_samples * 4];
        let pixels = rgba.chunks_exact_mut(4).zip(samples.chunks_exact(self.n_samples));
        for (to, from) in pixels {
            let (color, alpha) = self.pixel(from);
            to.copy_from_slice(&[color[0], color[1], color[2], alpha]);
        }
        rgba
    }

    fn pixel(&self, samples: &[u8]) -> ([u8; 3], u8) {
        let (color, extra) = match (&self.color, samples) {
            (Color::WhiteIsZero, [gray, extra @ ..]) => ([255 - gray; 3], extra),
            (Color::BlackIsZero, [gray, extra @ ..]) => ([*gray; 3], extra),
            (Color::Palette(map), [index, extra @ ..]) => {
                (map.get(usize::from(*index)).copied().unwrap_or_default(), extra)
            }
            (Color::Rgb | Color::YCbCr, [r, g, b, extra @ ..]) => ([*r, *g, *b], extra),
            _ => ([255; 3], samples),
        };
        match (self.alpha, extra.first()) {
            (Alpha::Opaque, _) | (_, None) => (color, 255),
            (Alpha::Straight, Some(&alpha)) => (color, alpha),
            (Alpha::Premultiplied, Some(0)) => ([255; 3], 0),
            (Alpha::Premultiplied, Some(&alpha)) => (color.map(|c| divided_by(c, alpha)), alpha),
        }
    }
}

fn divided_by(premultiplied: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha);
    u8::try_from((u16::from(premultiplied) * 255 + alpha / 2) / alpha).unwrap_or(u8::MAX)
}

fn sample_bytes(directory: &Directory) -> Result<usize, SlideError> {
    const UNSIGNED: u64 = 1;
    let formats = directory.unsigneds(tags::SAMPLE_FORMAT)?;
    if formats.iter().any(|&format| format != UNSIGNED) {
        return Err(unsupported("TIFF samples that are signed or floating".to_owned()));
    }
    let mut bits = directory.unsigneds(tags::BITS_PER_SAMPLE)?;
    bits.dedup();
    match bits.as_slice() {
        [8] => Ok(1),
        [16] => Ok(2),
        [] | [1] => Err(unsupported("TIFF samples of 1 bit".to_owned())),
        [bits] => Err(unsupported(format!("TIFF samples of {bits} bits"))),
        _ => Err(unsupported("TIFF samples of mixed widths".to_owned())),
    }
}

fn color(directory: &Directory, sample_bytes: usize) -> Result<Color, SlideError> {
    match directory.required(tags::PHOTOMETRIC)? {
        0 => Ok(Color::WhiteIsZero),
        1 => Ok(Color::BlackIsZero),
        2 => Ok(Color::Rgb),
        3 if sample_bytes == 1 => palette(directory).map(Color::Palette),
        tags::YCBCR => Ok(Color::YCbCr),
        other => Err(unsupported(format!("TIFF pixels of photometric interpretation {other}"))),
    }
}

/// The color map: all reds, then all greens, then all blues, of 16 bits.
fn palette(directory: &Directory) -> Result<Vec<[u8; 3]>, SlideError> {
    let map = directory.unsigneds(tags::COLOR_MAP)?;
    let to_8_bit = |value: &u64| u8::try_from(value >> 8).unwrap_or(u8::MAX);
    let third = map.len() / 3;
    let (Some(reds), Some(greens), Some(blues)) =
        (map.get(..third), map.get(third..2 * third), map.get(2 * third..))
    else {
        return Ok(Vec::new());
    };
    let colors = reds.iter().zip(greens).zip(blues);
    Ok(colors.map(|((r, g), b)| [to_8_bit(r), to_8_bit(g), to_8_bit(b)]).collect())
}

/// Extra samples without a stated meaning are no opacity.
fn alpha(directory: &Directory, color: &Color, n_samples: u64) -> Result<Alpha, SlideError> {
    let n_colors = if *color == Color::Rgb { 3 } else { 1 };
    if n_samples <= n_colors {
        return Ok(Alpha::Opaque);
    }
    Ok(match directory.unsigneds(tags::EXTRA_SAMPLES)?.first() {
        Some(1) => Alpha::Premultiplied,
        Some(2) => Alpha::Straight,
        _ => Alpha::Opaque,
    })
}

fn has_predictor(directory: &Directory) -> Result<bool, SlideError> {
    match directory.unsigned(tags::PREDICTOR)? {
        None | Some(1) => Ok(false),
        Some(2) => Ok(true),
        Some(other) => Err(unsupported(format!("TIFF predictor {other}"))),
    }
}

fn unsupported(what: String) -> SlideError {
    SlideError::Unsupported(what)
}
