//! The canvas in device pixels, and how the slide falls onto it.

use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt};

use crate::frame::Frame;

/// A camera and the whole number of device pixels that its canvas has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canvas {
    camera: Camera,
    size: PixelSize,
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
        let size = PixelSize {
            width: device_pixels(camera.canvas.x, frame.pixels_per_pt),
            height: device_pixels(camera.canvas.y, frame.pixels_per_pt),
        };
        let scale = camera.level0_per_pt;
        let is_drawable = size.area() != 0
            && scale.is_finite()
            && 0.0 < scale
            && camera.center.x.is_finite()
            && camera.center.y.is_finite();
        is_drawable.then_some(Self { camera, size })
    }

    pub(crate) fn size(&self) -> PixelSize {
        self.size
    }

    /// The whole canvas.
    pub(crate) fn rect(&self) -> CanvasRect {
        let (right, bottom) = (f64::from(self.size.width), f64::from(self.size.height));
        CanvasRect { left: 0.0, top: 0.0, right, bottom }
    }

    /// The part between two shares of its width.
    pub(crate) fn columns(&self, (from, to): (f32, f32)) -> CanvasRect {
        let whole = self.rect();
        let at = |share: f32| (f64::from(share.clamp(0.0, 1.0)) * whole.right).round();
        CanvasRect { left: at(from), right: at(to), ..whole }
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
