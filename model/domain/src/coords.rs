//! Three pixel spaces, one type each.
//!
//! | type         | unit                         | origin                 |
//! |--------------|------------------------------|------------------------|
//! | [`Level0Px`] | full-resolution pixel        | top-left of the slide  |
//! | [`LevelPx`]  | pixel of one pyramid level   | top-left of the slide  |
//! | [`ScreenPt`] | window point (not device px) | top-left of the canvas |
//!
//! Pixel `(i, j)` covers `[i, i + 1) x [j, j + 1)`; y grows downwards.
//! Conversions are named `target_from_source` and exist only here.

use serde::{Deserialize, Serialize};

/// A position at full resolution. `f64`: an `f32` loses whole pixels past 16.7 million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level0Px {
    /// Pixels to the right of the left edge.
    pub x: f64,
    /// Pixels below the top edge.
    pub y: f64,
}

/// A position in the pixels of one pyramid level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LevelPx {
    /// Pixels to the right of the left edge.
    pub x: f64,
    /// Pixels below the top edge.
    pub y: f64,
}

/// A position on the canvas, in window points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScreenPt {
    /// Points to the right of the left edge.
    pub x: f64,
    /// Points below the top edge.
    pub y: f64,
}

/// Whole pixels across and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PixelSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl PixelSize {
    /// Number of pixels.
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// A rectangle at full resolution; may reach past the slide's edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level0Rect {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Level-0 pixels across.
    pub width: f64,
    /// Level-0 pixels down.
    pub height: f64,
}

impl Level0Rect {
    /// A whole level-0 plane.
    pub fn of_size(size: PixelSize) -> Self {
        Self { x: 0.0, y: 0.0, width: f64::from(size.width), height: f64::from(size.height) }
    }

    /// The smallest rectangle around some points; `None` without one.
    pub fn around<'a>(points: impl IntoIterator<Item = &'a Level0Px>) -> Option<Self> {
        let mut points = points.into_iter();
        let first = points.next()?;
        let start = (first.x, first.y, first.x, first.y);
        let (left, top, right, bottom) = points.fold(start, |(left, top, right, bottom), point| {
            (left.min(point.x), top.min(point.y), right.max(point.x), bottom.max(point.y))
        });
        Some(Self { x: left, y: top, width: right - left, height: bottom - top })
    }

    /// The middle.
    pub fn center(self) -> Level0Px {
        Level0Px { x: self.x + self.width * 0.5, y: self.y + self.height * 0.5 }
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// Whether the two share more than an edge.
    pub fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// A rectangle of whole pixels of one level; may reach past the level's edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelRect {
    /// Left edge.
    pub x: i64,
    /// Top edge.
    pub y: i64,
    /// Size in pixels of the level.
    pub size: PixelSize,
}

/// How many level-0 pixels one pixel of a level covers. Always at least 1, often no power of two.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Downsample(f64);

impl Downsample {
    /// Full resolution.
    pub const ONE: Self = Self(1.0);

    /// Rejects values below 1 and values that are not finite.
    pub fn new(factor: f64) -> Option<Self> {
        (factor.is_finite() && 1.0 <= factor).then_some(Self(factor))
    }

    /// The factor as a plain number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Full resolution to the pixels of this level.
    pub fn level_from_level0(self, point: Level0Px) -> LevelPx {
        LevelPx { x: point.x / self.0, y: point.y / self.0 }
    }

    /// The pixels of this level to full resolution.
    pub fn level0_from_level(self, point: LevelPx) -> Level0Px {
        Level0Px { x: point.x * self.0, y: point.y * self.0 }
    }

    /// The level-0 rectangle that a rectangle of this level covers.
    pub fn level0_from_level_rect(self, rect: LevelRect) -> Level0Rect {
        #[expect(clippy::cast_precision_loss, reason = "slides are far below 2^53 pixels")]
        let (x, y) = (rect.x as f64, rect.y as f64);
        Level0Rect {
            x: x * self.0,
            y: y * self.0,
            width: f64::from(rect.size.width) * self.0,
            height: f64::from(rect.size.height) * self.0,
        }
    }
}

/// An angle, clockwise on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Turn(f64);

impl Turn {
    /// Upright.
    pub const NONE: Self = Self(0.0);

    /// Of so many degrees, as one of `0.0..360.0`; none for what is no number.
    pub fn degrees(degrees: f64) -> Self {
        let turned = degrees.rem_euclid(360.0);
        Self(if turned < 360.0 { turned } else { 0.0 })
    }

    /// `0.0..360.0`.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Sine and cosine; those of quarter turns are whole numbers.
    pub fn sin_cos(self) -> (f64, f64) {
        match self.0 {
            0.0 => (0.0, 1.0),
            90.0 => (1.0, 0.0),
            180.0 => (0.0, -1.0),
            270.0 => (-1.0, 0.0),
            degrees => degrees.to_radians().sin_cos(),
        }
    }
}

/// What the canvas shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The slide position under the middle of the canvas.
    pub center: Level0Px,
    /// Level-0 pixels per window point.
    pub level0_per_pt: f64,
    /// Canvas width and height in points.
    pub canvas: ScreenPt,
    /// By which the slide is turned around the middle of the canvas.
    pub turn: Turn,
}

impl Camera {
    /// A canvas position to the slide position under it.
    pub fn level0_from_screen(&self, point: ScreenPt) -> Level0Px {
        let (right, down) = (point.x - self.canvas.x * 0.5, point.y - self.canvas.y * 0.5);
        let way = self.level0_way(ScreenPt { x: right, y: down });
        Level0Px { x: self.center.x + way.x, y: self.center.y + way.y }
    }

    /// A slide position to its place on the canvas.
    pub fn screen_from_level0(&self, point: Level0Px) -> ScreenPt {
        let (sin, cos) = self.turn.sin_cos();
        let x = (point.x - self.center.x) / self.level0_per_pt;
        let y = (point.y - self.center.y) / self.level0_per_pt;
        ScreenPt {
            x: cos * x - sin * y + self.canvas.x * 0.5,
            y: sin * x + cos * y + self.canvas.y * 0.5,
        }
    }

    /// A way over the canvas to the way over the slide.
    fn level0_way(&self, way: ScreenPt) -> Level0Px {
        let (sin, cos) = self.turn.sin_cos();
        Level0Px {
            x: (cos * way.x + sin * way.y) * self.level0_per_pt,
            y: (cos * way.y - sin * way.x) * self.level0_per_pt,
        }
    }

    /// The part of the slide plane that the canvas shows; where that is turned, the upright rectangle around it.
    pub fn visible(&self) -> Level0Rect {
        let (across, down) = turned_size((self.canvas.x, self.canvas.y), self.turn);
        let (width, height) = (across * self.level0_per_pt, down * self.level0_per_pt);
        Level0Rect {
            x: self.center.x - width * 0.5,
            y: self.center.y - height * 0.5,
            width,
            height,
        }
    }

    /// The camera that shows all of `rect` with a margin of 2 %.
    #[must_use]
    pub fn fit(rect: Level0Rect, canvas: ScreenPt, turn: Turn) -> Self {
        let (width, height) = turned_size((rect.width, rect.height), turn);
        let across = width / canvas.x.max(1.0);
        let down = height / canvas.y.max(1.0);
        let level0_per_pt = (across.max(down) * 1.02).max(f64::MIN_POSITIVE);
        Self { center: rect.center(), level0_per_pt, canvas, turn }
    }

    /// Zooms by `factor` (> 1 magnifies) and keeps the slide position under `anchor` in place.
    #[must_use]
    pub fn zoomed_at(&self, anchor: ScreenPt, factor: f64) -> Self {
        let fixed = self.level0_from_screen(anchor);
        let level0_per_pt = self.level0_per_pt / factor;
        let center = Level0Px {
            x: fixed.x - (fixed.x - self.center.x) / factor,
            y: fixed.y - (fixed.y - self.center.y) / factor,
        };
        Self { center, level0_per_pt, ..*self }
    }

    /// Moves with a drag of `delta` points: the slide follows the hand.
    #[must_use]
    pub fn panned(&self, delta: ScreenPt) -> Self {
        let way = self.level0_way(delta);
        let center = Level0Px { x: self.center.x - way.x, y: self.center.y - way.y };
        Self { center, ..*self }
    }
}

/// Width and height of the upright rectangle around a turned one.
pub fn turned_size((width, height): (f64, f64), turn: Turn) -> (f64, f64) {
    let (sin, cos) = turn.sin_cos();
    let (sin, cos) = (sin.abs(), cos.abs());
    (cos * width + sin * height, sin * width + cos * height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Camera = Camera {
        center: Level0Px { x: 90_000.0, y: 40_000.0 },
        level0_per_pt: 16.0,
        canvas: ScreenPt { x: 800.0, y: 600.0 },
        turn: Turn::NONE,
    };

    #[test]
    fn a_turned_slide_is_found_again_under_the_pointer() {
        let point = ScreenPt { x: 130.0, y: 471.0 };
        for degrees in [0.0, 90.0, 123.4, 180.0, 270.0, -30.0] {
            let camera = Camera { turn: Turn::degrees(degrees), ..CAMERA };
            let back = camera.screen_from_level0(camera.level0_from_screen(point));
            assert!((back.x - point.x).hypot(back.y - point.y) < 1e-9, "{degrees}");
            let at = |x, y| camera.level0_from_screen(ScreenPt { x, y });
            let seen = camera.visible();
            for corner in [at(0.0, 0.0), at(800.0, 0.0), at(0.0, 600.0), at(800.0, 600.0)] {
                assert!(seen.x - 1e-6 <= corner.x && corner.x <= seen.x + seen.width + 1e-6);
                assert!(seen.y - 1e-6 <= corner.y && corner.y <= seen.y + seen.height + 1e-6);
            }
        }
    }

    #[test]
    fn a_quarter_turn_clockwise_brings_the_left_of_the_slide_to_the_top() {
        let camera = Camera { turn: Turn::degrees(90.0), ..CAMERA };
        let left = Level0Px { x: CAMERA.center.x - 160.0, ..CAMERA.center };
        assert_eq!(camera.screen_from_level0(left), ScreenPt { x: 400.0, y: 290.0 });
        assert_eq!(Turn::degrees(f64::NAN), Turn::NONE);
        assert_eq!(Turn::degrees(-90.0).get(), 270.0);
    }

    #[test]
    fn a_turned_slide_follows_the_hand_and_stays_under_the_wheel() {
        let camera = Camera { turn: Turn::degrees(37.0), ..CAMERA };
        let (start, end) = (ScreenPt { x: 100.0, y: 80.0 }, ScreenPt { x: 320.0, y: 50.0 });
        let held = camera.level0_from_screen(start);
        let panned = camera.panned(ScreenPt { x: end.x - start.x, y: end.y - start.y });
        let now = panned.screen_from_level0(held);
        assert!((now.x - end.x).hypot(now.y - end.y) < 1e-9);
        let now = camera.zoomed_at(start, 3.0).screen_from_level0(held);
        assert!((now.x - start.x).hypot(now.y - start.y) < 1e-9);
    }

    #[test]
    fn canvas_middle_maps_to_camera_center() {
        assert_eq!(CAMERA.level0_from_screen(ScreenPt { x: 400.0, y: 300.0 }), CAMERA.center);
    }

    #[test]
    fn odd_downsample_round_trips() {
        let downsample = Downsample::new(4.000_122).unwrap();
        let start = Level0Px { x: 131_071.0, y: 7.0 };
        let back = downsample.level0_from_level(downsample.level_from_level0(start));
        assert!((back.x - start.x).abs() < 1e-6 && (back.y - start.y).abs() < 1e-6);
    }

    #[test]
    fn downsample_below_one_or_not_finite_is_refused() {
        assert!(
            [0.5, 0.0, -1.0, f64::NAN, f64::INFINITY]
                .map(Downsample::new)
                .iter()
                .all(Option::is_none)
        );
    }

    #[test]
    fn zoom_keeps_the_point_under_the_cursor() {
        let anchor = ScreenPt { x: 10.0, y: 590.0 };
        let before = CAMERA.level0_from_screen(anchor);
        let after = CAMERA.zoomed_at(anchor, 1.7).level0_from_screen(anchor);
        assert!((before.x - after.x).abs() < 1e-6 && (before.y - after.y).abs() < 1e-6);
    }

    #[test]
    fn a_drag_carries_the_slide_along() {
        let start = ScreenPt { x: 100.0, y: 100.0 };
        let held = CAMERA.level0_from_screen(start);
        let delta = ScreenPt { x: 30.0, y: -20.0 };
        let moved = CAMERA.panned(delta).screen_from_level0(held);
        assert!((moved.x - 130.0).abs() < 1e-9 && (moved.y - 80.0).abs() < 1e-9);
    }
}
