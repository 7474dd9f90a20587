//! Blocks of a vision transformer (Dosovitskiy et al. 2021): attention and a layer of two, each behind a norm and added to its input.

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;

use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;

/// Added to variances.
pub(crate) const EPSILON: f64 = 1e-6;

/// One block: tokens `[b, L, D]` to the same shape.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    norms: [LayerNorm; 2],
    attention: Attention,
    layers: [Linear; 2],
}

impl Block {
    /// Over `norm1`, `attn`, `norm2`, `fc1`, `fc2`; the layer between is `ratio` times as wide.
    pub(crate) fn new(dim: usize, heads: usize, ratio: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let norm = |name: &str| LayerNorm::new(dim, EPSILON, vb.pp(name));
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?],
            attention: Attention::new(dim, heads, &vb.pp("attn"))?,
            layers: [
                Linear::new(dim, ratio * dim, vb.pp("fc1"))?,
                Linear::new(ratio * dim, dim, vb.pp("fc2"))?,
            ],
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.norms[0].forward(x)?)?)?;
        let wide = self.layers[0].forward(&self.norms[1].forward(&x)?)?.gelu_erf()?;
        x + self.layers[1].forward(&wide)?
    }
}

#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    /// Queries, keys, values.
    all: Linear,
    out: Linear,
}

impl Attention {
    fn new(dim: usize, heads: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let all = Linear::new(dim, 3 * dim, vb.pp("qkv"))?;
        Ok(Self { heads, all, out: Linear::new(dim, dim, vb.pp("proj"))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, length, dim) = x.dims3()?;
        let width = dim / self.heads;
        let all = self.all.forward(x)?.reshape((b, length, 3, self.heads, width))?;
        let part = |at: usize| all.narrow(2, at, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let (queries, keys, values) = (part(0)?, part(1)?, part(2)?);
        let likeness = queries.matmul(&keys.t()?)?.affine((width as f64).powf(-0.5), 0.0)?;
        let seen = softmax(&likeness, D::Minus1)?.matmul(&values)?;
        self.out.forward(&seen.transpose(1, 2)?.contiguous()?.reshape((b, length, dim))?)
    }
}
