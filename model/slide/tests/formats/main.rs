//! Every format the slide reader takes: pixel values, facts of real slides, and files that lie.
//!
//! Reference pixels of real slides come from OpenSlide 4.0.1.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod channels;
mod damage;
mod hostile;
mod pictures;
mod plain_tiff;
mod real;
mod real_slides;
mod regions;
mod tiff_builder;
mod vendors;

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use real::repository;
use slide::{Region, Slide, SlideError};

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
