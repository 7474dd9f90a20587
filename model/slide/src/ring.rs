//! Closed rings and lines of level-0 points: area, length, center, and which ring holds which point.

use domain::contour::{Polygon, Ring};
use domain::coords::Level0Px;

/// The sides of a closed ring, the last one back to the first point.
pub(crate) fn sides(ring: &[Level0Px]) -> impl Iterator<Item = (Level0Px, Level0Px)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1)).take(ring.len())
}

/// Shoelace formula; positive for a ring that runs clockwise on screen.
pub(crate) fn signed_area(ring: &[Level0Px]) -> f64 {
    moments(ring)[0]
}

/// Area and first moments about the ring's first point, signed as [`signed_area`].
fn moments(ring: &[Level0Px]) -> [f64; 3] {
    let Some(origin) = ring.first() else { return [0.0; 3] };
    sides(ring).fold([0.0; 3], |[area, x, y], (a, b)| {
        let (ax, ay, bx, by) = (a.x - origin.x, a.y - origin.y, b.x - origin.x, b.y - origin.y);
        let doubled = ax * by - bx * ay;
        [area + doubled / 2.0, x + (ax + bx) * doubled / 6.0, y + (ay + by) * doubled / 6.0]
    })
}

/// The center of mass of the parts without their holes; `None` where there is no area.
pub(crate) fn centroid(parts: &[Polygon]) -> Option<Level0Px> {
    let rings = parts.iter().flat_map(|part| std::iter::once(&part.outer).chain(&part.holes));
    let [area, x, y] = rings.fold([0.0; 3], |[area, x, y], ring| {
        let [own, own_x, own_y] = moments(ring);
        let origin = ring.first().copied().unwrap_or_default();
        [area + own, x + own_x + own * origin.x, y + own_y + own * origin.y]
    });
    (0.0 < area).then(|| Level0Px { x: x / area, y: y / area })
}

/// Length of an open line.
pub(crate) fn length(line: &[Level0Px]) -> f64 {
    let steps = line.iter().zip(line.iter().skip(1));
    steps.map(|(a, b)| (b.x - a.x).hypot(b.y - a.y)).sum()
}

/// Length of a closed ring.
pub(crate) fn perimeter(ring: &[Level0Px]) -> f64 {
    sides(ring).map(|(a, b)| (b.x - a.x).hypot(b.y - a.y)).sum()
}

/// One ring around an area and its holes, over a bridge without width from each hole's first point to the nearest point so far.
pub(crate) fn bridged(outer: &Ring, holes: &[&Ring]) -> Ring {
    let is_clockwise = 0.0 < signed_area(outer);
    let mut joined = outer.clone();
    for hole in holes {
        let hole = turned((*hole).clone(), !is_clockwise);
        let Some(&landing) = hole.first() else { continue };
        let distance = |at: &Level0Px| (at.x - landing.x).hypot(at.y - landing.y);
        let nearest = joined.iter().map(distance).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((at, &pier)) = nearest.and_then(|(at, _)| Some((at, joined.get(at)?))) else {
            return hole;
        };
        joined.splice(at + 1..at + 1, hole.into_iter().chain([landing, pier]));
    }
    joined
}

/// Whether a point lies inside, by counting the sides that a ray to the right crosses.
pub(crate) fn holds(ring: &[Level0Px], point: Level0Px) -> bool {
    let crosses = |(a, b): &(Level0Px, Level0Px)| {
        (a.y <= point.y) != (b.y <= point.y)
            && point.x < a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x)
    };
    sides(ring).filter(crosses).count() % 2 == 1
}

/// The same ring, clockwise on screen or counter-clockwise.
pub(crate) fn turned(mut ring: Ring, is_clockwise: bool) -> Ring {
    if (0.0 < signed_area(&ring)) != is_clockwise {
        ring.reverse();
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(points: &[[f64; 2]]) -> Ring {
        points.iter().map(|[x, y]| Level0Px { x: *x, y: *y }).collect()
    }

    #[test]
    fn a_square_with_a_hole_has_the_area_and_center_that_remain() {
        let outer = ring(&[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]);
        let hole = turned(ring(&[[2.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 4.0]]), false);
        assert_eq!((signed_area(&outer), signed_area(&hole)), (16.0, -8.0));
        let center = centroid(&[Polygon { outer: outer.clone(), holes: vec![hole] }]);
        assert_eq!(center, Some(Level0Px { x: 1.0, y: 2.0 }));
        assert_eq!((perimeter(&outer), length(&outer)), (16.0, 12.0));
    }

    #[test]
    fn a_bridge_takes_the_holes_out_of_the_area_and_adds_nothing() {
        let outer = ring(&[[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]]);
        let hole = |x: f64| ring(&[[x, 1.0], [x + 2.0, 1.0], [x + 2.0, 3.0], [x, 3.0]]);
        let joined = bridged(&outer, &[&hole(1.0), &hole(5.0)]);
        assert_eq!((signed_area(&joined), joined.len()), (73.0, 16));
        for (x, is_inside) in [(2.0, false), (4.0, true), (6.0, false), (8.0, true)] {
            assert_eq!(holds(&joined, Level0Px { x, y: 2.0 }), is_inside, "at {x}");
        }
    }

    #[test]
    fn a_point_lies_inside_or_not_whichever_way_the_ring_runs() {
        for is_clockwise in [true, false] {
            let ring = turned(ring(&[[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]), is_clockwise);
            assert!(holds(&ring, Level0Px { x: 1.0, y: 1.0 }));
            assert!(!holds(&ring, Level0Px { x: 3.0, y: 3.0 }));
        }
    }
}
