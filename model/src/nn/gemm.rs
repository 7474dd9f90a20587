//! Dense f32 matrix products on slices.
//!
//! The only module of the workspace with unsafe code: `gemm`, which picks AVX-512, AVX2, NEON or plain
//! code at run time, takes raw pointers. Here they come from slices whose lengths are checked.
#![expect(
    unsafe_code,
    reason = "`gemm::gemm` takes raw pointers; this is their only, checked door"
)]

use gemm::Parallelism;

/// A dense matrix that is only read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
}

impl<'a> Matrix<'a> {
    /// `[rows, columns]`, row-major.
    ///
    /// # Panics
    /// If `values` holds another number of values.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a dense {rows} x {columns} matrix");
        Self { values, rows, columns, row_stride: columns.cast_signed(), column_stride: 1 }
    }
}

/// What happens to the values that the target already holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `target = a b`.
    Overwrite,
    /// `target = target + a b`.
    Accumulate,
}

/// `a b` into `target`, row-major `[a.rows, b.columns]`, on the calling thread.
///
/// # Panics
/// If the inner sizes differ, or `target` has another size than the product.
pub(crate) fn multiply(target: &mut [f32], mode: Target, a: Matrix<'_>, b: Matrix<'_>) {
    let (rows, columns, inner) = (a.rows, b.columns, a.columns);
    assert_eq!(inner, b.rows, "the inner sizes of a product");
    assert_eq!(target.len(), rows * columns, "a dense {rows} x {columns} target");
    let keep = mode == Target::Accumulate;
    // SAFETY: each of the three slices holds exactly rows * columns values of its matrix, and every
    // pair of strides addresses each of them once, so all accesses stay inside; `target` is borrowed
    // mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.as_mut_ptr(),
            1,
            columns.cast_signed(),
            keep,
            a.values.as_ptr(),
            a.column_stride,
            a.row_stride,
            b.values.as_ptr(),
            b.column_stride,
            b.row_stride,
            if keep { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, so that every sum is exact.
    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * step) % 13) as f32 - 6.0).collect()
    }

    fn by_hand(a: &[f32], b: &[f32], rows: usize, inner: usize, columns: usize) -> Vec<f32> {
        let cell = |at: usize| {
            let (row, column) = (at / columns, at % columns);
            (0..inner).map(|k| a[row * inner + k] * b[k * columns + column]).sum()
        };
        (0..rows * columns).map(cell).collect()
    }

    #[test]
    fn every_shape_gives_the_product_by_hand() {
        for (rows, inner, columns) in [(1, 1, 1), (1, 7, 5), (3, 147, 64), (65, 33, 17), (40, 0, 3)]
        {
            let (a, b) = (numbers(rows * inner, 7), numbers(inner * columns, 5));
            let mut product = vec![f32::NAN; rows * columns];
            let (left, right) = (Matrix::new(&a, rows, inner), Matrix::new(&b, inner, columns));
            multiply(&mut product, Target::Overwrite, left, right);
            assert_eq!(product, by_hand(&a, &b, rows, inner, columns), "{rows} {inner} {columns}");
        }
    }

    #[test]
    fn accumulating_adds_to_what_is_there() {
        let (a, b) = (numbers(6, 3), numbers(6, 5));
        let mut sum = vec![100.0; 4];
        multiply(&mut sum, Target::Accumulate, Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2));
        let expected: Vec<f32> = by_hand(&a, &b, 2, 3, 2).iter().map(|it| it + 100.0).collect();
        assert_eq!(sum, expected);
    }

    #[test]
    fn a_slice_of_another_length_is_refused() {
        let refused = std::panic::catch_unwind(|| Matrix::new(&[1.0; 5], 2, 3));
        assert!(refused.is_err());
    }
}
