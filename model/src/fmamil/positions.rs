//! Position encodings of the patches (Eq. 8; the class token has none).

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::config::{self, FmamilConfig};
use super::order::Grid;
use crate::nn::interpolate;

/// What is added to the patch tokens.
#[derive(Clone, Debug)]
pub(crate) enum Positions {
    /// `[rows, columns, D]` on the reference grid.
    Learnable(Tensor),
    /// Width and reference grid.
    Sincos(usize, Grid),
    None,
}

impl Positions {
    pub(crate) fn new(config: &FmamilConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let Grid { rows, columns } = config.position_grid;
        Ok(match config.positions {
            config::Positions::Learnable => {
                Self::Learnable(vb.get((rows, columns, config.dim), "pos_embed")?)
            }
            config::Positions::Sincos => Self::Sincos(config.dim, config.position_grid),
            config::Positions::None => Self::None,
        })
    }

    /// Adds the encoding of `grid` to patch tokens `[b, P, D]`.
    pub(crate) fn add(&self, patches: &Tensor, grid: Grid) -> Result<Tensor> {
        match self.table(grid, patches)? {
            Some(table) => patches.broadcast_add(&table),
            None => Ok(patches.clone()),
        }
    }

    /// The encoding of `grid`, `[P, D]`, where tensors like `like` are; `None` if there is none.
    pub(crate) fn table(&self, grid: Grid, like: &Tensor) -> Result<Option<Tensor>> {
        match self {
            Self::Learnable(embed) => resample(embed, grid).map(Some),
            Self::Sincos(dim, reference) => {
                let table = sincos(grid, *reference, *dim, like.device())?;
                table.to_dtype(like.dtype()).map(Some)
            }
            Self::None => Ok(None),
        }
    }
}

/// A learned grid `[rows, columns, D]` on another grid, `[P, D]`: bilinear along each axis.
pub(crate) fn resample(embed: &Tensor, grid: Grid) -> Result<Tensor> {
    let (rows, columns, dim) = embed.dims3()?;
    if (Grid { rows, columns }) == grid {
        return embed.reshape((grid.patches(), dim));
    }
    let matrix =
        |outputs, inputs| interpolate::matrix(outputs, inputs, embed.dtype(), embed.device());
    let along_y = matrix(grid.rows, rows)?
        .matmul(&embed.reshape((rows, columns * dim))?)?
        .reshape((grid.rows, columns, dim))?;
    let along_x = matrix(grid.columns, columns)?.unsqueeze(0)?.broadcast_matmul(&along_y)?;
    along_x.reshape((grid.patches(), dim))
}

/// `[P, D]`: sine and cosine of the column, then of the row, at `D / 4` wavelengths; coordinates scaled to
/// the reference grid, so that every grid spans one range.
pub(crate) fn sincos(grid: Grid, reference: Grid, dim: usize, device: &Device) -> Result<Tensor> {
    let quarter = dim / 4;
    let axis = |count: usize, reference: usize| -> Vec<Vec<f64>> {
        let at = |i: usize| (i as f64 + 0.5) * reference as f64 / count as f64 - 0.5;
        let phases =
            |x: f64| (0..quarter).map(move |j| x * 10_000f64.powf(-(j as f64) / quarter as f64));
        let row = |i| phases(at(i)).map(f64::sin).chain(phases(at(i)).map(f64::cos)).collect();
        (0..count).map(row).collect()
    };
    let (y, x) = (axis(grid.rows, reference.rows), axis(grid.columns, reference.columns));
    let table: Vec<f64> =
        y.iter().flat_map(|y| x.iter().flat_map(move |x| x.iter().chain(y).copied())).collect();
    Tensor::from_vec(table, (grid.patches(), dim), device)
}
