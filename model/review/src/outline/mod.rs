//! Outlines as sets of points: joined, taken from each other, cut in two, made simpler.
//!
//! Everything is in level-0 pixels. Corners of results lie on a grid of `1 /` [`STEPS_PER_PX`] pixel, on
//! which the operations are exact: what is united with itself stays as it is, and no result crosses
//! itself. Outer rings of results run clockwise on screen, holes the other way.

mod simplify;
mod stroke;

use domain::annotation::Shape;
use domain::contour::{Polygon, Ring};
use domain::coords::Level0Px;
use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::{IntOverlayOptions, Overlay, ShapeType};
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::i_float::int::point::IntPoint;
use i_overlay::i_shape::int::shape::IntShapes;
use i_overlay::string::overlay::StringOverlay;
use i_overlay::string::rule::StringRule;

use simplify::distance_to;
pub use simplify::{simplified_line, simplified_ring};
pub use stroke::stroke;

/// Grid lines per level-0 pixel.
pub const STEPS_PER_PX: f64 = 256.0;

/// Positions farther out are moved here; the largest slides are a tenth of it.
const FARTHEST_PX: f64 = 4_000_000.0;

/// All that lies in `a`, in `b` or in both.
pub fn union(a: &[Polygon], b: &[Polygon]) -> Vec<Polygon> {
    overlay(a, b, OverlayRule::Union)
}

/// All that lies in `a` but not in `b`.
pub fn difference(a: &[Polygon], b: &[Polygon]) -> Vec<Polygon> {
    overlay(a, b, OverlayRule::Difference)
}

/// All that lies in both.
pub fn intersection(a: &[Polygon], b: &[Polygon]) -> Vec<Polygon> {
    overlay(a, b, OverlayRule::Intersect)
}

/// What a hand drew around: a ring may cross itself, and what lies in any of its loops is inside.
pub fn drawn(ring: &[Level0Px]) -> Vec<Polygon> {
    let mut overlay = empty(ring.len());
    add_ring(&mut overlay, ring, ShapeType::Subject, None);
    polygons(overlay.overlay(OverlayRule::Subject, FillRule::NonZero))
}

/// The parts into which `line` cuts `area`; `area` alone if it does not cut through.
pub fn split(area: &[Polygon], line: &[Level0Px]) -> Vec<Polygon> {
    let whole = overlay(area, &[], OverlayRule::Subject);
    let n_points = whole.iter().map(n_points).sum::<usize>() + line.len();
    let mut cut = StringOverlay::<i32>::with_options(n_points, options());
    for polygon in &whole {
        for ring in std::iter::once(&polygon.outer).chain(&polygon.holes) {
            cut.add_shape_contour_iter(ring.iter().map(|point| to_grid(*point)));
        }
    }
    cut.add_string_path(&line.iter().map(|point| to_grid(*point)).collect::<Vec<_>>());
    let graph = cut.build_graph_view(FillRule::NonZero);
    graph.map(|graph| polygons(graph.extract_shapes(StringRule::Slice))).unwrap_or_default()
}

/// Fewer corners: none that is dropped lay farther than `tolerance_px` from the ring that is kept. Rings
/// that would cross then are mended, and what is smaller than a grid cell disappears.
pub fn simplified(area: &[Polygon], tolerance_px: f64) -> Vec<Polygon> {
    let mut overlay = empty(area.iter().map(n_points).sum());
    for polygon in area {
        let outer = simplified_ring(&polygon.outer, tolerance_px);
        add_ring(&mut overlay, &outer, ShapeType::Subject, Some(true));
        for hole in &polygon.holes {
            let hole = simplified_ring(hole, tolerance_px);
            add_ring(&mut overlay, &hole, ShapeType::Subject, Some(false));
        }
    }
    // A hole that now reaches out of its polygon counts as less than nothing there.
    polygons(overlay.overlay(OverlayRule::Subject, FillRule::Positive))
}

/// Drops parts smaller than `min_part_px2` and fills holes smaller than `min_hole_px2`.
pub fn without_specks(area: Vec<Polygon>, min_part_px2: f64, min_hole_px2: f64) -> Vec<Polygon> {
    let mut kept = area;
    for polygon in &mut kept {
        polygon.holes.retain(|hole| min_hole_px2 <= signed_area(hole).abs());
    }
    kept.retain(|polygon| min_part_px2 <= polygon.area_level0_px());
    kept
}

/// Whether `point` lies inside `area` and in none of its holes.
pub fn contains(area: &[Polygon], point: Level0Px) -> bool {
    let rings = area.iter().flat_map(|it| std::iter::once(&it.outer).chain(&it.holes));
    rings.filter(|ring| surrounds(ring, point)).count() % 2 == 1
}

/// Whether a ray from `point` to the right leaves `ring` more often than it enters.
fn surrounds(ring: &[Level0Px], point: Level0Px) -> bool {
    let next = ring.iter().cycle().skip(1);
    let crosses = |(a, b): &(&Level0Px, &Level0Px)| {
        let spans = (a.y <= point.y) != (b.y <= point.y);
        spans && point.x < a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x)
    };
    ring.iter().zip(next).filter(crosses).count() % 2 == 1
}

/// Length of a line in level-0 pixels times `scale` across and down: micrometres, with those per pixel.
pub fn length(line: &[Level0Px], scale: (f64, f64)) -> f64 {
    let pairs = line.iter().zip(line.iter().skip(1));
    pairs.map(|(a, b)| ((b.x - a.x) * scale.0).hypot((b.y - a.y) * scale.1)).sum()
}

/// From a point to the nearest point of a line, in level-0 pixels; infinite for a line of no points.
pub fn distance_to_line(line: &[Level0Px], point: Level0Px) -> f64 {
    let segments = line.iter().zip(line.iter().skip(1).chain(line.last()));
    segments.map(|(a, b)| distance_to(point, *a, *b)).fold(f64::INFINITY, f64::min)
}

/// The polygons of a shape; a line has none.
pub fn parts(shape: &Shape) -> &[Polygon] {
    match shape {
        Shape::Area(parts) => parts,
        Shape::Line(_) => &[],
    }
}

fn overlay(a: &[Polygon], b: &[Polygon], rule: OverlayRule) -> Vec<Polygon> {
    let mut overlay = empty(a.iter().chain(b).map(n_points).sum());
    for (area, role) in [(a, ShapeType::Subject), (b, ShapeType::Clip)] {
        for polygon in area {
            add_ring(&mut overlay, &polygon.outer, role, Some(true));
            for hole in &polygon.holes {
                add_ring(&mut overlay, hole, role, Some(false));
            }
        }
    }
    polygons(overlay.overlay(rule, FillRule::NonZero))
}

fn options() -> IntOverlayOptions<u64> {
    IntOverlayOptions { ogc: true, ..IntOverlayOptions::default() }
}

fn empty(n_points: usize) -> Overlay<i32> {
    Overlay::new_custom(n_points, options(), i_overlay::core::solver::Solver::default())
}

/// Adds a ring, turned so that it is an outer one or a hole; as it is for `None`.
fn add_ring(
    overlay: &mut Overlay<i32>,
    ring: &[Level0Px],
    role: ShapeType,
    is_outer: Option<bool>,
) {
    let points = ring.iter().map(|point| to_grid(*point));
    let is_turned = is_outer.is_some_and(|is_outer| (0.0 < signed_area(ring)) != is_outer);
    if is_turned {
        overlay.add_path_iter(points.rev(), role);
    } else {
        overlay.add_path_iter(points, role);
    }
}

fn n_points(polygon: &Polygon) -> usize {
    polygon.outer.len() + polygon.holes.iter().map(Vec::len).sum::<usize>()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to a range that fits; a NaN becomes 0"
)]
fn to_grid(point: Level0Px) -> IntPoint<i32> {
    let at = |px: f64| (px.clamp(-FARTHEST_PX, FARTHEST_PX) * STEPS_PER_PX).round() as i32;
    IntPoint::new(at(point.x), at(point.y))
}

fn from_grid(point: IntPoint<i32>) -> Level0Px {
    Level0Px { x: f64::from(point.x) / STEPS_PER_PX, y: f64::from(point.y) / STEPS_PER_PX }
}

fn polygons(shapes: IntShapes<i32>) -> Vec<Polygon> {
    let ring = |contour: Vec<IntPoint<i32>>| contour.into_iter().map(from_grid).collect::<Ring>();
    let polygon = |shape: Vec<Vec<IntPoint<i32>>>| {
        let mut rings = shape.into_iter().map(ring);
        Some(Polygon { outer: rings.next()?, holes: rings.collect() })
    };
    shapes.into_iter().filter_map(polygon).collect()
}

/// Shoelace formula; positive for a ring that runs clockwise on screen.
fn signed_area(ring: &[Level0Px]) -> f64 {
    let Some(origin) = ring.first() else { return 0.0 };
    let pairs = ring.iter().zip(ring.iter().skip(1));
    let doubled: f64 = pairs
        .map(|(a, b)| (a.x - origin.x) * (b.y - origin.y) - (b.x - origin.x) * (a.y - origin.y))
        .sum();
    doubled * 0.5
}

#[cfg(test)]
mod tests;
