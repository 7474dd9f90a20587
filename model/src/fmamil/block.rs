//! The `FMamba` block (Alg. 2, Eqs 13-15): two token orders and a spectrum, gated and summed onto the residual.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::{FmamilConfig, Scans};
use super::frequency::FrequencyBranch;
use super::order::ColumnOrder;
use super::ssm::BidirectionalSsm;
use crate::nn::activation::silu;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::{Linear, project};
use crate::nn::spectrum::Band;

/// As in Vim.
pub(crate) const NORM_EPS: f64 = 1e-5;

/// One block, `[b, L, D]` to `[b, L, D]`.
#[derive(Clone, Debug)]
pub(crate) struct FMambaBlock {
    norm: LayerNorm,
    /// `[2E, D]`: rows of `x`, then rows of `z`.
    in_proj: Tensor,
    rows: BidirectionalSsm,
    /// `None` if columns are not scanned.
    columns: Option<BidirectionalSsm>,
    frequency: Option<FrequencyBranch>,
    out_proj: Linear,
}

impl FMambaBlock {
    pub(crate) fn new(config: &FmamilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let (dim, inner) = (config.dim, config.inner_dim());
        let rows = BidirectionalSsm::new(config, "", &vb)?;
        let columns = match config.scans {
            Scans::Rows => None,
            Scans::RowsAndColumns if config.share_hv => Some(rows.clone()),
            Scans::RowsAndColumns => Some(BidirectionalSsm::new(config, "_v", &vb)?),
        };
        Ok(Self {
            norm: LayerNorm::new(dim, NORM_EPS, vb.pp("norm"))?,
            in_proj: vb.get((2 * inner, dim), "in_proj.weight")?,
            rows,
            columns,
            frequency: FrequencyBranch::new(config, &vb)?,
            out_proj: Linear::without_bias(inner, dim, vb.pp("out_proj"))?,
        })
    }

    /// `order` is that of the bag's grid.
    pub(crate) fn forward(&self, tokens: &Tensor, order: &ColumnOrder) -> Result<Tensor> {
        let (x, z) = self.split(tokens)?;
        let open = silu(&z)?;
        let mut scanned = self.rows.forward(&x)?;
        if let Some(y) = self.scan_columns(&x, order)? {
            scanned = (scanned + y)?;
        }
        let mut sum = (scanned * &open)?; // out_row + out_col
        if let Some(frequency) = &self.frequency {
            sum = (sum + frequency.forward(&x, &z, &open)?)?; // Eq. 15
        }
        self.out_proj.forward(&sum)? + tokens
    }

    /// The scans in row order.
    pub(crate) fn rows(&self) -> &BidirectionalSsm {
        &self.rows
    }

    /// The scans in column order, if there are any.
    pub(crate) fn columns(&self) -> Option<&BidirectionalSsm> {
        self.columns.as_ref()
    }

    /// The same block whose frequency branch leaves out `bands`.
    pub(crate) fn without(&self, bands: &[Band]) -> Self {
        let frequency = self.frequency.as_ref().map(|it| it.without(bands));
        Self { frequency, ..self.clone() }
    }

    /// The frequency branch, if there is one.
    pub(crate) fn frequency(&self) -> Option<&FrequencyBranch> {
        self.frequency.as_ref()
    }

    /// `x` and `z`, both `[b, L, E]` (lines 2-5).
    pub(crate) fn split(&self, tokens: &Tensor) -> Result<(Tensor, Tensor)> {
        let normed = self.norm.forward(tokens)?;
        let inner = self.in_proj.dim(0)? / 2;
        let half = |start| project(&normed, &self.in_proj.narrow(0, start, inner)?);
        Ok((half(0)?, half(inner)?))
    }

    /// The column scan, back in row order (line 22).
    pub(crate) fn scan_columns(&self, x: &Tensor, order: &ColumnOrder) -> Result<Option<Tensor>> {
        let Some(columns) = &self.columns else { return Ok(None) };
        order.rows(&columns.forward(&order.columns(x)?)?).map(Some)
    }
}
