//! Layers of a Kolmogorov-Arnold network: every weight is a learned function of its input (MODELS 8.6).

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

use crate::camseg::network::{Start, Weights, kaiming};
use crate::nn::activation::silu;
use crate::nn::b_spline::{BASES, b_splines};
use crate::nn::conv3x3::conv3x3;
use crate::nn::linear::project;

/// Bound of the splines' first coefficients.
const SPLINE: f32 = 0.01;
/// Sides of a [`KanConv`]'s filters.
const SIDE: usize = 3;

/// `y_o = sum_i base_oi silu(x_i) + sum_i scale_oi sum_g spline_oig B_g(x_i)`.
#[derive(Debug)]
pub(crate) struct KanLinear {
    /// `[O, I]`.
    base: Tensor,
    /// `[O, I, 8]`.
    spline: Tensor,
    /// `[O, I]`.
    scale: Tensor,
}

impl KanLinear {
    pub(crate) fn new(inputs: usize, outputs: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            base: vb.get((outputs, inputs), "base_weight")?,
            spline: vb.get((outputs, inputs, BASES), "spline_weight")?,
            scale: vb.get((outputs, inputs), "spline_scaler")?,
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, inputs: usize, outputs: usize) {
        to.add("base_weight", &[outputs, inputs], kaiming(inputs));
        to.add("spline_weight", &[outputs, inputs, BASES], Start::Uniform(SPLINE));
        to.add("spline_scaler", &[outputs, inputs], kaiming(inputs));
    }

    /// `[.., I]` to `[.., O]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bases = b_splines(x)?.flatten_from(D::Minus2)?;
        project(&silu(x)?, &self.base)? + project(&bases, &self.coefficients()?.flatten_from(1)?)?
    }

    /// Of every basis, `[O, I, 8]`.
    fn coefficients(&self) -> Result<Tensor> {
        self.spline.broadcast_mul(&self.scale.unsqueeze(2)?)
    }
}

/// A [`KanLinear`] of every window of 3 x 3 pixels. Beyond the edges lie zeros, whose bases count.
#[derive(Debug)]
pub(crate) struct KanConv {
    /// Inputs ordered by channel, row, column.
    kan: KanLinear,
    inputs: usize,
}

impl KanConv {
    /// From `kan`.
    pub(crate) fn new(inputs: usize, outputs: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let kan = KanLinear::new(inputs * SIDE * SIDE, outputs, &vb.pp("kan"))?;
        Ok(Self { kan, inputs })
    }

    pub(super) fn weights(to: &mut Weights<'_>, inputs: usize, outputs: usize) {
        to.under("kan", |to| KanLinear::weights(to, inputs * SIDE * SIDE, outputs));
    }

    /// `[b, h, w, I]` to `[b, h, w, O]`: the convolution of `silu(x)` and of all bases.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, h, w, inputs) = x.dims4()?;
        let outputs = self.kan.base.dim(0)?;
        let padded = x.pad_with_zeros(1, 1, 1)?.pad_with_zeros(2, 1, 1)?.contiguous()?;
        let bases = b_splines(&padded)?.flatten_from(3)?; // Channel c * 8 + g.
        let seen = Tensor::cat(&[silu(&padded)?, bases], 3)?;
        let base = self.kan.base.reshape((outputs, self.inputs, SIDE, SIDE))?;
        let splines = self.kan.coefficients()?;
        let splines = splines.reshape((outputs, self.inputs, SIDE, SIDE, BASES))?;
        let splines = splines.permute((0, 1, 4, 2, 3))?.contiguous()?;
        let splines = splines.reshape((outputs, inputs * BASES, SIDE, SIDE))?;
        let filters = Tensor::cat(&[base, splines], 1)?;
        // The ring that the convolution adds lies outside the one that is here already.
        conv3x3(&seen, &filters)?.narrow(1, 1, h)?.narrow(2, 1, w)?.contiguous()
    }
}
