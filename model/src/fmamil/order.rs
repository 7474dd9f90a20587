//! The patch grid and the order its tokens are read in (Eqs 7 and 9).
//!
//! Rows: patch `(n, m)` is token `1 + n * columns + m`. Columns: the class token stays first, then
//! column by column. A patch keeps its position encoding in either order.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::{Path, ScanDirection};

/// Rows and columns of a bag's patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Patches along y.
    pub rows: usize,
    /// Patches along x.
    pub columns: usize,
}

impl Grid {
    /// Number of patches, *P*.
    pub fn patches(self) -> usize {
        self.rows * self.columns
    }

    /// Number of tokens with the class token, *L*.
    pub fn tokens(self) -> usize {
        self.patches() + 1
    }

    /// For every place of the column sequence, the token of the row sequence that stands there.
    pub(crate) fn column_order(self) -> Vec<u32> {
        let Self { rows, columns } = self;
        let patches = (0..columns).flat_map(|m| (0..rows).map(move |n| 1 + n * columns + m));
        std::iter::once(0).chain(patches).map(|token| token as u32).collect()
    }
}

/// The column order of one grid and the way back, as indices on a device.
#[derive(Clone, Debug)]
pub(crate) struct ColumnOrder {
    to_columns: Tensor,
    to_rows: Tensor,
    tokens: Arc<[u32]>,
}

impl ColumnOrder {
    pub(crate) fn new(grid: Grid, device: &Device) -> Result<Self> {
        let order = grid.column_order();
        let transposed = Grid { rows: grid.columns, columns: grid.rows };
        Ok(Self {
            to_columns: Tensor::new(order.as_slice(), device)?,
            to_rows: Tensor::new(transposed.column_order(), device)?,
            tokens: order.into(),
        })
    }

    /// Along the columns, leaving every token where it lies.
    pub(super) fn path(&self, direction: ScanDirection) -> Path {
        Path::through(Arc::clone(&self.tokens), direction)
    }

    /// Row sequence `[b, L, ..]` to column sequence.
    pub(crate) fn columns(&self, tokens: &Tensor) -> Result<Tensor> {
        tokens.index_select(&self.to_columns, 1)
    }

    /// Column sequence `[b, L, ..]` to row sequence.
    pub(crate) fn rows(&self, tokens: &Tensor) -> Result<Tensor> {
        tokens.index_select(&self.to_rows, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::storage::to_vec;
    use crate::testing::normal;

    #[test]
    fn columns_are_read_top_to_bottom() {
        let order = Grid { rows: 2, columns: 3 }.column_order();
        assert_eq!(order, [0, 1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn rows_undo_columns() {
        let grid = Grid { rows: 3, columns: 5 };
        let order = ColumnOrder::new(grid, &Device::Cpu).unwrap();
        let x = normal(&[1, grid.tokens(), 1], 1);
        let back = order.rows(&order.columns(&x).unwrap()).unwrap();
        assert_eq!(to_vec::<f64>(&back).unwrap(), to_vec::<f64>(&x).unwrap());
    }
}
