//! TIFF of no vendor: byte orders, strips, samples, gaps.

use domain::coords::PixelSize;

use crate::tiff_builder::Tiff;
use crate::{CLEAR, open_bytes, pixel, ramp, whole};

#[test]
fn both_byte_orders_and_both_offset_widths_give_the_same_pixels() {
    for (is_big_endian, is_big_tiff) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut tiff = Tiff::gray(20, 16, vec![ramp(0), ramp(100)]);
        tiff.is_big_endian = is_big_endian;
        tiff.is_big_tiff = is_big_tiff;
        let slide = open_bytes(&tiff.bytes()).unwrap();
        assert_eq!(slide.format(), "generic-tiff");
        assert_eq!(slide.size(), PixelSize { width: 20, height: 16 });
        assert_eq!(pixel(&slide, 15, 3), [15, 15, 15, 255]);
        assert_eq!(pixel(&slide, 19, 15), [103, 103, 103, 255]);
        assert_eq!(pixel(&slide, 20, 0), CLEAR);
    }
}

#[test]
fn strips_of_any_height_give_the_same_rows() {
    let rows: Vec<u8> = (0..64).flat_map(|row| [row; 40]).collect();
    for rows_per_strip in [64, 10, 1] {
        let strips = rows.chunks(40 * rows_per_strip).map(<[u8]>::to_vec).collect();
        let tiff = Tiff::gray_strips(40, 64, rows_per_strip as u64, strips);
        let slide = open_bytes(&tiff.bytes()).unwrap();
        for row in [0, 9, 10, 63] {
            assert_eq!(pixel(&slide, 39, i64::from(row)), [row, row, row, 255]);
        }
    }
}

#[test]
fn one_long_uncompressed_strip_is_read_in_bands() {
    let (width, height) = (2048_u32, 1500_u32);
    let rows = (0..height).flat_map(|row| [(row % 251) as u8; 2048]).collect();
    let tiff = Tiff::gray_strips(width.into(), height.into(), height.into(), vec![rows]);
    let slide = open_bytes(&tiff.bytes()).unwrap();
    assert!(slide.levels()[0].stored_tile.height < height);
    for row in [0, 511, 512, 1023, 1024, 1499] {
        let gray = (row % 251) as u8;
        assert_eq!(pixel(&slide, 2047, row.into()), [gray, gray, gray, 255]);
    }
}

#[test]
fn palettes_inverted_gray_and_wide_samples_become_rgb() {
    let mut palette = Tiff::gray(16, 16, vec![ramp(0)]);
    let map: Vec<u64> = (0..768).map(|i| if i < 256 { i << 8 } else { 7 << 8 }).collect();
    palette.set(262, &[3]).set(320, &map);
    assert_eq!(pixel(&open_bytes(&palette.bytes()).unwrap(), 5, 0), [5, 7, 7, 255]);

    let mut inverted = Tiff::gray(16, 16, vec![ramp(0)]);
    inverted.set(262, &[0]);
    assert_eq!(pixel(&open_bytes(&inverted.bytes()).unwrap(), 5, 0), [250, 250, 250, 255]);

    let wide = [0_u16, 128, 129, 32_768, 65_535];
    let mut tile: Vec<u8> = wide.iter().flat_map(|it| it.to_le_bytes().repeat(3)).collect();
    tile.resize(16 * 16 * 6, 0);
    let mut wide = Tiff::gray(16, 16, vec![tile]);
    wide.set(258, &[16, 16, 16]).set(262, &[2]).set(277, &[3]);
    let slide = open_bytes(&wide.bytes()).unwrap();
    let grays: Vec<u8> = (0..5).map(|x| pixel(&slide, x, 0)[0]).collect();
    assert_eq!(grays, [0, 0, 1, 128, 255]);
}

#[test]
fn channels_stored_apart_are_put_together() {
    let mut tiff = Tiff::gray(16, 16, vec![ramp(0), ramp(50), ramp(100)]);
    tiff.set(258, &[8, 8, 8]).set(262, &[2]).set(277, &[3]).set(284, &[2]);
    assert_eq!(pixel(&open_bytes(&tiff.bytes()).unwrap(), 3, 9), [3, 53, 103, 255]);
}

#[test]
fn tiles_that_are_left_out_are_background_and_no_damage() {
    let slide = open_bytes(&Tiff::gray(32, 16, vec![vec![], ramp(9)]).bytes()).unwrap();
    let region = whole(&slide, 0);
    assert_eq!(region.damaged_tiles, 0);
    assert_eq!(region.pixels.get(3, 3), Some(CLEAR));
    assert_eq!(region.pixels.get(16, 3), Some([9, 9, 9, 255]));
}

#[test]
fn a_resolution_tag_is_a_scale_only_where_a_scanner_can_have_written_it() {
    // Pixels per centimetre: 20,000 is 0.5 um/px; 28 is the 72 dpi of any picture.
    for (per_cm, mpp) in [(20_000_u32, Some(0.5)), (28, None), (0, None)] {
        let mut tiff = Tiff::gray(16, 16, vec![ramp(0)]);
        let rational = [per_cm.to_le_bytes(), 1_u32.to_le_bytes()].concat();
        tiff.set(296, &[3]).set_raw(282, 5, 1, &rational).set_raw(283, 5, 1, &rational);
        let slide = open_bytes(&tiff.bytes()).unwrap();
        assert_eq!(slide.mpp().map(domain::scale::Mpp::x), mpp);
    }
}
