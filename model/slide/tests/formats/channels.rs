//! Channels, focal planes, and samples that need a window.

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TileKey};
use slide::{Slide, SlideError, StackPosition, Window};

use crate::real::shared;
use crate::tiff_builder::Tiff;
use crate::{open_bytes, pixel, ramp};

fn open(relative: &str) -> Option<Slide> {
    Some(Slide::open(&shared(&format!("data/slides/{relative}"))?).unwrap())
}

fn value(slide: &Slide, channel: usize, level: u16, x: i64, y: i64) -> f32 {
    let rect = LevelRect { x, y, size: PixelSize { width: 1, height: 1 } };
    slide.read_channel(channel, LevelIndex(level), rect).unwrap().values[0]
}

fn open_at(bytes: &[u8], position: StackPosition) -> Result<Slide, SlideError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Slide::open_at(file.path(), position)
}

#[test]
fn ome_channels_have_names_values_and_windows() {
    let Some(slide) = open("synthetic/ome-tiff/synthetic-4ch-u16-pyramid.ome.tif") else { return };
    assert_eq!(slide.format(), "ome-tiff");
    assert_eq!(slide.mpp().unwrap().x(), 0.325);
    assert_eq!(slide.levels().iter().filter(|level| !level.is_virtual).count(), 3);
    let names: Vec<&str> = slide.channels().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["DAPI", "CD3", "CD8", "PanCK"]);
    let values: Vec<f32> = (0..4).map(|channel| value(&slide, channel, 0, 200, 100)).collect();
    assert_eq!(values, [4182.0, 4131.0, 4131.0, 180.0]);
    assert_eq!(slide.channels()[0].window, Window { low: 561.0, high: 4335.0 });
    let [r, g, b, a] = pixel(&slide, 200, 100);
    assert!(
        r > 200 && g > 200 && b > 200 && a == 255,
        "white background in all three: {r} {g} {b}"
    );
    assert!(value(&slide, 0, 0, -1, 0).is_nan());
}

#[test]
fn a_tile_is_made_anew_in_other_windows_and_colours_and_the_slide_stays_as_it_is() {
    let Some(slide) = open("synthetic/ome-tiff/synthetic-4ch-u16-pyramid.ome.tif") else { return };
    let mut channels = slide.channels().to_vec();
    for channel in &mut channels[1..] {
        channel.is_shown = false;
    }
    channels[0].color = [255, 0, 0];
    channels[0].window = Window { low: 4182.0 - 100.0, high: 4182.0 + 100.0 };
    for level in 0..slide.levels().len() as u16 {
        let key = TileKey { level: LevelIndex(level), col: 0, row: 0 };
        let tile = slide.read_tile_of_channels(key, &channels).unwrap().pixels;
        assert!(tile.rgba().chunks_exact(4).all(|it| it[1] == 0 && it[2] == 0), "level {level}");
        assert_ne!(tile, slide.read_tile(key).unwrap().pixels, "level {level}");
    }
    let key = TileKey { level: LevelIndex(0), col: 0, row: 0 };
    let tile = slide.read_tile_of_channels(key, &channels).unwrap().pixels;
    assert_eq!(tile.get(200, 100), Some([128, 0, 0, 255]));
    channels[0].is_shown = false;
    let tile = slide.read_tile_of_channels(key, &channels).unwrap().pixels;
    assert!(tile.rgba().chunks_exact(4).all(|it| it == [0, 0, 0, 255]), "no channel is black");
    let [r, g, b, _] = pixel(&slide, 200, 100);
    assert!(r > 200 && g > 200 && b > 200, "models see what they saw before");
}

#[test]
fn the_histogram_counts_the_coarsest_level_over_its_range() {
    let Some(slide) = open("synthetic/ome-tiff/synthetic-4ch-u16-pyramid.ome.tif") else { return };
    for channel in slide.channels() {
        assert!(
            channel.range.low <= channel.window.low && channel.window.high <= channel.range.high
        );
        let coarsest = slide.levels().iter().rfind(|level| !level.is_virtual).unwrap();
        assert!(coarsest.size.area() <= channel.histogram.iter().sum());
        assert!(0 < channel.histogram[0] && 0 < *channel.histogram.last().unwrap());
    }
}

#[test]
fn an_ome_stack_shows_its_middle_plane_and_any_other_on_request() {
    let Some(path) = shared("data/slides/ome-tiff/multi-channel-z-series.ome.tif") else { return };
    let slide = Slide::open(&path).unwrap();
    assert_eq!((slide.stack().n_focal_planes, slide.stack().shown.focal_plane), (5, 2));
    assert_eq!((slide.channels().len(), value(&slide, 1, 0, 200, 100)), (3, 58.0));
    let first = Slide::open_at(&path, StackPosition::default()).unwrap();
    assert_eq!(first.stack().shown.focal_plane, 0);
    let size = PixelSize { width: 439, height: 167 };
    let rect = LevelRect { x: 0, y: 0, size };
    let text = |slide: &Slide| slide.read_channel(0, LevelIndex(0), rect).unwrap();
    assert_ne!(text(&slide), text(&first), "the number of the plane is written into the picture");
}

#[test]
fn one_rgb_plane_of_ome_is_a_picture() {
    let Some(slide) = open("ome-tiff/qupath-cells.ome.tif") else { return };
    assert!(slide.channels().is_empty());
    assert_eq!(slide.mpp().unwrap().x(), 0.25);
}

#[test]
fn floating_and_signed_samples_are_seen_through_a_window() {
    let Some(slide) = open("synthetic/tiff-zoo/float32-gray.tif") else { return };
    assert!((value(&slide, 0, 0, 200, 100) - 0.952_941_2).abs() < 1e-6);
    assert!(slide.channels()[0].window.high <= 1.0);
    let mut signed = Tiff::gray(16, 16, vec![(0..=255).map(|i: u8| i.wrapping_sub(128)).collect()]);
    let slide = open_bytes(&signed.set(339, &[2]).bytes()).unwrap();
    assert_eq!((value(&slide, 0, 0, 0, 0), value(&slide, 0, 0, 15, 15)), (-128.0, 127.0));
    assert_eq!((pixel(&slide, 0, 0), pixel(&slide, 15, 15)), ([0, 0, 0, 255], [255; 4]));
}

#[test]
fn pages_of_one_size_are_focal_planes() {
    let pages: Vec<Tiff> = [0, 100, 200].map(|base| Tiff::gray(16, 16, vec![ramp(base)])).into();
    let bytes = Tiff::chain(&pages);
    let slide = open_bytes(&bytes).unwrap();
    assert_eq!((slide.stack().n_focal_planes, pixel(&slide, 3, 0)[0]), (3, 3));
    for (wanted, expected) in [(1, 103), (2, 203), (99, 203)] {
        let position = StackPosition { focal_plane: wanted, time_point: 0 };
        assert_eq!(pixel(&open_at(&bytes, position).unwrap(), 3, 0)[0], expected);
    }
}

/// A page of a QPTIFF as wide and high as its tiles.
fn page(kind: &str, channel: &str, color: &str, n_tiles: u64, gray: u8) -> Tiff {
    let tiles = vec![vec![gray; 256]; (n_tiles * n_tiles) as usize];
    let mut tiff = Tiff::gray(16 * n_tiles, 16 * n_tiles, tiles);
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><PerkinElmer-QPI-ImageDescription>\
         <ImageType>{kind}</ImageType><Name>{channel}</Name><Color>{color}</Color>\
         <Objective>20x</Objective></PerkinElmer-QPI-ImageDescription>"
    );
    tiff.set_text(270, xml.as_bytes());
    tiff
}

#[test]
fn qptiff_has_a_page_for_every_channel_of_every_level() {
    let pages = [
        page("FullResolution", "DAPI", "0,0,255", 4, 10),
        page("FullResolution", "CD8", "255,0,0", 4, 20),
        page("Thumbnail", "", "", 1, 77),
        page("ReducedResolution", "DAPI", "0,0,255", 2, 11),
        page("ReducedResolution", "CD8", "255,0,0", 2, 21),
        page("Label", "", "", 1, 88),
        page("Overview", "", "", 1, 99),
    ];
    let slide = open_bytes(&Tiff::chain(&pages)).unwrap();
    assert_eq!((slide.format(), slide.objective_power()), ("qptiff", Some(20.0)));
    let sizes: Vec<u32> = slide.levels().iter().map(|level| level.size.width).collect();
    assert_eq!(sizes, [64, 32]);
    let channels: Vec<_> = slide.channels().iter().map(|it| (it.name.as_str(), it.color)).collect();
    assert_eq!(channels, [("DAPI", [0, 0, 255]), ("CD8", [255, 0, 0])]);
    assert_eq!((value(&slide, 1, 0, 63, 63), value(&slide, 0, 1, 0, 31)), (20.0, 11.0));
    let names: Vec<&str> = slide.associated_images().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["thumbnail", "label", "macro"]);
    assert_eq!(slide.read_associated("macro").unwrap().get(0, 0), Some([99, 99, 99, 255]));
}
