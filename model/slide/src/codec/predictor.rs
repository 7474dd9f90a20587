//! TIFF predictor 2: each sample is stored as its difference from the one left of it.

/// Undoes the differences of 8-bit rows of `row` samples, `n_samples` interleaved.
pub(crate) fn undo_8_bit(samples: &mut [u8], row: usize, n_samples: usize) {
    for row in samples.chunks_exact_mut(row.max(1)) {
        undo_row(row, n_samples, u8::wrapping_add);
    }
}

/// As [`undo_8_bit`] for 16-bit samples in the machine's byte order.
pub(crate) fn undo_16_bit(samples: &mut [u16], row: usize, n_samples: usize) {
    for row in samples.chunks_exact_mut(row.max(1)) {
        undo_row(row, n_samples, u16::wrapping_add);
    }
}

fn undo_row<T: Copy>(row: &mut [T], n_samples: usize, add: impl Fn(T, T) -> T) {
    let Some((first, rest)) = row.split_at_mut_checked(n_samples) else { return };
    let mut left: Vec<T> = first.to_vec();
    for pixel in rest.chunks_exact_mut(n_samples.max(1)) {
        for (sample, left) in pixel.iter_mut().zip(&mut left) {
            *sample = add(*sample, *left);
            *left = *sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_add_up_per_sample_and_start_anew_each_row() {
        let mut samples = [10, 20, 30, 1, 2, 3, 255, 0, 1, 5, 5, 5, 1, 1, 1, 1, 1, 1];
        undo_8_bit(&mut samples, 9, 3);
        assert_eq!(samples, [10, 20, 30, 11, 22, 33, 10, 22, 34, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
    }

    #[test]
    fn wide_samples_wrap() {
        let mut samples = [65_000, 1_000, 1];
        undo_16_bit(&mut samples, 3, 1);
        assert_eq!(samples, [65_000, 464, 465]);
    }
}
