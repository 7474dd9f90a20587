//! Rectangles, display tiles, levels and threads.

use domain::coords::{LevelRect, PixelSize};
use domain::id::{LevelIndex, TILE_PX, TileKey};
use slide::{Slide, SlideError};

use crate::real::{repository, shared};
use crate::tiff_builder::Tiff;
use crate::{CLEAR, assert_close, demo_slide, mean_rgb, open_bytes, ramp, read, whole};

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
fn an_eighth_is_the_mean_of_the_pixels_under_it() {
    let slide = demo_slide();
    let (fine, coarse) = (whole(&slide, 0).pixels, whole(&slide, 3).pixels);
    let (mut sum, mut n_samples) = (0.0, 0.0);
    for (x, y) in (0..277).flat_map(|x| (0..370).map(move |y| (x, y))) {
        let found = coarse.get(x, y).unwrap();
        for (channel, found) in found.into_iter().enumerate() {
            let sample = |at: u32| fine.get(8 * x + at % 8, 8 * y + at / 8).unwrap()[channel];
            let mean = (0..64).map(|at| f64::from(sample(at))).sum::<f64>() / 64.0;
            sum += (mean - f64::from(found)).abs();
            n_samples += 1.0;
        }
    }
    assert!(sum / n_samples < 0.5, "{}", sum / n_samples);
}

#[test]
fn the_level_for_a_downsample_never_loses_detail() {
    let slide = demo_slide();
    for (downsample, level) in [(0.1, 0), (1.0, 0), (1.9, 0), (2.0, 1), (7.9, 2), (1e9, 3)] {
        assert_eq!(slide.level_for(downsample), LevelIndex(level), "{downsample}");
    }
}

#[test]
fn the_whole_slide_is_read_from_the_level_that_is_just_large_enough() {
    let slide = demo_slide();
    for (side_px, level) in [(1, 3), (700, 2), (742, 2), (1000, 1), (2967, 0), (1 << 20, 0)] {
        assert_eq!(slide.level_of_side(side_px), LevelIndex(level), "{side_px}");
    }
    let region = slide.read_whole(700).unwrap();
    assert_eq!(region.pixels.size(), slide.levels()[2].size);
    assert!(region.pixels.rgba() == whole(&slide, 2).pixels.rgba());
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

#[test]
fn parts_of_tiles_show_what_the_whole_tiles_show() {
    let shared_slides = [
        "synthetic/ndpi/synthetic-brightfield.ndpi",
        "synthetic/mrxs/synthetic-mirax.mrxs",
        "dicom/multiframe_camelyon_challenge_image.dcm",
        "synthetic/tiff-zoo/tiled-jpeg-ycbcr-21.tif",
        "synthetic/tiff-zoo/tiled-jpeg-ycbcr-22.tif",
    ];
    let mut paths = vec![repository().join("assets/demo/cmu-1-small-region.svs")];
    paths.extend(shared_slides.iter().filter_map(|name| shared(&format!("data/slides/{name}"))));
    for path in paths {
        let open = || Slide::open(&path).unwrap();
        let expected = whole(&open(), 0).pixels;
        let there = |x: i64, y: i64| match (u32::try_from(x), u32::try_from(y)) {
            (Ok(x), Ok(y)) => expected.get(x, y).unwrap_or(CLEAR),
            _ => CLEAR,
        };
        // Corners of tiles, pieces within one, beyond an edge, and the same places again.
        for (x, y) in [(0, 0), (230, 235), (250, 260), (-30, 400), (440, 440), (250, 260)] {
            let slide = open();
            for _ in 0..3 {
                let found = read(&slide, 0, x, y, 100, 150).pixels;
                for (column, row) in
                    (0..100).flat_map(|column| (0..150).map(move |row| (column, row)))
                {
                    let expected = there(x + i64::from(column), y + i64::from(row));
                    assert_eq!(
                        found.get(column, row),
                        Some(expected),
                        "{path:?}: {x}, {y}: {column}, {row}"
                    );
                }
            }
        }
    }
}
