//! JPEG 2000 tiles: bare codestreams, as Aperio stores them, or whole JP2 files.

use domain::coords::PixelSize;
use domain::pixels::Pixels;
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::Picture;
use crate::SlideError;
use crate::limits::MAX_BLANK_JPEG_2000;
use crate::number::to_usize;

const CODESTREAM: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];

/// Decodes one tile of at most `limit` pixels; `is_ycbcr` is what the directory says of three components.
pub(crate) fn decode(
    stored: &[u8],
    is_ycbcr: bool,
    limit: PixelSize,
) -> Result<Picture, SlideError> {
    // Streams with coarser colour than brightness are converted by the decoder itself.
    let is_ycbcr = is_ycbcr && stored.starts_with(&CODESTREAM) && !is_subsampled(stored);
    let mut settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    if let Ok(pixels) = decode_as(stored, is_ycbcr, limit, &settings) {
        return Ok(Picture { pixels, is_lenient: false });
    }
    settings.strict = false;
    Ok(Picture { pixels: decode_as(stored, is_ycbcr, limit, &settings)?, is_lenient: true })
}

fn decode_as(
    stored: &[u8],
    is_ycbcr: bool,
    limit: PixelSize,
    settings: &DecodeSettings,
) -> Result<Pixels, SlideError> {
    let problem =
        |error: hayro_jpeg2000::DecodeError| SlideError::malformed("JPEG 2000", error.to_string());
    let image = Image::new(stored, settings).map_err(problem)?;
    let size = PixelSize { width: image.width(), height: image.height() };
    if limit.width < size.width || limit.height < size.height {
        let problem = format!(
            "a tile of {} x {} pixels holds a picture of {} x {}",
            limit.width, limit.height, size.width, size.height
        );
        return Err(SlideError::malformed("JPEG 2000", problem));
    }
    let limit_by_bytes = MAX_BLANK_JPEG_2000.max((stored.len() as u64).saturating_mul(256));
    SlideError::check_limit("the pixels of so short a stream", size.area(), limit_by_bytes)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(problem)?;
    let n_components = decoded.components().len();
    let n_pixels = to_usize(size.area());
    if decoded.components().iter().any(|component| component.samples().len() != n_pixels) {
        return Err(SlideError::malformed("JPEG 2000", "its components differ in size"));
    }
    let samples = decoded.data_u8();
    let rgba = match n_components {
        1 | 2 => samples.chunks_exact(n_components).flat_map(gray).collect(),
        3 if is_ycbcr => samples.as_chunks().0.iter().flat_map(|&it| rgb_from_ycbcr(it)).collect(),
        3 | 4 => samples.chunks_exact(n_components).flat_map(rgb).collect(),
        _ => {
            let problem = format!("JPEG 2000 tiles of {n_components} components");
            return Err(SlideError::Unsupported(problem));
        }
    };
    Pixels::new(size, rgba)
        .ok_or_else(|| SlideError::malformed("JPEG 2000", "the picture ends before its last pixel"))
}

fn gray(samples: &[u8]) -> [u8; 4] {
    let gray = samples.first().copied().unwrap_or(0);
    [gray, gray, gray, 255]
}

fn rgb(samples: &[u8]) -> [u8; 4] {
    match *samples {
        [r, g, b, ..] => [r, g, b, 255],
        _ => [255, 255, 255, 0],
    }
}

/// ITU-R BT.601 with the full range, in 16-bit fixed point.
fn rgb_from_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 4] {
    let (y, cb, cr) = (i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |fixed: i32| u8::try_from(((fixed + (1 << 15)) >> 16).clamp(0, 255)).unwrap_or(0);
    [byte(y + 91_881 * cr), byte(y - 22_554 * cb - 46_802 * cr), byte(y + 116_130 * cb), 255]
}

/// Whether the components of a codestream differ in resolution: the size segment, ITU-T T.800 A.5.1.
fn is_subsampled(codestream: &[u8]) -> bool {
    const FIRST_COMPONENT: usize = 42;
    let components = codestream.get(FIRST_COMPONENT..FIRST_COMPONENT + 9).unwrap_or_default();
    let mut steps = components.chunks_exact(3).map(|component| component.get(1..));
    let first = steps.next();
    steps.any(|step| Some(step) != first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_and_the_primaries_come_out_of_ycbcr() {
        assert_eq!(rgb_from_ycbcr([77, 128, 128]), [77, 77, 77, 255]);
        assert_eq!(rgb_from_ycbcr([76, 85, 255]), [254, 0, 0, 255]);
        assert_eq!(rgb_from_ycbcr([29, 255, 107]), [0, 0, 254, 255]);
    }

    #[test]
    fn garbage_and_a_lying_size_are_errors() {
        let limit = PixelSize { width: 256, height: 256 };
        assert!(decode(&[], false, limit).is_err());
        assert!(decode(&CODESTREAM, false, limit).is_err());
        let mut bomb = CODESTREAM.to_vec();
        bomb.extend([0, 47, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
        bomb.resize(200, 0);
        assert!(decode(&bomb, true, limit).is_err());
    }
}
