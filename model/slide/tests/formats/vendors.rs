//! Scanners that write TIFF in their own way: pixels and facts against OpenSlide 4.0.1.

use domain::coords::PixelSize;
use slide::Slide;

use crate::real::shared;
use crate::{CLEAR, assert_close, mean_rgb, pixel, read};

fn open(relative: &str) -> Option<Slide> {
    Some(Slide::open(&shared(&format!("data/slides/{relative}"))?).unwrap())
}

fn assert_properties(slide: &Slide, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(slide.properties().get(*key).map(String::as_str), Some(*value), "{key}");
    }
}

fn assert_associated(slide: &Slide, expected: &[(&str, u32, u32)]) {
    let found: Vec<&str> = slide.associated_images().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(found, expected.iter().map(|it| it.0).collect::<Vec<_>>());
    for &(name, width, height) in expected {
        let size = slide.read_associated(name).unwrap().size();
        assert_eq!(size, PixelSize { width, height }, "{name}");
    }
}

fn level_sizes(slide: &Slide) -> Vec<(u32, u32)> {
    slide.levels().iter().map(|level| (level.size.width, level.size.height)).collect()
}

#[test]
fn ndpi_is_read_between_its_restart_markers() {
    let Some(slide) = open("ndpi/test3-DAPI-2-387.ndpi") else { return };
    assert_eq!(slide.format(), "hamamatsu");
    assert_eq!(
        level_sizes(&slide),
        [(3968, 4864), (1984, 2432), (992, 1216), (496, 608), (248, 304)]
    );
    assert_close(mean_rgb(&read(&slide, 0, 1700, 2100, 700, 600)), [0.306, 0.106, 35.997], 0.02);
    assert_close(mean_rgb(&read(&slide, 2, 200, 200, 512, 512)), [0.612, 0.323, 30.975], 0.02);
    assert_eq!(slide.objective_power(), Some(40.0));
    assert!((slide.mpp().unwrap().x() - 0.228_175_055_902_888_7).abs() < 1e-12);
    assert_properties(
        &slide,
        &[
            ("openslide.vendor", "hamamatsu"),
            ("hamamatsu.SourceLens", "40"),
            ("hamamatsu.XOffsetFromSlideCentre", "12538720"),
            ("hamamatsu.YOffsetFromSlideCentre", "-96063"),
            ("hamamatsu.Objective.Lens.Magnificant", "35.16"),
        ],
    );
    assert_associated(&slide, &[("macro", 1188, 406)]);
}

#[test]
fn ndpi_with_subsampled_colour_has_openslides_pixels() {
    let Some(slide) = open("synthetic/ndpi/synthetic-brightfield.ndpi") else { return };
    assert_close(mean_rgb(&read(&slide, 0, 500, 700, 400, 300)), [182.602, 140.936, 170.07], 0.4);
    assert_close(mean_rgb(&read(&slide, 1, 300, 400, 300, 300)), [156.608, 117.226, 150.366], 0.4);
    assert_properties(&slide, &[("hamamatsu.Reference", "SYNTH"), ("openslide.mpp-x", "0.5")]);
}

#[test]
fn philips_levels_lose_their_padding() {
    let Some(slide) = open("synthetic/philips/synthetic-philips.tiff") else { return };
    assert_eq!(slide.format(), "philips");
    assert_eq!(level_sizes(&slide), [(1536, 2048), (768, 1024), (384, 512), (192, 256)]);
    assert_close(mean_rgb(&read(&slide, 0, 500, 700, 400, 300)), [182.533, 140.885, 169.987], 0.4);
    assert_close(mean_rgb(&read(&slide, 2, 0, 0, 384, 512)), [198.281, 174.966, 192.603], 0.4);
    assert_properties(
        &slide,
        &[
            ("openslide.barcode", "SYNTH"),
            ("openslide.mpp-y", "0.25"),
            ("philips.DICOM_MANUFACTURER", "PHILIPS"),
            (
                "philips.PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE[2].DICOM_PIXEL_SPACING",
                "\"0.001000\" \"0.001000\"",
            ),
        ],
    );
    assert_associated(&slide, &[("label", 387, 463), ("macro", 1280, 431)]);
}

#[test]
fn leica_areas_lie_where_they_were_scanned() {
    let Some(slide) = open("synthetic/scn/synthetic-leica.scn") else { return };
    assert_eq!(slide.format(), "leica");
    assert_eq!(level_sizes(&slide)[..2], [(52_000, 152_000), (26_000, 76_000)]);
    assert_close(
        mean_rgb(&read(&slide, 0, 10_500, 14_700, 400, 300)),
        [182.533, 140.885, 169.987],
        0.4,
    );
    assert_close(
        mean_rgb(&read(&slide, 2, 2500, 3500, 384, 512)),
        [198.281, 174.966, 192.603],
        0.4,
    );
    assert_eq!(pixel(&slide, 9999, 14_000), CLEAR);
    assert_eq!(pixel(&slide, 11_536, 14_000), CLEAR);
    assert_eq!(pixel(&slide, 11_535, 16_047)[3], 255);
    assert_properties(
        &slide,
        &[
            ("openslide.bounds-x", "10000"),
            ("openslide.bounds-height", "2048"),
            ("openslide.region[0].y", "14000"),
            ("openslide.objective-power", "20"),
            ("openslide.mpp-x", "0.5"),
            ("openslide.barcode", "SYNTH"),
            ("leica.aperture", "0.4"),
        ],
    );
    assert_associated(&slide, &[("macro", 1280, 431)]);
}

#[test]
fn ventana_frames_are_joined_without_their_overlaps() {
    let Some(slide) = open("synthetic/bif/synthetic-ventana.bif") else { return };
    assert_eq!(slide.format(), "ventana");
    assert_eq!(level_sizes(&slide), [(1004, 1496), (502, 748), (251, 374)]);
    assert_close(mean_rgb(&read(&slide, 0, 300, 400, 600, 600)), [201.941, 173.891, 192.929], 0.4);
    assert_close(mean_rgb(&read(&slide, 1, 0, 0, 502, 748)), [209.132, 188.453, 202.647], 0.4);
    assert_close(mean_rgb(&read(&slide, 2, 0, 0, 251, 374)), [209.242, 188.579, 202.773], 0.4);
    assert_properties(
        &slide,
        &[
            ("openslide.mpp-x", "0.465"),
            ("openslide.objective-power", "20"),
            ("openslide.region[0].width", "1004"),
            ("ventana.ScannerModel", "VENTANA iScan HT"),
        ],
    );
    assert_associated(&slide, &[("macro", 1280, 431), ("thumbnail", 192, 256)]);
}
