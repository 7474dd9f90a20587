//! The inverse cosine transform of Loeffler, Ligtenberg and Moschytz in whole numbers, as libjpeg's accurate transform
//! computes it: the same numbers to the last bit, since other readers' pixels are what ours are compared with.

use std::ops::{Add, Mul, Shl, Sub};

const FRACTION_BITS: u32 = 13;
/// Fraction bits that are kept between columns and rows.
const BETWEEN_BITS: u32 = 2;

/// Eight numbers that are computed alike. Wraps on overflow, which no intact stream brings about.
///
/// Plain loops, since the closures of arrays' own methods stay calls that know nothing of the machine's vectors.
#[derive(Clone, Copy, Debug)]
struct Lanes([i32; 8]);

impl Lanes {
    const ZERO: Self = Self([0; 8]);

    #[inline(always)]
    fn from_row(row: &[i16; 8]) -> Self {
        let mut lanes = Self::ZERO;
        for (lane, &value) in lanes.0.iter_mut().zip(row) {
            *lane = value.into();
        }
        lanes
    }

    /// The numbers without their lowest `n` bits, rounded.
    #[inline(always)]
    fn rounded(mut self, n: u32) -> Self {
        for lane in &mut self.0 {
            *lane = lane.wrapping_add(1 << (n - 1)) >> n;
        }
        self
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (lane, other) in self.0.iter_mut().zip(other.0) {
            *lane = lane.wrapping_add(other);
        }
        self
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for (lane, other) in self.0.iter_mut().zip(other.0) {
            *lane = lane.wrapping_sub(other);
        }
        self
    }
}

impl Mul<i32> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(mut self, factor: i32) -> Self {
        for lane in &mut self.0 {
            *lane = lane.wrapping_mul(factor);
        }
        self
    }
}

impl Shl<u32> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn shl(mut self, n: u32) -> Self {
        for lane in &mut self.0 {
            *lane <<= n;
        }
        self
    }
}

/// One dimension of the transform, over eight columns or rows at once; fraction bits stay in.
#[inline(always)]
fn inverse(input: [Lanes; 8]) -> [Lanes; 8] {
    let [i0, i1, i2, i3, i4, i5, i6, i7] = input;
    // Even inputs.
    let z = (i2 + i6) * 4433;
    let (even2, even3) = (z - i6 * 15137, z + i2 * 6270);
    let (even0, even1) = ((i0 + i4) << FRACTION_BITS, (i0 - i4) << FRACTION_BITS);
    let even = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];
    // Odd inputs.
    let (z1, z2, z3, z4) = (i7 + i1, i5 + i3, i7 + i3, i5 + i1);
    let z5 = (z3 + z4) * 9633;
    let (z1, z2) = (z1 * -7373, z2 * -20995);
    let (z3, z4) = (z5 - z3 * 16069, z5 - z4 * 3196);
    let odd =
        [i1 * 12299 + z1 + z4, i3 * 25172 + z2 + z3, i5 * 16819 + z2 + z4, i7 * 2446 + z1 + z3];
    [
        even[0] + odd[0],
        even[1] + odd[1],
        even[2] + odd[2],
        even[3] + odd[3],
        even[3] - odd[3],
        even[2] - odd[2],
        even[1] - odd[1],
        even[0] - odd[0],
    ]
}

#[inline(always)]
fn transposed(rows: &[Lanes; 8]) -> [Lanes; 8] {
    let mut columns = [Lanes::ZERO; 8];
    for (x, column) in columns.iter_mut().enumerate() {
        for (to, row) in column.0.iter_mut().zip(rows) {
            *to = row.0[x];
        }
    }
    columns
}

/// The samples of a block of which only the first `N` rows and columns of coefficients are not 0.
#[inline(always)]
pub(super) fn samples<const N: usize>(coefficients: &[i16; 64]) -> [[u8; 8]; 8] {
    let mut lanes = [Lanes::ZERO; 8];
    for (lanes, row) in lanes.iter_mut().zip(coefficients.as_chunks().0).take(N) {
        *lanes = Lanes::from_row(row);
    }
    let between = rounded(inverse(lanes), FRACTION_BITS - BETWEEN_BITS);
    let mut lanes = transposed(&between);
    lanes.iter_mut().skip(N).for_each(|it| *it = Lanes::ZERO);
    let output = rounded(inverse(lanes), FRACTION_BITS + BETWEEN_BITS + 3);
    let mut samples = [[0; 8]; 8];
    for (to, from) in samples.iter_mut().zip(transposed(&output)) {
        for (to, from) in to.iter_mut().zip(from.0) {
            *to = level(from);
        }
    }
    samples
}

#[inline(always)]
fn rounded(mut lanes: [Lanes; 8], n: u32) -> [Lanes; 8] {
    for lanes in &mut lanes {
        *lanes = lanes.rounded(n);
    }
    lanes
}

/// The one sample of a block that has no other coefficient than its first.
#[inline(always)]
pub(super) fn flat_sample(dc: i16) -> u8 {
    let between = i32::from(dc) << BETWEEN_BITS;
    level((between + (1 << (BETWEEN_BITS + 2))) >> (BETWEEN_BITS + 3))
}

/// Samples are stored around 0.
#[inline(always)]
fn level(sample: i32) -> u8 {
    sample.wrapping_add(128).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition (T.81, A.3.3).
    fn exact(coefficients: &[i16; 64], x: usize, y: usize) -> f64 {
        let wave = |at: usize, frequency: usize| {
            let scale = if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
            let angle = (2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
            scale * angle.cos()
        };
        let term = |(index, &value): (usize, &i16)| {
            f64::from(value) * wave(x, index % 8) * wave(y, index / 8) / 4.0
        };
        let sum: f64 = coefficients.iter().enumerate().map(term).sum();
        (sum + 128.0).clamp(0.0, 255.0)
    }

    /// Coefficients of the first `n` rows and columns.
    fn block(n: usize, seed: usize) -> [i16; 64] {
        std::array::from_fn(|at| {
            let noise = (at * 7919 + seed * 104_729) % 997;
            if at % 8 < n && at / 8 < n { noise as i16 / (1 + at as i16 / 4) - 60 } else { 0 }
        })
    }

    #[test]
    fn samples_are_the_definitions_give_or_take_one() {
        for seed in 0..50 {
            let block = block(8, seed);
            let samples = samples::<8>(&block);
            for (x, y) in (0..64).map(|at| (at % 8, at / 8)) {
                let exact = exact(&block, x, y);
                assert!((f64::from(samples[y][x]) - exact).abs() <= 1.0, "{x}, {y}: {exact}");
            }
        }
    }

    #[test]
    fn blocks_with_few_coefficients_take_a_short_way_to_the_same_samples() {
        for seed in 0..50 {
            let few = block(4, seed);
            assert_eq!(samples::<4>(&few), samples::<8>(&few));
            let one = block(1, seed);
            assert_eq!([[flat_sample(one[0]); 8]; 8], samples::<8>(&one));
        }
    }

    #[test]
    fn coefficients_that_no_picture_has_do_not_overflow() {
        for value in [i16::MIN, i16::MAX] {
            std::hint::black_box(samples::<8>(&[value; 64]));
            std::hint::black_box(flat_sample(value));
        }
    }
}
