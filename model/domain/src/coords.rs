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

/// What the canvas shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The slide position under the middle of the canvas.
    pub center: Level0Px,
    /// Level-0 pixels per window point.
    pub level0_per_pt: f64,
    /// Canvas width and height in points.
    pub canvas: ScreenPt,
}

impl Camera {
    /// A canvas position to the slide position under it.
    pub fn level0_from_screen(&self, point: ScreenPt) -> Level0Px {
        Level0Px {
            x: self.center.x + (point.x - self.canvas.x * 0.5) * self.level0_per_pt,
            y: self.center.y + (point.y - self.canvas.y * 0.5) * self.level0_per_pt,
        }
    }

    /// A slide position to its place on the canvas.
    pub fn screen_from_level0(&self, point: Level0Px) -> ScreenPt {
        ScreenPt {
            x: (point.x - self.center.x) / self.level0_per_pt + self.canvas.x * 0.5,
            y: (point.y - self.center.y) / self.level0_per_pt + self.canvas.y * 0.5,
        }
    }

    /// The part of the slide plane that the canvas shows.
    pub fn visible(&self) -> Level0Rect {
        let (width, height) =
            (self.canvas.x * self.level0_per_pt, self.canvas.y * self.level0_per_pt);
        Level0Rect {
            x: self.center.x - width * 0.5,
            y: self.center.y - height * 0.5,
            width,
            height,
        }
    }

    /// The camera that shows all of `rect` with a margin of 2 %.
    #[must_use]
    pub fn fit(rect: Level0Rect, canvas: ScreenPt) -> Self {
        let across = rect.width / canvas.x.max(1.0);
        let down = rect.height / canvas.y.max(1.0);
        let level0_per_pt = (across.max(down) * 1.02).max(f64::MIN_POSITIVE);
        Self { center: rect.center(), level0_per_pt, canvas }
    }

    /// Zooms by `factor` (> 1 magnifies) and keeps the slide position under `anchor` in place.
    #[must_use]
    pub fn zoomed_at(&self, anchor: ScreenPt, factor: f64) -> Self {
        let fixed = self.level0_from_screen(anchor);
        let level0_per_pt = self.level0_per_pt / factor;
        let center = Level0Px {
            x: fixed.x - (anchor.x - self.canvas.x * 0.5) * level0_per_pt,
            y: fixed.y - (anchor.y - self.canvas.y * 0.5) * level0_per_pt,
        };
        Self { center, level0_per_pt, canvas: self.canvas }
    }

    /// Moves with a drag of `delta` points: the slide follows the hand.
    #[must_use]
    pub fn panned(&self, delta: ScreenPt) -> Self {
        let center = Level0Px {
            x: self.center.x - delta.x * self.level0_per_pt,
            y: self.center.y - delta.y * self.level0_per_pt,
        };
        Self { center, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Camera = Camera {
        center: Level0Px { x: 90_000.0, y: 40_000.0 },
        level0_per_pt: 16.0,
        canvas: ScreenPt { x: 800.0, y: 600.0 },
    };

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
