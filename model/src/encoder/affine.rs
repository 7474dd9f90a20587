//! `y = clamp(x W + b)` for fixed weights: the matrix product under every convolution.
//!
//! The weights are laid out once in panels as wide as a few SIMD registers. A block of [`ROWS`] rows
//! of `x` is multiplied with a panel while all its sums stay in registers; bias, residual and clamp are
//! applied before they are stored. `pulp` picks AVX-512, AVX2, NEON or plain code at run time.

use pulp::{Arch, Simd, WithSimd};

/// Rows of `x` that are multiplied at a time.
const ROWS: usize = 6;
/// Registers that the columns of a panel fill. `ROWS * REGISTERS` sums, a panel row and one value of `x`
/// fit the 16 registers of AVX2.
const REGISTERS: usize = 2;
/// The widest panel: two registers of AVX-512.
const MAX_PANEL: usize = REGISTERS * 16;
/// Panels begin at a multiple of this many values, so that no load straddles two cache lines.
const CACHE_LINE: usize = 16;

/// Fixed weights `[inner, outputs]` and bias `[outputs]`, laid out for this machine.
#[derive(Debug)]
pub(super) struct Affine {
    /// Zeros up to `start`, then `[panel, inner, panel column]`, zeros right of the last output.
    panels: Vec<f32>,
    start: usize,
    /// Zeros right of the last output.
    bias: Vec<f32>,
    inner: usize,
    outputs: usize,
}

/// What becomes of `x W + b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finish {
    /// Add what `y` holds: a residual connection.
    pub(super) adds: bool,
    /// Lower end of the clamp.
    pub(super) low: f32,
    /// Upper end of the clamp.
    pub(super) high: f32,
}

impl Affine {
    /// From row-major `weights` `[inner, outputs]` and `bias` `[outputs]`.
    ///
    /// # Panics
    /// If `weights` does not hold a row for every one of its inputs.
    pub(super) fn new(weights: &[f32], bias: &[f32]) -> Self {
        let (inner, outputs) = (weights.len() / bias.len(), bias.len());
        assert_eq!(weights.len(), inner * outputs, "weights [{inner}, {outputs}]");
        let width = Arch::new().dispatch(PanelWidth);
        let padded = outputs.next_multiple_of(width);
        let mut panels = vec![0.0_f32; inner * padded + CACHE_LINE];
        let start = panels.as_ptr().align_offset(CACHE_LINE * size_of::<f32>()).min(CACHE_LINE);
        for (row, values) in weights.chunks_exact(outputs).enumerate() {
            for (panel, values) in values.chunks(width).enumerate() {
                let at = start + (panel * inner + row) * width;
                panels[at..at + values.len()].copy_from_slice(values);
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(padded, 0.0);
        Self { panels, start, bias, inner, outputs }
    }

    /// Values of `y` per row.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x` `[rows, inner]` into `y` `[rows, outputs]`, both row-major, on the calling thread.
    ///
    /// # Panics
    /// If `x` and `y` do not have the same whole number of rows.
    pub(super) fn apply(&self, x: &[f32], y: &mut [f32], finish: Finish) {
        assert_eq!(x.len() * self.outputs, y.len() * self.inner, "rows of x and of y");
        assert!(y.len().is_multiple_of(self.outputs), "whole rows of y");
        Arch::new().dispatch(Product { affine: self, x, y, finish });
    }
}

/// Columns of a panel on this machine.
struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        REGISTERS * S::F32_LANES
    }
}

struct Product<'a> {
    affine: &'a Affine,
    x: &'a [f32],
    y: &'a mut [f32],
    finish: Finish,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Affine { inner, outputs, .. } = *self.affine;
        let width = REGISTERS * S::F32_LANES;
        let panels = self.affine.panels[self.affine.start..].chunks_exact(inner * width);
        for (index, (panel, bias)) in panels.zip(self.affine.bias.chunks_exact(width)).enumerate() {
            let columns = index * width..outputs.min((index + 1) * width);
            let blocks = self.x.chunks(ROWS * inner).zip(self.y.chunks_mut(ROWS * outputs));
            for (x, y) in blocks {
                let sums = block_product(simd, x, panel, inner);
                for (sums, y) in sums.iter().zip(y.chunks_exact_mut(outputs)) {
                    store(simd, sums, bias, self.finish, &mut y[columns.clone()]);
                }
            }
        }
    }
}

/// Up to [`ROWS`] rows of `x` times one panel. Sums of rows that `x` lacks repeat the last one.
#[inline(always)]
fn block_product<S: Simd>(
    simd: S,
    x: &[f32],
    panel: &[f32],
    inner: usize,
) -> [[S::f32s; REGISTERS]; ROWS] {
    let last = x.len() / inner - 1;
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row.min(last) * inner..][..inner]);
    let weights = &S::as_simd_f32s(panel).0.as_chunks::<REGISTERS>().0[..inner];
    let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    for (at, weights) in weights.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = simd.splat_f32s(row[at]);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = simd.mul_add_f32s(value, *weight, *sum);
            }
        }
    }
    sums
}

/// Finishes one row of sums into `y`, which is narrower than a panel at the right edge.
#[inline(always)]
fn store<S: Simd>(
    simd: S,
    sums: &[S::f32s; REGISTERS],
    bias: &[f32],
    finish: Finish,
    y: &mut [f32],
) {
    if y.len() == bias.len() {
        return store_whole(simd, sums, bias, finish, y);
    }
    let mut whole = [0.0; MAX_PANEL];
    let whole = &mut whole[..bias.len()];
    whole[..y.len()].copy_from_slice(y);
    store_whole(simd, sums, bias, finish, whole);
    y.copy_from_slice(&whole[..y.len()]);
}

#[inline(always)]
fn store_whole<S: Simd>(
    simd: S,
    sums: &[S::f32s; REGISTERS],
    bias: &[f32],
    finish: Finish,
    y: &mut [f32],
) {
    let (low, high) = (simd.splat_f32s(finish.low), simd.splat_f32s(finish.high));
    let targets = S::as_mut_simd_f32s(y).0.iter_mut().zip(S::as_simd_f32s(bias).0);
    for ((target, bias), sum) in targets.zip(sums) {
        let mut value = simd.add_f32s(*sum, *bias);
        if finish.adds {
            value = simd.add_f32s(value, *target);
        }
        *target = simd.min_f32s(simd.max_f32s(value, low), high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Finish = Finish { adds: false, low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// Small whole numbers, so that every sum is exact.
    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * step) % 13) as f32 - 6.0).collect()
    }

    fn by_hand(x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
        let (inner, outputs) = (weights.len() / bias.len(), bias.len());
        let cell = |at: usize| {
            let (row, column) = (at / outputs, at % outputs);
            let sum: f32 =
                (0..inner).map(|k| x[row * inner + k] * weights[k * outputs + column]).sum();
            sum + bias[column]
        };
        (0..x.len() / inner * outputs).map(cell).collect()
    }

    #[test]
    fn every_shape_gives_the_product_by_hand() {
        for (rows, inner, outputs) in
            [(1, 1, 1), (5, 7, 5), (6, 64, 32), (7, 147, 64), (65, 33, 17), (13, 3, 100)]
        {
            let x = numbers(rows * inner, 7);
            let (weights, bias) = (numbers(inner * outputs, 5), numbers(outputs, 3));
            let mut y = vec![f32::NAN; rows * outputs];
            Affine::new(&weights, &bias).apply(&x, &mut y, PLAIN);
            assert_eq!(y, by_hand(&x, &weights, &bias), "{rows} {inner} {outputs}");
        }
    }

    #[test]
    fn finishing_adds_then_clamps() {
        let affine = Affine::new(&[1.0, 10.0, -10.0], &[0.5, 0.5, 0.5]);
        let mut y = [1.0, 2.0, 3.0, -4.0, 100.0, 0.25];
        affine.apply(&[1.0, 0.0], &mut y, Finish { adds: true, low: -1.0, high: 11.0 });
        assert_eq!(y, [2.5, 11.0, -1.0, -1.0, 11.0, 0.75]);
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let affine = Affine::new(&[1.0; 6], &[0.0; 2]);
        let refused = std::panic::catch_unwind(|| affine.apply(&[0.0; 6], &mut [0.0; 6], PLAIN));
        assert!(refused.is_err());
    }
}
