//! From planes to pixels: coarse colour planes are brought to the size of the picture as libjpeg does it, with weights of
//! three and one, and colours are converted with its fixed-point factors, so that pixels equal its own.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::plane::Plane;
use crate::number::to_usize;
use crate::tile::Part;

/// How the planes become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colors {
    Gray,
    Rgb,
    YCbCr,
}

/// Writes the pixels of `part` into `rgba`.
pub(super) fn write(
    planes: &[Plane],
    unit: (usize, usize),
    colors: Colors,
    part: Part,
    rgba: &mut [u8],
) -> Option<()> {
    let first = to_usize(part.x);
    let columns = first..first + to_usize(part.size.width);
    let width = columns.len();
    let mut rows = [Upsampled::new(&columns, unit), Upsampled::new(&columns, unit)];
    for (y, to) in (to_usize(part.y)..).zip(rgba.chunks_exact_mut(width * 4)) {
        let luma = planes.first()?.row(y, first).get(..width)?;
        let row = match (colors, planes) {
            (Colors::Gray, _) => Row { a: luma, b: luma, c: luma, to, is_ycbcr: false },
            (_, [_, b, c]) => {
                let [b_row, c_row] = &mut rows;
                let (b, c) = (b_row.row(b, y)?, c_row.row(c, y)?);
                Row { a: luma, b, c, to, is_ycbcr: colors == Colors::YCbCr }
            }
            _ => return None,
        };
        Arch::new().dispatch(row);
    }
    Some(())
}

/// A row of pixels.
struct Row<'a> {
    a: &'a [u8],
    b: &'a [u8],
    c: &'a [u8],
    to: &'a mut [u8],
    is_ycbcr: bool,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let to = self.to.as_chunks_mut().0.iter_mut();
        let samples = self.a.iter().zip(self.b).zip(self.c);
        if self.is_ycbcr {
            to.zip(samples).for_each(|(to, ((&y, &cb), &cr))| *to = rgba_from_ycbcr(y, cb, cr));
        } else {
            to.zip(samples).for_each(|(to, ((&r, &g), &b))| *to = [r, g, b, 255]);
        }
    }
}

/// Factors of JFIF times 65536.
#[inline(always)]
fn rgba_from_ycbcr(y: u8, cb: u8, cr: u8) -> [u8; 4] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| value.clamp(0, 255) as u32;
    let r = byte(y + ((91881 * cr + 32768) >> 16));
    let g = byte(y + ((-22554 * cb - 46802 * cr + 32768) >> 16));
    let b = byte(y + ((116_130 * cb + 32768) >> 16));
    (r | g << 8 | b << 16 | 255 << 24).to_le_bytes()
}

/// Rows of a colour plane at the size of the picture.
#[derive(Debug)]
struct Upsampled {
    /// Samples of the component under the wanted columns, with one more to either side.
    first: usize,
    /// Of the component, two rows weighed together, with a sample more to either side.
    sums: Vec<i16>,
    row: Vec<u8>,
    /// The first pixel that is wanted, and how many are.
    skipped: usize,
    width: usize,
    unit: (usize, usize),
}

impl Upsampled {
    fn new(columns: &Range<usize>, unit: (usize, usize)) -> Self {
        let first = columns.start / unit.0;
        let n_samples = columns.end.div_ceil(unit.0) - first;
        Self {
            first,
            sums: vec![0; n_samples + 2],
            row: vec![0; n_samples * 2],
            skipped: columns.start - first * unit.0,
            width: columns.len(),
            unit,
        }
    }

    /// Row `y` of the picture.
    fn row<'a>(&'a mut self, plane: &'a Plane, y: usize) -> Option<&'a [u8]> {
        if self.unit == (1, 1) {
            return plane.row(y, self.first).get(..self.width);
        }
        let (near, far) = match self.unit.1 {
            1 => (y, y),
            _ if y.is_multiple_of(2) => (y / 2, (y / 2).saturating_sub(1)),
            _ => (y / 2, y / 2 + 1),
        };
        // A sample to the left where there is one.
        let from = self.first.saturating_sub(1);
        Arch::new().dispatch(Upsampling {
            near: plane.row(near, from),
            far: plane.row(far, from),
            is_at_edge: self.first == 0,
            is_both_ways: self.unit.1 == 2,
            sums: &mut self.sums,
            to: &mut self.row,
        })?;
        self.row.get(self.skipped..self.skipped + self.width)
    }
}

/// One row brought to twice its width.
struct Upsampling<'a> {
    /// Two rows of the component from the sample left of the first one on, or from the first one at the picture's edge.
    near: &'a [u8],
    far: &'a [u8],
    is_at_edge: bool,
    /// The component has half the picture's rows, too.
    is_both_ways: bool,
    sums: &'a mut [i16],
    to: &'a mut [u8],
}

impl WithSimd for Upsampling<'_> {
    type Output = Option<()>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Option<()> {
        let sums = self.sums.get_mut(usize::from(self.is_at_edge)..)?;
        let samples = self.near.iter().zip(self.far);
        let n_samples = sums.len().min(self.near.len());
        if self.is_both_ways {
            sums.iter_mut().zip(samples).for_each(|(to, (&near, &far))| {
                *to = 3 * i16::from(near) + i16::from(far);
            });
        } else {
            sums.iter_mut().zip(samples).for_each(|(to, (&near, _))| *to = near.into());
        }
        // Edges are their own neighbours.
        let last = *sums.get(n_samples.checked_sub(1)?)?;
        sums.get_mut(n_samples..)?.fill(last);
        if self.is_at_edge {
            *self.sums.first_mut()? = *self.sums.get(1)?;
        }
        let left: &[i16] = self.sums;
        let (middle, right) = (left.get(1..)?, left.get(2..)?);
        let pairs = self.to.as_chunks_mut().0.iter_mut();
        let triples = left.iter().zip(middle).zip(right);
        if self.is_both_ways {
            for (to, ((&left, &middle), &right)) in pairs.zip(triples) {
                *to = [((3 * middle + left + 8) >> 4) as u8, ((3 * middle + right + 7) >> 4) as u8];
            }
        } else {
            for (to, ((&left, &middle), &right)) in pairs.zip(triples) {
                *to = [((3 * middle + left + 1) >> 2) as u8, ((3 * middle + right + 2) >> 2) as u8];
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsampled(near: &[u8], far: &[u8], is_both_ways: bool) -> Vec<u8> {
        let mut to = vec![0; near.len() * 2];
        let sums = &mut vec![0; near.len() + 2];
        let kernel = Upsampling { near, far, is_at_edge: true, is_both_ways, sums, to: &mut to };
        Arch::new().dispatch(kernel).unwrap();
        to
    }

    #[test]
    fn near_samples_weigh_three_times_as_much_as_far_ones() {
        assert_eq!(upsampled(&[0, 100, 50], &[0; 3], false), [0, 25, 75, 88, 62, 50]);
        // The lower of two rows a quarter: 25, 100, 38 (times four: 100, 400, 150).
        assert_eq!(upsampled(&[0, 100, 50], &[100, 100, 0], true), [25, 44, 81, 84, 53, 37]);
        assert_eq!(upsampled(&[7], &[7], true), [7, 7]);
    }

    #[test]
    fn colors_are_converted_as_jfif_says() {
        assert_eq!(rgba_from_ycbcr(76, 85, 255), [254, 0, 0, 255]);
        assert_eq!(rgba_from_ycbcr(150, 44, 21), [0, 255, 1, 255]);
        assert_eq!(rgba_from_ycbcr(200, 128, 128), [200, 200, 200, 255]);
    }
}
