//! Formats that are recognized but not read here. Several of them would open as plain TIFF or JPEG and show wrong
//! pixels: padding as tissue, overlapping tiles side by side, one fluorescence channel as the slide.

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

/// TIFF files whose directories mean something else than a plain pyramid.
pub(super) fn refuse_by_directory(tiff: &TiffFile) -> Result<(), SlideError> {
    let first = tiff.first();
    let description = first.text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    let says = |words: &str| description.contains(words);
    let format = if says("PerkinElmer-QPI") {
        "Akoya and PerkinElmer QPTIFF"
    } else if says("<OME") && has_several_planes(&description) {
        "OME-TIFF with several channels, focal planes or time points"
    } else {
        return Ok(());
    };
    Err(SlideError::Unsupported(format.to_owned()))
}

/// An OME description lists one `TiffData` plane or `Channel` for each plane beyond the first; an RGB picture has one
/// channel of three samples.
fn has_several_planes(ome_xml: &str) -> bool {
    let n_channels = ome_xml.matches("<Channel").count();
    let grows = |name: &str| {
        let attribute = format!(" {name}=\"");
        ome_xml.split(&attribute).skip(1).any(|value| !value.starts_with("1\""))
    };
    1 < n_channels || grows("SizeZ") || grows("SizeT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_rgb_plane_counts_as_one() {
        let rgb =
            r#"<Pixels SizeX="10" SizeZ="1" SizeC="3" SizeT="1"><Channel SamplesPerPixel="3"/>"#;
        assert!(!has_several_planes(rgb));
        assert!(has_several_planes(&rgb.replace("SizeZ=\"1\"", "SizeZ=\"12\"")));
        assert!(has_several_planes(&format!("{rgb}<Channel ID=\"1\"/>")));
    }

    #[test]
    fn other_vendors_are_named() {
        let slide = |head: &[u8]| matches!(recognize(head), Some(Foreign::Slide(_)));
        assert!(slide(b"ZISRAWFILE") && slide(b"[Virtual Microscope Specimen]\r\n"));
        assert!(matches!(recognize(b"GIF89a"), Some(Foreign::Other("GIF pictures"))));
        assert!(recognize(b"II*\0").is_none());
    }
}
