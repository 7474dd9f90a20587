//! The mask that the shader cuts equals the mask that is exported, pixel for pixel, at every *t*.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::sync::Arc;

use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt, Turn};
use domain::heatmap::Heatmap;
use domain::mask::{BinaryMask, BinaryThreshold, mask_raster};
use render::RendererConfig;
use render::frame::{Colormap, Frame, OverlayFrame, OverlayStyle};
use tests::headless;

/// Smooth bumps and plateaus with values that are no round numbers.
fn bumps(size: PixelSize, frame: Level0Rect) -> Arc<Heatmap> {
    let values = (0..size.height)
        .flat_map(|y| (0..size.width).map(move |x| (f64::from(x), f64::from(y))))
        .map(|(x, y)| ((x * 0.9).sin() * (y * 0.7 + 0.3).cos() * 0.8 + 0.35).clamp(0.0, 1.0) as f32)
        .collect();
    Arc::new(Heatmap::new(size, values, frame).unwrap())
}

/// Neighbors differ as much as they can: the steepest field there is.
fn checkers(size: PixelSize, frame: Level0Rect) -> Arc<Heatmap> {
    let value =
        |i: u32| if (i % size.width + i / size.width).is_multiple_of(2) { 1.0 } else { 0.0 };
    let n_cells = size.width * size.height;
    Arc::new(Heatmap::new(size, (0..n_cells).map(value).collect(), frame).unwrap())
}

fn heatmaps() -> Vec<Arc<Heatmap>> {
    let frame = |x: f64, y: f64, width: f64, height: f64| Level0Rect { x, y, width, height };
    let size = |width: u32, height: u32| PixelSize { width, height };
    vec![
        bumps(size(1, 1), frame(0.0, 0.0, 3.0, 5.0)),
        bumps(size(7, 5), frame(0.0, 0.0, 224.0, 160.0)),
        bumps(size(13, 9), frame(100.5, 7.25, 401.0, 263.0)),
        bumps(size(31, 3), frame(0.0, 0.0, 97.3, 211.8)),
        bumps(size(33, 17), frame(90_000.0, 70_000.0, 20_011.0, 9_973.0)),
        checkers(size(11, 8), frame(0.0, 0.0, 353.0, 190.0)),
        checkers(size(2, 2), frame(5.0, 5.0, 128.0, 64.0)),
    ]
}

/// 201 even steps, and every cell value exactly, with its neighbors among the floats.
fn thresholds(heatmap: &Heatmap) -> Vec<BinaryThreshold> {
    let even = (0..=200_u16).map(|step| f32::from(step) / 200.0);
    let ties = heatmap.values().iter().step_by(heatmap.values().len().div_ceil(12));
    let around = ties.flat_map(|value| [value.next_down(), *value, value.next_up()]);
    even.chain(around).map(BinaryThreshold::clamped).collect()
}

#[test]
fn the_shader_and_the_export_cut_the_same_mask_at_every_t() {
    let Some(headless) = headless() else { return };
    for heatmap in heatmaps() {
        let raster = mask_raster(heatmap.frame());
        // A large raster costs as much for one cut as all cuts of a small one.
        let stride = if 1_000_000 < raster.area() { 25 } else { 1 };
        let pass = headless.mask_pass(&heatmap, raster).unwrap();
        for threshold in thresholds(&heatmap).into_iter().step_by(stride) {
            let expected = BinaryMask::cut(&heatmap, threshold);
            let differing = difference(&pass.cut(threshold).unwrap(), &expected);
            assert_eq!(differing, 0, "of {:?} at t = {}", expected.size(), threshold.get());
        }
    }
}

#[test]
fn the_colored_pixels_on_the_screen_are_those_whose_centers_exceed_t() {
    let Some(headless) = headless() else { return };
    let mut renderer =
        headless.renderer(RendererConfig { tile_layers: 1, ..RendererConfig::SOFTWARE });
    for heatmap in heatmaps() {
        let frame = heatmap.frame();
        let camera = Camera {
            center: Level0Px { x: frame.x + frame.width * 0.4, y: frame.y + frame.height * 0.6 },
            level0_per_pt: frame.width / 170.3,
            canvas: ScreenPt { x: 201.0, y: 133.0 },
            turn: Turn::NONE,
        };
        for t in [0.0, 0.2, 0.35, 0.5, 0.77, 1.0] {
            let threshold = BinaryThreshold::clamped(t);
            let picture = headless.render(&mut renderer, &fill(&heatmap, camera, threshold));
            for (index, pixel) in picture.unwrap().rgba().chunks_exact(4).enumerate() {
                let (x, y) = ((index % 201) as f64 + 0.5, (index / 201) as f64 + 0.5);
                let field = heatmap.sample(camera.level0_from_screen(ScreenPt { x, y }));
                let is_colored = pixel[3] != 0;
                assert_eq!(is_colored, threshold.is_exceeded_by(field), "at {x}, {y}, t = {t}");
            }
        }
    }
}

fn fill(heatmap: &Arc<Heatmap>, camera: Camera, threshold: BinaryThreshold) -> Frame {
    let overlay = OverlayFrame {
        heatmap: Arc::clone(heatmap),
        threshold,
        opacity: 1.0,
        colormap: Colormap::Cividis,
        style: OverlayStyle::Fill,
        columns: (0.0, 1.0),
    };
    Frame {
        camera,
        pixels_per_pt: 1.0,
        slide_generation: 1,
        tiles: Vec::new(),
        color_table: None,
        band: None,
        overlays: vec![overlay],
        beside: None,
    }
}

fn difference(a: &BinaryMask, b: &BinaryMask) -> usize {
    assert_eq!((a.size(), a.frame()), (b.size(), b.frame()));
    a.bits().iter().zip(b.bits()).filter(|(a, b)| a != b).count()
}
