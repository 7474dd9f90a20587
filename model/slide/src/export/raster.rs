//! Outlines to pixels: the pixels whose centers they enclose.

use domain::contour::Polygon;
use domain::coords::{Level0Rect, PixelSize};

use crate::ring;

/// A raster of `size` pixels that fills `frame`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) size: PixelSize,
    pub(super) frame: Level0Rect,
}

/// Neighbouring pixels of a row: columns `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) row: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Grid {
    /// The pixels of an area, row by row from the left; parts that overlap count once.
    pub(super) fn spans(&self, parts: &[Polygon]) -> Vec<Span> {
        let mut spans: Vec<Span> = parts.iter().flat_map(|part| self.spans_of_part(part)).collect();
        spans.sort_unstable();
        spans.dedup_by(|next, last| {
            let is_joined = next.row == last.row && next.start <= last.end;
            if is_joined {
                last.end = last.end.max(next.end);
            }
            is_joined
        });
        spans
    }

    /// Between an odd and the next even crossing of a row of pixel centers is inside.
    fn spans_of_part(&self, part: &Polygon) -> Vec<Span> {
        let mut crossings: Vec<(u32, f64)> = Vec::new();
        for ring in std::iter::once(&part.outer).chain(&part.holes) {
            for (a, b) in ring::sides(ring) {
                let (a, b) = (self.place([a.x, a.y]), self.place([b.x, b.y]));
                let ([ax, ay], [bx, by]) = if a[1] < b[1] { (a, b) } else { (b, a) };
                let across = |row: u32| ax + (f64::from(row) + 0.5 - ay) / (by - ay) * (bx - ax);
                let rows = first_center(ay, self.size.height)..first_center(by, self.size.height);
                crossings.extend(rows.map(|row| (row, across(row))));
            }
        }
        crossings.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let pairs = crossings.chunks_exact(2).filter_map(|pair| match pair {
            [(row, left), (_, right)] => Some((*row, *left, *right)),
            _ => None,
        });
        let column = |x: f64| first_center(x, self.size.width);
        pairs
            .map(|(row, left, right)| Span { row, start: column(left), end: column(right) })
            .filter(|span| span.start < span.end)
            .collect()
    }

    /// A level-0 place in pixels of the raster.
    fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let Level0Rect { x: left, y: top, width, height } = self.frame;
        [
            (x - left) / width * f64::from(self.size.width),
            (y - top) / height * f64::from(self.size.height),
        ]
    }
}

/// The first of `length` pixels whose center is not before `place`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn first_center(place: f64, length: u32) -> u32 {
    ((place - 0.5).ceil() as u32).min(length)
}

/// Number of pixels.
pub(super) fn count(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.end - span.start)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::contour::trace;
    use domain::coords::Level0Px;
    use domain::heatmap::Heatmap;
    use domain::mask::{BinaryMask, BinaryThreshold};

    fn square(left: f64, top: f64, side: f64) -> Polygon {
        let corners = [[0.0, 0.0], [side, 0.0], [side, side], [0.0, side]];
        let outer = corners.map(|[x, y]| Level0Px { x: left + x, y: top + y }).to_vec();
        Polygon { outer, holes: Vec::new() }
    }

    #[test]
    fn traced_lesions_cover_exactly_the_pixels_of_the_mask() {
        let values = (0..63_u16).map(|i| f32::from(i * 37 % 64) / 64.0).collect();
        let frame = Level0Rect { x: 300.0, y: 70.0, width: 333.0, height: 171.0 };
        let heatmap = Heatmap::new(PixelSize { width: 9, height: 7 }, values, frame).unwrap();
        for t in [0.2, 0.5, 0.8] {
            let mask = BinaryMask::cut(&heatmap, BinaryThreshold::clamped(t));
            let grid = Grid { size: mask.size(), frame };
            let spans = grid.spans(&trace(&heatmap, BinaryThreshold::clamped(t)));
            let mut bits = vec![false; mask.bits().len()];
            for Span { row, start, end } in spans {
                for column in start..end {
                    bits[(row * grid.size.width + column) as usize] = true;
                }
            }
            assert_eq!(bits, mask.bits());
        }
    }

    #[test]
    fn parts_that_overlap_and_what_lies_outside_count_once_or_not_at_all() {
        let size = PixelSize { width: 10, height: 10 };
        let grid = Grid { size, frame: Level0Rect::of_size(size) };
        let spans = grid.spans(&[square(0.0, 0.0, 4.0), square(2.0, 0.0, 4.0)]);
        assert_eq!(count(&spans), 24);
        assert_eq!(count(&grid.spans(&[square(-5.0, 8.0, 10.0)])), 10);
    }
}
