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
    let first = tiff.first();
    let description = first.text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    let software = first.text(tags::SOFTWARE).unwrap_or_default();
    let says = |words: &str| description.contains(words);
    let format = if says("PerkinElmer-QPI") {
        "Akoya and PerkinElmer QPTIFF"
    } else if software.starts_with("MedScan") {
        "Trestle TIFF"
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
        for (head, word) in [(b"ZISRAWFILE", "CZI"), (b"GIF89a    ", "GIF")] {
            let error = refuse_by_magic(head).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(refuse_by_magic(b"II*\0").is_ok());
    }
}
