//! Fewer vertices for the same ring: points on a straight run are dropped.
//!
//! A field that is interpolated over many pixels has outlines of long, nearly straight runs with one
//! vertex per pixel; annotation tools slow down on them long before the eye sees a difference.

use super::Ring;
use crate::coords::Level0Px;

/// How far a dropped point may lie off the kept line, as a share of the pixel spacing. Less than half of
/// the least distance between two parts of the rings, so that straightened rings do not touch either.
const TOLERANCE: f64 = 1.0 / 256.0;

/// Drops points of a closed ring that lie on the line between their kept neighbors. Linear in time.
pub(super) fn straightened(ring: Ring, spacing_level0_px: f64) -> Ring {
    let tolerance = TOLERANCE * spacing_level0_px;
    let Some(&start) = ring.first() else { return ring };
    let mut kept = vec![start];
    let mut sleeve = Sleeve::new(start, tolerance);
    let mut previous = start;
    for &point in ring.iter().skip(1).chain(std::iter::once(&start)) {
        if !sleeve.extends_to(point) {
            kept.push(previous);
            sleeve = Sleeve::new(previous, tolerance);
            sleeve.extends_to(point);
        }
        previous = point;
    }
    if kept.len() < 3 { ring } else { kept }
}

/// All straight lines from `anchor` that pass every point seen so far within `tolerance`.
struct Sleeve {
    anchor: Level0Px,
    tolerance: f64,
    reach: f64,
    /// Borders of the directions left, counter-clockwise and clockwise most; `None` while all are.
    borders: Option<[Level0Px; 2]>,
}

impl Sleeve {
    fn new(anchor: Level0Px, tolerance: f64) -> Self {
        Self { anchor, tolerance, reach: 0.0, borders: None }
    }

    /// Takes `point` in if a line to it passes all points before it, which must lie nearer.
    fn extends_to(&mut self, point: Level0Px) -> bool {
        let way = Level0Px { x: point.x - self.anchor.x, y: point.y - self.anchor.y };
        let distance = way.x.hypot(way.y);
        if distance < self.reach {
            return false;
        }
        self.reach = distance;
        if distance <= self.tolerance {
            return true;
        }
        let aside = self.tolerance / distance;
        let first = Level0Px { x: way.x + way.y * aside, y: way.y - way.x * aside };
        let last = Level0Px { x: way.x - way.y * aside, y: way.y + way.x * aside };
        let Some([low, high]) = self.borders else {
            self.borders = Some([first, last]);
            return true;
        };
        if cross(low, way) < 0.0 || cross(way, high) < 0.0 {
            return false;
        }
        let narrower_low = if 0.0 < cross(low, first) { first } else { low };
        let narrower_high = if 0.0 < cross(last, high) { last } else { high };
        self.borders = Some([narrower_low, narrower_high]);
        true
    }
}

fn cross(a: Level0Px, b: Level0Px) -> f64 {
    a.x * b.y - a.y * b.x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(points: &[(f64, f64)]) -> Ring {
        points.iter().map(|&(x, y)| Level0Px { x, y }).collect()
    }

    #[test]
    fn points_on_a_straight_run_are_dropped() {
        let square =
            ring(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (2.0, 2.0), (0.0, 2.0)]);
        let corners = ring(&[(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]);
        assert_eq!(straightened(square, 1.0), corners);
    }

    #[test]
    fn a_slow_bend_is_not_mistaken_for_a_line() {
        let circle: Ring = (0..10_000_u32)
            .map(|i| f64::from(i) / 10_000.0 * std::f64::consts::TAU)
            .map(|angle| Level0Px { x: 1000.0 * angle.cos(), y: 1000.0 * angle.sin() })
            .collect();
        let kept = straightened(circle, 1.0);
        assert!((200..2000).contains(&kept.len()), "{} points", kept.len());
        let area = super::super::signed_area(&kept);
        assert!((area - std::f64::consts::PI * 1e6).abs() < 30.0, "{area}");
    }

    #[test]
    fn a_ring_that_doubles_back_keeps_its_turning_point() {
        let sliver = ring(&[(0.0, 0.0), (9.0, 0.0), (9.0, 0.02), (0.0, 0.02)]);
        assert_eq!(straightened(sliver.clone(), 1.0), sliver);
    }
}
