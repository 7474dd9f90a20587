//! The samples of one component, of the part of the picture that is wanted.

use domain::coords::PixelSize;

use super::frame::{Component, Frame};
use super::scan::Units;
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
    /// Samples of the component that belong to the picture; what is beyond fills up the last blocks.
    width: usize,
    height: usize,
}

impl Plane {
    /// For those units of a component that are wanted.
    pub(super) fn new(frame: &Frame<'_>, component: &Component, wanted: &Units) -> Self {
        let (across, down) = frame.unit();
        let PixelSize { width, height } = frame.size;
        let stride = wanted.columns.len() * component.across * 8;
        Self {
            samples: buffer::take(stride * wanted.rows.len() * component.down * 8),
            column: wanted.columns.start * component.across,
            row: wanted.rows.start * component.down,
            stride,
            width: (to_usize(width) * component.across).div_ceil(across),
            height: (to_usize(height) * component.down).div_ceil(down),
        }
    }

    /// Writes a block at `place`, which is counted in blocks of the component.
    #[inline(always)]
    pub(super) fn put(&mut self, (column, row): (usize, usize), block: [[u8; 8]; 8]) -> Option<()> {
        let start = (row - self.row) * 8 * self.stride + (column - self.column) * 8;
        let target = self.samples.get_mut(start..start + 7 * self.stride + 8)?;
        for (to, from) in target.chunks_mut(self.stride).zip(block) {
            *to.first_chunk_mut()? = from;
        }
        Some(())
    }

    /// Row `y` of the component, or the nearest that it has, from sample `x` on.
    pub(super) fn row(&self, y: usize, x: usize) -> &[u8] {
        let start = (y.min(self.height - 1) - self.row * 8) * self.stride;
        let end = start + self.stride.min(self.width - self.column * 8);
        self.samples.get(start + x - self.column * 8..end).unwrap_or_default()
    }

    /// Keeps its memory for another.
    pub(super) fn recycle(self) {
        buffer::give(self.samples);
    }
}
