use std::f64::consts::{PI, TAU};

use super::*;
use rand::{Rng as _, SeedableRng as _};

fn at(x: f64, y: f64) -> Level0Px {
    Level0Px { x, y }
}

fn rect(x: f64, y: f64, width: f64, height: f64) -> Polygon {
    let outer = vec![at(x, y), at(x + width, y), at(x + width, y + height), at(x, y + height)];
    Polygon { outer, holes: Vec::new() }
}

fn circle(center: Level0Px, radius: f64, corners: u32) -> Ring {
    let corner = |i: u32| f64::from(i) / f64::from(corners) * TAU;
    let place = |a: f64| at(center.x + radius * a.cos(), center.y + radius * a.sin());
    (0..corners).map(corner).map(place).collect()
}

fn area(polygons: &[Polygon]) -> f64 {
    polygons.iter().map(Polygon::area_level0_px).sum()
}

/// Two holes in a square of 100.
fn holed() -> Polygon {
    let hole = |x: f64| rect(x, 40.0, 20.0, 20.0).outer.into_iter().rev().collect();
    Polygon { holes: vec![hole(20.0), hole(60.0)], ..rect(0.0, 0.0, 100.0, 100.0) }
}

/// A coast of `n` corners around (50,000, 50,000), rough but star-shaped.
fn coast(n: u32, seed: u64) -> Polygon {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let outer = (0..n).map(|i| {
        let angle = f64::from(i) / f64::from(n) * TAU;
        let radius = 20_000.0 * (1.0 + 0.02 * random.random::<f64>() + 0.2 * (7.0 * angle).sin());
        at(50_000.0 + radius * angle.cos(), 50_000.0 + radius * angle.sin())
    });
    Polygon { outer: outer.collect(), holes: Vec::new() }
}

/// Whether two segments cross in a point that is no end of either.
fn cross((a, b): (Level0Px, Level0Px), (c, d): (Level0Px, Level0Px)) -> bool {
    let turn = |p: Level0Px, q: Level0Px, r: Level0Px| {
        (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x)
    };
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
}

fn n_crossings(polygons: &[Polygon]) -> usize {
    let mut segments = Vec::new();
    for ring in polygons.iter().flat_map(|it| std::iter::once(&it.outer).chain(&it.holes)) {
        segments.extend(ring.iter().copied().zip(ring.iter().cycle().skip(1).copied()));
    }
    let crossed = |(i, first)| segments[i + 1..].iter().filter(|it| cross(first, **it)).count();
    segments.iter().copied().enumerate().map(crossed).sum()
}

#[test]
fn areas_add_up_through_union_difference_and_intersection() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for seed in 0..20 {
        let a = [coast(300, seed)];
        let (x, y) = (random.random_range(3e4..7e4), random.random_range(3e4..7e4));
        let b = [Polygon { outer: circle(at(x, y), 9000.0, 90), holes: Vec::new() }];
        let (both, either) = (area(&intersection(&a, &b)), area(&union(&a, &b)));
        let whole = area(&a) + area(&b);
        assert!(((both + either) / whole - 1.0).abs() < 1e-7, "{both} + {either} of {whole}");
        let left = area(&difference(&a, &b));
        assert!(((left + both) / area(&a) - 1.0).abs() < 1e-7);
    }
}

#[test]
fn a_union_with_itself_changes_nothing() {
    let once = union(&[holed()], &[]);
    assert_eq!(union(&once, &once), once);
}

#[test]
fn holes_stay_holes_and_an_added_patch_fills_them() {
    let whole = union(&[holed()], &[rect(90.0, 0.0, 30.0, 100.0)]);
    assert_eq!((whole.len(), whole[0].holes.len()), (1, 2));
    assert_eq!(area(&whole), 100.0 * 120.0 - 2.0 * 400.0);
    let filled = union(&whole, &[rect(15.0, 35.0, 30.0, 30.0)]);
    assert_eq!(filled[0].holes.len(), 1);
    assert!(0.0 < signed_area(&filled[0].outer) && signed_area(&filled[0].holes[0]) < 0.0);
}

#[test]
fn rings_that_run_the_wrong_way_are_turned() {
    let mut wrong = holed();
    wrong.outer.reverse();
    wrong.holes[0].reverse();
    assert_eq!(union(&[wrong], &[]), union(&[holed()], &[]));
}

#[test]
fn erasing_across_a_lesion_leaves_two_parts() {
    let bar = [rect(0.0, 0.0, 300.0, 40.0)];
    let eraser = stroke(&[at(150.0, -50.0), at(150.0, 90.0)], 10.0);
    let left = difference(&bar, &eraser);
    assert_eq!(left.len(), 2);
    assert!((area(&left) - (300.0 - 20.0) * 40.0).abs() < 1.0, "{}", area(&left));
}

#[test]
fn a_brush_covers_what_lies_within_its_radius() {
    let dot = stroke(&[at(1000.0, 1000.0)], 50.0);
    assert!((area(&dot) / (PI * 2500.0) - 1.0).abs() < 0.01);
    let line = stroke(&[at(0.0, 0.0), at(400.0, 0.0), at(400.0, 300.0)], 20.0);
    assert_eq!((line.len(), line[0].holes.len()), (1, 0));
    assert!(contains(&line, at(200.0, 19.0)) && !contains(&line, at(200.0, 21.0)));
    assert!(contains(&line, at(413.0, -13.0)) && contains(&line, at(400.0, 319.0)));
    let round = stroke(&circle(at(0.0, 0.0), 200.0, 100), 30.0);
    assert_eq!((round.len(), round[0].holes.len()), (1, 1), "its ends overlap");
    assert!(stroke(&[], 20.0).is_empty());
}

#[test]
fn a_line_across_cuts_in_two_and_one_that_ends_inside_does_not() {
    let square = [rect(0.0, 0.0, 100.0, 100.0)];
    let halves = split(&square, &[at(-10.0, 50.0), at(110.0, 50.0)]);
    assert_eq!(halves.iter().map(Polygon::area_level0_px).collect::<Vec<_>>(), [5000.0, 5000.0]);
    let whole = split(&square, &[at(-10.0, 50.0), at(60.0, 50.0)]);
    assert_eq!((whole.len(), area(&whole)), (1, 10_000.0));
    let holed = split(&[holed()], &[at(50.0, -1.0), at(50.0, 101.0)]);
    assert_eq!(holed.iter().map(|part| part.holes.len()).collect::<Vec<_>>(), [1, 1]);
    let through_holes = split(&[self::holed()], &[at(-1.0, 50.0), at(101.0, 50.0)]);
    assert_eq!(through_holes.len(), 2);
    assert_eq!(area(&through_holes), 100.0 * 100.0 - 800.0);
}

#[test]
fn a_drawn_figure_of_eight_becomes_two_parts() {
    let eight = [at(0.0, 0.0), at(100.0, 100.0), at(100.0, 0.0), at(0.0, 100.0)];
    let parts = drawn(&eight);
    assert_eq!(parts.len(), 2);
    assert_eq!((area(&parts), n_crossings(&parts)), (5000.0, 0));
}

#[test]
fn simpler_rings_keep_their_area_and_never_cross() {
    for seed in 0..6 {
        let ring = coast(1500, seed);
        for tolerance in [50.0, 400.0, 3000.0] {
            let simple = simplified(std::slice::from_ref(&ring), tolerance);
            assert_eq!(n_crossings(&simple), 0);
            let n: usize = simple.iter().map(n_points).sum();
            assert!(n < 1500, "{n} corners at {tolerance}");
            assert!((area(&simple) / ring.area_level0_px() - 1.0).abs() < tolerance / 10_000.0);
        }
    }
}

#[test]
fn a_hole_near_the_edge_is_not_turned_inside_out() {
    // The edge bulges outwards around the hole, by less than the tolerance.
    let mut outer = vec![at(0.0, 0.0), at(1000.0, 0.0), at(1000.0, 1000.0), at(0.0, 1000.0)];
    outer.splice(
        1..1,
        (1..100).map(|i| at(f64::from(i) * 10.0, -9.0 * (f64::from(i) * PI / 100.0).sin())),
    );
    let hole = vec![at(400.0, -7.0), at(400.0, 300.0), at(600.0, 300.0), at(600.0, -7.0)];
    let holed = Polygon { outer, holes: vec![hole] };
    let simple = simplified(&[holed], 10.0);
    assert_eq!(n_crossings(&simple), 0);
    assert!((area(&simple) - (1e6 - 200.0 * 300.0)).abs() < 1e4, "{}", area(&simple));
}

#[test]
fn specks_go_and_pinholes_are_filled() {
    let kept = without_specks(vec![holed(), rect(500.0, 0.0, 10.0, 10.0)], 101.0, 401.0);
    assert_eq!(kept, [rect(0.0, 0.0, 100.0, 100.0)]);
    assert_eq!(without_specks(vec![holed()], 100.0, 400.0), [holed()]);
}

#[test]
fn a_ring_of_fifty_thousand_corners_is_erased_from() {
    let ring = coast(50_000, 9);
    let way: Ring = (0..200).map(|i| at(20_000.0 + f64::from(i) * 300.0, 50_000.0)).collect();
    let left = difference(std::slice::from_ref(&ring), &stroke(&way, 500.0));
    assert_eq!(without_specks(left.clone(), 1e6, 0.0).len(), 2);
    let cut = ring.area_level0_px() - area(&left);
    assert!((30_000.0 * 1000.0..60_000.0 * 1000.0).contains(&cut), "{cut}");
}

#[test]
fn a_point_is_inside_but_not_in_a_hole() {
    let square = [holed()];
    let inside = [(10.0, 10.0), (30.0, 50.0), (50.0, 50.0), (101.0, 50.0)];
    assert_eq!(inside.map(|(x, y)| contains(&square, at(x, y))), [true, false, true, false]);
}

#[test]
fn lengths_are_measured_in_each_direction_with_its_own_scale() {
    let line = [at(0.0, 0.0), at(30.0, 40.0), at(30.0, 140.0)];
    assert_eq!(length(&line, (1.0, 1.0)), 150.0);
    assert_eq!(length(&line, (0.0, 0.5)), 70.0);
}
