//! The samples of one component, of the part of the picture that is wanted.

use domain::coords::PixelSize;

use super::frame::{Component, Frame};
use super::scan::{Scale, Units};
use crate::buffer;
use crate::number::to_usize;

/// A rectangle of samples, whole blocks.
#[derive(Debug)]
pub(super) struct Plane {
    samples: Vec<u8>,
    /// Where it begins in the component, in blocks.
    column: usize,
    row: usize,
    /// Samples of a row.
    stride: usize,
    /// Samples along a side of a block.
    side: usize,
    /// Samples of the component that belong to the picture; what is beyond fills up the last blocks.
    width: usize,
    height: usize,
}

impl Plane {
    /// For those units of a component that are wanted.
    pub(super) fn new(
        frame: &Frame<'_>,
        component: &Component,
        wanted: &Units,
        scale: Scale,
    ) -> Self {
        let (across, down) = frame.unit();
        let PixelSize { width, height } = frame.size;
        let side = scale.block_side();
        let stride = wanted.columns.len() * component.across * side;
        let length =
            |pixels: u32, n: usize, of: usize| (to_usize(pixels) * n * side).div_ceil(of * 8);
        Self {
            samples: buffer::take(stride * wanted.rows.len() * component.down * side),
            column: wanted.columns.start * component.across,
            row: wanted.rows.start * component.down,
            stride,
            side,
            width: length(width, component.across, across),
            height: length(height, component.down, down),
        }
    }

    /// Writes a block at `place`, which is counted in blocks of the component.
    #[inline(always)]
    pub(super) fn put<const N: usize>(
        &mut self,
        (column, row): (usize, usize),
        block: [[u8; N]; N],
    ) -> Option<()> {
        let start = (row - self.row) * N * self.stride + (column - self.column) * N;
        let target = self.samples.get_mut(start..start + (N - 1) * self.stride + N)?;
        for (to, from) in target.chunks_mut(self.stride).zip(block) {
            *to.first_chunk_mut()? = from;
        }
        Some(())
    }

    /// Row `y` of the component, or the nearest that it has, from sample `x` on.
    pub(super) fn row(&self, y: usize, x: usize) -> &[u8] {
        let start = (y.min(self.height - 1) - self.row * self.side) * self.stride;
        let end = start + self.stride.min(self.width - self.column * self.side);
        self.samples.get(start + x - self.column * self.side..end).unwrap_or_default()
    }

    /// Keeps its memory for another.
    pub(super) fn recycle(self) {
        buffer::give(self.samples);
    }
}
