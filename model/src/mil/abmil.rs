//! Attention-based MIL (Ilse et al. 2018): the floor, without any context between patches. Map: attention.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::attention::{self, AttentionPool};
use super::config::AbmilConfig;
use super::{AttentionNetwork, Bags};
use crate::cam::MapKind;
use crate::fmamil::init::List;
use crate::nn::activation::relu;
use crate::nn::linear::Linear;

#[derive(Clone, Debug)]
pub(super) struct AbMil {
    encode: Linear,
    pool: AttentionPool,
    classify: Linear,
    map: MapKind,
}

/// Its weights.
pub(super) fn weights(config: &AbmilConfig) -> List {
    let mut list = List::default();
    list.xavier("enc", config.hidden, config.feature_dim);
    attention::weights(&mut list, "att", (config.hidden, config.attention_dim), false);
    list.xavier("cls", 2, config.hidden);
    list
}

impl AbMil {
    pub(super) fn new(config: &AbmilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            encode: Linear::new(config.feature_dim, config.hidden, vb.pp("enc"))?,
            pool: AttentionPool::new((config.hidden, config.attention_dim), false, &vb.pp("att"))?,
            classify: Linear::new(config.hidden, 2, vb.pp("cls"))?,
            map: config.map,
        })
    }
}

impl AttentionNetwork for AbMil {
    fn forward(&self, bags: Bags<'_>) -> Result<(Tensor, Tensor)> {
        let hidden = relu(&self.encode.forward(bags.features)?)?;
        let (attention, bag) = self.pool.forward(&hidden, bags.mask)?;
        Ok((attention, self.classify.forward(&bag)?))
    }

    fn map(&self) -> MapKind {
        self.map
    }
}
