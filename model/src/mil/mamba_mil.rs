//! `MambaMIL` (Yang et al. 2024): each block scans the patches in their order and once more in strides of `rate`, each
//! scan with weights of its own; then attention pooling. Map: attention.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::attention::{self, AttentionPool};
use super::config::MambaMilConfig;
use super::{AttentionNetwork, Bags};
use crate::cam::MapKind;
use crate::fmamil::FmamilConfig;
use crate::fmamil::block::NORM_EPS;
use crate::fmamil::init::{List, Start};
use crate::fmamil::ssm::SsmDirection;
use crate::nn::ScanDirection;
use crate::nn::activation::{relu, silu};
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;

#[derive(Clone, Debug)]
pub(super) struct MambaMil {
    encode: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    pool: AttentionPool,
    classify: Linear,
    rate: usize,
    map: MapKind,
}

#[derive(Clone, Debug)]
struct Block {
    norm: LayerNorm,
    value: Linear,
    gate: Linear,
    in_order: SsmDirection,
    in_strides: SsmDirection,
    out: Linear,
}

/// The sizes of its scans in the terms of ours.
fn scan(config: &MambaMilConfig) -> FmamilConfig {
    FmamilConfig {
        dim: config.dim,
        state: config.state,
        dt_rank: config.dt_rank,
        depth: config.depth,
        ..FmamilConfig::paper(config.feature_dim)
    }
}

/// Its weights.
pub(super) fn weights(config: &MambaMilConfig) -> Result<List> {
    let scan = scan(config);
    scan.check()?;
    let (dim, inner) = (scan.dim, scan.inner_dim());
    let mut list = List::default();
    list.xavier("enc", dim, config.feature_dim);
    for block in 0..config.depth {
        let name = format!("blocks.{block}");
        list.norm(&format!("{name}.norm"), dim, 1.0);
        let bound = Start::Uniform(1.0 / (dim as f64).sqrt());
        list.add(format!("{name}.value.weight"), &[inner, dim], bound);
        list.add(format!("{name}.gate.weight"), &[inner, dim], bound);
        list.direction(&format!("{name}.in_order"), &scan);
        list.direction(&format!("{name}.in_strides"), &scan);
        let bound = Start::Uniform(1.0 / (inner as f64).sqrt());
        list.add(format!("{name}.out.weight"), &[dim, inner], bound);
    }
    list.norm("norm_f", dim, 1.0);
    attention::weights(&mut list, "att", (dim, config.attention_dim), false);
    list.xavier("cls", 2, dim);
    Ok(list)
}

/// Which patch stands where when every `rate`-th follows the one before.
fn strides(patches: usize, rate: usize) -> Vec<u32> {
    (0..rate).flat_map(|first| (first..patches).step_by(rate)).map(|patch| patch as u32).collect()
}

/// The order that undoes another.
fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    for (place, patch) in (0_u32..).zip(order) {
        inverse[*patch as usize] = place;
    }
    inverse
}

impl Block {
    fn new(config: &FmamilConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let (dim, inner) = (config.dim, config.inner_dim());
        let scan = |name| SsmDirection::new(config, ScanDirection::Forward, vb.pp(name));
        Ok(Self {
            norm: LayerNorm::new(dim, NORM_EPS, vb.pp("norm"))?,
            value: Linear::without_bias(dim, inner, vb.pp("value"))?,
            gate: Linear::without_bias(dim, inner, vb.pp("gate"))?,
            in_order: scan("in_order")?,
            in_strides: scan("in_strides")?,
            out: Linear::without_bias(inner, dim, vb.pp("out"))?,
        })
    }

    /// `[b, P, D]` to `[b, P, D]`; `there` and `back` are indices of the second order and its inverse.
    fn forward(&self, tokens: &Tensor, there: &Tensor, back: &Tensor) -> Result<Tensor> {
        let normed = self.norm.forward(tokens)?;
        let (x, open) = (self.value.forward(&normed)?, silu(&self.gate.forward(&normed)?)?);
        let in_strides = self.in_strides.forward(&x.index_select(there, 1)?)?;
        let scanned = (self.in_order.forward(&x)? + in_strides.index_select(back, 1)?)?;
        self.out.forward(&(scanned * open)?)? + tokens
    }
}

impl MambaMil {
    pub(super) fn new(config: &MambaMilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let scan = scan(config);
        let block = |i| Block::new(&scan, &vb.pp("blocks").pp(i));
        Ok(Self {
            encode: Linear::new(config.feature_dim, config.dim, vb.pp("enc"))?,
            blocks: (0..config.depth).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(config.dim, NORM_EPS, vb.pp("norm_f"))?,
            pool: AttentionPool::new((config.dim, config.attention_dim), false, &vb.pp("att"))?,
            classify: Linear::new(config.dim, 2, vb.pp("cls"))?,
            rate: config.rate,
            map: config.map,
        })
    }
}

impl AttentionNetwork for MambaMil {
    fn forward(&self, bags: Bags<'_>) -> Result<(Tensor, Tensor)> {
        let device = bags.features.device();
        let order = strides(bags.grid.patches(), self.rate);
        let back = Tensor::new(inverse(&order), device)?;
        let there = Tensor::new(order, device)?;
        let mut tokens = relu(&self.encode.forward(bags.features)?)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, &there, &back)?;
        }
        let (attention, bag) = self.pool.forward(&self.norm.forward(&tokens)?, bags.mask)?;
        Ok((attention, self.classify.forward(&bag)?))
    }

    fn map(&self) -> MapKind {
        self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_meet_every_patch_once_and_can_be_undone() {
        let order = strides(7, 3);
        assert_eq!(order, [0, 3, 6, 1, 4, 2, 5]);
        let back = inverse(&order);
        let undone: Vec<u32> = back.iter().map(|place| order[*place as usize]).collect();
        assert_eq!(undone, (0..7).collect::<Vec<u32>>());
    }
}
