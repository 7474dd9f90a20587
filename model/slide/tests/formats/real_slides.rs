//! Slides of vendors: pixels and facts against OpenSlide 4.0.1.

use std::process::Command;

use domain::coords::PixelSize;
use slide::Slide;

use crate::real::shared;
use crate::{assert_close, demo_slide, largest_difference, mean_rgb, pixel, read, whole};

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
        ("synthetic/tiff-zoo/tiled-lzma.tif", "LZMA"),
        ("synthetic/tiff-zoo/tiled-jpegxl.tif", "JPEG XL"),
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
        ("25_dicom_truncated.dcm", 9),
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

#[test]
fn the_color_profiles_of_real_slides_are_read() {
    let open = |path: &str| Some(Slide::open(&shared(&format!("data/slides/{path}"))?).unwrap());
    for path in ["svs/TCGA-CR-7395-01A-01-TS1.svs", "dicom/cytomine-wsi"] {
        let Some(slide) = open(path) else { return };
        let table = slide.color_table().unwrap().unwrap();
        for color in [[0, 0, 0], [255, 255, 255], [200, 120, 180], [90, 30, 120]] {
            assert_eq!(table.corrected(color), color, "{path} is sRGB by its profile");
        }
    }
    let Some(slide) = open("svs/CMU-1-Small-Region.svs") else { return };
    assert!(slide.color_table().unwrap().is_none());
}
