//! From image to tokens, and from one resolution to another (MODELS 8.4).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::camseg::network::{Start, Weights, kaiming};
use crate::nn::interpolate;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::{Linear, project};

/// Pixels along a token's side.
pub(super) const PATCH: usize = 4;
const EPS: f64 = 1e-5;
/// Standard deviation of first projections.
const PROJECTION: f32 = 0.02;

/// `[b, h, w, 3]` to `[b, h/4, w/4, d]`: one token for every 4 x 4 pixels.
#[derive(Debug)]
pub(super) struct PatchEmbed {
    weight: Tensor,
    bias: Tensor,
    norm: LayerNorm,
}

impl PatchEmbed {
    /// From `patch_embed` and `patch_norm`.
    pub(super) fn new(inputs: usize, dim: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: vb.get((dim, inputs, PATCH, PATCH), "patch_embed.weight")?,
            bias: vb.get(dim, "patch_embed.bias")?,
            norm: LayerNorm::new(dim, EPS, vb.pp("patch_norm"))?,
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, inputs: usize, dim: usize) {
        let fan_in = inputs * PATCH * PATCH;
        to.add("patch_embed.weight", &[dim, inputs, PATCH, PATCH], kaiming(fan_in));
        to.add("patch_embed.bias", &[dim], kaiming(fan_in));
        to.under("patch_norm", |to| to.norm(dim));
    }

    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (b, h, w, c) = images.dims4()?;
        let patches = images.reshape(&[b, h / PATCH, PATCH, w / PATCH, PATCH, c][..])?;
        // Inside a patch: channel, row, column, as the weights have it.
        let patches = patches.permute(vec![0, 1, 3, 5, 2, 4])?.contiguous()?;
        let patches = patches.reshape((b, h / PATCH, w / PATCH, c * PATCH * PATCH))?;
        let tokens = project(&patches, &self.weight.flatten_from(1)?)?.broadcast_add(&self.bias)?;
        self.norm.forward(&tokens)
    }
}

/// `[b, h, w, d]` to `[b, h/2, w/2, 2d]`: four neighbours side by side, normalized and mixed.
#[derive(Debug)]
pub(crate) struct PatchMerging {
    norm: LayerNorm,
    reduction: Linear,
}

impl PatchMerging {
    pub(crate) fn new(dim: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            norm: LayerNorm::new(4 * dim, EPS, vb.pp("norm"))?,
            reduction: Linear::without_bias(4 * dim, 2 * dim, vb.pp("reduction"))?,
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, dim: usize) {
        to.under("norm", |to| to.norm(4 * dim));
        to.add("reduction.weight", &[2 * dim, 4 * dim], Start::Normal(PROJECTION));
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, h, w, d) = x.dims4()?;
        let pairs = x.reshape(&[b, h / 2, 2, w / 2, 2, d][..])?;
        // Column before row: upper left, lower left, upper right, lower right.
        let four = pairs.permute(vec![0, 1, 3, 4, 2, 5])?.contiguous()?;
        self.reduction.forward(&self.norm.forward(&four.reshape((b, h / 2, w / 2, 4 * d))?)?)
    }
}

/// `[b, h, w, d]` to `[b, sh, sw, c]`: every token becomes `s` x `s`.
#[derive(Debug)]
pub(crate) struct PatchExpand {
    scale: usize,
    channels: usize,
    expand: Linear,
    norm: LayerNorm,
}

impl PatchExpand {
    /// By `scale` to `channels`.
    pub(crate) fn new(
        dim: usize,
        scale: usize,
        channels: usize,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let outputs = scale * scale * channels;
        Ok(Self {
            scale,
            channels,
            expand: Linear::without_bias(dim, outputs, vb.pp("expand"))?,
            norm: LayerNorm::new(channels, EPS, vb.pp("norm"))?,
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, dim: usize, scale: usize, channels: usize) {
        let shape = [scale * scale * channels, dim];
        to.add("expand.weight", &shape, Start::Normal(PROJECTION));
        to.under("norm", |to| to.norm(channels));
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, h, w, _) = x.dims4()?;
        let (s, c) = (self.scale, self.channels);
        let x = self.expand.forward(x)?.reshape(&[b, h, w, s, s, c][..])?;
        let x = x.permute(vec![0, 1, 3, 2, 4, 5])?.contiguous()?;
        self.norm.forward(&x.reshape((b, h * s, w * s, c))?)
    }
}

/// `[b, h, w, C]` to another size: means where it shrinks by a whole factor, else bilinear.
pub(super) fn resample(x: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    if (h, w) == (height, width) {
        return Ok(x.clone());
    }
    if h.is_multiple_of(height) && w.is_multiple_of(width) && height < h {
        let blocks = x.reshape(&[b, height, h / height, width, w / width, c][..])?;
        return blocks.mean(4)?.mean(2);
    }
    bilinear(x, (height, width))
}

/// `[b, h, w, C]` to another size, half-pixel centers.
pub(super) fn bilinear(x: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    let down = interpolate::matrix(height, h, x.dtype(), x.device())?;
    let across = interpolate::matrix(width, w, x.dtype(), x.device())?;
    let rows = down.broadcast_left(b)?.contiguous()?.matmul(&x.reshape((b, h, w * c))?)?;
    let rows = rows.reshape((b * height, w, c))?;
    let across = across.broadcast_left(b * height)?.contiguous()?;
    across.matmul(&rows)?.reshape((b, height, width, c))
}
