//! Weights laid out for the product: columns in panels as wide as a block's registers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::registers;
use crate::nn::vectors::Vectors;

/// A matrix `[inner, outputs]` as `[panel, inner, panel column]`, zeros right of the last output.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    pub(super) values: Vec<T>,
    /// Added to every sum; zeros right of the last output.
    pub(super) shift: Vec<T>,
    /// Whether negative sums become 0.
    pub(super) rectifies: bool,
    pub(super) inner: usize,
    pub(super) outputs: usize,
    /// Columns per panel.
    pub(super) width: usize,
    /// Registers per panel row.
    pub(super) registers: usize,
}

impl<T: Vectors> Panels<T> {
    /// Takes element `(k, o)` from `weights[first(k) + o * stride]`.
    pub(crate) fn pack(
        weights: &[T],
        (inner, outputs): (usize, usize),
        first: impl Fn(usize) -> usize + Sync,
        stride: usize,
    ) -> Self {
        let (width, registers) = panel_width::<T>(outputs);
        let mut values = vec![T::zero(); outputs.next_multiple_of(width) * inner];
        values.par_chunks_exact_mut(inner * width).enumerate().for_each(|(panel, values)| {
            let columns = width.min(outputs - panel * width);
            for (k, row) in values.chunks_exact_mut(width).enumerate() {
                let source = &weights[first(k) + panel * width * stride..];
                for (value, source) in row[..columns].iter_mut().zip(source.iter().step_by(stride))
                {
                    *value = *source;
                }
            }
        });
        let shift = vec![T::zero(); outputs.next_multiple_of(width)];
        Self { values, shift, rectifies: false, inner, outputs, width, registers }
    }

    /// Values that one output is a sum over.
    pub(crate) fn inner(&self) -> usize {
        self.inner
    }

    /// How many outputs there are.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Adds `shift` to every output.
    pub(crate) fn plus(mut self, shift: &[T]) -> Self {
        self.shift[..shift.len()].copy_from_slice(shift);
        self
    }

    /// Scales every output and adds `shift` to it; with `rectifies`, negative results become 0.
    pub(crate) fn finish(mut self, scale: &[T], shift: &[T], rectifies: bool) -> Self {
        let (inner, width) = (self.inner, self.width);
        let panels = self.values.chunks_exact_mut(inner * width).zip(scale.chunks(width));
        for (panel, scale) in panels {
            for row in panel.chunks_exact_mut(width) {
                row.iter_mut().zip(scale).for_each(|(value, scale)| *value *= *scale);
            }
        }
        self.rectifies = rectifies;
        self.plus(shift)
    }
}

/// Columns of a panel for that many outputs on this machine, and the registers they fill.
pub(super) fn panel_width<T: Vectors>(outputs: usize) -> (usize, usize) {
    let lanes = Arch::new().dispatch(Lanes::<T>(std::marker::PhantomData));
    let registers = registers(outputs, lanes);
    (lanes * registers, registers)
}

struct Lanes<T>(std::marker::PhantomData<T>);

impl<T: Vectors> WithSimd for Lanes<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        T::lanes::<S>()
    }
}
