//! SS2D: an image scanned in four directions, behind a wavelet convolution (MODELS 8.3).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::wavelet_conv::WaveletConv;
use crate::camseg::network::{Start, Weights, kaiming};
use crate::nn::ScanDirection::{self, Backward, Forward};
use crate::nn::activation::silu;
use crate::nn::depthwise_conv::depthwise_conv;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::{Linear, project};
use crate::nn::selective_scan::{ScanParams, selective_scan};

/// Inner channels per outer one.
const EXPAND: usize = 2;
/// Standard deviation of first projections.
const PROJECTION: f32 = 0.02;

/// Sizes of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Channels of its image.
    pub(crate) dim: usize,
    /// Numbers of state per inner channel.
    pub(crate) state: usize,
    /// Sides of its filters.
    pub(crate) kernel: usize,
    /// Levels of its wavelet convolution; `None` for a plain depthwise one of 3 x 3.
    pub(crate) levels: Option<usize>,
}

impl Sizes {
    fn inner(self) -> usize {
        EXPAND * self.dim
    }

    /// Numbers that step sizes are made of.
    fn rank(self) -> usize {
        self.dim.div_ceil(16)
    }
}

/// What mixes neighbours before the scans.
#[derive(Debug)]
enum Mixer {
    Wavelet(WaveletConv),
    Depthwise { weight: Tensor, bias: Tensor },
}

/// `x + SS2D(LN(x))`.
#[derive(Debug)]
pub(crate) struct WaveletScanBlock {
    norm: LayerNorm,
    scan: Ss2d,
}

impl WaveletScanBlock {
    pub(crate) fn new(sizes: Sizes, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            norm: LayerNorm::new(sizes.dim, 1e-6, vb.pp("ln"))?,
            scan: Ss2d::new(sizes, &vb.pp("ss2d"))?,
        })
    }

    pub(in crate::camseg) fn weights(to: &mut Weights<'_>, sizes: Sizes) {
        to.under("ln", |to| to.norm(sizes.dim));
        to.under("ss2d", |to| Ss2d::weights(to, sizes));
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x + self.scan.forward(&self.norm.forward(x)?)?
    }
}

/// `[b, h, w, D]` to the same shape.
#[derive(Debug)]
pub(crate) struct Ss2d {
    sizes: Sizes,
    in_proj: Linear,
    mixer: Mixer,
    /// `[4, R + 2S, E]`, `[4, E, R]` and `[4, E]`.
    row: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    /// `[4E, S]` and `[4E]`.
    log_decay: Tensor,
    skip: Tensor,
    norm: LayerNorm,
    out_proj: Linear,
}

/// What a block computes on its way.
pub(crate) struct Passage {
    /// After the mixer, `[b, h, w, E]`.
    pub(crate) mixed: Tensor,
    /// The sum of the four scans, `[b, h, w, E]`.
    pub(crate) scanned: Tensor,
    /// `[b, h, w, D]`.
    pub(crate) out: Tensor,
}

impl Ss2d {
    pub(crate) fn new(sizes: Sizes, vb: &VarBuilder<'_>) -> Result<Self> {
        let Sizes { dim, state, kernel, levels } = sizes;
        let (inner, rank) = (sizes.inner(), sizes.rank());
        let conv = vb.pp("conv");
        let mixer = match levels {
            Some(levels) => Mixer::Wavelet(WaveletConv::new(inner, kernel, levels, &conv)?),
            None => Mixer::Depthwise {
                weight: conv.get((inner, 1, 3, 3), "weight")?,
                bias: conv.get(inner, "bias")?,
            },
        };
        Ok(Self {
            sizes,
            mixer,
            in_proj: Linear::without_bias(dim, 2 * inner, vb.pp("in_proj"))?,
            row: vb.get((4, rank + 2 * state, inner), "x_proj_weight")?,
            dt_weight: vb.get((4, inner, rank), "dt_projs_weight")?,
            dt_bias: vb.get((4, inner), "dt_projs_bias")?,
            log_decay: vb.get((4 * inner, state), "A_logs")?,
            skip: vb.get(4 * inner, "Ds")?,
            norm: LayerNorm::new(inner, 1e-5, vb.pp("out_norm"))?,
            out_proj: Linear::without_bias(inner, dim, vb.pp("out_proj"))?,
        })
    }

    fn weights(to: &mut Weights<'_>, sizes: Sizes) {
        let Sizes { dim, state, kernel, levels } = sizes;
        let (inner, rank) = (sizes.inner(), sizes.rank());
        to.add("in_proj.weight", &[2 * inner, dim], Start::Normal(PROJECTION));
        to.under("conv", |to| match levels {
            Some(levels) => WaveletConv::weights(to, inner, kernel, levels),
            None => {
                to.add("weight", &[inner, 1, 3, 3], kaiming(9));
                to.add("bias", &[inner], kaiming(9));
            }
        });
        to.add("x_proj_weight", &[4, rank + 2 * state, inner], kaiming(inner));
        to.add("dt_projs_weight", &[4, inner, rank], kaiming(rank));
        to.add("dt_projs_bias", &[4, inner], Start::StepSize);
        to.add("A_logs", &[4 * inner, state], Start::LogIndex);
        to.add("Ds", &[4 * inner], Start::Constant(1.0));
        to.under("out_norm", |to| to.norm(inner));
        to.add("out_proj.weight", &[dim, inner], Start::Normal(PROJECTION));
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.pass(x)?.out)
    }

    /// [`Self::forward`] with what lies between.
    pub(crate) fn pass(&self, x: &Tensor) -> Result<Passage> {
        let inner = self.sizes.inner();
        let both = self.in_proj.forward(x)?;
        let half = |first| both.narrow(3, first, inner)?.contiguous();
        let mixed = silu(&match &self.mixer {
            Mixer::Wavelet(conv) => conv.forward(&half(0)?)?,
            Mixer::Depthwise { weight, bias } => depthwise_conv(&half(0)?, weight, bias)?,
        })?;
        let scanned = self.cross_scan(&mixed)?;
        let gated = (self.norm.forward(&scanned)? * silu(&half(inner)?)?)?;
        let out = self.out_proj.forward(&gated)?;
        Ok(Passage { mixed, scanned, out })
    }

    /// The sum of the scans along rows and along columns, there and back.
    fn cross_scan(&self, x: &Tensor) -> Result<Tensor> {
        let (b, h, w, inner) = x.dims4()?;
        let rows = x.reshape((b, h * w, inner))?;
        let columns = x.transpose(1, 2)?.contiguous()?.reshape((b, h * w, inner))?;
        let along_rows = (self.scan(0, &rows, Forward)? + self.scan(2, &rows, Backward)?)?;
        let along_columns =
            (self.scan(1, &columns, Forward)? + self.scan(3, &columns, Backward)?)?;
        let upright = along_columns.reshape((b, w, h, inner))?.transpose(1, 2)?.contiguous()?;
        along_rows.reshape((b, h, w, inner))? + upright
    }

    /// One of the four scans, `[b, L, E]`.
    fn scan(&self, which: usize, x: &Tensor, direction: ScanDirection) -> Result<Tensor> {
        let inner = self.sizes.inner();
        let own = |t: &Tensor| t.get(which)?.contiguous();
        let of_all = |t: &Tensor| t.narrow(0, which * inner, inner)?.contiguous();
        let params = ScanParams {
            decay: &of_all(&self.log_decay)?.exp()?.neg()?,
            skip: &of_all(&self.skip)?,
            dt_bias: &own(&self.dt_bias)?,
            dt_weight: &own(&self.dt_weight)?,
        };
        selective_scan(x, &project(x, &own(&self.row)?)?, params, direction)
    }
}
