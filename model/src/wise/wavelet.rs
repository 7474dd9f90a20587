//! Discrete wavelet transform in one step, as signal processing has it: filters of any length on signals that are mirrored at their
//! ends (MODELS 10.1; the numbers of `pywt.dwt2(mode="symmetric")`).

use serde::{Deserialize, Serialize};

use crate::nn::real::Real;

/// Which filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wavelet {
    /// Two taps: sums and differences of neighbours.
    Haar,
    /// Daubechies' with four vanishing moments.
    Db4,
}

impl Wavelet {
    /// Low-pass taps; a filter slides reversed.
    fn low(self) -> &'static [f64] {
        const HAAR: [f64; 2] = [std::f64::consts::FRAC_1_SQRT_2; 2];
        const DB4: [f64; 8] = [
            -0.010597401785069032,
            0.0328830116668852,
            0.030841381835560764,
            -0.18703481171909309,
            -0.027983769416859854,
            0.6308807679298589,
            0.7148465705529157,
            0.2303778133088965,
        ];
        match self {
            Self::Haar => &HAAR,
            Self::Db4 => &DB4,
        }
    }

    /// High-pass taps: the low-pass ones from behind, every other one negative.
    fn high(self) -> Vec<f64> {
        let sign = |k: usize| if k.is_multiple_of(2) { -1.0 } else { 1.0 };
        self.low().iter().rev().enumerate().map(|(k, tap)| sign(k) * tap).collect()
    }
}

/// A field of numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field<T> {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) values: Vec<T>,
}

/// What one step makes of a field; sides are `(n + taps - 1) / 2`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bands<T> {
    /// Low along both axes.
    pub(crate) approximation: Field<T>,
    /// High along columns of numbers: horizontal edges.
    pub(crate) horizontal: Field<T>,
    /// High along rows: vertical edges.
    pub(crate) vertical: Field<T>,
    /// High along both.
    pub(crate) diagonal: Field<T>,
}

/// One step of the transform of a field that is not empty.
pub(crate) fn bands<T: Real>(field: &Field<T>, wavelet: Wavelet) -> Bands<T> {
    let taps = |taps: &[f64]| -> Vec<T> { taps.iter().map(|it| T::of(*it)).collect() };
    let (low, high) = (taps(wavelet.low()), taps(&wavelet.high()));
    let smooth = transposed(&along_rows(field, &low));
    let edges = transposed(&along_rows(field, &high));
    let down = |field: &Field<T>, taps: &[T]| transposed(&along_rows(field, taps));
    Bands {
        approximation: down(&smooth, &low),
        horizontal: down(&smooth, &high),
        vertical: down(&edges, &low),
        diagonal: down(&edges, &high),
    }
}

/// `y_i = sum_j taps_j x_(2i + 1 - j)` in every row.
fn along_rows<T: Real>(field: &Field<T>, taps: &[T]) -> Field<T> {
    let before = taps.len() - 1;
    let width = (field.width + before) / 2;
    let mut values = Vec::with_capacity(field.height * width);
    // With as many values before the row and behind it as taps reach.
    let mut whole = vec![T::zero(); 2 * width + before];
    for row in field.values.chunks_exact(field.width) {
        for (k, value) in whole.iter_mut().enumerate() {
            *value = row[mirrored(k, before, field.width)];
        }
        let seen = whole.windows(taps.len()).skip(1).step_by(2).take(width);
        values.extend(seen.map(|seen| -> T {
            seen.iter().rev().zip(taps).map(|(value, tap)| *tap * *value).sum()
        }));
    }
    Field { height: field.height, width, values }
}

/// Index `ahead - behind` of a signal of `n` values that goes on beyond its ends mirrored, the end values twice.
fn mirrored(ahead: usize, behind: usize, n: usize) -> usize {
    let period = 2 * n;
    let at = (ahead + period * (behind / period + 1) - behind) % period;
    if at < n { at } else { period - 1 - at }
}

fn transposed<T: Real>(field: &Field<T>) -> Field<T> {
    let Field { height, width, values } = field;
    let column = |x: usize| (0..*height).map(move |y| values[y * width + x]);
    Field { height: *width, width: *height, values: (0..*width).flat_map(column).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_mirrored_beyond_its_ends() {
        let at = |ahead, behind| mirrored(ahead, behind, 3);
        assert_eq!([at(0, 1), at(0, 3), at(0, 4), at(0, 9)], [0, 2, 2, 2]);
        assert_eq!([at(2, 0), at(3, 0), at(5, 0), at(6, 0)], [2, 2, 0, 0]);
    }

    #[test]
    fn a_flat_field_has_no_edges() {
        for wavelet in [Wavelet::Haar, Wavelet::Db4] {
            let flat = Field { height: 5, width: 6, values: vec![3.0f64; 30] };
            let found = bands(&flat, wavelet);
            for edges in [&found.horizontal, &found.vertical, &found.diagonal] {
                assert!(edges.values.iter().all(|it| it.abs() < 1e-11), "{wavelet:?}");
            }
            assert!(found.approximation.values.iter().all(|it| (it - 6.0).abs() < 1e-11));
        }
    }

    #[test]
    fn stripes_along_rows_are_horizontal_edges() {
        let values = (0..64).map(|at| f64::from(u8::from(at / 8 % 2 == 0))).collect();
        let found = bands(&Field { height: 8, width: 8, values }, Wavelet::Haar);
        assert!(found.horizontal.values.iter().all(|it| it.abs() > 0.9));
        assert!(found.vertical.values.iter().all(|it| it.abs() < 1e-12));
    }
}
