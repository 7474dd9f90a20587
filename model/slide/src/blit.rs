//! Copying a rectangle of pixels into another picture.

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use crate::number::to_usize;
use crate::tile::Part;

/// Copies `part` of `from` so that its first pixel lands at `(x, y)` of `to`, which may lie outside.
pub(crate) fn blit(to: &mut Pixels, from: &Pixels, x: i64, y: i64, part: Part) {
    let (to_size, from_size) = (to.size(), from.size());
    let width = part.size.width.min(from_size.width.saturating_sub(part.x));
    let height = part.size.height.min(from_size.height.saturating_sub(part.y));
    let columns = overlap(x, width, to_size.width);
    let rows = overlap(y, height, to_size.height);
    let to_stride = to_usize(to_size.width) * 4;
    let from_stride = to_usize(from_size.width) * 4;
    if to_stride == 0 || from_stride == 0 {
        return;
    }
    let from_rows = from.rgba().chunks_exact(from_stride).skip(to_usize(part.y) + rows.from);
    let first_column = to_usize(part.x) + columns.from;
    let to_rows = to.rgba_mut().chunks_exact_mut(to_stride).skip(rows.to).take(rows.length);
    for (to_row, from_row) in to_rows.zip(from_rows) {
        let target = to_row.get_mut(columns.to * 4..(columns.to + columns.length) * 4);
        let source = from_row.get(first_column * 4..(first_column + columns.length) * 4);
        if let (Some(target), Some(source)) = (target, source) {
            target.copy_from_slice(source);
        }
    }
}

/// Paints a rectangle at `(x, y)` of `to`, which may lie outside.
pub(crate) fn fill(to: &mut Pixels, x: i64, y: i64, size: PixelSize, color: [u8; 4]) {
    let to_size = to.size();
    let columns = overlap(x, size.width, to_size.width);
    let rows = overlap(y, size.height, to_size.height);
    let stride = to_usize(to_size.width) * 4;
    if stride == 0 {
        return;
    }
    let lines = to.rgba_mut().chunks_exact_mut(stride).skip(rows.to).take(rows.length);
    for line in lines {
        let part = line.get_mut(columns.to * 4..(columns.to + columns.length) * 4);
        for pixel in part.into_iter().flat_map(|part| part.as_chunks_mut().0) {
            *pixel = color;
        }
    }
}

/// One axis of the copy.
struct Overlap {
    from: usize,
    to: usize,
    length: usize,
}

/// `length` pixels placed at `at` on a line of `limit` pixels.
fn overlap(at: i64, length: u32, limit: u32) -> Overlap {
    let first = at.max(0);
    let end = at.saturating_add(i64::from(length)).min(i64::from(limit));
    Overlap {
        from: to_usize(first.saturating_sub(at)),
        to: to_usize(first),
        length: usize::try_from(end.saturating_sub(first)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u32, height: u32) -> Pixels {
        let size = PixelSize { width, height };
        let rgba = (0..width * height).flat_map(|i| [u8::try_from(i).unwrap(); 4]).collect();
        Pixels::new(size, rgba).unwrap()
    }

    fn blitted(x: i64, y: i64) -> Vec<u8> {
        let mut to = Pixels::filled(PixelSize { width: 3, height: 2 }, [99; 4]);
        blit(&mut to, &numbered(2, 2), x, y, Part::top_left(2, 2));
        to.rgba().iter().step_by(4).copied().collect()
    }

    #[test]
    fn a_picture_is_copied_where_it_lies_inside() {
        assert_eq!(blitted(0, 0), [0, 1, 99, 2, 3, 99]);
        assert_eq!(blitted(2, 1), [99, 99, 99, 99, 99, 0]);
        assert_eq!(blitted(-1, -1), [3, 99, 99, 99, 99, 99]);
    }

    #[test]
    fn only_the_part_is_copied() {
        let mut to = Pixels::filled(PixelSize { width: 3, height: 2 }, [99; 4]);
        let part = Part { x: 1, y: 1, size: PixelSize { width: 9, height: 1 } };
        blit(&mut to, &numbered(4, 3), 1, 0, part);
        let values: Vec<u8> = to.rgba().iter().step_by(4).copied().collect();
        assert_eq!(values, [99, 5, 6, 99, 99, 99]);
    }

    #[test]
    fn a_rectangle_is_painted_where_it_lies_inside() {
        let mut to = Pixels::filled(PixelSize { width: 3, height: 2 }, [9; 4]);
        fill(&mut to, 2, -1, PixelSize { width: 5, height: 2 }, [1; 4]);
        let values: Vec<u8> = to.rgba().iter().step_by(4).copied().collect();
        assert_eq!(values, [9, 9, 1, 9, 9, 9]);
    }

    #[test]
    fn a_picture_far_outside_changes_nothing() {
        for (x, y) in [(3, 0), (0, -2), (i64::MAX, i64::MIN)] {
            assert_eq!(blitted(x, y), [99; 6]);
        }
    }
}
