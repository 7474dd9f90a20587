//! Slide formats that are recognized but not read. Several of them would open as plain TIFF or JPEG and show wrong
//! pixels: padding as tissue, overlapping tiles side by side, one fluorescence channel as the slide.

use super::{Candidate, Opened};
use crate::SlideError;
use crate::tiff_file::{TiffFile, tags};

/// Refuses files that are no TIFF, or whose pixels lie in a folder beside them.
pub(super) fn open(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    refuse_by_magic(candidate.head).map(|()| None)
}

fn refuse_by_magic(head: &[u8]) -> Result<(), SlideError> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let format = if starts(b"ZISRAWFILE") {
        "Zeiss CZI"
    } else if starts(b"SQLite format 3") {
        "slides inside SQLite (Sakura)"
    } else if starts(b"[Virtual Microscope Specimen]") || starts(b"[Uncompressed Virtual") {
        "Hamamatsu VMS and VMU"
    } else if starts(b"\0\0\0\x0CjP  ") || starts(b"\xFF\x4F\xFF\x51") {
        "JPEG 2000 pictures"
    } else if starts(b"GIF8") {
        "GIF pictures"
    } else if starts(b"PK\x03\x04") || starts(b"\x1F\x8B") {
        "archives; unpack the slide first"
    } else {
        return Ok(());
    };
    Err(SlideError::Unsupported(format.to_owned()))
}

/// TIFF files whose directories mean something else than a plain pyramid.
pub(super) fn refuse_by_directory(tiff: &TiffFile) -> Result<(), SlideError> {
    let software = tiff.first().text(tags::SOFTWARE).unwrap_or_default();
    if software.starts_with("MedScan") {
        return Err(SlideError::Unsupported("Trestle TIFF".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_vendors_are_named() {
        for (head, word) in [(b"ZISRAWFILE", "CZI"), (b"GIF89a    ", "GIF")] {
            let error = refuse_by_magic(head).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(refuse_by_magic(b"II*\0").is_ok());
    }
}
