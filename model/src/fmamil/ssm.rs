//! One direction of the state-space model (Alg. 2, lines 11-17) and the sum of two (Eq. 13).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::FmamilConfig;
use crate::nn::ScanDirection;
use crate::nn::causal_conv::causal_conv_silu;
use crate::nn::linear::project;
use crate::nn::selective_scan::{ScanParams, selective_scan};
use crate::nn::selective_ssm::Learned;
use crate::nn::tape::{Slot, Tape};
use crate::nn::vectors::Vectors;

/// Convolution, projections and scan of one direction; `E` channels, state `S`, rank `R`.
#[derive(Clone, Debug)]
pub(crate) struct SsmDirection {
    direction: ScanDirection,
    learned: Learned<Tensor>,
}

impl SsmDirection {
    pub(crate) fn new(
        config: &FmamilConfig,
        direction: ScanDirection,
        vb: VarBuilder<'_>,
    ) -> Result<Self> {
        let (inner, state, rank) = (config.inner_dim(), config.state, config.dt_rank);
        let learned = Learned {
            conv_weight: vb.get((inner, 1, config.conv), "conv1d.weight")?,
            conv_bias: vb.get(inner, "conv1d.bias")?,
            project: vb.get((rank + 2 * state, inner), "x_proj.weight")?,
            dt_weight: vb.get((inner, rank), "dt_proj.weight")?,
            dt_bias: vb.get(inner, "dt_proj.bias")?,
            decay_log: vb.get((inner, state), "A_log")?,
            skip: vb.get(inner, "D")?,
        };
        Ok(Self { direction, learned })
    }

    /// `[b, L, E]` to `[b, L, E]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.convolve(x)?;
        self.scan(&x, &self.project(&x)?)
    }

    /// Which way it walks.
    pub(crate) fn direction(&self) -> ScanDirection {
        self.direction
    }

    /// Convolution and activation (line 11), `[b, L, E]` to `[b, L, E]`.
    pub(crate) fn convolve(&self, x: &Tensor) -> Result<Tensor> {
        let Learned { conv_weight, conv_bias, .. } = &self.learned;
        causal_conv_silu(x, conv_weight, conv_bias, self.direction)
    }

    /// Rows `[dt, B, C]` (lines 12-13), `[b, L, E]` to `[b, L, R + 2S]`.
    pub(crate) fn project(&self, x: &Tensor) -> Result<Tensor> {
        project(x, &self.learned.project)
    }

    /// The recurrence (lines 14-17).
    pub(crate) fn scan(&self, x: &Tensor, projected: &Tensor) -> Result<Tensor> {
        let Learned { dt_weight, dt_bias, decay_log, skip, .. } = &self.learned;
        let decay = decay_log.exp()?.neg()?; // [E, S]
        let params = ScanParams { decay: &decay, skip, dt_bias, dt_weight };
        selective_scan(x, projected, params, self.direction)
    }

    /// All that it has learned.
    pub(crate) fn parameters(&self) -> [&Tensor; 7] {
        self.learned.parts()
    }

    /// Where that lies on a tape.
    ///
    /// # Errors
    /// If the tape was not given [`Self::parameters`].
    pub(super) fn slots<T: Vectors>(&self, tape: &Tape<'_, T>) -> Result<Learned<Slot>> {
        self.learned.try_map(|it| tape.parameter(it))
    }
}

/// The directions one token order is scanned in.
#[derive(Clone, Debug)]
pub(crate) struct BidirectionalSsm(Vec<SsmDirection>);

impl BidirectionalSsm {
    /// Weights below `fwd{suffix}` and `bwd{suffix}`.
    pub(crate) fn new(config: &FmamilConfig, suffix: &str, vb: &VarBuilder<'_>) -> Result<Self> {
        let mut directions = Vec::new();
        if config.directions.has_forward() {
            let vb = vb.pp(format!("fwd{suffix}"));
            directions.push(SsmDirection::new(config, ScanDirection::Forward, vb)?);
        }
        if config.directions.has_backward() {
            let vb = vb.pp(format!("bwd{suffix}"));
            directions.push(SsmDirection::new(config, ScanDirection::Backward, vb)?);
        }
        Ok(Self(directions))
    }

    /// Forward, then backward, as far as they exist.
    pub(crate) fn directions(&self) -> &[SsmDirection] {
        &self.0
    }

    /// `[b, L, E]` to `[b, L, E]`, Eq. 13.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for direction in &self.0 {
            let y = direction.forward(x)?;
            sum = Some(match sum {
                Some(sum) => (sum + y)?,
                None => y,
            });
        }
        sum.map_or_else(|| x.zeros_like(), Ok)
    }
}
