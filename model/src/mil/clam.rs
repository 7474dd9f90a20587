//! CLAM with one attention branch (Lu et al. 2021): the patches of most and of least attention are taught as
//! instances of the bag's class. Map: attention.

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::log_softmax;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::attention::{self, AttentionPool};
use super::config::ClamSbConfig;
use super::{Bags, Judgement, MilNetwork, probabilities};
use crate::cam::MapKind;
use crate::cam::map::of_attention;
use crate::fmamil::init::List;
use crate::loss::mil::{LossConfig, MilLoss, bag_loss};
use crate::nn::activation::relu;
use crate::nn::linear::Linear;

#[derive(Clone, Debug)]
pub(super) struct ClamSb {
    encode: Linear,
    pool: AttentionPool,
    classify: Linear,
    /// One per class: is this an instance of it?
    instances: [Linear; 2],
    dropout: f64,
    top_k: usize,
    map: MapKind,
}

/// Its weights.
pub(super) fn weights(config: &ClamSbConfig) -> List {
    let mut list = List::default();
    list.xavier("enc", config.hidden, config.feature_dim);
    attention::weights(&mut list, "att", (config.hidden, config.attention_dim), true);
    list.xavier("cls", 2, config.hidden);
    for class in 0..2 {
        list.xavier(&format!("inst.{class}"), 2, config.hidden);
    }
    list
}

impl ClamSb {
    pub(super) fn new(config: &ClamSbConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let instances = |class: usize| Linear::new(config.hidden, 2, vb.pp("inst").pp(class));
        Ok(Self {
            encode: Linear::new(config.feature_dim, config.hidden, vb.pp("enc"))?,
            pool: AttentionPool::new((config.hidden, config.attention_dim), true, &vb.pp("att"))?,
            classify: Linear::new(config.hidden, 2, vb.pp("cls"))?,
            instances: [instances(0)?, instances(1)?],
            dropout: config.dropout,
            top_k: config.top_k,
            map: config.map,
        })
    }

    fn encode(&self, features: &Tensor) -> Result<Tensor> {
        relu(&self.encode.forward(features)?)
    }

    /// Zeroes a share of the values and enlarges the others.
    fn drop(&self, hidden: &Tensor, rng: &mut ChaCha8Rng) -> Result<Tensor> {
        if self.dropout <= 0.0 {
            return Ok(hidden.clone());
        }
        let kept = (1.0 / (1.0 - self.dropout)) as f32;
        let factors: Vec<f32> = (0..hidden.elem_count())
            .map(|_| if rng.random_bool(self.dropout) { 0.0 } else { kept })
            .collect();
        hidden * Tensor::from_vec(factors, hidden.shape(), hidden.device())?
    }

    /// Attention `[b, P]` and logits `[b, 2]` of encoded patches.
    fn pool(&self, hidden: &Tensor, mask: &Tensor) -> Result<(Tensor, Tensor)> {
        let (attention, bag) = self.pool.forward(hidden, mask)?;
        Ok((attention, self.classify.forward(&bag)?))
    }

    /// Cross entropy of the patches of most (instance) and least (no instance) attention, mean over bags.
    fn instance_loss(
        &self,
        hidden: &Tensor,
        attention: &Tensor,
        mask: &Tensor,
        target: &Tensor,
    ) -> Result<Tensor> {
        let attention: Vec<Vec<f32>> = attention.to_vec2()?;
        let mask: Vec<Vec<f32>> = mask.to_vec2()?;
        let target: Vec<Vec<f32>> = target.to_vec2()?;
        let mut sum: Option<Tensor> = None;
        for (bag, attention) in attention.iter().enumerate() {
            let (most, least) = extremes(attention, &mask[bag], self.top_k);
            let class = usize::from(target[bag][0] < target[bag][1]);
            let places: Vec<u32> = most.iter().chain(&least).map(|place| *place as u32).collect();
            let places = Tensor::new(places, hidden.device())?;
            let chosen = hidden.get(bag)?.index_select(&places, 0)?; // [2k, H]
            let log_p = log_softmax(&self.instances[class].forward(&chosen)?, D::Minus1)?;
            let of_most = log_p.narrow(0, 0, most.len())?.narrow(1, 1, 1)?.sum_all()?;
            let of_least = log_p.narrow(0, most.len(), least.len())?.narrow(1, 0, 1)?.sum_all()?;
            let loss = ((of_most + of_least)? / -((most.len() + least.len()) as f64))?;
            sum = Some(match sum {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
        }
        match sum {
            Some(sum) => sum / target.len() as f64,
            None => Tensor::zeros((), hidden.dtype(), hidden.device()),
        }
    }
}

/// Up to `k` real patches of most and as many others of least attention; the earlier of equals.
fn extremes(attention: &[f32], mask: &[f32], k: usize) -> (Vec<usize>, Vec<usize>) {
    let mut places: Vec<usize> = (0..attention.len()).filter(|i| 0.0 < mask[*i]).collect();
    places.sort_by(|a, b| attention[*b].total_cmp(&attention[*a]));
    let k = k.min(places.len() / 2);
    (places[..k].to_vec(), places[places.len() - k..].to_vec())
}

impl MilNetwork for ClamSb {
    fn loss(
        &self,
        bags: Bags<'_>,
        target: &Tensor,
        config: &LossConfig,
        rng: &mut ChaCha8Rng,
    ) -> Result<MilLoss> {
        let hidden = self.drop(&self.encode(bags.features)?, rng)?;
        let (attention, logits) = self.pool(&hidden, bags.mask)?;
        let bag = bag_loss(&logits, target, config.label_smoothing)?;
        let instance = self.instance_loss(&hidden, &attention, bags.mask, target)?;
        let total = ((&bag * config.lambda)? + (&instance * (1.0 - config.lambda))?)?;
        Ok(MilLoss { total, bag, instance })
    }

    fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor> {
        probabilities(&self.pool(&self.encode(bags.features)?, bags.mask)?.1)
    }

    fn judge(&self, bags: Bags<'_>) -> Result<Judgement> {
        let (attention, logits) = self.pool(&self.encode(bags.features)?, bags.mask)?;
        let map = of_attention(self.map, attention, bags.mask)?;
        Ok(Judgement { probabilities: probabilities(&logits)?, map })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_real_patches_and_never_overlap() {
        let attention = [0.1, 0.4, 0.2, 0.9, 0.3];
        assert_eq!(extremes(&attention, &[1.0, 1.0, 1.0, 0.0, 1.0], 1), (vec![1], vec![0]));
        assert_eq!(extremes(&attention, &[1.0; 5], 8), (vec![3, 1], vec![2, 0]));
        assert_eq!(extremes(&attention, &[0.0; 5], 8), (vec![], vec![]));
    }
}
