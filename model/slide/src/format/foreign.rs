//! Formats that are recognized but not read here: slides that OpenSlide may read, and files that are no slides.

use super::{Candidate, Opened, openslide};
use crate::SlideError;
use crate::tiff_file::{TiffFile, tags};

/// Files that are no TIFF: some are read through OpenSlide, the others refused by name.
pub(super) fn open(candidate: &Candidate<'_>) -> Result<Option<Opened>, SlideError> {
    match recognize(candidate.head) {
        Some(Foreign::Slide(format)) => openslide::open(candidate, format).map(Some),
        Some(Foreign::Other(format)) => Err(SlideError::Unsupported(format.to_owned())),
        None => Ok(None),
    }
}

/// What a file is instead of a slide of ours.
#[derive(Clone, Copy, Debug)]
enum Foreign {
    /// A slide that OpenSlide may read.
    Slide(&'static str),
    /// Something else.
    Other(&'static str),
}

fn recognize(head: &[u8]) -> Option<Foreign> {
    let kinds: [(&[u8], Foreign); 9] = [
        (b"ZISRAWFILE", Foreign::Slide("Zeiss CZI")),
        (b"SQLite format 3", Foreign::Slide("slides inside SQLite (Sakura)")),
        (b"[Virtual Microscope Specimen]", Foreign::Slide("Hamamatsu VMS")),
        (b"[Uncompressed Virtual", Foreign::Slide("Hamamatsu VMU")),
        (b"\0\0\0\x0CjP  ", Foreign::Other("JPEG 2000 pictures")),
        (b"\xFF\x4F\xFF\x51", Foreign::Other("JPEG 2000 pictures")),
        (b"GIF8", Foreign::Other("GIF pictures")),
        (b"PK\x03\x04", Foreign::Other("archives; unpack the slide first")),
        (b"\x1F\x8B", Foreign::Other("archives; unpack the slide first")),
    ];
    kinds.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| kind)
}

/// Trestle lets tiles overlap by amounts that the description lists.
pub(super) fn is_trestle(tiff: &TiffFile) -> bool {
    tiff.first().text(tags::SOFTWARE).is_some_and(|software| software.starts_with("MedScan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_vendors_are_named() {
        let slide = |head: &[u8]| matches!(recognize(head), Some(Foreign::Slide(_)));
        assert!(slide(b"ZISRAWFILE") && slide(b"[Virtual Microscope Specimen]\r\n"));
        assert!(matches!(recognize(b"GIF89a"), Some(Foreign::Other("GIF pictures"))));
        assert!(recognize(b"II*\0").is_none());
    }
}
