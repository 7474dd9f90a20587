//! TIFF's predictors: samples stored as differences from the one to their left, so that they compress better.

use crate::tiff_file::ByteOrder;

/// The tag `Predictor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Predictor {
    /// Samples as they are.
    None,
    /// Differences of whole samples (2).
    Difference,
    /// Differences of bytes, most significant bytes of a row first (3).
    FloatingPoint,
}

/// Undoes the differences of rows of `row` samples of `n_bytes` each, `n_samples` interleaved.
pub(crate) fn undo(
    samples: &mut [u8],
    row: usize,
    n_samples: usize,
    n_bytes: usize,
    order: ByteOrder,
) {
    for row in samples.chunks_exact_mut((row * n_bytes).max(1)) {
        match n_bytes {
            1 => undo_bytes(row, n_samples),
            _ => undo_wide(row, n_samples, n_bytes, order),
        }
    }
}

/// Undoes predictor 3: afterwards the samples stand in big-endian order, whatever the file's.
pub(crate) fn undo_floating_point(
    samples: &mut [u8],
    row: usize,
    n_samples: usize,
    n_bytes: usize,
) {
    for row_bytes in samples.chunks_exact_mut((row * n_bytes).max(1)) {
        undo_bytes(row_bytes, n_samples);
        let planes = row_bytes.to_vec();
        for (index, byte) in row_bytes.iter_mut().enumerate() {
            let (sample, significance) = (index / n_bytes, index % n_bytes);
            *byte = planes.get(significance * row + sample).copied().unwrap_or(0);
        }
    }
}

fn undo_bytes(row: &mut [u8], n_samples: usize) {
    let Some((first, rest)) = row.split_at_mut_checked(n_samples) else { return };
    let mut left = first.to_vec();
    for pixel in rest.chunks_exact_mut(n_samples.max(1)) {
        for (sample, left) in pixel.iter_mut().zip(&mut left) {
            *sample = sample.wrapping_add(*left);
            *left = *sample;
        }
    }
}

fn undo_wide(row: &mut [u8], n_samples: usize, n_bytes: usize, order: ByteOrder) {
    let mut left = vec![0_u64; n_samples.max(1)];
    for pixel in row.chunks_exact_mut((n_samples * n_bytes).max(1)) {
        for (sample, left) in pixel.chunks_exact_mut(n_bytes).zip(&mut left) {
            *left = left.wrapping_add(order.unsigned(sample).unwrap_or(0));
            let bytes = left.to_le_bytes();
            match order {
                ByteOrder::Little => sample.iter_mut().zip(bytes).for_each(assign),
                ByteOrder::Big => sample.iter_mut().rev().zip(bytes).for_each(assign),
            }
        }
    }
}

fn assign((to, byte): (&mut u8, u8)) {
    *to = byte;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_add_up_per_sample_and_start_anew_each_row() {
        let mut samples = [10, 20, 30, 1, 2, 3, 255, 0, 1, 5, 5, 5, 1, 1, 1, 1, 1, 1];
        undo(&mut samples, 9, 3, 1, ByteOrder::Little);
        assert_eq!(samples, [10, 20, 30, 11, 22, 33, 10, 22, 34, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
    }

    #[test]
    fn wide_samples_wrap_in_either_byte_order() {
        let numbers = [65_000_u16, 1_000, 1];
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let bytes = |it: &u16| match order {
                ByteOrder::Little => it.to_le_bytes(),
                ByteOrder::Big => it.to_be_bytes(),
            };
            let mut samples: Vec<u8> = numbers.iter().flat_map(bytes).collect();
            undo(&mut samples, 3, 1, 2, order);
            let undone: Vec<_> = samples.chunks_exact(2).map(|it| order.u16(it).unwrap()).collect();
            assert_eq!(undone, [65_000, 464, 465]);
        }
    }

    #[test]
    fn floating_point_rows_are_put_together_from_their_byte_planes() {
        let floats = [1.5_f32, -2.25, 1000.0];
        let planes: Vec<u8> =
            (0..4).flat_map(|plane| floats.map(|it| it.to_be_bytes()[plane])).collect();
        let mut stored = planes.clone();
        for at in (1..stored.len()).rev() {
            stored[at] = planes[at].wrapping_sub(planes[at - 1]);
        }
        undo_floating_point(&mut stored, 3, 1, 4);
        let undone: Vec<f32> =
            stored.as_chunks().0.iter().map(|&bytes| f32::from_be_bytes(bytes)).collect();
        assert_eq!(undone, floats);
    }
}
