//! Every format the slide reader takes: pixel values, facts of real slides, and files that lie.
//!
//! Reference pixels of real slides come from OpenSlide 4.0.1.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod real;
mod tiff_builder;

use std::path::Path;
use std::process::Command;

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use real::{repository, shared};
use slide::{Region, Slide, SlideError};
use tiff_builder::Tiff;

const CLEAR: [u8; 4] = [255, 255, 255, 0];

/// The file is deleted at once: an open slide needs only its handle.
fn open_bytes(bytes: &[u8]) -> Result<Slide, SlideError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Slide::open(file.path())
}

fn message(bytes: &[u8]) -> String {
    open_bytes(bytes).unwrap_err().to_string()
}

fn read(slide: &Slide, level: u16, x: i64, y: i64, width: u32, height: u32) -> Region {
    let rect = LevelRect { x, y, size: PixelSize { width, height } };
    slide.read_region(LevelIndex(level), rect).unwrap()
}

fn pixel(slide: &Slide, x: i64, y: i64) -> [u8; 4] {
    read(slide, 0, x, y, 1, 1).pixels.get(0, 0).unwrap()
}

fn whole(slide: &Slide, level: u16) -> Region {
    let size = slide.levels()[usize::from(level)].size;
    read(slide, level, 0, 0, size.width, size.height)
}

fn mean_rgb(region: &Region) -> [f64; 3] {
    let n_pixels = region.pixels.size().area() as f64;
    std::array::from_fn(|channel| {
        let samples = region.pixels.rgba().iter().skip(channel).step_by(4);
        samples.map(|&sample| f64::from(sample)).sum::<f64>() / n_pixels
    })
}

fn assert_close(found: [f64; 3], expected: [f64; 3], tolerance: f64) {
    let is_close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(is_close, "{found:?} is not {expected:?} within {tolerance}");
}

fn largest_difference(a: &Region, b: &Region) -> u8 {
    assert_eq!(a.pixels.size(), b.pixels.size());
    let pairs = a.pixels.rgba().iter().zip(b.pixels.rgba());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn demo_slide() -> Slide {
    Slide::open(&repository().join("assets/demo/cmu-1-small-region.svs")).unwrap()
}

/// A tile of 16 x 16 pixels with the value `base + column`.
fn ramp(base: u8) -> Vec<u8> {
    (0..=255).map(|i: u8| base + i % 16).collect()
}

// Plain TIFF

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

    let wide = [0_u16, 128, 129, 32_768, 65_535].iter().flat_map(|sample| sample.to_le_bytes());
    let mut tile: Vec<u8> = wide.collect();
    tile.resize(512, 0);
    let mut wide = Tiff::gray(16, 16, vec![tile]);
    wide.set(258, &[16]);
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

// Files that lie

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
    assert!(message(&tiny_tiles.bytes()).contains("number of tiles"));
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
    assert!(message(&floating.bytes()).contains("floating"));
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

// Regions, tiles and levels

#[test]
fn an_absurd_region_is_refused_and_a_far_one_is_empty() {
    let slide = open_bytes(&Tiff::gray(16, 16, vec![ramp(0)]).bytes()).unwrap();
    let size = PixelSize { width: u32::MAX, height: u32::MAX };
    let absurd = slide.read_region(LevelIndex(0), LevelRect { x: 0, y: 0, size });
    assert!(matches!(absurd, Err(SlideError::Limit { .. })));
    assert!(slide.read_region(LevelIndex(9), LevelRect { x: 0, y: 0, size }).is_err());
    let far = read(&slide, 0, i64::MIN, i64::MAX, 2, 2);
    assert_eq!(far.pixels.get(1, 1), Some(CLEAR));
}

#[test]
fn display_tiles_at_the_edges_are_cut_and_beyond_them_are_errors() {
    let slide = demo_slide();
    let tile = |col, row| slide.read_tile(TileKey { level: LevelIndex(0), col, row });
    let corner = tile(4, 5).unwrap().pixels;
    assert_eq!(corner.size(), PixelSize { width: 2220 - 4 * TILE_PX, height: 2967 - 5 * TILE_PX });
    assert_eq!(corner, read(&slide, 0, 4 * 512, 5 * 512, 172, 407).pixels);
    assert!(tile(5, 0).is_err() && tile(0, 6).is_err());
}

#[test]
fn virtual_levels_keep_the_mean_and_end_in_one_display_tile() {
    let slide = demo_slide();
    let expected = mean_rgb(&whole(&slide, 0));
    let last = slide.levels().last().unwrap();
    assert!(last.size.width <= TILE_PX && last.size.height <= TILE_PX);
    assert_eq!(slide.levels().iter().filter(|level| level.is_virtual).count(), 3);
    for level in 1..slide.levels().len() {
        let found = mean_rgb(&whole(&slide, u16::try_from(level).unwrap()));
        assert_close(found, expected, 0.5);
    }
}

#[test]
fn the_level_for_a_downsample_never_loses_detail() {
    let slide = demo_slide();
    for (downsample, level) in [(0.1, 0), (1.0, 0), (1.9, 0), (2.0, 1), (7.9, 2), (1e9, 3)] {
        assert_eq!(slide.level_for(downsample), LevelIndex(level), "{downsample}");
    }
}

#[test]
fn many_threads_read_the_same_bytes() {
    let slide = demo_slide();
    let expected: Vec<u8> = whole(&demo_slide(), 0).pixels.into_rgba();
    let row_bytes = 2220 * 4;
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (slide, expected) = (&slide, &expected);
            scope.spawn(move || {
                for step in 0..40 {
                    let y = (thread * 331 + step * 977) % (2967 - 64);
                    let region = read(slide, 0, 0, y.into(), 2220, 64);
                    let start = y as usize * row_bytes;
                    assert_eq!(region.pixels.rgba(), &expected[start..start + 64 * row_bytes]);
                }
            });
        }
    });
}

// Real slides

#[test]
fn the_aperio_slide_says_what_openslide_says() {
    let slide = demo_slide();
    assert_eq!(slide.format(), "aperio");
    assert_eq!(slide.size(), PixelSize { width: 2220, height: 2967 });
    assert_eq!(slide.levels()[0].stored_tile, PixelSize { width: 240, height: 240 });
    assert_eq!(slide.mpp().unwrap().x(), 0.499);
    assert_eq!(slide.objective_power(), Some(20.0));
    for (key, value) in [
        ("openslide.vendor", "aperio"),
        ("openslide.mpp-x", "0.499"),
        ("openslide.objective-power", "20"),
        ("openslide.level-count", "1"),
        ("openslide.level[0].tile-width", "240"),
        ("openslide.associated.label.height", "463"),
        ("aperio.ScanScope ID", "CPAPERIOCS"),
        ("aperio.MPP", "0.4990"),
        ("tiff.ResolutionUnit", "inch"),
    ] {
        assert_eq!(slide.properties()[key], value, "{key}");
    }
    let sizes = [("thumbnail", 574, 768), ("label", 387, 463), ("macro", 1280, 431)];
    for (name, width, height) in sizes {
        let pixels = slide.read_associated(name).unwrap();
        assert_eq!(pixels.size(), PixelSize { width, height }, "{name}");
    }
    assert!(slide.read_associated("barcode").is_err());
}

#[test]
fn the_aperio_slide_has_openslides_pixels() {
    let slide = demo_slide();
    let region = |x, y, width, height| mean_rgb(&read(&slide, 0, x, y, width, height));
    assert_close(mean_rgb(&whole(&slide, 0)), [214.011, 194.81, 207.904], 0.01);
    assert_close(region(700, 900, 256, 256), [221.12, 197.37, 209.932], 0.05);
    assert_close(region(1111, 2007, 333, 111), [131.763, 89.052, 128.815], 0.05);
    for (x, y, rgb) in [
        (0, 0, [221, 182, 221]),
        (239, 239, [246, 246, 246]),
        (240, 240, [246, 246, 243]),
        (1000, 1500, [245, 241, 255]),
        (1110, 1483, [105, 44, 99]),
        (2219, 2966, [248, 248, 248]),
    ] {
        let [found @ .., alpha] = pixel(&slide, x, y);
        assert!(found.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 1), "({x}, {y}): {found:?}");
        assert_eq!(alpha, 255);
    }
}

#[test]
fn a_pyramid_in_sub_directories_has_openslides_pixels() {
    let Some(path) = shared("data/slides/synthetic/ome-tiff/synthetic-pyramid.ome.tif") else {
        return;
    };
    let slide = Slide::open(&path).unwrap();
    let downsamples: Vec<f64> = slide.levels().iter().map(|it| it.downsample.get()).collect();
    assert_eq!(downsamples, [1.0, 2.0, 4.0, 8.0]);
    assert!(slide.levels().iter().all(|level| !level.is_virtual));
    assert_close(mean_rgb(&read(&slide, 0, 300, 400, 512, 512)), [212.823, 187.995, 202.774], 0.4);
}

#[test]
fn a_deflate_pyramid_has_openslides_pixels_on_every_level() {
    let Some(path) = shared("data/slides/generic-tiff/boxes.tiff") else { return };
    let slide = Slide::open(&path).unwrap();
    assert_eq!(slide.mpp(), None);
    let means = [
        [159.0894, 163.5094, 191.5016],
        [159.0939, 163.5141, 191.5068],
        [158.3316, 162.7886, 191.0071],
        [157.0375, 161.5641, 190.1787],
    ];
    for (level, mean) in means.into_iter().enumerate() {
        assert_close(mean_rgb(&whole(&slide, u16::try_from(level).unwrap())), mean, 1e-3);
    }
}

#[test]
fn every_compression_gives_the_same_picture() {
    let Some(folder) = shared("data/slides/synthetic/tiff-zoo") else { return };
    let read = |name: &str| whole(&Slide::open(&folder.join(name)).unwrap(), 0);
    let expected = read("tiled-none.tif");
    for name in ["tiled-deflate.tif", "tiled-lzw.tif", "tiled-packbits.tif", "tiled-zstd.tif"] {
        assert!(read(name).pixels == expected.pixels, "{name}");
    }
    for name in
        ["tiled-jpeg-rgb.tif", "tiled-jpeg-ycbcr-11.tif", "odd-jpeg-rgb-data-tagged-ycbcr.tif"]
    {
        assert!(largest_difference(&read(name), &expected) < 40, "{name}");
    }
    for name in ["tiled-jpeg-ycbcr-21.tif", "tiled-jpeg-ycbcr-22.tif", "tiled-webp.tif"] {
        assert_close(mean_rgb(&read(name)), mean_rgb(&expected), 0.5);
    }
    assert_close(mean_rgb(&read("strips-jpeg-ycbcr.tif")), [204.133, 142.148, 175.235], 0.4);
}

#[test]
fn slides_of_other_vendors_are_refused_by_name() {
    for (file, word) in [
        ("ndpi/test3-DAPI-2-387.ndpi", "NDPI"),
        ("synthetic/scn/synthetic-leica.scn", "Leica"),
        ("synthetic/philips/synthetic-philips.tiff", "Philips"),
        ("synthetic/bif/synthetic-ventana.bif", "Ventana"),
        ("synthetic/mrxs/synthetic-mirax.mrxs", "MIRAX"),
        ("dicom/pathml-small_dicom.dcm", "DICOM"),
        ("ome-tiff/multi-channel-z-series.ome.tif", "OME-TIFF"),
        ("synthetic/tiff-zoo/tiled-lzma.tif", "LZMA"),
    ] {
        let Some(path) = shared(&format!("data/slides/{file}")) else { return };
        let text = Slide::open(&path).unwrap_err().to_string();
        assert!(text.contains(word) && text.lines().count() == 1, "{file}: {text}");
    }
}

#[test]
fn malformed_slides_open_with_counted_damage_or_fail_with_one_line() {
    let Some(tool) = shared("tools/make_malformed.py") else { return };
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("python3").arg(tool).arg(folder.path()).status();
    assert!(made.is_ok_and(|status| status.success()), "python3 writes the malformed slides");
    let refused = [
        ("01_empty.svs", "empty"),
        ("03_trunc_half.svs", "ends too early"),
        ("07_zero_tile_size.svs", "TileWidth is 0"),
        ("12_unknown_compression.svs", "34713"),
        ("25_dicom_truncated.dcm", "DICOM"),
    ];
    for (name, word) in refused {
        let text = Slide::open(&folder.path().join(name)).unwrap_err().to_string();
        assert!(text.contains(word) && text.lines().count() == 1, "{name}: {text}");
    }
    let damaged = [
        ("05_ifd_loop.svs", 0),
        ("08_tile_offset_past_eof.svs", 4),
        ("10_bad_jpeg_tile.svs", 1),
        ("13_nonutf8_description.svs", 0),
        ("16_mpp_zero_comma.svs", 0),
        ("20_deflate_bomb.tif", 1),
        ("22_planar_rgb_16bit.tif", 0),
        ("26_png_renamed.svs", 0),
    ];
    for (name, n_damaged) in damaged {
        let slide = Slide::open(&folder.path().join(name)).unwrap();
        assert_eq!(whole(&slide, 0).damaged_tiles, n_damaged, "{name}");
    }
    let no_scale = Slide::open(&folder.path().join("16_mpp_zero_comma.svs")).unwrap();
    assert_eq!((no_scale.mpp(), no_scale.objective_power()), (None, Some(20.0)));
    let sparse = Slide::open(&folder.path().join("23_bigtiff_100k_sparse_long8.tif")).unwrap();
    let coarsest = u16::try_from(sparse.levels().len() - 1).unwrap();
    assert_eq!(whole(&sparse, coarsest).pixels.size(), PixelSize { width: 391, height: 391 });
}

#[test]
fn jpeg_2000_slides_have_openslides_pixels() {
    let Some(path) = shared("data/slides/svs/TCGA-CR-7395-01A-01-TS1.svs") else { return };
    let slide = Slide::open(&path).unwrap();
    assert_eq!(slide.mpp(), None);
    assert_eq!(slide.icc_profile().unwrap().unwrap().len(), 3144);
    assert_close(
        mean_rgb(&read(&slide, 0, 1500, 1200, 700, 600)),
        [200.291, 108.683, 155.485],
        0.02,
    );
    assert_close(mean_rgb(&read(&slide, 1, 0, 0, 700, 700)), [236.48, 209.459, 223.189], 0.02);
    let Some(path) = shared("data/slides/synthetic/svs/synthetic-jp2k-33003-ycbcr.svs") else {
        return;
    };
    let slide = Slide::open(&path).unwrap();
    assert_close(mean_rgb(&read(&slide, 0, 300, 400, 512, 512)), [211.966, 187.669, 202.072], 0.02);
    assert_close(mean_rgb(&whole(&slide, 2)), [197.419, 174.65, 191.787], 0.02);
}

// Plain pictures

#[test]
fn plain_pictures_open_by_content_whatever_their_name() {
    let picture = image::RgbaImage::from_fn(700, 300, |x, y| {
        image::Rgba([(x % 251) as u8, (y % 241) as u8, 7, if x < 10 { 0 } else { 255 }])
    });
    let folder = tempfile::tempdir().unwrap();
    for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
        let path = folder.path().join("picture.svs");
        picture.save_with_format(&path, format).unwrap();
        let slide = Slide::open(&path).unwrap();
        assert_eq!(slide.format(), "image");
        assert!(whole(&slide, 0).pixels.rgba() == picture.as_raw(), "{format:?}");
        assert_eq!(slide.levels()[1].size, PixelSize { width: 350, height: 150 });
    }
    let opaque = image::DynamicImage::ImageRgba8(picture).into_rgb8();
    for (format, tolerance) in [(image::ImageFormat::Bmp, 0), (image::ImageFormat::Jpeg, 40)] {
        let path = folder.path().join("picture");
        opaque.save_with_format(&path, format).unwrap();
        let [found @ .., alpha] = pixel(&Slide::open(&path).unwrap(), 600, 200);
        let expected = opaque.get_pixel(600, 200).0;
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance), "{format:?}");
        assert_eq!(alpha, 255);
    }
}

#[test]
fn a_picture_cut_short_is_damage_not_a_crash() {
    let picture = image::RgbImage::from_fn(600, 600, |x, y| image::Rgb([x as u8, y as u8, 0]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    let slide = open_bytes(&bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(whole(&slide, 0).damaged_tiles, 4);
    assert!(open_bytes(&bytes[..20]).is_err());
}

#[test]
fn the_content_hash_follows_the_bytes_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let id = |name: &str, tiff: &Tiff| {
        let path = folder.path().join(name);
        std::fs::write(&path, tiff.bytes()).unwrap();
        Slide::open(&path).unwrap().id().clone()
    };
    let first = Tiff::gray(16, 16, vec![ramp(0)]);
    let second = Tiff::gray(16, 16, vec![ramp(1)]);
    assert_eq!(id("a.tif", &first), id("b.svs", &first));
    assert_ne!(id("a.tif", &first), id("c.tif", &second));
}
