use std::collections::BTreeSet;

use super::*;
use crate::coords::{Level0Rect, PixelSize};
use crate::mask::BinaryMask;

fn heatmap(columns: u32, values: Vec<f32>, frame: Level0Rect) -> Heatmap {
    let height = u32::try_from(values.len()).unwrap() / columns;
    Heatmap::new(PixelSize { width: columns, height }, values, frame).unwrap()
}

fn frame(width: f64, height: f64) -> Level0Rect {
    Level0Rect { x: 0.0, y: 0.0, width, height }
}

/// One cell per pixel: the field passes through these very values at the pixel centers.
fn pixels(columns: u32, values: &[f32]) -> Heatmap {
    let height = u32::try_from(values.len()).unwrap() / columns;
    heatmap(columns, values.to_vec(), frame(f64::from(columns), f64::from(height)))
}

fn at(threshold: f32) -> BinaryThreshold {
    BinaryThreshold::clamped(threshold)
}

/// A cone of height 1 and base radius `radius` px around the middle of a `side` px frame.
fn cone(side: u32, radius: f64) -> Heatmap {
    let middle = f64::from(side) / 2.0;
    let values = (0..side * side).map(|i| {
        let (x, y) = (f64::from(i % side) + 0.5 - middle, f64::from(i / side) + 0.5 - middle);
        (1.0 - x.hypot(y) / radius).max(0.0) as f32
    });
    pixels(side, &values.collect::<Vec<f32>>())
}

/// `splitmix64`, enough for test fields and the same on every machine.
struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn field(&mut self, cells: u32, frame: Level0Rect) -> Heatmap {
        heatmap(cells, (0..cells * cells).map(|_| self.unit()).collect(), frame)
    }
}

fn total_area(polygons: &[Polygon]) -> f64 {
    polygons.iter().map(Polygon::area_level0_px).sum()
}

fn rings(polygons: &[Polygon]) -> Vec<&Ring> {
    polygons.iter().flat_map(|it| std::iter::once(&it.outer).chain(&it.holes)).collect()
}

fn segments(ring: &Ring) -> Vec<(Level0Px, Level0Px)> {
    let next = ring.iter().cycle().skip(1);
    ring.iter().copied().zip(next.copied()).collect()
}

/// Whether two segments share a point, their ends included.
fn meet((a, b): (Level0Px, Level0Px), (c, d): (Level0Px, Level0Px)) -> bool {
    let turn = |p: Level0Px, q: Level0Px, r: Level0Px| {
        (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x)
    };
    let within = |p: Level0Px, q: Level0Px, r: Level0Px| {
        p.x.min(q.x) <= r.x && r.x <= p.x.max(q.x) && p.y.min(q.y) <= r.y && r.y <= p.y.max(q.y)
    };
    let (abc, abd, cda, cdb) = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b));
    (abc * abd < 0.0 && cda * cdb < 0.0)
        || (abc == 0.0 && within(a, b, c))
        || (abd == 0.0 && within(a, b, d))
        || (cda == 0.0 && within(c, d, a))
        || (cdb == 0.0 && within(c, d, b))
}

fn assert_simple(polygons: &[Polygon]) {
    let mut all = Vec::new();
    for (index, ring) in rings(polygons).into_iter().enumerate() {
        assert!(3 <= ring.len(), "a ring of {} points", ring.len());
        let n = ring.len();
        all.extend(segments(ring).into_iter().enumerate().map(|(i, it)| (index, i, n, it)));
    }
    for (k, &(ring, i, n, first)) in all.iter().enumerate() {
        for &(other, j, _, second) in &all[k + 1..] {
            let are_neighbors = ring == other && (j == i + 1 || (i == 0 && j == n - 1));
            assert!(are_neighbors || !meet(first, second), "{first:?} meets {second:?}");
        }
    }
}

#[test]
fn a_disc_has_the_area_of_its_mask_at_every_threshold() {
    let disc = cone(400, 190.0);
    for step in 1..40_u8 {
        let threshold = at(f32::from(step) / 42.0);
        let polygons = trace(&disc, threshold);
        let mask = BinaryMask::cut(&disc, threshold).area_level0_px();
        assert_eq!((polygons.len(), polygons[0].holes.len()), (1, 0));
        let error = (total_area(&polygons) - mask).abs();
        assert!(error <= (0.005 * mask).max(2.0), "t {threshold:?}: {error} of {mask}");
    }
}

#[test]
fn an_outline_follows_the_field_to_a_part_of_a_pixel() {
    let polygons = trace(&cone(400, 190.0), at(0.5));
    for point in &polygons[0].outer {
        let radius = (point.x - 200.0).hypot(point.y - 200.0);
        assert!((radius - 95.0).abs() < 0.02, "{radius}");
    }
}

#[test]
fn a_ring_of_foreground_is_one_polygon_with_one_hole() {
    let side = 300_u32;
    let ring = cone(side, 150.0);
    let folded = ring.values().iter().map(|v| 1.0 - (2.0 * v - 1.0).abs()).collect::<Vec<_>>();
    let polygons = trace(&pixels(side, &folded), at(0.5));
    assert_eq!(polygons.len(), 1);
    assert_eq!(polygons[0].holes.len(), 1);
    let expected = std::f64::consts::PI * (112.5_f64.powi(2) - 37.5_f64.powi(2));
    assert!((total_area(&polygons) / expected - 1.0).abs() < 0.002);
    assert!(signed_area(&polygons[0].outer) > 0.0 && signed_area(&polygons[0].holes[0]) < 0.0);
}

#[test]
fn two_holes_and_an_island_in_one_of_them_find_their_lesions() {
    let drawing = [
        "#########", //
        "#...#...#", //
        "#.#.#...#", //
        "#...#...#", //
        "#########",
    ];
    let values: Vec<f32> =
        drawing.concat().chars().map(|c| if c == '#' { 1.0 } else { 0.0 }).collect();
    let found = lesions(&pixels(9, &values), at(0.5), 0.0);
    let shape: Vec<(usize, f64)> =
        found.iter().map(|it| (it.outline.holes.len(), it.area_level0_px)).collect();
    assert_eq!(shape, [(2, 27.0), (0, 1.0)]);
    assert_simple(&found.into_iter().map(|it| it.outline).collect::<Vec<_>>());
}

#[test]
fn a_lesion_at_an_edge_is_closed_exactly_along_the_frame() {
    let frame = Level0Rect { x: 1000.0, y: 500.0, width: 90.0, height: 60.0 };
    let half = |values: [f32; 4]| trace(&heatmap(2, values.to_vec(), frame), at(0.5));
    let bounds = |polygons: &[Polygon]| {
        let ring = &polygons[0].outer;
        let fold = |of: fn(&Level0Px) -> f64, pick: fn(f64, f64) -> f64| {
            ring.iter().map(of).reduce(pick).unwrap()
        };
        let (x, y) = (|it: &Level0Px| it.x, |it: &Level0Px| it.y);
        [fold(x, f64::min), fold(y, f64::min), fold(x, f64::max), fold(y, f64::max)]
    };
    let to_thousandths = |bounds: [f64; 4]| bounds.map(|it| (it * 1e3).round() / 1e3);
    for (values, expected) in [
        ([1.0, 0.0, 1.0, 0.0], [1000.0, 500.0, 1045.0, 560.0]),
        ([0.0, 1.0, 0.0, 1.0], [1045.0, 500.0, 1090.0, 560.0]),
        ([1.0, 1.0, 0.0, 0.0], [1000.0, 500.0, 1090.0, 530.0]),
        ([0.0, 0.0, 1.0, 1.0], [1000.0, 530.0, 1090.0, 560.0]),
    ] {
        assert_eq!(to_thousandths(bounds(&half(values))), expected);
    }
    let corner = half([1.0, 0.0, 0.0, 0.0]);
    assert_eq!(corner[0].outer[0], Level0Px { x: 1000.0, y: 500.0 });
    assert_simple(&corner);
}

#[test]
fn a_frame_full_of_foreground_is_a_rectangle() {
    let frame = Level0Rect { x: 10.0, y: 20.0, width: 700.0, height: 300.0 };
    let polygons = trace(&heatmap(1, vec![0.7], frame), at(0.5));
    let corners = [(10.0, 20.0), (710.0, 20.0), (710.0, 320.0), (10.0, 320.0)];
    let outer = corners.map(|(x, y)| Level0Px { x, y }).to_vec();
    assert_eq!(polygons, [Polygon { outer, holes: Vec::new() }]);
}

#[test]
fn nothing_above_t_has_no_outline() {
    let flat = heatmap(1, vec![0.5], frame(50.0, 50.0));
    assert_eq!(trace(&flat, at(0.5)), []);
    assert_eq!(trace(&flat, at(1.0)), []);
    assert_eq!(trace(&heatmap(1, vec![0.0], frame(50.0, 50.0)), at(0.0)), []);
}

#[test]
fn pixels_that_touch_at_a_corner_stay_apart() {
    let diagonal = pixels(4, &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let polygons = trace(&diagonal, at(0.2));
    assert_eq!(polygons.len(), 2);
    assert_simple(&polygons);
    let mut values = [1.0; 16];
    (values[5], values[10]) = (0.0, 0.0);
    let ring = trace(&pixels(4, &values), at(0.2));
    assert_eq!((ring.len(), ring[0].holes.len()), (1, 1));
    assert_simple(&ring);
}

#[test]
fn values_equal_to_t_leave_simple_rings() {
    let t = 0.5;
    let values = [
        1.0, t, 1.0, t, 1.0, //
        t, 1.0, t, 1.0, t, //
        1.0, t, 1.0, 1.0, 1.0, //
        1.0, 1.0, 1.0, t, 1.0, //
        t, t, 1.0, 1.0, 1.0,
    ];
    let board = pixels(5, &values);
    let found = lesions(&board, at(t), 0.0);
    let area: f64 = found.iter().map(|it| it.area_level0_px).sum();
    assert_eq!(area, 16.0);
    assert_simple(&found.into_iter().map(|it| it.outline).collect::<Vec<_>>());
}

#[test]
fn lesions_share_out_the_mask_and_know_their_values() {
    let field = Noise(7).field(9, frame(90.0, 120.0));
    let mask = BinaryMask::cut(&field, at(0.6));
    let found = lesions(&field, at(0.6), 0.0);
    let area: f64 = found.iter().map(|it| it.area_level0_px).sum();
    assert_eq!(area, mask.area_level0_px());
    let strongest = found.iter().map(|it| it.max).fold(0.0, f32::max);
    let highest = field.resampled(mask.size()).into_iter().fold(0.0, f32::max);
    assert_eq!(strongest, highest);
    assert!(found.iter().all(|it| 0.6 < it.mean && it.mean <= f64::from(it.max)));
}

#[test]
fn small_lesions_are_left_out_on_request() {
    let field = Noise(3).field(12, frame(120.0, 120.0));
    let all = lesions(&field, at(0.7), 0.0);
    let large = lesions(&field, at(0.7), 60.0);
    let expected: Vec<_> = all.into_iter().filter(|it| 60.0 <= it.area_level0_px).collect();
    assert!(!expected.is_empty());
    assert_eq!(large, expected);
}

#[test]
fn random_fields_keep_the_area_of_their_mask() {
    let mut noise = Noise(1);
    for _ in 0..200 {
        let side = 400.0 + 300.0 * f64::from(noise.unit());
        let cells = 3 + (noise.unit() * 8.0) as u32;
        let field = noise.field(cells, frame(side, side * 0.8));
        let threshold = at(noise.unit() * 0.65 + 0.05);
        let polygons = trace(&field, threshold);
        let mask = BinaryMask::cut(&field, threshold).area_level0_px();
        let error = (total_area(&polygons) - mask).abs();
        assert!(error <= (0.005 * mask).max(2.0), "t {threshold:?}: {error} of {mask}");
    }
}

#[test]
fn no_ring_of_a_random_field_meets_itself_or_another() {
    let mut noise = Noise(2);
    for round in 0..300_u16 {
        let side = 6.0 + 30.0 * f64::from(noise.unit());
        let cells = 2 + u32::from(round % 30);
        let field = noise.field(cells, frame(side, side));
        let coarse: Vec<f32> = field.values().iter().map(|v| (v * 4.0).round() / 4.0).collect();
        let steps = heatmap(cells, coarse, field.frame());
        assert_simple(&trace(&field, at(0.5)));
        assert_simple(&trace(&steps, at(0.5)));
    }
}

#[test]
fn no_point_leaves_the_frame_or_is_visited_twice() {
    let mut noise = Noise(5);
    for _ in 0..50 {
        let field = noise.field(14, frame(40.0, 33.0));
        let polygons = trace(&field, at(0.5));
        let points: Vec<&Level0Px> = rings(&polygons).into_iter().flatten().collect();
        assert!(points.iter().all(|p| (0.0..=40.0).contains(&p.x) && (0.0..=33.0).contains(&p.y)));
        let distinct: BTreeSet<(u64, u64)> =
            points.iter().map(|p| (p.x.to_bits(), p.y.to_bits())).collect();
        assert_eq!(distinct.len(), points.len());
    }
}
