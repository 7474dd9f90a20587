//! TIFF pyramids of no particular vendor, and plain TIFF pictures.
//!
//! The first directory is level 0. Coarser levels are the later directories, or its sub-directories (as OME-TIFF and
//! libvips write them), that show the same picture smaller.

use super::Opened;
use super::resolution::stated_mpp;
use crate::SlideError;
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource;

/// Opens the pyramid.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let first = tiff.first();
    let finest = TiffImage::new(first)?;
    let others = tiff.directories.iter().skip(1).cloned().chain(first.children());
    let mut coarser: Vec<TiffImage> = Vec::new();
    for directory in others {
        let Some(image) = read_level(&directory, &finest)? else { continue };
        if coarser.iter().all(|other| other.size() != image.size()) {
            coarser.push(image);
        }
    }
    coarser.sort_by_key(|image| std::cmp::Reverse(image.size().area()));
    let levels = std::iter::once(finest)
        .chain(coarser)
        .map(|image| -> Box<dyn TileSource> { Box::new(image) })
        .collect();
    Ok(Opened {
        mpp: stated_mpp(first),
        icc: first.blob(tags::ICC_PROFILE),
        properties: tiff_properties(first),
        fingerprint: tiff.tables.clone(),
        ..Opened::new("generic-tiff", levels)
    })
}

/// The directory as a coarser level of `finest`, if it is one.
fn read_level(directory: &Directory, finest: &TiffImage) -> Result<Option<TiffImage>, SlideError> {
    let is_reduced =
        directory.unsigned(tags::SUBFILE_TYPE).ok().flatten().is_some_and(|it| it & 1 == 1);
    let image = match TiffImage::new(directory) {
        Ok(image) => image,
        Err(error) => {
            tracing::warn!("a directory was left out: {error}");
            return Ok(None);
        }
    };
    let is_same_size = image.size() == finest.size();
    if is_same_size && !is_reduced && image.is_like(finest) {
        return Err(SlideError::Unsupported(
            "TIFF with several pages of one size (a stack or separate channels)".to_owned(),
        ));
    }
    let is_level = !is_same_size
        && image.is_like(finest)
        && (is_reduced || (image.is_tiled() && finest.is_tiled()))
        && is_smaller_copy(&image, finest);
    Ok(is_level.then_some(image))
}

/// Whether the sides shrink by one factor, as far as whole pixels allow.
fn is_smaller_copy(image: &TiffImage, finest: &TiffImage) -> bool {
    let (small, large) = (image.size(), finest.size());
    if large.width < small.width || large.height < small.height {
        return false;
    }
    let factor = f64::from(large.width) / f64::from(small.width);
    let height = f64::from(large.height) / factor;
    let tolerance = (height * 0.01).max(2.0);
    (height - f64::from(small.height)).abs() <= tolerance
}
