//! Fewer corners for the same line, after Douglas and Peucker.

use domain::contour::Ring;
use domain::coords::Level0Px;

/// Drops corners of a closed ring; every one dropped lay within `tolerance_px` of what is kept. May cross
/// itself where the ring before nearly touched itself.
pub fn simplified_ring(ring: &[Level0Px], tolerance_px: f64) -> Ring {
    let Some(&start) = ring.first() else { return Ring::new() };
    let distance = |point: &Level0Px| (point.x - start.x).hypot(point.y - start.y);
    let farthest = (0..ring.len()).max_by(|a, b| {
        let at = |index: &usize| ring.get(*index).map_or(0.0, distance);
        at(a).total_cmp(&at(b))
    });
    // Two corners that are kept part the ring into two lines.
    let (there, back) = ring.split_at(farthest.unwrap_or(0));
    let mut first: Ring = there.to_vec();
    first.extend(back.first());
    let mut second: Ring = back.to_vec();
    second.push(start);
    let mut kept = simplified_line(&first, tolerance_px);
    kept.pop();
    kept.extend(simplified_line(&second, tolerance_px));
    kept.pop();
    if kept.len() < 3 { ring.to_vec() } else { kept }
}

/// Drops points of a line, never its ends; every one dropped lay within `tolerance_px` of what is kept.
pub fn simplified_line(line: &[Level0Px], tolerance_px: f64) -> Ring {
    if line.len() < 3 || tolerance_px <= 0.0 {
        return line.to_vec();
    }
    let mut is_kept = vec![false; line.len()];
    let mut runs = vec![(0, line.len() - 1)];
    while let Some((first, last)) = runs.pop() {
        for end in [first, last] {
            if let Some(flag) = is_kept.get_mut(end) {
                *flag = true;
            }
        }
        if let Some(corner) = farthest_corner(line, first, last, tolerance_px) {
            runs.extend([(first, corner), (corner, last)]);
        }
    }
    line.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(point, _)| *point).collect()
}

/// The point between two others that lies farthest from the line between them, if too far.
fn farthest_corner(line: &[Level0Px], first: usize, last: usize, tolerance: f64) -> Option<usize> {
    let (&a, &b) = (line.get(first)?, line.get(last)?);
    let between = line.get(first + 1..last)?;
    let distances = between.iter().map(|point| distance_to(*point, a, b));
    let (index, distance) = distances.enumerate().max_by(|x, y| x.1.total_cmp(&y.1))?;
    (tolerance < distance).then_some(first + 1 + index)
}

/// From a point to the nearest of the points between two others.
pub(super) fn distance_to(point: Level0Px, a: Level0Px, b: Level0Px) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let squared = dx * dx + dy * dy;
    let along = if 0.0 < squared {
        (((point.x - a.x) * dx + (point.y - a.y) * dy) / squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (point.x - a.x - along * dx).hypot(point.y - a.y - along * dy)
}
