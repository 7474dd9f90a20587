//! WCAA: what a skip connection takes from all three of them, weighted by channel and by place (MODELS 8.5).

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

use super::resolution::resample;
use super::wavelet_conv::WaveletConv;
use crate::camseg::network::{Weights, kaiming};
use crate::nn::activation::silu;
use crate::nn::linear::Linear;

/// Channels per channel of the bottleneck.
const REDUCTION: usize = 8;
/// The narrowest bottleneck.
const NARROWEST: usize = 4;
/// Sides of the filter over places.
const SPATIAL: usize = 7;

/// The attention of skip `own`.
#[derive(Debug)]
pub(crate) struct SkipAttention {
    own: usize,
    mix: Vec<Linear>,
    conv: WaveletConv,
    fc1: Linear,
    fc2: Linear,
    /// `[1, 2 * 7 * 7]`.
    spatial: Linear,
}

impl SkipAttention {
    /// `dims` are the skips' channels.
    pub(crate) fn new(
        dims: &[usize],
        own: usize,
        kernel: usize,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let dim = dims[own];
        let narrow = narrow(dim);
        let mix = |(j, inputs): (usize, &usize)| -> Result<Linear> {
            let vb = vb.pp(format!("mix.{j}"));
            let weight = vb.get((dim, *inputs, 1, 1), "weight")?.flatten_from(1)?;
            Ok(Linear::of(weight, Some(vb.get(dim, "bias")?)))
        };
        let spatial = vb.get((1, 2, SPATIAL, SPATIAL), "spatial.weight")?.flatten_from(1)?;
        Ok(Self {
            own,
            mix: dims.iter().enumerate().map(mix).collect::<Result<_>>()?,
            conv: WaveletConv::new(dim, kernel, 1, &vb.pp("wt"))?,
            fc1: Linear::new(dim, narrow, vb.pp("fc1"))?,
            fc2: Linear::new(narrow, dim, vb.pp("fc2"))?,
            spatial: Linear::of(spatial, Some(vb.get(1, "spatial.bias")?)),
        })
    }

    pub(super) fn weights(to: &mut Weights<'_>, dims: &[usize], own: usize, kernel: usize) {
        let dim = dims[own];
        for (j, inputs) in dims.iter().enumerate() {
            to.under(&format!("mix.{j}"), |to| {
                to.add("weight", &[dim, *inputs, 1, 1], kaiming(*inputs));
                to.add("bias", &[dim], kaiming(*inputs));
            });
        }
        to.under("wt", |to| WaveletConv::weights(to, dim, kernel, 1));
        to.under("fc1", |to| to.linear(dim, narrow(dim)));
        to.under("fc2", |to| to.linear(narrow(dim), dim));
        let fan_in = 2 * SPATIAL * SPATIAL;
        to.add("spatial.weight", &[1, 2, SPATIAL, SPATIAL], kaiming(fan_in));
        to.add("spatial.bias", &[1], kaiming(fan_in));
    }

    /// `skips` `[b, h_j, w_j, c_j]` to the shape of the own one.
    pub(crate) fn forward(&self, skips: &[Tensor]) -> Result<Tensor> {
        let own = &skips[self.own];
        let (b, h, w, dim) = own.dims4()?;
        let mut mixed = own.zeros_like()?;
        for (mix, skip) in self.mix.iter().zip(skips) {
            mixed = (mixed + mix.forward(&resample(skip, (h, w))?)?)?;
        }
        let found = silu(&self.conv.forward(&mixed)?)?;
        let places = found.reshape((b, h * w, dim))?;
        let squeezed = |v: Tensor| self.fc2.forward(&self.fc1.forward(&v)?.relu()?);
        let by_channel = (squeezed(places.mean(1)?)? + squeezed(places.max(1)?)?)?;
        let by_channel = candle_nn::ops::sigmoid(&by_channel)?.reshape((b, 1, 1, dim))?;
        let found = found.broadcast_mul(&by_channel)?;
        let summary =
            Tensor::cat(&[found.mean_keepdim(D::Minus1)?, found.max_keepdim(D::Minus1)?], 3)?;
        let by_place = candle_nn::ops::sigmoid(&self.spatial.forward(&windows(&summary)?)?)?;
        own + found.broadcast_mul(&by_place)?
    }
}

fn narrow(dim: usize) -> usize {
    (dim / REDUCTION).max(NARROWEST)
}

/// What the filter sees from every place: `[b, h, w, C]` to `[b, h, w, C * 7 * 7]`, zeros beyond the edges.
fn windows(x: &Tensor) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    let half = SPATIAL / 2;
    let padded = x.pad_with_zeros(1, half, half)?.pad_with_zeros(2, half, half)?;
    let seen = |at: usize| padded.narrow(1, at / SPATIAL, h)?.narrow(2, at % SPATIAL, w);
    let seen: Vec<Tensor> = (0..SPATIAL * SPATIAL).map(seen).collect::<Result<_>>()?;
    Tensor::stack(&seen, 4)?.contiguous()?.reshape((b, h, w, c * SPATIAL * SPATIAL))
}
