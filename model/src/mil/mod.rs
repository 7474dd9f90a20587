//! Networks from a bag of patch features to a label and a map: `FMaMIL` and the methods it is measured against, with
//! the same features, split, loss loop and figures (MODELS 11).
//!
//! `[b, P, F]` features and a `[b, P]` mask (1 a patch, 0 padding) go in; class 0 is negative.

mod abmil;
mod attention;
pub(crate) mod calibration;
mod clam;
pub mod config;
mod fmamil;
mod mamba_mil;
mod transmil;
mod vision_mamba;

pub use calibration::Calibration;
pub use config::NetworkConfig;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;
use rand_chacha::ChaCha8Rng;

use crate::cam::MapKind;
use crate::cam::map::of_attention;
use crate::fmamil::{Fmamil, Grid};
use crate::loss::mil::{LossConfig, MilLoss, bag_loss};
use crate::registry::weights::Tensors;

/// Bags of one grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bags<'a> {
    /// `[b, P, F]`.
    pub(crate) features: &'a Tensor,
    /// `[b, P]`, 1 a patch.
    pub(crate) mask: &'a Tensor,
    pub(crate) grid: Grid,
}

/// What a network says about bags.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    /// `[b, C]`.
    pub(crate) probabilities: Tensor,
    /// How much each patch speaks for class 1, `[b, P]`, of any scale; 0 and below speaks against.
    pub(crate) map: Tensor,
}

/// A network that learns from bag labels.
pub(crate) trait MilNetwork: std::fmt::Debug + Send + Sync {
    /// Its loss for soft labels `target` `[b, C]`; `rng` drops activations where the method does.
    ///
    /// # Errors
    /// If shapes disagree.
    fn loss(
        &self,
        bags: Bags<'_>,
        target: &Tensor,
        config: &LossConfig,
        rng: &mut ChaCha8Rng,
    ) -> Result<MilLoss>;

    /// Probability of each class, `[b, C]`.
    ///
    /// # Errors
    /// If shapes disagree.
    fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor>;

    /// Probabilities and map.
    ///
    /// # Errors
    /// If shapes disagree.
    fn judge(&self, bags: Bags<'_>) -> Result<Judgement>;

    /// Those of `kinds` that this network has beside the map of [`Self::judge`], each as that one; most have none.
    ///
    /// # Errors
    /// If shapes disagree.
    fn further_maps(&self, _bags: Bags<'_>, _kinds: &[MapKind]) -> Result<Vec<(MapKind, Tensor)>> {
        Ok(Vec::new())
    }

    /// Itself, if it is an `FMaMIL`: the one network with a spectrum to look into.
    fn as_fmamil(&self) -> Option<&Fmamil> {
        None
    }
}

/// A network whose map is its attention and whose loss is that of the bag alone.
trait AttentionNetwork: std::fmt::Debug + Send + Sync {
    /// Attention `[b, P]` and logits `[b, C]`.
    fn forward(&self, bags: Bags<'_>) -> Result<(Tensor, Tensor)>;

    /// How the attention is drawn.
    fn map(&self) -> MapKind;
}

impl<T: AttentionNetwork> MilNetwork for T {
    fn loss(
        &self,
        bags: Bags<'_>,
        target: &Tensor,
        config: &LossConfig,
        _rng: &mut ChaCha8Rng,
    ) -> Result<MilLoss> {
        of_bag_alone(&self.forward(bags)?.1, target, config)
    }

    fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor> {
        probabilities(&self.forward(bags)?.1)
    }

    fn judge(&self, bags: Bags<'_>) -> Result<Judgement> {
        let (attention, logits) = self.forward(bags)?;
        let map = of_attention(self.map(), attention, bags.mask)?;
        Ok(Judgement { probabilities: probabilities(&logits)?, map })
    }
}

/// The network of a configuration with those weights on a device.
///
/// # Errors
/// If a weight is missing or of another shape.
pub(crate) fn build(
    config: &NetworkConfig,
    weights: Tensors,
    device: &Device,
) -> Result<Box<dyn MilNetwork>> {
    let vb = VarBuilder::from_tensors(weights.into_iter().collect(), DType::F32, device);
    Ok(match config {
        NetworkConfig::Fmamil(config) => Box::new(Fmamil::new(config, vb)?),
        NetworkConfig::Abmil(config) => Box::new(abmil::AbMil::new(config, vb)?),
        NetworkConfig::ClamSb(config) => Box::new(clam::ClamSb::new(config, vb)?),
        NetworkConfig::Transmil(config) => Box::new(transmil::TransMil::new(config, vb)?),
        NetworkConfig::MambaMil(config) => Box::new(mamba_mil::MambaMil::new(config, vb)?),
        NetworkConfig::VisionMamba(config) => Box::new(vision_mamba::VisionMamba::new(config, vb)?),
    })
}

/// First weights of a network by name, `f32` in main memory. One seed, one network.
///
/// # Errors
/// If the configuration is impossible.
pub(crate) fn initial_weights(config: &NetworkConfig, seed: u64) -> Result<Tensors> {
    match config {
        NetworkConfig::Fmamil(config) => crate::fmamil::init::initial_weights(config, seed),
        NetworkConfig::Abmil(config) => abmil::weights(config).draw(seed),
        NetworkConfig::ClamSb(config) => clam::weights(config).draw(seed),
        NetworkConfig::Transmil(config) => transmil::weights(config).draw(seed),
        NetworkConfig::MambaMil(config) => mamba_mil::weights(config)?.draw(seed),
        NetworkConfig::VisionMamba(config) => vision_mamba::weights(config)?.draw(seed),
    }
}

/// The loss of a method without instances: cross entropy of the bag.
fn of_bag_alone(logits: &Tensor, target: &Tensor, config: &LossConfig) -> Result<MilLoss> {
    let target = target.to_dtype(logits.dtype())?;
    let bag = bag_loss(logits, &target, config.label_smoothing)?;
    Ok(MilLoss { total: bag.clone(), instance: bag.zeros_like()?, bag })
}

fn probabilities(logits: &Tensor) -> Result<Tensor> {
    softmax(logits, D::Minus1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::normal;
    use candle_core::Var;
    use rand::SeedableRng as _;

    const GRID: Grid = Grid { rows: 2, columns: 3 };

    fn small(word: &str) -> NetworkConfig {
        let config = NetworkConfig::of_architecture(word, 4).unwrap();
        let mut json = serde_json::to_value(config).unwrap();
        for (name, value) in [("dim", 8), ("dt_rank", 1), ("head_dim", 8), ("hidden", 8)] {
            if json.get(name).is_some() {
                json[name] = value.into();
            }
        }
        for (name, value) in [("state", 4), ("attention_dim", 4), ("heads", 2), ("top_k", 2)] {
            if json.get(name).is_some() {
                json[name] = value.into();
            }
        }
        serde_json::from_value(json).unwrap()
    }

    fn features(patches: usize) -> Tensor {
        normal(&[2, patches, 4], 1).to_dtype(DType::F32).unwrap()
    }

    fn mask() -> Tensor {
        let mask = [[1f32, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]];
        Tensor::new(&mask, &Device::Cpu).unwrap()
    }

    #[test]
    fn every_network_learns_every_weight_it_has() {
        let target = Tensor::new(&[[0f32, 1.0], [1.0, 0.0]], &Device::Cpu).unwrap();
        for word in NetworkConfig::ARCHITECTURES {
            let config = small(word);
            let first = initial_weights(&config, 3).unwrap();
            let vars: Vec<(String, Var)> = first
                .into_iter()
                .map(|(name, tensor)| (name, Var::from_tensor(&tensor).unwrap()))
                .collect();
            let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
            let network = build(&config, tensors.collect(), &Device::Cpu).unwrap();
            let (features, mask) = (features(6), mask());
            let bags = Bags { features: &features, mask: &mask, grid: GRID };
            let loss_config = LossConfig { lambda: 0.5, ..LossConfig::paper() };
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let loss = network.loss(bags, &target, &loss_config, &mut rng).unwrap();
            let grads = loss.total.backward().unwrap();
            for (name, var) in &vars {
                assert!(grads.get(var).is_some(), "{word}: {name} has no gradient");
            }
        }
    }

    #[test]
    fn every_network_judges_finitely_and_ignores_what_is_masked() {
        for word in NetworkConfig::ARCHITECTURES {
            let config = small(word);
            let network =
                build(&config, initial_weights(&config, 3).unwrap(), &Device::Cpu).unwrap();
            let (features, mask) = (features(6), mask());
            let judged =
                network.judge(Bags { features: &features, mask: &mask, grid: GRID }).unwrap();
            let p: Vec<Vec<f32>> = judged.probabilities.to_vec2().unwrap();
            assert!(p.iter().all(|it| (it[0] + it[1] - 1.0).abs() < 1e-5), "{word}: {p:?}");
            let map: Vec<Vec<f32>> = judged.map.to_vec2().unwrap();
            assert!(map.iter().flatten().all(|it| it.is_finite()), "{word}: {map:?}");
            assert_eq!((map[1][2], map[1][5]), (0.0, 0.0), "{word}");
            let again =
                network.probabilities(Bags { features: &features, mask: &mask, grid: GRID });
            let again: Vec<Vec<f32>> = again.unwrap().to_vec2().unwrap();
            assert_eq!(again, p, "{word}");
        }
    }
}
