//! One image under measurement: its slide, label and true mask.

use std::path::{Path, PathBuf};

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use domain::pixels::Pixels;
use slide::{Slide, SlideError};

use super::EvalError;
use crate::data::folder::LabelledImage;

/// Pixels are measured on images up to this side.
const MAX_SIDE_PX: u32 = 8192;
/// Colors of larger images are taken from the level at or above this side.
const COLOR_SIDE_PX: u32 = 2048;
/// From this gray value on a mask pixel is lesion.
const LESION: u8 = 128;

/// An image with what is known about it.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) slide: Slide,
    pub(super) file: String,
    pub(super) is_positive: bool,
    /// Lesion or not, for every level-0 pixel; `None` if no masks were given.
    pub(super) truth: Option<Vec<bool>>,
    /// The image, whole, if asked for: level 0 where masks were given, else perhaps coarser.
    pub(super) pixels: Option<Pixels>,
}

impl Subject {
    /// Opens an image and its mask `<stem>.png` in `masks`; a negative image needs none.
    pub(super) fn open(
        image: &LabelledImage,
        masks: Option<&Path>,
        with_pixels: bool,
    ) -> Result<Self, EvalError> {
        let unusable =
            |error: &dyn std::fmt::Display| EvalError::Image(format!("{}: {error}", image.file));
        let slide = Slide::open(&image.path).map_err(|error| unusable(&error))?;
        let size = slide.size();
        if masks.is_some() && MAX_SIDE_PX < size.width.max(size.height) {
            let problem = format!(
                "{}: pixels are measured on images up to {MAX_SIDE_PX} px, found {} x {}",
                image.file, size.width, size.height
            );
            return Err(EvalError::Mask(problem));
        }
        let truth = masks.map(|masks| truth(image, masks, size)).transpose()?;
        let pixels = || if truth.is_some() { whole(&slide) } else { colors(&slide) };
        Ok(Self {
            pixels: with_pixels.then(pixels).transpose().map_err(|error| unusable(&error))?,
            slide,
            file: image.file.clone(),
            is_positive: image.is_positive,
            truth,
        })
    }
}

/// The true mask of an image; all background for a negative one without a file.
fn truth(image: &LabelledImage, masks: &Path, size: PixelSize) -> Result<Vec<bool>, EvalError> {
    let path: PathBuf = masks.join(&image.file).with_extension("png");
    if !path.is_file() {
        return if image.is_positive {
            Err(EvalError::Mask(format!("there is none for {}", image.file)))
        } else {
            Ok(vec![false; size.width as usize * size.height as usize])
        };
    }
    let unusable = |problem: String| EvalError::Mask(format!("{}: {problem}", image.file));
    let mask = Slide::open(&path).map_err(|error| unusable(error.to_string()))?;
    if mask.size() != size {
        let found = mask.size();
        return Err(unusable(format!(
            "expected {} x {} px, found {} x {}",
            size.width, size.height, found.width, found.height
        )));
    }
    let pixels = whole(&mask).map_err(|error| unusable(error.to_string()))?;
    Ok(pixels.rgba().as_chunks::<4>().0.iter().map(|[gray, ..]| LESION <= *gray).collect())
}

/// All of level 0.
pub(super) fn whole(slide: &Slide) -> Result<Pixels, SlideError> {
    let rect = LevelRect { x: 0, y: 0, size: slide.size() };
    Ok(slide.read_region(LevelIndex(0), rect)?.pixels)
}

/// All of a level that is large enough to judge colors by.
pub(super) fn colors(slide: &Slide) -> Result<Pixels, SlideError> {
    Ok(slide.read_whole(COLOR_SIDE_PX)?.pixels)
}
