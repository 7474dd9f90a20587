//! Bands of a picture by compute shaders and by the processor: one result.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use domain::bands::BandEdges;
use domain::coords::PixelSize;
use domain::pixels::Pixels;
use model::lens::Band;
use model::lens::picture::PictureBands;
use render::RenderError;
use render::band_compute::{BandCompute, OuterBands};
use render::headless::Headless;

/// Ten times as close as is promised.
const TOLERANCE: f32 = 1e-4;

const SOFT: BandEdges = BandEdges { low: 0.2, high: 0.8, soft: 0.1 };

/// Noise over a slope, with a blank corner and alphas of all kinds: no two channels, rows or columns are alike.
fn picture(width: u32, height: u32) -> Pixels {
    let pixel = |at: u32| {
        let (x, y) = (at % width, at / width);
        let noise = at.wrapping_mul(2_654_435_761) >> 11;
        match (x < width / 3, y < height / 3) {
            (true, true) => [255; 4],
            (true, false) => [(noise % 256) as u8, 0, 255, 0],
            _ => [(x * 3 % 256) as u8, (noise % 256) as u8, (y * 5 % 256) as u8, (x % 256) as u8],
        }
    };
    let rgba = (0..width * height).flat_map(pixel).collect();
    Pixels::new(PixelSize { width, height }, rgba).unwrap()
}

fn compute(headless: &Headless) -> BandCompute {
    BandCompute::new(headless.device().clone(), headless.queue().clone())
}

fn by_shaders(compute: &BandCompute, pixels: &Pixels, edges: BandEdges) -> PictureBands {
    let OuterBands { low, high } = compute.split(pixels, edges).unwrap();
    PictureBands::of_outer(pixels, low, high).unwrap()
}

/// Largest difference of any value of any band.
fn apart(a: &PictureBands, b: &PictureBands) -> f32 {
    let of_band = |band| {
        let pairs = a.planes(band).iter().zip(b.planes(band));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    Band::ALL.into_iter().map(of_band).fold(0.0, f32::max)
}

#[test]
fn shaders_and_processor_take_pictures_of_all_shapes_apart_alike() {
    let Some(headless) = tests::headless() else { return };
    let compute = compute(&headless);
    // With their margins: 1 x 1, 25 x 10, 64 x 40, 243 x 125, 512 x 360.
    for (width, height) in [(1, 1), (9, 4), (22, 14), (179, 61), (448, 296)] {
        let pixels = picture(width, height);
        for edges in [BandEdges::default(), SOFT] {
            let expected = PictureBands::of(&pixels, edges).unwrap();
            let apart = apart(&by_shaders(&compute, &pixels, edges), &expected);
            assert!(apart < TOLERANCE, "{width} x {height}, {edges:?}: {apart}");
        }
    }
}

#[test]
fn edges_that_are_moved_move_the_bands_of_both_alike() {
    let Some(headless) = tests::headless() else { return };
    let (compute, pixels) = (compute(&headless), picture(179, 61));
    let mut last = PictureBands::of(&pixels, SOFT).unwrap();
    for (low, high) in [(0.05, 0.5), (0.5, 0.5), (0.0, 1.4), (0.3, 1.1)] {
        let edges = BandEdges { low, high, ..SOFT };
        let expected = PictureBands::of(&pixels, edges).unwrap();
        let found = by_shaders(&compute, &pixels, edges);
        assert!(apart(&found, &expected) < TOLERANCE, "{edges:?}");
        assert!(0.01 < apart(&found, &last), "else nothing was moved");
        last = found;
    }
}

#[test]
fn bands_by_shaders_sum_to_the_very_pixels() {
    let Some(headless) = tests::headless() else { return };
    let pixels = picture(86, 61);
    let bands = by_shaders(&compute(&headless), &pixels, SOFT);
    let parts = Band::ALL.map(|band| bands.planes(band));
    for (at, pixel) in pixels.rgba().as_chunks::<4>().0.iter().enumerate() {
        for (channel, value) in pixel[..3].iter().enumerate() {
            let at = channel * 86 * 61 + at;
            let sum = parts.iter().map(|it| it[at]).sum::<f32>() * 255.0;
            assert!((sum - f32::from(*value)).abs() < 0.01, "{sum}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_next_picture_is_not() {
    let Some(headless) = tests::headless() else { return };
    let compute = compute(&headless);
    let refused = compute.split(&picture(50, 61), SOFT).unwrap_err();
    assert_eq!(refused, RenderError::UnfitLength { length: 114 });
    let empty = Pixels::filled(PixelSize { width: 0, height: 9 }, [0; 4]);
    assert_eq!(compute.split(&empty, SOFT), Err(RenderError::UnfitLength { length: 0 }));
    let crossed = BandEdges { low: 0.9, ..SOFT };
    assert!(matches!(compute.split(&picture(9, 9), crossed), Err(RenderError::Compute(_))));
    compute.split(&picture(9, 9), SOFT).unwrap();
}
