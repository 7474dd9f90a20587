//! Files that lie, end too early, or are no slides.

use std::path::Path;

use slide::{Slide, SlideError};

use crate::tiff_builder::Tiff;
use crate::{CLEAR, message, open_bytes, pixel, ramp, whole};

#[test]
fn sizes_that_no_slide_has_are_refused_before_anything_is_allocated() {
    let lies: [(u16, u64, &str); 4] = [
        (256, u64::from(u32::MAX), "ImageWidth"),
        (322, 0, "TileWidth is 0"),
        (257, 0, "ImageLength is 0"),
        (277, 0, "samples"),
    ];
    for (tag, number, word) in lies {
        let mut tiff = Tiff::gray(16, 16, vec![ramp(0)]);
        let text = message(&tiff.set(tag, &[number]).bytes());
        assert!(text.contains(word), "{tag}: {text}");
    }
    // A tile far wider than the picture is legal, but this one is not that long.
    let mut wide_tile = Tiff::gray(16, 16, vec![ramp(0)]);
    let slide = open_bytes(&wide_tile.set(322, &[1 << 20]).bytes()).unwrap();
    assert_eq!(whole(&slide, 0).damaged_tiles, 1);
    let mut tiny_tiles = Tiff::gray(1 << 20, 1 << 20, vec![ramp(0)]);
    tiny_tiles.set(322, &[1]).set(323, &[1]);
    assert!(message(&tiny_tiles.bytes()).contains("number of tiny tiles"));
}

#[test]
fn an_array_longer_than_the_file_is_refused() {
    let mut tiff = Tiff::gray(1 << 14, 1 << 14, vec![ramp(0)]);
    tiff.set_raw(324, 4, 1 << 30, &8_u32.to_le_bytes());
    let text = message(&tiff.bytes());
    assert!(text.contains("ends too early"), "{text}");
}

#[test]
fn tiles_that_are_not_where_the_file_says_are_counted_not_fatal() {
    let mut past_the_end = Tiff::gray(32, 16, vec![ramp(0), ramp(1)]);
    past_the_end.set(324, &[8, 1 << 30]);
    let slide = open_bytes(&past_the_end.bytes()).unwrap();
    assert_eq!(whole(&slide, 0).damaged_tiles, 1);
    assert_eq!(pixel(&slide, 1, 0), [1, 1, 1, 255]);
    assert_eq!(pixel(&slide, 17, 0), CLEAR);

    let mut too_few = Tiff::gray(32, 16, vec![ramp(0), ramp(1)]);
    too_few.set(324, &[8]);
    assert_eq!(whole(&open_bytes(&too_few.bytes()).unwrap(), 0).damaged_tiles, 1);
}

#[test]
fn a_chain_of_directories_that_loops_is_cut() {
    let tiff = Tiff::gray(16, 16, vec![ramp(0)]);
    let mut bytes = tiff.bytes();
    let directory_at = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    // Ten entries; every value is inline, so the link to the next directory ends the file.
    let link = bytes.len() - 4;
    bytes[link..].copy_from_slice(&directory_at.to_le_bytes());
    assert_eq!(pixel(&open_bytes(&bytes).unwrap(), 4, 4), [4, 4, 4, 255]);
}

#[test]
fn every_cut_of_a_file_is_a_clear_error_or_counted_damage() {
    let bytes = Tiff::gray(20, 16, vec![ramp(0), ramp(100)]).bytes();
    for length in 0..bytes.len() {
        if let Ok(slide) = open_bytes(&bytes[..length]) {
            assert!(whole(&slide, 0).damaged_tiles <= 2, "{length} bytes");
        }
    }
}

#[test]
fn what_would_be_shown_wrongly_is_refused_by_name() {
    let mut compressed = Tiff::gray(16, 16, vec![ramp(0)]);
    compressed.set(259, &[34925]);
    assert!(message(&compressed.bytes()).contains("LZMA"));
    let mut floating = Tiff::gray(16, 16, vec![ramp(0)]);
    floating.set(339, &[3]);
    assert!(message(&floating.bytes()).contains("odd kind"));
    let mut leica = Tiff::gray(16, 16, vec![ramp(0)]);
    leica.set_text(270, b"<scn xmlns=\"http://www.leica-microsystems.com/scn/2010/10/01\">");
    assert!(message(&leica.bytes()).contains("Leica SCN"));
    assert!(message(b"").contains("empty"));
    assert!(message(b"not a slide").contains("no slide or picture format"));
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let missing = Slide::open(Path::new("/no/such/slide.svs")).unwrap_err();
    assert!(matches!(missing, SlideError::Io(_)), "{missing}");
    let folder = Slide::open(&std::env::temp_dir()).unwrap_err();
    assert!(folder.to_string().contains("folder"), "{folder}");
}

#[test]
fn words_that_are_not_utf_8_do_not_cost_the_slide() {
    let mut tiff = Tiff::gray(16, 16, vec![ramp(0)]);
    tiff.set_text(270, b"0.5 \xB5m\0per pixel");
    let slide = open_bytes(&tiff.bytes()).unwrap();
    assert_eq!(slide.properties()["tiff.ImageDescription"], "0.5 \u{B5}m per pixel");
}
