//! What output pixels see times fixed weights.

use pulp::{Arch, Simd, WithSimd};

use super::{MAX_PANEL, Panels, Walk, with_block};
use crate::nn::vectors::Vectors;

/// Output rows `y`, `y_step` values apart and `[columns, outputs]` each, of one image `x`, on this thread.
///
/// # Panics
/// If `x` or `y` is shorter than `walk` says.
pub(crate) fn forward<T: Vectors>(
    x: &[T],
    walk: Walk,
    panels: &Panels<T>,
    y: &mut [T],
    y_step: usize,
) {
    Arch::new().dispatch(Product { x, walk, panels, y, y_step, adds: false });
}

/// As [`forward`], added to what `y` holds.
///
/// # Panics
/// If `x` or `y` is shorter than `walk` says.
pub(crate) fn forward_onto<T: Vectors>(
    x: &[T],
    walk: Walk,
    panels: &Panels<T>,
    y: &mut [T],
    y_step: usize,
) {
    Arch::new().dispatch(Product { x, walk, panels, y, y_step, adds: true });
}

struct Product<'a, T> {
    x: &'a [T],
    walk: Walk,
    panels: &'a Panels<T>,
    y: &'a mut [T],
    y_step: usize,
    adds: bool,
}

impl<T: Vectors> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_block!(self, simd, self.panels.registers, S);
    }
}

impl<T: Vectors> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const REGISTERS: usize>(mut self, simd: S) {
        let Panels { values, shift, inner, outputs, width, .. } = self.panels;
        let panels = values.chunks_exact(inner * width).zip(shift.chunks_exact(*width));
        for (index, (panel, shift)) in panels.enumerate() {
            let panel = T::view::<S>(panel).as_chunks::<REGISTERS>().0;
            let shift = T::view::<S>(shift).as_chunks::<REGISTERS>().0[0];
            let columns = (index * width, ((index + 1) * width).min(*outputs));
            for row in 0..self.walk.rows {
                self.row::<S, ROWS, REGISTERS>(simd, row, panel, shift, columns);
            }
        }
    }

    /// The output columns `from..to` of one row of pixels.
    #[inline(always)]
    fn row<S: Simd, const ROWS: usize, const REGISTERS: usize>(
        &mut self,
        simd: S,
        row: usize,
        panel: &[[T::Vector<S>; REGISTERS]],
        shift: [T::Vector<S>; REGISTERS],
        (from, to): (usize, usize),
    ) {
        let Panels { rectifies, outputs, .. } = self.panels;
        for first in (0..self.walk.columns).step_by(ROWS) {
            let n = ROWS.min(self.walk.columns - first);
            let seen = &self.x[row * self.walk.row_step + first * self.walk.pixel_step..];
            let sums = [shift; ROWS];
            let sums = block::<T, S, _, _>(simd, seen, self.walk, panel, sums, n);
            let y = &mut self.y[row * self.y_step + first * outputs..][..n * outputs];
            for (sums, y) in sums.iter().zip(y.chunks_exact_mut(*outputs)) {
                let mut sums = *sums;
                if self.adds {
                    sums = plus::<T, S, _>(simd, sums, &y[from..to]);
                }
                store::<T, S, _>(simd, sums, *rectifies, &mut y[from..to]);
            }
        }
    }
}

/// Sums of `n` neighbouring output pixels and one panel; further ones repeat the last.
#[inline(always)]
fn block<T: Vectors, S: Simd, const ROWS: usize, const REGISTERS: usize>(
    simd: S,
    x: &[T],
    walk: Walk,
    panel: &[[T::Vector<S>; REGISTERS]],
    mut sums: [[T::Vector<S>; REGISTERS]; ROWS],
    n: usize,
) -> [[T::Vector<S>; REGISTERS]; ROWS] {
    for (run, weights) in panel.chunks_exact(walk.run_len).enumerate() {
        let x = &x[run * walk.run_step..];
        let rows: [&[T]; ROWS] =
            std::array::from_fn(|row| &x[row.min(n - 1) * walk.pixel_step..][..weights.len()]);
        for (at, weights) in weights.iter().enumerate() {
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let value = T::splat(simd, row[at]);
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = T::fused(simd, value, *weight, *sum);
                }
            }
        }
    }
    sums
}

/// Adds values that may be fewer than the sums.
#[inline(always)]
fn plus<T: Vectors, S: Simd, const REGISTERS: usize>(
    simd: S,
    mut sums: [T::Vector<S>; REGISTERS],
    y: &[T],
) -> [T::Vector<S>; REGISTERS] {
    let mut whole = [T::zero(); MAX_PANEL];
    let y = if y.len() == REGISTERS * T::lanes::<S>() {
        y
    } else {
        whole[..y.len()].copy_from_slice(y);
        &whole
    };
    for (sum, y) in sums.iter_mut().zip(T::view::<S>(y)) {
        *sum = T::plus(simd, *sum, *y);
    }
    sums
}

/// Writes one pixel's sums, negative ones as 0 if asked for; `y` is narrower than the panel at the last outputs.
#[inline(always)]
fn store<T: Vectors, S: Simd, const REGISTERS: usize>(
    simd: S,
    mut sums: [T::Vector<S>; REGISTERS],
    rectifies: bool,
    y: &mut [T],
) {
    if rectifies {
        let zero = T::splat(simd, T::zero());
        sums = sums.map(|sum| T::larger(simd, sum, zero));
    }
    if y.len() == REGISTERS * T::lanes::<S>() {
        T::view_mut::<S>(y).copy_from_slice(&sums);
        return;
    }
    let mut whole = [T::zero(); MAX_PANEL];
    T::view_mut::<S>(&mut whole)[..REGISTERS].copy_from_slice(&sums);
    y.copy_from_slice(&whole[..y.len()]);
}
