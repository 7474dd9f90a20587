//! What a round brush covers on its way.

use std::f64::consts::TAU;

use domain::contour::Polygon;
use domain::coords::Level0Px;
use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::ShapeType;
use i_overlay::core::overlay_rule::OverlayRule;

use super::{add_ring, empty, polygons, simplified_line};

/// Corners of a full turn of the brush.
const CORNERS: u32 = 32;

/// How far the way may be straightened, as a share of the radius.
const TOLERANCE: f64 = 1.0 / 32.0;

/// The area under a round brush of `radius_px` that is led along `way`; empty without a point.
pub fn stroke(way: &[Level0Px], radius_px: f64) -> Vec<Polygon> {
    let way = simplified_line(way, radius_px * TOLERANCE);
    let mut overlay = empty(way.len() * usize::try_from(CORNERS).unwrap_or_default());
    let segments = way.iter().zip(way.iter().skip(1).chain(way.last()));
    for (a, b) in segments {
        add_ring(&mut overlay, &capsule(*a, *b, radius_px), ShapeType::Subject, Some(true));
    }
    polygons(overlay.overlay(OverlayRule::Subject, FillRule::NonZero))
}

/// All within `radius` of the line from `a` to `b`: two half circles that look away from each other.
fn capsule(a: Level0Px, b: Level0Px, radius: f64) -> Vec<Level0Px> {
    let heading = (b.y - a.y).atan2(b.x - a.x);
    let corner = |center: Level0Px, step: u32, turn: f64| {
        let angle = heading + turn + f64::from(step) * TAU / f64::from(CORNERS);
        Level0Px { x: center.x + radius * angle.cos(), y: center.y + radius * angle.sin() }
    };
    let half = 0..=CORNERS / 2;
    let front = half.clone().map(|step| corner(b, step, -TAU / 4.0));
    let rear = half.map(|step| corner(a, step, TAU / 4.0));
    front.chain(rear).collect()
}
