//! The `FMamba` block (Alg. 2, Eqs 13-15): two token orders and a spectrum, gated and summed onto the residual.
//!
//! One wiring for looking into it and for what the paper leaves open, operation by operation; one as part of a chain, several times as fast, for
//! the paper's own gate in main memory.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::{FmamilConfig, Scans};
use super::frequency::FrequencyBranch;
use super::gate::Gate;
use super::order::ColumnOrder;
use super::ssm::BidirectionalSsm;
use crate::nn::Path;
use crate::nn::activation::silu;
use crate::nn::dense::{Projection, Sum};
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::{Linear, project};
use crate::nn::selective_ssm::{Walk, selective_ssm};
use crate::nn::spectrum::Band;
use crate::nn::tape::{Chain, Slot, Tape, chained, distinct};
use crate::nn::vectors::Vectors;

/// As in Vim.
pub(crate) const NORM_EPS: f64 = 1e-5;

/// One block, `[b, L, D]` to `[b, L, D]`.
#[derive(Clone, Debug)]
pub(crate) struct FMambaBlock {
    norm: LayerNorm,
    /// To `x` and to `z`, `[E, D]` each: the two halves of one weight.
    in_proj: [Tensor; 2],
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
        let in_proj = vb.get((2 * inner, dim), "in_proj.weight")?;
        Ok(Self {
            norm: LayerNorm::new(dim, NORM_EPS, vb.pp("norm"))?,
            in_proj: [in_proj.narrow(0, 0, inner)?, in_proj.narrow(0, inner, inner)?],
            rows,
            columns,
            frequency: FrequencyBranch::new(config, &vb)?,
            out_proj: Linear::without_bias(inner, dim, vb.pp("out_proj"))?,
        })
    }

    /// `order` is that of the bag's grid.
    pub(crate) fn forward(&self, tokens: &Tensor, order: &ColumnOrder) -> Result<Tensor> {
        if tokens.device().is_cpu() && self.fits_a_tape() {
            let chain = Alone { block: self.clone(), order: order.clone() };
            return chained(chain, tokens, &distinct(self.parameters()));
        }
        self.by_operations(tokens, order)
    }

    /// [`Self::forward`] in operations of the tensor library, each for itself.
    pub(super) fn by_operations(&self, tokens: &Tensor, order: &ColumnOrder) -> Result<Tensor> {
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

    /// Whether [`Self::on_tape`] computes this block.
    pub(super) fn fits_a_tape(&self) -> bool {
        let has_scans = !self.rows.directions().is_empty();
        has_scans && self.frequency.as_ref().is_none_or(FrequencyBranch::fits_a_tape)
    }

    /// All that it has learned; what is shared more than once.
    pub(super) fn parameters(&self) -> Vec<&Tensor> {
        let scans = self.rows.directions().iter();
        let scans = scans.chain(self.columns.iter().flat_map(BidirectionalSsm::directions));
        let mut parameters: Vec<&Tensor> = scans.flat_map(|it| it.parameters()).collect();
        parameters.extend(self.norm.parameters());
        parameters.extend(&self.in_proj);
        parameters.extend(self.frequency.iter().flat_map(FrequencyBranch::parameters));
        parameters.extend(self.out_proj.parameters());
        parameters
    }

    /// [`Self::forward`] on a tape that was given [`Self::parameters`].
    pub(super) fn on_tape<T: Vectors>(
        &self,
        tape: &mut Tape<'_, T>,
        tokens: Slot,
        order: &ColumnOrder,
    ) -> Result<Slot> {
        let before = tape.n_made();
        let normed = self.norm.on_tape(tape, tokens)?;
        let halves = [tape.parameter(&self.in_proj[0])?, tape.parameter(&self.in_proj[1])?];
        let x = tape.apply(Projection, [normed, halves[0]])?;
        let z = tape.apply(Projection, [normed, halves[1]])?;
        let walks = self.walks(tape, order)?;
        let scanned = selective_ssm(tape, x, walks)?;
        let sum = match &self.frequency {
            Some(frequency) => frequency.on_tape(tape, scanned, [x, z])?,
            None => tape.apply(Gate, [scanned, z])?,
        };
        let out = self.out_proj.on_tape(tape, sum)?;
        let out = tape.apply(Sum, [out, tokens])?;
        tape.keep_last(before);
        Ok(out)
    }

    /// Every scan and the order that it reads the tokens in.
    fn walks<T: Vectors>(&self, tape: &Tape<'_, T>, order: &ColumnOrder) -> Result<Vec<Walk>> {
        let mut walks = Vec::new();
        for ssm in self.rows.directions() {
            walks.push(Walk { learned: ssm.slots(tape)?, path: Path::along(ssm.direction()) });
        }
        for ssm in self.columns.iter().flat_map(BidirectionalSsm::directions) {
            walks.push(Walk { learned: ssm.slots(tape)?, path: order.path(ssm.direction()) });
        }
        Ok(walks)
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
        let [x, z] = &self.in_proj;
        Ok((project(&normed, x)?, project(&normed, z)?))
    }

    /// The column scan, back in row order (line 22).
    pub(crate) fn scan_columns(&self, x: &Tensor, order: &ColumnOrder) -> Result<Option<Tensor>> {
        let Some(columns) = &self.columns else { return Ok(None) };
        order.rows(&columns.forward(&order.columns(x)?)?).map(Some)
    }
}

/// One block by itself.
struct Alone {
    block: FMambaBlock,
    order: ColumnOrder,
}

impl Chain for Alone {
    const NAME: &'static str = "FMamba block";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        self.block.on_tape(tape, Slot::INPUT, &self.order)
    }
}
