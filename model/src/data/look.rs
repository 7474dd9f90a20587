//! One image of a labelled folder, opened and judged by itself.

use domain::progress::{CancelToken, Cancelled};
use domain::scale::Mpp;
use slide::Slide;

use super::finding::Finding;
use super::folder::LabelledImage;
use crate::analysis::AnalyzeError;
use crate::bag::BagConfig;
use crate::bag::layout::BagLayout;
use crate::bag::scale::ModelScale;

/// Images are looked at from the coarsest level with as many pixels on its longer side.
const LOOK_SIDE_PX: u32 = 2048;

/// What an opened image tells about itself.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Names the content, whatever the file is called.
    pub(super) content: String,
    pub(super) mpp: Option<Mpp>,
    /// Why bags cannot be cut from it.
    pub(super) problem: Option<Finding>,
}

/// Opens an image; the finding says why it cannot be opened.
pub(super) fn look(
    image: &LabelledImage,
    bag: &BagConfig,
    cancel: &CancelToken,
) -> Result<Result<Seen, Finding>, Cancelled> {
    let problem =
        |what: &str| Finding::leave_out(format!("{}: {what}", image.file), "the image is left out");
    let slide = match Slide::open(&image.path) {
        Ok(slide) => slide,
        Err(error) => return Ok(Err(problem(&error.to_string()))),
    };
    let why_not = match too_small(&slide, bag).or_else(|| damaged(&slide)) {
        Some(why) => Some(why),
        None => without_windows(&slide, bag, cancel)?,
    };
    let content = slide.id().0.clone();
    Ok(Ok(Seen { content, mpp: slide.mpp(), problem: why_not.map(|why| problem(&why)) }))
}

fn too_small(slide: &Slide, bag: &BagConfig) -> Option<String> {
    let (scale, _) = ModelScale::of(slide.mpp(), bag.mpp);
    let side = f64::from(bag.patch_px);
    let (width, height) = (side * scale.x, side * scale.y);
    let size = slide.size();
    // A thousandth of a pixel less is rounding.
    let is_small = f64::from(size.width) + 1e-3 < width || f64::from(size.height) + 1e-3 < height;
    is_small.then(|| {
        format!(
            "expected at least one patch of {width:.0} x {height:.0} px, found {} x {} px",
            size.width, size.height
        )
    })
}

/// What is wrong with the pixels of the image, seen from afar: of a plain image all of them are read, of a slide those of a coarse level.
fn damaged(slide: &Slide) -> Option<String> {
    match slide.read_whole(LOOK_SIDE_PX) {
        Ok(region) if region.damaged_tiles == 0 => None,
        Ok(_) => {
            Some("the file is damaged or cut short: not all of its pixels can be read".to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Why no window can be cut, of glass for instance.
fn without_windows(
    slide: &Slide,
    bag: &BagConfig,
    cancel: &CancelToken,
) -> Result<Option<String>, Cancelled> {
    match BagLayout::of_training(slide, bag, cancel) {
        Ok(_) => Ok(None),
        Err(AnalyzeError::Cancelled(cancelled)) => Err(cancelled),
        Err(error) => Ok(Some(error.to_string())),
    }
}
