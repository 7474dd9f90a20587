//! What is seen: right colors at right places, tile over parent, a heatmap that follows *t*.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::sync::Arc;

use domain::color::ColorTable;
use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt, Turn};
use domain::heatmap::Heatmap;
use domain::id::{LevelIndex, TileKey};
use domain::mask::BinaryThreshold;
use domain::pixels::Pixels;
use render::frame::{
    BandFrame, BandPicture, Colormap, Frame, OverlayFrame, OverlayStyle, TileQuad,
};
use render::headless::Headless;
use render::{Renderer, RendererConfig};
use tests::headless;

const RED: [u8; 4] = [255, 0, 0, 255];
const GREEN: [u8; 4] = [0, 255, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const WHITE: [u8; 4] = [255; 4];
const CLEAR: [u8; 4] = [0; 4];

const SMALL_ATLAS: RendererConfig = RendererConfig { tile_layers: 8, upload_budget: 8 };

/// A canvas of `side` points that shows the square from the origin on.
fn camera(side: f64, level0_per_pt: f64) -> Camera {
    let middle = side * level0_per_pt * 0.5;
    Camera {
        center: Level0Px { x: middle, y: middle },
        level0_per_pt,
        canvas: ScreenPt { x: side, y: side },
        turn: Turn::NONE,
    }
}

fn frame(camera: Camera, tiles: Vec<TileQuad>) -> Frame {
    Frame {
        camera,
        pixels_per_pt: 1.0,
        slide_generation: 1,
        tiles,
        color_table: None,
        band: None,
        overlays: Vec::new(),
        beside: None,
    }
}

/// A tile of one color that covers `size` pixels of its level.
fn tile(level: u16, col: u32, row: u32, size: PixelSize, color: [u8; 4]) -> TileQuad {
    let downsample = f64::from(1 << level);
    TileQuad {
        key: TileKey { level: LevelIndex(level), col, row },
        area: Level0Rect {
            x: f64::from(col) * 512.0 * downsample,
            y: f64::from(row) * 512.0 * downsample,
            width: f64::from(size.width) * downsample,
            height: f64::from(size.height) * downsample,
        },
        pixels: Arc::new(Pixels::filled(size, color)),
        revision: 0,
    }
}

const FULL: PixelSize = PixelSize { width: 512, height: 512 };

/// 0 at the left edge, 1 at the right, over the square of 100 px from (10, 10) on.
fn ramp() -> Arc<Heatmap> {
    let area = Level0Rect { x: 10.0, y: 10.0, width: 100.0, height: 100.0 };
    let values = (0..5).flat_map(|_| [0.0, 0.25, 0.5, 0.75, 1.0]).collect();
    Arc::new(Heatmap::new(PixelSize { width: 5, height: 5 }, values, area).unwrap())
}

fn overlay(t: f32, style: OverlayStyle) -> OverlayFrame {
    OverlayFrame {
        heatmap: ramp(),
        threshold: BinaryThreshold::clamped(t),
        opacity: 1.0,
        colormap: Colormap::Cividis,
        style,
        columns: (0.0, 1.0),
    }
}

fn picture_of_overlay(headless: &Headless, overlay: OverlayFrame) -> Pixels {
    let frame = Frame { overlays: vec![overlay], ..frame(camera(120.0, 1.0), Vec::new()) };
    headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap()
}

#[test]
fn a_sharp_tile_lies_over_its_coarse_parent() {
    let Some(headless) = headless() else { return };
    let parent = tile(1, 0, 0, FULL, RED);
    let sharp = tile(0, 1, 0, FULL, GREEN);
    let frame = frame(camera(300.0, 4.0), vec![parent, sharp]);
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
    // One canvas pixel is 4 level-0 pixels: the parent ends at 256, the sharp tile spans 128 to 256.
    let pixel = |x: u32, y: u32| picture.get(x, y).unwrap();
    assert_eq!([pixel(0, 0), pixel(127, 127), pixel(128, 128), pixel(255, 255)], [RED; 4]);
    assert_eq!([pixel(128, 0), pixel(255, 127)], [GREEN; 2]);
    assert_eq!([pixel(256, 0), pixel(0, 256)], [CLEAR; 2]);
}

#[test]
fn an_edge_tile_shows_nothing_of_the_tile_that_had_its_layer_before() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(RendererConfig { tile_layers: 1, upload_budget: 1 });
    let first = frame(camera(100.0, 1.0), vec![tile(0, 0, 0, FULL, RED)]);
    headless.render(&mut renderer, &first).unwrap();
    let narrow = PixelSize { width: 30, height: 20 };
    let second = Frame {
        slide_generation: 2,
        ..frame(camera(100.0, 0.37), vec![tile(0, 0, 0, narrow, BLUE)])
    };
    let picture = headless.render(&mut renderer, &second).unwrap();
    assert!(picture.rgba().chunks_exact(4).all(|pixel| pixel == BLUE || pixel == CLEAR));
    assert_eq!(picture.get(80, 53), Some(BLUE));
}

#[test]
fn no_seam_opens_between_neighbors_at_any_zoom() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let tiles: Vec<TileQuad> =
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(col, row)| tile(0, col, row, FULL, GREEN)).into();
    for step in 0..40_u8 {
        let level0_per_pt = 2.0 + f64::from(step) * 0.0731;
        let center = Level0Px { x: 511.3 + f64::from(step) * 0.017, y: 512.9 };
        let canvas = ScreenPt { x: 101.0, y: 77.0 };
        let camera = Camera { center, level0_per_pt, canvas, turn: Turn::NONE };
        let picture = headless.render(&mut renderer, &frame(camera, tiles.clone())).unwrap();
        assert!(picture.rgba().chunks_exact(4).all(|pixel| pixel == GREEN), "{level0_per_pt}");
    }
}

#[test]
fn a_slide_pixel_has_crisp_edges_when_magnified_and_stays_in_place() {
    let Some(headless) = headless() else { return };
    let size = PixelSize { width: 2, height: 1 };
    let mut quad = tile(0, 0, 0, size, RED);
    quad.pixels = Arc::new(Pixels::new(size, [RED, BLUE].concat()).unwrap());
    let frame = frame(camera(64.0, 1.0 / 32.0), vec![quad]);
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
    let row: Vec<[u8; 4]> = (0..64).map(|x| picture.get(x, 10).unwrap()).collect();
    assert!(row[..31].iter().all(|pixel| *pixel == RED));
    assert!(row[33..].iter().all(|pixel| *pixel == BLUE));
}

#[test]
fn fine_stripes_average_when_the_pyramid_has_no_level_for_the_zoom() {
    let Some(headless) = headless() else { return };
    let stripes: Vec<u8> =
        (0..512 * 512).flat_map(|i| if i % 2 == 0 { [0, 0, 0, 255] } else { WHITE }).collect();
    let mut quad = tile(0, 0, 0, FULL, RED);
    quad.pixels = Arc::new(Pixels::new(FULL, stripes).unwrap());
    for level0_per_pt in [2.0, 3.0, 4.0] {
        let frame = frame(camera(100.0, level0_per_pt), vec![quad.clone()]);
        let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
        let grays = (0..100).map(|x| picture.get(x, 50).unwrap()[0]);
        assert!(grays.into_iter().all(|gray| gray.abs_diff(127) < 45), "{level0_per_pt}");
    }
}

#[test]
fn clear_pixels_of_a_file_show_white_glass() {
    let Some(headless) = headless() else { return };
    let frame = frame(camera(50.0, 1.0), vec![tile(0, 0, 0, FULL, CLEAR)]);
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
    assert_eq!(picture.get(25, 25), Some(WHITE));
}

/// Every color at a node or between, of 16 x 16 x 16, one pixel each.
fn colors_of_the_cube() -> Vec<[u8; 3]> {
    let axis = || (0..16_u8).map(|step| step * 17);
    axis().flat_map(|b| axis().flat_map(move |g| axis().map(move |r| [r, g, b]))).collect()
}

#[test]
fn the_shader_corrects_colors_as_the_table_says() {
    let Some(headless) = headless() else { return };
    let bent = |[r, g, b]: [f32; 3]| [r.sqrt(), g * g * (1.0 - 0.3 * r), 0.2 + 0.7 * b * r];
    let table = ColorTable::new(ColorTable::scanned_colors().map(bent).collect()).unwrap();
    let same = ColorTable::new(ColorTable::scanned_colors().collect()).unwrap();
    let colors = colors_of_the_cube();
    let size = PixelSize { width: 64, height: 64 };
    let rgba = colors.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    let mut quad = tile(0, 0, 0, size, RED);
    quad.pixels = Arc::new(Pixels::new(size, rgba).unwrap());
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let mut shown = |table: Option<&ColorTable>| {
        let color_table = table.cloned().map(Arc::new);
        let frame = Frame { color_table, ..frame(camera(64.0, 1.0), vec![quad.clone()]) };
        let picture = headless.render(&mut renderer, &frame).unwrap();
        picture.rgba().chunks_exact(4).map(|it| [it[0], it[1], it[2]]).collect::<Vec<_>>()
    };
    assert_eq!(shown(None), colors);
    assert_eq!(shown(Some(&same)), colors, "a table of sRGB changes nothing");
    for (scanned, found) in colors.iter().zip(shown(Some(&table))) {
        let expected = table.corrected(*scanned);
        let is_near = found.iter().zip(expected).all(|(&is, be)| is.abs_diff(be) <= 1);
        assert!(is_near, "{scanned:?} is shown as {found:?}, not {expected:?}");
    }
    assert_eq!(shown(None), colors, "and it can be switched off");
}

#[test]
fn a_full_atlas_keeps_what_the_frame_shows() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(RendererConfig { tile_layers: 2, upload_budget: 1 });
    let mut show = |cols: &[u32]| {
        let tiles = cols.iter().map(|col| tile(0, *col, 0, FULL, [*col as u8, 9, 9, 255]));
        let view = Camera {
            center: Level0Px { x: 1024.0, y: 256.0 },
            level0_per_pt: 16.0,
            canvas: ScreenPt { x: 128.0, y: 32.0 },
            turn: Turn::NONE,
        };
        headless.render(&mut renderer, &frame(view, tiles.collect())).unwrap()
    };
    // Each tile is 32 canvas pixels wide.
    show(&[0, 1]);
    let picture = show(&[1, 2]);
    let colors = [0, 1, 2].map(|col| picture.get(col * 32 + 16, 16).unwrap());
    assert_eq!(colors, [CLEAR, [1, 9, 9, 255], [2, 9, 9, 255]]);
}

#[test]
fn uploads_stay_within_the_budget_and_visible_tiles_come_first() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(RendererConfig { tile_layers: 8, upload_budget: 2 });
    let hidden = tile(0, 5, 5, FULL, BLUE);
    let tiles = vec![hidden, tile(1, 0, 0, FULL, RED), tile(0, 0, 0, FULL, GREEN)];
    let frame = frame(camera(100.0, 1.0), tiles);
    let pending = |renderer: &mut Renderer| {
        renderer.prepare(headless.device(), headless.queue(), &frame).pending_uploads
    };
    assert_eq!(pending(&mut renderer), 1);
    assert_eq!(headless.paint(&renderer, &frame).unwrap().get(50, 50), Some(GREEN));
    assert_eq!(pending(&mut renderer), 0);
}

#[test]
fn a_tile_made_anew_takes_the_place_of_the_old_one_and_never_leaves_a_gap() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(RendererConfig { tile_layers: 2, upload_budget: 1 });
    let shown = |revision: u64, color| {
        let tiles = [0, 1].map(|col| TileQuad { revision, ..tile(0, col, 0, FULL, color) });
        let view = Camera {
            center: Level0Px { x: 512.0, y: 256.0 },
            level0_per_pt: 16.0,
            canvas: ScreenPt { x: 64.0, y: 32.0 },
            turn: Turn::NONE,
        };
        frame(view, tiles.into())
    };
    headless.render(&mut renderer, &shown(1, RED)).unwrap();
    let other = shown(2, BLUE);
    let prepared = renderer.prepare(headless.device(), headless.queue(), &other);
    assert_eq!(prepared.pending_uploads, 1);
    let picture = headless.paint(&renderer, &other).unwrap();
    assert_eq!([picture.get(8, 8), picture.get(40, 8)], [Some(BLUE), Some(RED)]);
    let picture = headless.render(&mut renderer, &other).unwrap();
    assert_eq!([picture.get(8, 8), picture.get(40, 8)], [Some(BLUE); 2]);
}

#[test]
fn more_tiles_than_the_atlas_holds_are_not_waited_for() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(RendererConfig { tile_layers: 1, upload_budget: 4 });
    let frame =
        frame(camera(100.0, 1.0), vec![tile(1, 0, 0, FULL, RED), tile(0, 0, 0, FULL, GREEN)]);
    let picture = headless.render(&mut renderer, &frame).unwrap();
    assert_eq!(picture.get(50, 50), Some(RED));
}

#[test]
fn at_or_below_t_and_outside_the_frame_the_overlay_is_fully_clear() {
    let Some(headless) = headless() else { return };
    let picture = picture_of_overlay(&headless, overlay(0.5, OverlayStyle::Fill));
    for x in 0..120 {
        // The field is 0.5 at x = 60, the frame ends at 110.
        let is_colored = (60..110).contains(&x);
        assert_eq!(picture.get(x, 60).unwrap() != CLEAR, is_colored, "at x = {x}");
        assert_eq!(picture.get(x, 9), Some(CLEAR));
        assert_eq!(picture.get(x, 110), Some(CLEAR));
    }
    assert_eq!(picture.get(105, 60), Some([254, 232, 56, 255]), "the top end of cividis");
}

#[test]
fn another_t_and_another_colormap_change_the_picture() {
    let Some(headless) = headless() else { return };
    let foreground = |t: f32| {
        let picture = picture_of_overlay(&headless, overlay(t, OverlayStyle::Fill));
        picture.rgba().chunks_exact(4).filter(|pixel| *pixel != CLEAR).count()
    };
    assert_eq!([0.25, 0.5, 0.75, 1.0].map(foreground), [7_000, 5_000, 3_000, 0]);
    let magma = OverlayFrame { colormap: Colormap::Magma, ..overlay(0.2, OverlayStyle::Fill) };
    assert_eq!(picture_of_overlay(&headless, magma).get(105, 60), Some([252, 253, 191, 255]));
}

#[test]
fn layers_lie_over_each_other_each_at_its_own_t_and_in_its_own_color() {
    let Some(headless) = headless() else { return };
    let below = OverlayFrame { colormap: Colormap::Blue, ..overlay(0.25, OverlayStyle::Fill) };
    let above = OverlayFrame { colormap: Colormap::Orange, ..overlay(0.75, OverlayStyle::Fill) };
    let frame = Frame {
        overlays: vec![below.clone(), above.clone()],
        ..frame(camera(120.0, 1.0), Vec::new())
    };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let picture = headless.render(&mut renderer, &frame).unwrap();
    let (blue, orange) = ([86, 180, 233, 255], [230, 159, 0, 255]);
    // The field is 0.25 at x = 40 and 0.75 at x = 80.
    let pixels = [30, 50, 90].map(|x| picture.get(x, 60).unwrap());
    assert_eq!(pixels, [CLEAR, blue, orange]);
    let swapped = Frame { overlays: vec![above.clone(), below], ..frame.clone() };
    let picture = headless.render(&mut renderer, &swapped).unwrap();
    assert_eq!([50, 90].map(|x| picture.get(x, 60).unwrap()), [blue; 2]);
    let alone = Frame { overlays: vec![above], ..frame };
    let picture = headless.render(&mut renderer, &alone).unwrap();
    assert_eq!([50, 90].map(|x| picture.get(x, 60).unwrap()), [CLEAR, orange]);
}

/// The pixel of an upright picture that a turn by so many quarters brings to (x, y).
fn before_quarters(picture: &Pixels, quarters: u32, (x, y): (u32, u32)) -> [u8; 4] {
    let PixelSize { width, height } = picture.size();
    let (x, y) = match quarters {
        1 => (y, height - 1 - x),
        2 => (width - 1 - x, height - 1 - y),
        _ => (width - 1 - y, x),
    };
    picture.get(x, y).unwrap()
}

#[test]
fn a_quarter_turn_moves_pixels_and_changes_none() {
    let Some(headless) = headless() else { return };
    let tiles = vec![tile(0, 0, 0, PixelSize { width: 70, height: 40 }, RED)];
    let parted = OverlayFrame { opacity: 0.5, ..overlay(0.4, OverlayStyle::FillAndContour) };
    let upright = Frame { overlays: vec![parted], ..frame(camera(120.0, 1.0), tiles) };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let picture = headless.render(&mut renderer, &upright).unwrap();
    for quarters in [1, 2, 3] {
        let turn = Turn::degrees(90.0 * f64::from(quarters));
        let turned = Frame { camera: Camera { turn, ..upright.camera }, ..upright.clone() };
        let turned = headless.render(&mut renderer, &turned).unwrap();
        let all = (0..120).flat_map(|y| (0..120).map(move |x| (x, y)));
        let n_other = all
            .filter(|at| {
                let (a, b) =
                    (turned.get(at.0, at.1).unwrap(), before_quarters(&picture, quarters, *at));
                a.iter().zip(b).any(|(a, b)| 1 < a.abs_diff(b))
            })
            .count();
        assert_eq!(n_other, 0, "{quarters} quarters");
    }
}

#[test]
fn any_turn_leaves_slide_and_layer_on_each_other_and_a_swipe_upright() {
    let Some(headless) = headless() else { return };
    let left = OverlayFrame {
        colormap: Colormap::Blue,
        columns: (0.0, 0.5),
        ..overlay(0.5, OverlayStyle::Fill)
    };
    let tiles = vec![tile(0, 0, 0, FULL, WHITE)];
    let upright = Frame { overlays: vec![left], ..frame(camera(120.0, 1.0), tiles) };
    let camera = Camera { turn: Turn::degrees(30.0), ..upright.camera };
    let turned = Frame { camera, ..upright };
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &turned).unwrap();
    let mut n_blue = 0;
    for (x, y) in (0..120).flat_map(|y| (0..120).map(move |x| (x, y))) {
        let point = ScreenPt { x: f64::from(x) + 0.5, y: f64::from(y) + 0.5 };
        let at = camera.level0_from_screen(point);
        // The ramp exceeds 0.5 right of 60; what lies within a pixel of an edge may be either.
        let inside = [60.0, 110.0]
            .map(|edge| (at.x - edge).abs())
            .into_iter()
            .chain([10.0, 110.0].map(|edge| (at.y - edge).abs()));
        if inside.chain([point.x - 60.0]).any(|distance| distance.abs() < 1.0) {
            continue;
        }
        let is_blue = (60.0..110.0).contains(&at.x) && (10.0..110.0).contains(&at.y) && x < 60;
        let on_slide = 1.0 < at.x && 1.0 < at.y;
        n_blue += u32::from(is_blue);
        let expected = if is_blue { [86, 180, 233, 255] } else { WHITE };
        if on_slide {
            assert_eq!(picture.get(x, y), Some(expected), "at {x}, {y}");
        }
    }
    assert!(500 < n_blue, "{n_blue} pixels of the layer are in view");
}

#[test]
fn two_layers_are_parted_at_a_line_of_the_canvas() {
    let Some(headless) = headless() else { return };
    let left = OverlayFrame {
        colormap: Colormap::Blue,
        columns: (0.0, 0.5),
        ..overlay(0.1, OverlayStyle::Fill)
    };
    let right = OverlayFrame { colormap: Colormap::Orange, columns: (0.5, 1.0), ..left.clone() };
    let frame = Frame { overlays: vec![left, right], ..frame(camera(120.0, 1.0), Vec::new()) };
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
    let (blue, orange) = ([86, 180, 233, 255], [230, 159, 0, 255]);
    let pixels = [59, 60, 90].map(|x| picture.get(x, 60).unwrap());
    assert_eq!(pixels, [blue, orange, orange]);
}

#[test]
fn a_second_canvas_shows_the_same_place_under_layers_of_its_own() {
    let Some(headless) = headless() else { return };
    let blue = OverlayFrame { colormap: Colormap::Blue, ..overlay(0.25, OverlayStyle::Fill) };
    let orange = OverlayFrame { colormap: Colormap::Orange, ..overlay(0.75, OverlayStyle::Fill) };
    let tiles = vec![tile(0, 0, 0, FULL, WHITE)];
    let frame = Frame {
        overlays: vec![blue],
        beside: Some(vec![orange]),
        ..frame(camera(120.0, 1.0), tiles)
    };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let first = headless.render(&mut renderer, &frame).unwrap();
    let second = headless.paint_beside(&renderer, &frame).unwrap();
    let (blue, orange) = ([86, 180, 233, 255], [230, 159, 0, 255]);
    assert_eq!([30, 50, 90].map(|x| first.get(x, 60).unwrap()), [WHITE, blue, blue]);
    assert_eq!([30, 50, 90].map(|x| second.get(x, 60).unwrap()), [WHITE, WHITE, orange]);
}

#[test]
fn the_fill_is_as_opaque_as_asked() {
    let Some(headless) = headless() else { return };
    let faint = OverlayFrame { opacity: 0.25, ..overlay(0.2, OverlayStyle::Fill) };
    let tiles = vec![tile(0, 0, 0, FULL, WHITE)];
    let frame = Frame { overlays: vec![faint], ..frame(camera(120.0, 1.0), tiles) };
    let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
    let [r, g, b, a] = picture.get(105, 60).unwrap();
    let mixed = |channel: f64| 255.0 * 0.75 + channel * 0.25;
    let expected = [254.0, 232.0, 56.0].map(mixed);
    assert!([r, g, b].into_iter().zip(expected).all(|(is, be)| (f64::from(is) - be).abs() <= 1.0));
    assert_eq!(a, 255);
}

/// Whether the pixel is of the dark and of the light line.
fn line(pixel: [u8; 4]) -> (bool, bool) {
    let [r, g, b, a] = pixel;
    let is_gray = r.abs_diff(g) < 3 && g.abs_diff(b) < 3;
    (is_gray && 200 < a && r < 90, is_gray && 200 < a && 170 < r)
}

#[test]
fn the_contour_follows_the_level_set_dark_outside_and_light_inside() {
    let Some(headless) = headless() else { return };
    for t in [0.3, 0.5, 0.61] {
        let picture = picture_of_overlay(&headless, overlay(t, OverlayStyle::Contour));
        // The field rises from 0 at x = 20 to 1 at x = 100.
        let edge = 20.0 + 80.0 * f64::from(t);
        let (before, after) = ((edge - 0.5).floor() as u32, edge.floor() as u32);
        assert_eq!(line(picture.get(before, 60).unwrap()), (true, false), "t = {t}");
        let inside = if line(picture.get(after, 60).unwrap()).1 { after } else { after + 1 };
        assert_eq!(line(picture.get(inside, 60).unwrap()), (false, true), "t = {t}");
        for x in (0..120).filter(|x| 4.0 < (f64::from(*x) + 0.5 - edge).abs() && *x < 105) {
            assert_eq!(picture.get(x, 60), Some(CLEAR), "at x = {x}, t = {t}");
        }
    }
}

#[test]
fn a_lesion_that_reaches_the_frame_is_outlined_there() {
    let Some(headless) = headless() else { return };
    let picture = picture_of_overlay(&headless, overlay(0.3, OverlayStyle::Contour));
    for (x, y) in [(109, 60), (80, 10), (80, 109)] {
        assert_eq!(line(picture.get(x, y).unwrap()), (false, true), "at {x}, {y}");
    }
}

#[test]
fn the_contour_is_as_wide_at_every_zoom() {
    let Some(headless) = headless() else { return };
    for level0_per_pt in [0.05, 0.2, 0.5] {
        let camera = Camera {
            center: Level0Px { x: 60.0, y: 60.0 },
            level0_per_pt,
            canvas: ScreenPt { x: 100.0, y: 20.0 },
            turn: Turn::NONE,
        };
        let overlays = vec![overlay(0.5, OverlayStyle::Contour)];
        let frame = Frame { overlays, ..frame(camera, Vec::new()) };
        let picture = headless.render(&mut headless.renderer(SMALL_ATLAS), &frame).unwrap();
        let coverage: f64 =
            (0..100).map(|x| f64::from(picture.get(x, 10).unwrap()[3]) / 255.0).sum();
        assert!((coverage - 2.5).abs() < 0.5, "{coverage} px at {level0_per_pt}");
    }
}

#[test]
fn a_plateau_at_t_is_no_contour() {
    let Some(headless) = headless() else { return };
    let area = Level0Rect { x: 10.0, y: 10.0, width: 100.0, height: 100.0 };
    let size = PixelSize { width: 3, height: 3 };
    let flat = Arc::new(Heatmap::new(size, vec![0.0; 9], area).unwrap());
    let overlay = OverlayFrame { heatmap: flat, ..overlay(0.0, OverlayStyle::FillAndContour) };
    let picture = picture_of_overlay(&headless, overlay);
    assert!(picture.rgba().iter().all(|byte| *byte == 0));
}

#[test]
fn a_heatmap_beyond_the_limits_of_the_device_is_refused_with_a_message() {
    let Some(headless) = headless() else { return };
    let limit = headless.device().limits().max_texture_dimension_2d;
    let size = PixelSize { width: limit + 1, height: 1 };
    let area = Level0Rect { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };
    let values = vec![0.0; size.width as usize];
    let heatmap = Arc::new(Heatmap::new(size, values, area).unwrap());
    let overlay = OverlayFrame { heatmap, ..overlay(0.0, OverlayStyle::Fill) };
    let frame = Frame { overlays: vec![overlay], ..frame(camera(120.0, 1.0), Vec::new()) };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let error = headless.render(&mut renderer, &frame).unwrap_err().to_string();
    assert!(error.starts_with("a heatmap of") && error.contains(&limit.to_string()), "{error}");
}

#[test]
fn a_band_lies_over_the_tiles_where_it_belongs_and_around_its_gray() {
    let Some(headless) = headless() else { return };
    let mut renderer = headless.renderer(SMALL_ATLAS);
    let area = Level0Rect { x: 16.0, y: 16.0, width: 32.0, height: 32.0 };
    let size = PixelSize { width: 32, height: 32 };
    let planes: Vec<f32> =
        [0.25, -0.125, 0.9].into_iter().flat_map(|value| [value; 32 * 32]).collect();
    let picture = Arc::new(BandPicture::new(size, area, &planes).unwrap());
    assert!(BandPicture::new(size, area, &planes[1..]).is_none());
    let band = |gain, offset| Some(BandFrame { picture: Arc::clone(&picture), gain, offset });
    let tiles = vec![tile(0, 0, 0, FULL, GREEN)];
    let of_band = Frame { band: band(1.0, 0.5), ..frame(camera(64.0, 1.0), tiles.clone()) };
    let drawn = headless.render(&mut renderer, &of_band).unwrap();
    assert_eq!(drawn.get(8, 8), Some(GREEN));
    assert_eq!(drawn.get(32, 32), Some([191, 96, 255, 255]));
    let steeper = Frame { band: band(2.0, 0.5), ..frame(camera(64.0, 1.0), tiles.clone()) };
    assert_eq!(
        headless.render(&mut renderer, &steeper).unwrap().get(32, 32),
        Some([255, 64, 255, 255])
    );
    let without = frame(camera(64.0, 1.0), tiles);
    assert_eq!(headless.render(&mut renderer, &without).unwrap().get(32, 32), Some(GREEN));
}
