//! The canvas in device pixels, and how the slide falls onto it.
//!
//! Everything is laid out on an *upright* canvas, on which columns and rows of the slide are columns and rows of pixels. Where the
//! slide is turned, that is the upright rectangle around the screen's canvas, and the vertex stages turn it last.

use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt, Turn, turned_size};

use crate::frame::Frame;

/// An upright camera, the whole number of device pixels that its canvas has, and how it falls onto the screen's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canvas {
    camera: Camera,
    size: PixelSize,
    on_screen: PixelSize,
    turn: Turn,
}

/// A rectangle in canvas pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CanvasRect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Canvas {
    /// `None` where nothing can be seen: no pixels, or a camera that maps nowhere.
    pub(crate) fn of(frame: &Frame) -> Option<Self> {
        let camera = frame.camera;
        let on_screen = PixelSize {
            width: device_pixels(camera.canvas.x, frame.pixels_per_pt),
            height: device_pixels(camera.canvas.y, frame.pixels_per_pt),
        };
        let scale = camera.level0_per_pt;
        let is_drawable = on_screen.area() != 0
            && scale.is_finite()
            && 0.0 < scale
            && camera.center.x.is_finite()
            && camera.center.y.is_finite();
        let turn = camera.turn;
        let upright = Self { camera, size: on_screen, on_screen, turn };
        is_drawable.then(|| if turn == Turn::NONE { upright } else { upright.around() })
    }

    /// The upright rectangle around a turned canvas.
    fn around(self) -> Self {
        let sides = (f64::from(self.on_screen.width), f64::from(self.on_screen.height));
        let (width, height) = turned_size(sides, self.turn);
        let size = PixelSize { width: width.ceil() as u32, height: height.ceil() as u32 };
        let px_per_pt = sides.0 / self.camera.canvas.x;
        let canvas = ScreenPt {
            x: f64::from(size.width) / px_per_pt,
            y: f64::from(size.height) / px_per_pt,
        };
        Self { camera: Camera { canvas, turn: Turn::NONE, ..self.camera }, size, ..self }
    }

    /// The screen's canvas.
    pub(crate) fn on_screen(&self) -> PixelSize {
        self.on_screen
    }

    /// From the clip space of the upright canvas to that of the screen's: a 2 x 2 matrix, row by row.
    pub(crate) fn turn(&self) -> [f32; 4] {
        let (sin, cos) = self.turn.sin_cos();
        let upright = (f64::from(self.size.width), f64::from(self.size.height));
        let screen = (f64::from(self.on_screen.width), f64::from(self.on_screen.height));
        [
            cos * upright.0 / screen.0,
            sin * upright.1 / screen.0,
            -sin * upright.0 / screen.1,
            cos * upright.1 / screen.1,
        ]
        .map(|it| it as f32)
    }

    /// The whole canvas.
    pub(crate) fn rect(&self) -> CanvasRect {
        let (right, bottom) = (f64::from(self.size.width), f64::from(self.size.height));
        CanvasRect { left: 0.0, top: 0.0, right, bottom }
    }

    /// The pixels of the screen's canvas between two shares of its width: where they begin, and how many.
    pub(crate) fn columns(&self, (from, to): (f32, f32)) -> (u32, u32) {
        let width = self.on_screen.width;
        let at = |share: f32| (f64::from(share.clamp(0.0, 1.0)) * f64::from(width)).round() as u32;
        (at(from), at(to).saturating_sub(at(from)))
    }

    pub(crate) fn canvas_from_level0(&self, area: Level0Rect) -> CanvasRect {
        let (across, down) = self.px_per_pt();
        let start = self.camera.screen_from_level0(Level0Px { x: area.x, y: area.y });
        let end = self
            .camera
            .screen_from_level0(Level0Px { x: area.x + area.width, y: area.y + area.height });
        CanvasRect {
            left: start.x * across,
            top: start.y * down,
            right: end.x * across,
            bottom: end.y * down,
        }
    }

    /// The level-0 x of the middle of each pixel column.
    pub(crate) fn column_centers(&self) -> impl Iterator<Item = f64> {
        let (across, _) = self.px_per_pt();
        let camera = self.camera;
        (0..self.size.width).map(move |column| {
            let x = (f64::from(column) + 0.5) / across;
            camera.level0_from_screen(ScreenPt { x, y: 0.0 }).x
        })
    }

    /// The level-0 y of the middle of each pixel row.
    pub(crate) fn row_centers(&self) -> impl Iterator<Item = f64> {
        let (_, down) = self.px_per_pt();
        let camera = self.camera;
        (0..self.size.height).map(move |row| {
            let y = (f64::from(row) + 0.5) / down;
            camera.level0_from_screen(ScreenPt { x: 0.0, y }).y
        })
    }

    /// Top-left and bottom-right corner in clip space.
    pub(crate) fn clip_from_canvas(&self, rect: CanvasRect) -> [f32; 4] {
        let x = |px: f64| (px / f64::from(self.size.width) * 2.0 - 1.0) as f32;
        let y = |px: f64| (1.0 - px / f64::from(self.size.height) * 2.0) as f32;
        [x(rect.left), y(rect.top), x(rect.right), y(rect.bottom)]
    }

    /// Device pixels per point, so that the canvas is a whole number of them.
    fn px_per_pt(&self) -> (f64, f64) {
        (
            f64::from(self.size.width) / self.camera.canvas.x,
            f64::from(self.size.height) / self.camera.canvas.y,
        )
    }
}

impl CanvasRect {
    /// The common part, if it has an area.
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let common = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        (common.left < common.right && common.top < common.bottom).then_some(common)
    }

    /// Edges at multiples of 1/256 pixel, as rasterizers place them: an edge that two tiles compute
    /// in two ways becomes one number, so no gap opens between them.
    pub(crate) fn snapped(self) -> Self {
        let snap = |px: f64| (px * 256.0).round() / 256.0;
        Self {
            left: snap(self.left),
            top: snap(self.top),
            right: snap(self.right),
            bottom: snap(self.bottom),
        }
    }

    /// Grown to whole pixels.
    pub(crate) fn rounded_out(self) -> Self {
        Self {
            left: self.left.floor(),
            top: self.top.floor(),
            right: self.right.ceil(),
            bottom: self.bottom.ceil(),
        }
    }

    pub(crate) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn area(self) -> f64 {
        self.width() * self.height()
    }

    /// As the GPU takes it: left, top, right, bottom.
    pub(crate) fn to_array(self) -> [f32; 4] {
        [self.left, self.top, self.right, self.bottom].map(|px| px.clamp(-1e6, 1e6) as f32)
    }
}

/// Negative and NaN become 0.
fn device_pixels(points: f64, pixels_per_pt: f32) -> u32 {
    (points * f64::from(pixels_per_pt)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(points: f64, pixels_per_pt: f32) -> Option<Canvas> {
        let camera = Camera {
            center: Level0Px { x: 3e9, y: 50.0 },
            level0_per_pt: 3.0,
            canvas: ScreenPt { x: points, y: points },
            turn: Turn::NONE,
        };
        Canvas::of(&Frame {
            camera,
            pixels_per_pt,
            slide_generation: 0,
            tiles: Vec::new(),
            color_table: None,
            band: None,
            overlays: Vec::new(),
            beside: None,
        })
    }

    #[test]
    fn a_canvas_without_pixels_is_no_canvas() {
        assert_eq!(canvas(0.0, 1.0), None);
        assert_eq!(canvas(-5.0, 1.0), None);
        assert_eq!(canvas(f64::NAN, 1.0), None);
    }

    #[test]
    fn pixel_centers_keep_their_distance_far_from_the_corner_of_the_slide() {
        let canvas = canvas(100.0, 2.0).unwrap();
        let centers: Vec<f64> = canvas.column_centers().collect();
        assert_eq!(centers.len(), 200);
        assert!(centers.windows(2).all(|pair| (pair[1] - pair[0] - 1.5).abs() < 1e-5));
    }

    #[test]
    fn the_visible_part_of_the_slide_fills_the_canvas() {
        let canvas = canvas(100.0, 1.5).unwrap();
        let rect = canvas.canvas_from_level0(canvas.camera.visible());
        assert_eq!(rect.snapped(), canvas.rect());
        assert_eq!(canvas.clip_from_canvas(canvas.rect()), [-1.0, 1.0, 1.0, -1.0]);
    }
}
