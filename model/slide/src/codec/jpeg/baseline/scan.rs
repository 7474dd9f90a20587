//! From bits to planes of samples: every unit up to the last that is wanted is read, and only the wanted ones become samples.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::bits::{Bits, Intervals};
use super::frame::{Component, Frame};
use super::plane::Plane;
use super::transform::{flat_sample, samples};

/// The last coefficient, in the order of the stream, of those that lie within the first four rows and columns.
const LAST_OF_FOUR: u32 = 9;

/// A rectangle of minimum coded units.
#[derive(Clone, Debug)]
pub(super) struct Units {
    pub(super) columns: Range<usize>,
    pub(super) rows: Range<usize>,
}

impl Units {
    fn contains(&self, column: usize, row: usize) -> bool {
        self.columns.contains(&column) && self.rows.contains(&row)
    }
}

/// How large a block comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Whole,
    /// One sample, its mean.
    Eighth,
}

impl Scale {
    /// Samples along a side of a block.
    pub(super) fn block_side(self) -> usize {
        match self {
            Self::Whole => 8,
            Self::Eighth => 1,
        }
    }
}

/// Reads `wanted` of a picture that is `across` x `down` units large into the planes of its components. `None` if the data
/// are not what an intact stream has.
pub(super) fn read(
    frame: &Frame<'_>,
    (across, down): (usize, usize),
    wanted: &Units,
    scale: Scale,
    planes: &mut [Plane],
) -> Option<()> {
    let intervals = Intervals::split(frame.data)?;
    let n_units = across * down;
    let length = if frame.restart_interval == 0 { n_units } else { frame.restart_interval };
    if intervals.count() != n_units.div_ceil(length) {
        return None;
    }
    for (index, bits) in intervals.readers().enumerate() {
        let units = index * length..((index + 1) * length).min(n_units);
        let wanted_here = units.clone().rev().find(|at| wanted.contains(at % across, at / across));
        let Some(last) = wanted_here else { continue };
        let is_whole = last + 1 == units.end;
        let interval =
            Interval { frame, across, wanted, scale, units: units.start..last + 1, bits, planes };
        let n_left = Arch::new().dispatch(interval)?;
        if n_left < 0 || (is_whole && 8 <= n_left) {
            return None;
        }
    }
    Some(())
}

/// What stands between two restart markers, up to the last unit that is wanted.
struct Interval<'a> {
    frame: &'a Frame<'a>,
    across: usize,
    wanted: &'a Units,
    scale: Scale,
    units: Range<usize>,
    bits: Bits<'a>,
    planes: &'a mut [Plane],
}

impl WithSimd for Interval<'_> {
    type Output = Option<i64>;

    /// Answers with the number of bits left over.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> Option<i64> {
        let mut predictions = [0; 3];
        let (mut column, mut row) =
            (self.units.start % self.across, self.units.start / self.across);
        for _ in self.units.clone() {
            let is_wanted = self.wanted.contains(column, row);
            for &(index, x, y) in &self.frame.blocks {
                let component = self.frame.components.get(index)?;
                let prediction = predictions.get_mut(index)?;
                let place = (column * component.across + x, row * component.down + y);
                let plane = self.planes.get_mut(index)?;
                match self.scale {
                    Scale::Whole if is_wanted => {
                        block(&mut self.bits, component, prediction, plane, place)?;
                    }
                    Scale::Whole => drop(skip(&mut self.bits, component, prediction)?),
                    Scale::Eighth => {
                        let dc = skip(&mut self.bits, component, prediction)?;
                        plane.put(place, [[flat_sample(dc)]])?;
                    }
                }
            }
            column += 1;
            if column == self.across {
                (column, row) = (0, row + 1);
                if self.bits.n_left() < 0 {
                    return None;
                }
            }
        }
        Some(self.bits.n_left())
    }
}

/// Reads a block and writes its samples at `place`, in blocks.
#[inline(always)]
fn block(
    bits: &mut Bits<'_>,
    component: &Component,
    prediction: &mut i32,
    plane: &mut Plane,
    place: (usize, usize),
) -> Option<()> {
    let mut coefficients = [0; 64];
    let last = coefficients_of(bits, component, prediction, &mut coefficients)?;
    match last {
        0 => plane.put(place, [[flat_sample(coefficients[0]); 8]; 8]),
        1..=LAST_OF_FOUR => plane.put(place, samples::<4>(&coefficients)),
        _ => plane.put(place, samples::<8>(&coefficients)),
    }
}

/// Reads a block's coefficients; answers with the number of the last one that is not 0.
#[inline(always)]
fn coefficients_of(
    bits: &mut Bits<'_>,
    component: &Component,
    prediction: &mut i32,
    coefficients: &mut [i16; 64],
) -> Option<u32> {
    let steps = &component.steps;
    bits.refill();
    *prediction = prediction.wrapping_add(component.dc.next(bits)?.1);
    coefficients[0] = prediction.wrapping_mul(i32::from(steps[0].size)) as i16;
    let (mut at, mut last) = (0, 0);
    while at < 63 {
        bits.refill();
        let (lead, number) = component.ac.next(bits)?;
        at += lead;
        if number == 0 {
            continue;
        }
        let step = steps.get(at as usize)?;
        coefficients[usize::from(step.place & 63)] =
            number.wrapping_mul(i32::from(step.size)) as i16;
        last = at;
    }
    Some(last)
}

/// Steps over a block; answers with its first coefficient.
#[inline(always)]
fn skip(bits: &mut Bits<'_>, component: &Component, prediction: &mut i32) -> Option<i16> {
    bits.refill();
    *prediction = prediction.wrapping_add(component.dc.next(bits)?.1);
    let mut at = 0;
    while at < 63 {
        bits.refill();
        at = component.ac.skip(bits, at)?;
    }
    Some(prediction.wrapping_mul(i32::from(component.steps[0].size)) as i16)
}
