//! A result on one page, as PDF and as a picture: what was found where, by what, and how far it can be trusted.
//!
//! Both are drawn from one list of texts, lines and areas on an A4 page, in points from its top left.

mod font_files;
mod glyphs;
mod layout;
mod page;
mod pdf;
mod picture;

use domain::mask::BinaryMask;
use domain::pixels::Pixels;

use super::sheet::Entry;
use super::{ExportError, ExportFormat, ExportRequest};
use crate::{Slide, SlideError};
use glyphs::Glyphs;

/// Pixels of the longer side of the slide's picture, at least where the slide is as large.
const THUMBNAIL_PX: u32 = 1200;

/// The slide as it stands on the page.
///
/// # Errors
/// If the slide cannot be read.
pub fn thumbnail(slide: &Slide) -> Result<Pixels, SlideError> {
    Ok(slide.read_whole(THUMBNAIL_PX)?.pixels)
}

/// The page as a PDF; `origin` says where it comes from, for programs.
pub(super) fn pdf(
    (request, mask): (&ExportRequest<'_>, &BinaryMask),
    entries: &[Entry<'_>],
    origin: &str,
) -> Result<Vec<u8>, ExportError> {
    let glyphs = Glyphs::default();
    pdf::encode(&layout::page(request, mask, entries, &glyphs), &glyphs, origin)
}

/// The page as a PNG.
pub(super) fn png(
    (request, mask): (&ExportRequest<'_>, &BinaryMask),
    entries: &[Entry<'_>],
) -> Result<Vec<u8>, ExportError> {
    let glyphs = Glyphs::default();
    picture::encode(&layout::page(request, mask, entries, &glyphs), &glyphs)
}

/// Fails unless the written file is a page.
pub(super) fn check(format: ExportFormat, bytes: &[u8]) -> Result<(), String> {
    match format {
        ExportFormat::ReportPdf => pdf::check(bytes),
        _ => picture::check(bytes),
    }
}

#[cfg(test)]
mod tests;
