//! What the samples of a directory mean, and how they become 8-bit RGBA.

use super::byte_order::ByteOrder;
use super::directory::Directory;
use super::sample_kind::{SampleKind, Width};
use super::tags;
use crate::SlideError;
use crate::codec::Codec;
use crate::codec::predictor::{self, Predictor};

/// How pixels are made of samples.
#[derive(Clone, Debug)]
pub(crate) struct SampleLayout {
    /// Samples of one pixel.
    pub(crate) n_samples: usize,
    /// The numbers they are.
    pub(crate) kind: SampleKind,
    /// Each sample has tiles of its own instead of standing beside its fellows.
    pub(crate) is_planar: bool,
    color: Color,
    alpha: Alpha,
    predictor: Predictor,
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
        let kind = SampleKind::parse(directory)?;
        let color = color(directory, kind)?;
        let is_picture = codec.is_picture();
        if color == Color::YCbCr && !is_picture {
            return Err(unsupported("YCbCr pixels outside JPEG and JPEG 2000".to_owned()));
        }
        if is_picture && kind.n_bytes() != 1 {
            return Err(unsupported(
                "JPEG, JPEG 2000 or WebP tiles of more than 8 bits".to_owned(),
            ));
        }
        let layout = Self {
            n_samples: usize::try_from(n_samples).unwrap_or(1),
            kind,
            is_planar: n_samples != 1 && directory.unsigned(tags::PLANAR_CONFIGURATION)? == Some(2),
            alpha: alpha(directory, &color, n_samples)?,
            predictor: if is_picture { Predictor::None } else { predictor(directory)? },
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
        (self.n_samples, self.kind) == (other.n_samples, other.kind)
    }

    /// Bytes of one sample.
    pub(crate) fn sample_bytes(&self) -> usize {
        self.kind.n_bytes()
    }

    /// Whether the samples are a picture by themselves: colours, or one gray of 8 bits. Everything else needs a window.
    pub(crate) fn is_picture(&self) -> bool {
        let is_byte = self.kind == SampleKind::Unsigned(Width::One);
        match self.color {
            Color::Rgb | Color::YCbCr => self.kind.is_plain(),
            Color::Palette(_) => is_byte,
            Color::WhiteIsZero | Color::BlackIsZero => {
                is_byte && (self.n_samples == 1 || self.alpha != Alpha::Opaque)
            }
        }
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
        if self.predictor == Predictor::Difference {
            predictor::undo(&mut raw, row, n_samples, self.sample_bytes(), order);
        }
        if self.sample_bytes() == 1 {
            return raw;
        }
        let wide = raw.chunks_exact(2).map(|bytes| order.u16(bytes).unwrap_or(0));
        wide.map(|sample| u8::try_from((u32::from(sample) + 128) / 257).unwrap_or(u8::MAX))
            .collect()
    }

    /// Undoes the predictor and gives the numbers of the file.
    pub(crate) fn values(&self, raw: Vec<u8>, row: usize, order: ByteOrder) -> Vec<f32> {
        self.kind.values(raw, row, self.samples_per_tile_pixel(), self.predictor, order)
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

fn color(directory: &Directory, kind: SampleKind) -> Result<Color, SlideError> {
    match directory.required(tags::PHOTOMETRIC)? {
        0 => Ok(Color::WhiteIsZero),
        1 => Ok(Color::BlackIsZero),
        2 => Ok(Color::Rgb),
        3 if kind.n_bytes() == 1 => palette(directory).map(Color::Palette),
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

fn predictor(directory: &Directory) -> Result<Predictor, SlideError> {
    match directory.unsigned(tags::PREDICTOR)? {
        None | Some(1) => Ok(Predictor::None),
        Some(2) => Ok(Predictor::Difference),
        Some(3) => Ok(Predictor::FloatingPoint),
        Some(other) => Err(unsupported(format!("TIFF predictor {other}"))),
    }
}

fn unsupported(what: String) -> SlideError {
    SlideError::Unsupported(what)
}
