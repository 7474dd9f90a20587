//! Deep supervision: a mask at each of three scales, and what each of them counts (MODELS 8.7).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::kan::{KanConv, KanLinear};
use super::resolution::bilinear;
use crate::camseg::network::{Side, SideScale, Weights};
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;

const EPS: f64 = 1e-5;

/// Heads of the last decoder stages, the coarsest first, and the network that weighs them.
#[derive(Debug)]
pub(super) struct Scales {
    heads: Vec<Head>,
    norm: LayerNorm,
    weigh: KanLinear,
    /// Share of the weights that is the same for all scales.
    floor: f64,
}

#[derive(Debug)]
struct Head {
    norm: LayerNorm,
    reduce: Linear,
    kan: KanConv,
}

impl Scales {
    /// `dims` are the channels of the skips, the finest first; heads read `narrow` channels.
    pub(super) fn new(
        dims: &[usize],
        narrow: usize,
        floor: f64,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let head = |(i, dim): (usize, &usize)| {
            Ok(Head {
                norm: LayerNorm::new(*dim, EPS, vb.pp(format!("side_norm.{i}")))?,
                reduce: Linear::new(*dim, narrow, vb.pp(format!("side_reduce.{i}")))?,
                kan: KanConv::new(narrow, 1, &vb.pp(format!("side_kan.{i}")))?,
            })
        };
        let all = dims.iter().sum();
        Ok(Self {
            heads: dims.iter().rev().enumerate().map(head).collect::<Result<_>>()?,
            norm: LayerNorm::new(all, EPS, vb.pp("weight_norm"))?,
            weigh: KanLinear::new(all, dims.len(), &vb.pp("weight_kan"))?,
            floor,
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, dims: &[usize], narrow: usize) {
        for (i, dim) in dims.iter().rev().enumerate() {
            to.under(&format!("side_norm.{i}"), |to| to.norm(*dim));
            to.under(&format!("side_reduce.{i}"), |to| to.linear(*dim, narrow));
            to.under(&format!("side_kan.{i}"), |to| KanConv::weights(to, narrow, 1));
        }
        let all = dims.iter().sum();
        to.under("weight_norm", |to| to.norm(all));
        to.under("weight_kan", |to| KanLinear::weights(to, all, dims.len()));
    }

    /// The mask of head `i` from a decoder stage `[b, h, w, d]`: logits `[b, h, w]`.
    pub(super) fn decide(&self, i: usize, x: &Tensor) -> Result<Tensor> {
        let Head { norm, reduce, kan } = &self.heads[i];
        kan.forward(&reduce.forward(&norm.forward(x)?)?)?.squeeze(3)
    }

    /// The masks at the size of the padded image, each with its weight.
    pub(super) fn weighed(
        &self,
        decided: &[Tensor],
        skips: &[Tensor],
        size: (usize, usize),
    ) -> Result<Vec<Side>> {
        let mean = |skip: &Tensor| skip.flatten(1, 2)?.mean(1);
        let means = skips.iter().map(mean).collect::<Result<Vec<_>>>()?;
        let found = self.weigh.forward(&self.norm.forward(&Tensor::cat(&means, 1)?)?)?;
        let shares = candle_nn::ops::softmax(&found, 1)?;
        let even = self.floor / self.heads.len() as f64;
        let shares = shares.affine(1.0 - self.floor, even)?; // [b, 3]
        let side = |(i, (decided, scale)): (usize, (&Tensor, SideScale))| {
            let logits = bilinear(&decided.unsqueeze(3)?, size)?.squeeze(3)?;
            Ok(Side { scale, logits, weight: shares.narrow(1, i, 1)?.squeeze(1)? })
        };
        decided.iter().zip(SideScale::ALL).enumerate().map(side).collect()
    }
}
