//! TIFF pyramids of no particular vendor, and plain TIFF pictures.
//!
//! The first directory is level 0. Coarser levels are the later directories, or its sub-directories (as libvips writes
//! them), that show the same picture smaller. Further directories of the same size are taken for focal planes; the first
//! is shown.

use super::resolution::stated_mpp;
use super::{Candidate, Opened, levels};
use crate::SlideError;
use crate::number::{to_u32, to_usize};
use crate::properties::tiff_properties;
use crate::stack::{Stack, StackPosition};
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource as _;

/// Opens the pyramid.
pub(super) fn open(tiff: TiffFile, candidate: &Candidate<'_>) -> Result<Opened, SlideError> {
    let finest = TiffImage::new(tiff.first())?;
    let mut pages = vec![tiff.first()];
    let mut coarser = Vec::new();
    for directory in tiff.directories.iter().skip(1) {
        let Some(image) = readable(directory) else { continue };
        if is_page(directory, &image, &finest) {
            pages.push(directory);
        } else if is_level(directory, &image, &finest) {
            coarser.push(image);
        }
    }
    let wanted = candidate.position.unwrap_or(StackPosition { focal_plane: 0, time_point: 0 });
    let stack = Stack::new(to_u32(pages.len()), 1, Some(wanted));
    let page = pages.get(to_usize(stack.shown.focal_plane)).copied().unwrap_or(tiff.first());
    let finest = TiffImage::new(page)?;
    let children = page.children();
    let is_child = |it: &(&Directory, TiffImage)| is_level(it.0, &it.1, &finest);
    let children = children.iter().filter_map(|it| Some((it, readable(it)?))).filter(is_child);
    coarser.extend(children.map(|(_, image)| image));
    if 1 < pages.len() {
        // Coarser directories in the chain belong to the first page.
        coarser.retain(|_| stack.shown.focal_plane == 0);
    }
    coarser.sort_by_key(|image| std::cmp::Reverse(image.size().area()));
    coarser.dedup_by_key(|image| image.size());
    let all = std::iter::once(finest).chain(coarser).collect();
    Ok(Opened {
        mpp: stated_mpp(page),
        icc: page.blob(tags::ICC_PROFILE),
        properties: tiff_properties(page),
        fingerprint: tiff.tables.clone(),
        stack,
        ..levels::of_images("generic-tiff", Vec::new(), all)?
    })
}

fn readable(directory: &Directory) -> Option<TiffImage> {
    TiffImage::new(directory)
        .inspect_err(|error| tracing::warn!("a directory was left out: {error}"))
        .ok()
}

fn is_reduced(directory: &Directory) -> bool {
    directory.unsigned(tags::SUBFILE_TYPE).ok().flatten().is_some_and(|it| it & 1 == 1)
}

/// Whether the directory is another picture of the same place.
fn is_page(directory: &Directory, image: &TiffImage, finest: &TiffImage) -> bool {
    image.size() == finest.size() && !is_reduced(directory) && image.is_like(finest)
}

/// Whether the directory is a coarser level of `finest`.
fn is_level(directory: &Directory, image: &TiffImage, finest: &TiffImage) -> bool {
    image.size() != finest.size()
        && image.is_like(finest)
        && (is_reduced(directory) || (image.is_tiled() && finest.is_tiled()))
        && is_smaller_copy(image, finest)
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
