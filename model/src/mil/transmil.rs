//! `TransMIL` (Shao et al. 2021): two layers of self-attention with a position encoding by convolutions between them.
//! Map: attention of the class token in the second layer.
//!
//! Attention is exact: at a few hundred patches it is cheaper than the original's Nystrom approximation. The
//! convolutions run on the true grid, where the original pads to a square by repeating patches.

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;

use super::config::TransmilConfig;
use super::{AttentionNetwork, Bags};
use crate::cam::MapKind;
use crate::fmamil::Grid;
use crate::fmamil::block::NORM_EPS;
use crate::fmamil::init::{List, Start};
use crate::nn::activation::relu;
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;

/// Added to the score of a masked patch.
const MASKED: f64 = -1e9;
/// Sides of the three depthwise kernels; the first holds the others.
const KERNELS: [usize; 3] = [7, 5, 3];

#[derive(Clone, Debug)]
pub(super) struct TransMil {
    encode: Linear,
    class_token: Tensor,
    layers: [Layer; 2],
    /// Depthwise kernels `[side * side, D]` and their biases.
    positions: Vec<(Tensor, Tensor)>,
    norm: LayerNorm,
    classify: Linear,
    map: MapKind,
}

#[derive(Clone, Debug)]
struct Layer {
    norm: LayerNorm,
    /// To queries, keys and values.
    project: [Linear; 3],
    out: Linear,
    heads: usize,
}

/// Its weights.
pub(super) fn weights(config: &TransmilConfig) -> List {
    let dim = config.hidden;
    let mut list = List::default();
    list.xavier("enc", dim, config.feature_dim);
    list.add("cls_token", &[dim], Start::TruncatedNormal(0.02));
    for layer in 0..2 {
        let name = format!("layers.{layer}");
        list.norm(&format!("{name}.norm"), dim, 1.0);
        for part in ["q", "k", "v", "out"] {
            list.xavier(&format!("{name}.{part}"), dim, dim);
        }
    }
    for side in KERNELS {
        let bound = Start::Uniform(1.0 / side as f64);
        list.add(format!("ppeg.{side}.weight"), &[side * side, dim], bound);
        list.add(format!("ppeg.{side}.bias"), &[dim], bound);
    }
    list.norm("norm_f", dim, 1.0);
    list.xavier("cls", 2, dim);
    list
}

impl Layer {
    fn new(config: &TransmilConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let dim = config.hidden;
        let linear = |name| Linear::new(dim, dim, vb.pp(name));
        Ok(Self {
            norm: LayerNorm::new(dim, NORM_EPS, vb.pp("norm"))?,
            project: [linear("q")?, linear("k")?, linear("v")?],
            out: linear("out")?,
            heads: config.heads,
        })
    }

    /// `[b, L, D]` with `bias` `[b, 1, 1, L]` on the keys' scores; also the class token's attention `[b, P]`, mean
    /// over heads.
    fn forward(&self, tokens: &Tensor, bias: &Tensor) -> Result<(Tensor, Tensor)> {
        let (batch, length, dim) = tokens.dims3()?;
        let normed = self.norm.forward(tokens)?;
        let shape = (batch, length, self.heads, dim / self.heads);
        let part = |linear: &Linear| {
            linear.forward(&normed)?.reshape(shape)?.transpose(1, 2)?.contiguous() // [b, heads, L, D / heads]
        };
        let [query, key, value] = &self.project;
        let scale = 1.0 / ((dim / self.heads) as f64).sqrt();
        let scores = (part(query)?.matmul(&part(key)?.t()?.contiguous()?)? * scale)?;
        let attention = softmax(&scores.broadcast_add(bias)?, D::Minus1)?; // [b, heads, L, L]
        let mixed =
            attention.matmul(&part(value)?)?.transpose(1, 2)?.reshape((batch, length, dim))?;
        let of_class = attention.narrow(2, 0, 1)?.squeeze(2)?.mean(1)?; // [b, L]
        let tokens = (tokens + self.out.forward(&mixed)?)?;
        Ok((tokens, of_class.narrow(1, 1, length - 1)?))
    }
}

impl TransMil {
    pub(super) fn new(config: &TransmilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let dim = config.hidden;
        let layer = |i: usize| Layer::new(config, &vb.pp("layers").pp(i));
        let kernel = |side: usize| {
            let vb = vb.pp("ppeg").pp(side);
            Ok((vb.get((side * side, dim), "weight")?, vb.get(dim, "bias")?))
        };
        Ok(Self {
            encode: Linear::new(config.feature_dim, dim, vb.pp("enc"))?,
            class_token: vb.get(dim, "cls_token")?,
            layers: [layer(0)?, layer(1)?],
            positions: KERNELS.into_iter().map(kernel).collect::<Result<_>>()?,
            norm: LayerNorm::new(dim, NORM_EPS, vb.pp("norm_f"))?,
            classify: Linear::new(dim, 2, vb.pp("cls"))?,
            map: config.map,
        })
    }

    /// Adds the three depthwise convolutions of the patch tokens to them; the class token stays.
    fn encode_positions(&self, tokens: &Tensor, grid: Grid) -> Result<Tensor> {
        let (batch, _, dim) = tokens.dims3()?;
        let patches = tokens.narrow(1, 1, grid.patches())?;
        let widest = KERNELS[0] / 2;
        let shape = (batch, grid.rows, grid.columns, dim);
        let padded = patches.reshape(shape)?.pad_with_zeros(1, widest, widest)?;
        let padded = padded.pad_with_zeros(2, widest, widest)?;
        let mut sum = patches.reshape(shape)?;
        for (weight, bias) in &self.positions {
            sum = sum.broadcast_add(bias)?;
            let side = (weight.dim(0)? as f64).sqrt() as usize;
            for tap in 0..side * side {
                let (dy, dx) = (tap / side + widest - side / 2, tap % side + widest - side / 2);
                let moved = padded.narrow(1, dy, grid.rows)?.narrow(2, dx, grid.columns)?;
                sum = (sum + moved.broadcast_mul(&weight.get(tap)?)?)?;
            }
        }
        let sum = sum.reshape((batch, grid.patches(), dim))?;
        Tensor::cat(&[&tokens.narrow(1, 0, 1)?, &sum], 1)
    }
}

impl AttentionNetwork for TransMil {
    fn forward(&self, bags: Bags<'_>) -> Result<(Tensor, Tensor)> {
        let patches = relu(&self.encode.forward(bags.features)?)?;
        let (batch, _, dim) = patches.dims3()?;
        let class_token = self.class_token.reshape((1, 1, dim))?.broadcast_as((batch, 1, dim))?;
        let bias = bags.mask.affine(-MASKED, MASKED)?.pad_with_zeros(1, 1, 0)?;
        let bias = bias.unsqueeze(1)?.unsqueeze(1)?;
        let tokens = Tensor::cat(&[&class_token, &patches], 1)?;
        let (tokens, _) = self.layers[0].forward(&tokens, &bias)?;
        let tokens = self.encode_positions(&tokens, bags.grid)?;
        let (tokens, attention) = self.layers[1].forward(&tokens, &bias)?;
        let class_token = tokens.narrow(1, 0, 1)?.contiguous()?;
        let logits = self.classify.forward(&self.norm.forward(&class_token)?.squeeze(1)?)?;
        Ok(((attention * bags.mask)?, logits))
    }

    fn map(&self) -> MapKind {
        self.map
    }
}
