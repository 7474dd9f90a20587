//! Broken in the middle: codecs, directories and levels that contradict themselves, files that change while open.

use slide::Slide;

use crate::tiff_builder::Tiff;
use crate::{message, open_bytes, pixel, ramp, whole};

fn jpeg() -> Vec<u8> {
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut stream)
        .encode(&[90; 768], 16, 16, image::ExtendedColorType::Rgb8)
        .unwrap();
    stream
}

/// One tile of 16 x 16 pixels as `stored`.
fn compressed(compression: u64, stored: Vec<u8>) -> Tiff {
    let mut tiff = Tiff::gray(16, 16, vec![stored]);
    tiff.set(258, &[8, 8, 8]).set(259, &[compression]).set(262, &[6]).set(277, &[3]);
    tiff
}

fn n_damaged(tiff: &Tiff) -> u32 {
    whole(&open_bytes(&tiff.bytes()).unwrap(), 0).damaged_tiles
}

#[test]
fn a_directory_past_the_end_or_of_65535_entries_is_refused() {
    let far = [&b"II*\0"[..], &(1_u32 << 30).to_le_bytes(), &[0; 100]].concat();
    assert!(message(&far).contains("ends too early"), "{}", message(&far));
    let crowded = [&b"II*\0"[..], &8_u32.to_le_bytes(), &[0xFF; 2], &[0; 900_000]].concat();
    assert!(message(&crowded).contains("65535"), "{}", message(&crowded));
}

#[test]
fn a_jpeg_that_claims_to_be_huge_costs_its_tile_only() {
    let mut stream = jpeg();
    let frame = stream.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    stream[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    assert_eq!(n_damaged(&compressed(7, stream)), 1);
}

#[test]
fn jpeg_tables_of_zeros_cost_no_more_than_the_tiles() {
    let mut tiff = compressed(7, jpeg());
    tiff.set_raw(347, 7, 300, &[0; 300]);
    assert!(n_damaged(&tiff) <= 1);
}

#[test]
fn broken_jpeg_2000_tiles_are_counted_and_empty_ones_are_background() {
    let start = [0xFF, 0x4F, 0xFF, 0x51, 0x00, 0x2F];
    for stored in [vec![0; 64], start.to_vec(), [&start[..], &[0xFF; 60]].concat()] {
        assert_eq!(n_damaged(&compressed(33005, stored)), 1);
    }
    assert_eq!(n_damaged(&compressed(33005, Vec::new())), 0);
}

#[test]
fn restart_offsets_that_lie_do_not_lose_the_slide() {
    for starts in [[0, 0], [u64::from(u32::MAX), 7], [9, 5]] {
        let mut tiff = Tiff::gray_strips(16, 16, 16, vec![jpeg()]);
        tiff.set(258, &[8, 8, 8]).set(259, &[7]).set(262, &[6]).set(277, &[3]);
        tiff.set(65420, &[1]).set_raw(65421, 11, 1, &20_f32.to_le_bytes()).set(65426, &starts);
        let slide = open_bytes(&tiff.bytes()).unwrap();
        assert_eq!(slide.format(), "hamamatsu");
        assert!(whole(&slide, 0).damaged_tiles <= 2);
    }
}

#[test]
fn levels_out_of_order_are_sorted_and_pages_of_another_shape_left_out() {
    let level = |side: u64| {
        let n_tiles = (side / 16) * (side / 16);
        Tiff::gray(side, side, vec![ramp(0); n_tiles as usize])
    };
    let mut odd = Tiff::gray(32, 16, vec![ramp(0); 2]);
    odd.set(254, &[1]);
    let slide = open_bytes(&Tiff::chain(&[level(64), level(16), odd, level(32)])).unwrap();
    let sizes: Vec<u32> = slide.levels().iter().map(|level| level.size.width).collect();
    assert_eq!(sizes, [64, 32, 16]);
}

#[test]
fn a_file_cut_or_removed_while_open_fails_reads_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slide.tif");
    std::fs::write(&path, Tiff::gray(16, 16, vec![ramp(0)]).bytes()).unwrap();
    let slide = Slide::open(&path).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(20).unwrap();
    assert_eq!(whole(&slide, 0).damaged_tiles, 1);
    std::fs::write(&path, Tiff::gray(16, 16, vec![ramp(0)]).bytes()).unwrap();
    let slide = Slide::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    drop(folder);
    // Where the system lets an open file be removed, it stays readable.
    if whole(&slide, 0).damaged_tiles == 0 {
        assert_eq!(pixel(&slide, 3, 0), [3, 3, 3, 255]);
    }
}

#[test]
fn names_may_be_long_and_hold_any_sign() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("n".repeat(120)).join("m".repeat(120)).join("\u{1F52C} Müller");
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("Präparat 1'\"$.svs");
    std::fs::write(&path, Tiff::gray(16, 16, vec![ramp(0)]).bytes()).unwrap();
    assert!(260 < path.as_os_str().len());
    assert_eq!(pixel(&Slide::open(&path).unwrap(), 3, 0), [3, 3, 3, 255]);
}
