//! The inverse cosine transform of Loeffler, Ligtenberg and Moschytz in whole numbers, as libjpeg's accurate transform
//! computes it: the same numbers to the last bit, since other readers' pixels are what ours are compared with.

const FRACTION_BITS: u32 = 13;
/// Fraction bits that are kept between columns and rows.
const BETWEEN_BITS: u32 = 2;

type Block = [[i32; 8]; 8];

/// One dimension of the transform of `input`'s eight columns, of which only the first `N` numbers are looked at; the
/// results lose their lowest `DROPPED` bits. Wraps on overflow, which no intact stream brings about.
#[inline(always)]
fn inverse<const N: usize, const DROPPED: u32>(input: &Block) -> Block {
    let mut output = [[0; 8]; 8];
    for lane in 0..8 {
        let at = |row: usize| if row < N { input[row][lane] } else { 0 };
        let (even, odd) = (even_part(at), odd_part(at));
        for row in 0..4 {
            let rounded = |sum: i32| sum.wrapping_add(1 << (DROPPED - 1)) >> DROPPED;
            output[row][lane] = rounded(even[row].wrapping_add(odd[row]));
            output[7 - row][lane] = rounded(even[row].wrapping_sub(odd[row]));
        }
    }
    output
}

#[inline(always)]
fn even_part(at: impl Fn(usize) -> i32) -> [i32; 4] {
    let z = at(2).wrapping_add(at(6)).wrapping_mul(4433);
    let outer = z.wrapping_add(at(2).wrapping_mul(6270));
    let inner = z.wrapping_sub(at(6).wrapping_mul(15137));
    let sum = at(0).wrapping_add(at(4)) << FRACTION_BITS;
    let difference = at(0).wrapping_sub(at(4)) << FRACTION_BITS;
    [
        sum.wrapping_add(outer),
        difference.wrapping_add(inner),
        difference.wrapping_sub(inner),
        sum.wrapping_sub(outer),
    ]
}

#[inline(always)]
fn odd_part(at: impl Fn(usize) -> i32) -> [i32; 4] {
    let [i1, i3, i5, i7] = [at(1), at(3), at(5), at(7)];
    let (z1, z2) = (i7.wrapping_add(i1), i5.wrapping_add(i3));
    let (z3, z4) = (i7.wrapping_add(i3), i5.wrapping_add(i1));
    let z5 = z3.wrapping_add(z4).wrapping_mul(9633);
    let (z1, z2) = (z1.wrapping_mul(7373), z2.wrapping_mul(20995));
    let z3 = z5.wrapping_sub(z3.wrapping_mul(16069));
    let z4 = z5.wrapping_sub(z4.wrapping_mul(3196));
    [
        i1.wrapping_mul(12299).wrapping_sub(z1).wrapping_add(z4),
        i3.wrapping_mul(25172).wrapping_sub(z2).wrapping_add(z3),
        i5.wrapping_mul(16819).wrapping_sub(z2).wrapping_add(z4),
        i7.wrapping_mul(2446).wrapping_sub(z1).wrapping_add(z3),
    ]
}

#[inline(always)]
fn transposed(block: &Block) -> Block {
    let mut columns = [[0; 8]; 8];
    for (x, column) in columns.iter_mut().enumerate() {
        for (to, row) in column.iter_mut().zip(block) {
            *to = row[x];
        }
    }
    columns
}

/// The samples of a block of which only the first `N` rows and columns of coefficients are not 0.
#[inline(always)]
pub(super) fn samples<const N: usize>(coefficients: &[i16; 64]) -> [[u8; 8]; 8] {
    const BETWEEN: u32 = FRACTION_BITS - BETWEEN_BITS;
    const END: u32 = FRACTION_BITS + BETWEEN_BITS + 3;
    let mut input = [[0; 8]; 8];
    for (to, &from) in input.as_flattened_mut().iter_mut().zip(coefficients).take(8 * N) {
        *to = from.into();
    }
    let between = transposed(&inverse::<N, BETWEEN>(&input));
    let output = transposed(&inverse::<N, END>(&between));
    let mut samples = [[0; 8]; 8];
    for (to, from) in samples.as_flattened_mut().iter_mut().zip(output.as_flattened()) {
        *to = level(*from);
    }
    samples
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
