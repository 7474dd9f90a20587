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

    /// `x` and `z`, both `[b, L, E]` (lines 2-5).
    fn split(&self, tokens: &Tensor) -> Result<(Tensor, Tensor)> {
        let normed = self.norm.forward(tokens)?;
        let inner = self.in_proj.dim(0)? / 2;
        let half = |start| project(&normed, &self.in_proj.narrow(0, start, inner)?);
        Ok((half(0)?, half(inner)?))
    }

    /// The column scan, back in row order (line 22).
    fn scan_columns(&self, x: &Tensor, order: &ColumnOrder) -> Result<Option<Tensor>> {
        let Some(columns) = &self.columns else { return Ok(None) };
        order.rows(&columns.forward(&order.columns(x)?)?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::order::Grid;
    use crate::fmamil::tests::config;
    use crate::testing::Fixture;
    use candle_core::{DType, Device, Var};
    use std::collections::HashMap;

    fn check(fixture: &Fixture, grid: Grid, dtype: DType) {
        let vars = fixture.vars("w.", dtype);
        let weights: HashMap<_, _> =
            vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        let vb = VarBuilder::from_tensors(weights, dtype, &Device::Cpu);
        let block = FMambaBlock::new(&config(fixture), vb).unwrap();
        let order = ColumnOrder::new(grid, &Device::Cpu).unwrap();
        let tokens = Var::from_tensor(&fixture.get("T", dtype)).unwrap();

        let (x, z) = block.split(&tokens).unwrap();
        let open = silu(&z).unwrap();
        let y_h = block.rows.forward(&x).unwrap();
        let y_v = block.scan_columns(&x, &order).unwrap().unwrap();
        let frequency = block.frequency.as_ref().unwrap();
        fixture.check(&x, "cap.x");
        fixture.check(&z, "cap.z");
        fixture.check(&y_h, "cap.y_h");
        fixture.check(&y_v, "cap.y_v");
        fixture.check(&(y_h * &open).unwrap(), "cap.out_row");
        fixture.check(&(y_v * &open).unwrap(), "cap.out_col");
        fixture.check(&frequency.encode(&x).unwrap(), "cap.lfde");
        fixture.check(&frequency.pooled_gate(&z, &open).unwrap(), "cap.gate_max");
        fixture.check(&frequency.forward(&x, &z, &open).unwrap(), "cap.out_fft");

        let out = block.forward(&tokens, &order).unwrap();
        fixture.check(&out, "cap.out");
        let dy = fixture.get("dy", dtype);
        let grads = (out * dy).unwrap().sum_all().unwrap().backward().unwrap();
        fixture.check(grads.get(&tokens).unwrap(), "grad.T");
    }

    #[test]
    fn every_step_of_the_block_agrees_with_the_reference() {
        for (rows, columns) in [(11, 11), (7, 13), (22, 22)] {
            let Some(fixture) = Fixture::load(&format!("block_{rows}x{columns}_s0")) else {
                return;
            };
            for dtype in [DType::F32, DType::F64] {
                check(&fixture, Grid { rows, columns }, dtype);
            }
        }
    }
}
