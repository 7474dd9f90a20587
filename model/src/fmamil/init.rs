//! Names, shapes and first values of every weight. Seeded: one seed, one network, on every machine.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::config::{Attention, FmamilConfig, FreqBand, Positions};

/// First values of a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    Constant(f64),
    /// Uniform in `-bound..bound`.
    Uniform(f64),
    Normal(f64),
    /// Normal, redrawn beyond two deviations.
    TruncatedNormal(f64),
    /// `log(1..=S)` in every row: `A = -exp(A_log)`.
    DecayLog,
    /// Inverse softplus of log-uniform step sizes in 0.001..0.1.
    StepBias,
}

/// A weight of the network.
#[derive(Clone, Debug)]
struct Weight {
    name: String,
    shape: Vec<usize>,
    start: Start,
}

/// The first weights of a network, `f32` in main memory, by name.
///
/// # Errors
/// If the config is impossible.
pub(crate) fn initial_weights(
    config: &FmamilConfig,
    seed: u64,
) -> Result<BTreeMap<String, Tensor>> {
    config.check()?;
    weights(config).draw(seed)
}

/// Every weight of the network, in a fixed order.
fn weights(config: &FmamilConfig) -> List {
    let (dim, head) = (config.dim, config.head_dim);
    let mut list = List::default();
    list.xavier("proj", dim, config.feature_dim);
    list.add("cls_token", &[dim], Start::Constant(0.0));
    if config.positions == Positions::Learnable {
        let grid = config.position_grid;
        let shape = [grid.rows, grid.columns, dim];
        list.add("pos_embed", &shape, Start::TruncatedNormal(0.02));
    }
    for block in 0..config.depth {
        list.block(&format!("blocks.{block}"), config);
    }
    list.norm("norm_f", dim, 1.0);
    list.xavier("head.enc", head, dim);
    match config.attention {
        Attention::Abmil => {
            list.xavier("head.att_v", config.attention_dim, head);
            list.xavier("head.att_w", 1, config.attention_dim);
        }
        Attention::Eq18 => list.xavier("head.att_w", 1, head),
    }
    list.xavier("head.cls", config.classes, head);
    list.xavier("head.inst", config.classes, head);
    list
}

/// Weights of a network in the making.
#[derive(Debug, Default)]
pub(crate) struct List(Vec<Weight>);

impl List {
    /// The first values of all weights, by name.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn draw(self, seed: u64) -> Result<BTreeMap<String, Tensor>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |weight: Weight| {
            let count = weight.shape.iter().product();
            let values = draw(weight.start, &weight.shape, count, &mut rng);
            Ok((weight.name, Tensor::from_vec(values, weight.shape, &Device::Cpu)?))
        };
        self.0.into_iter().map(draw).collect()
    }

    /// How many weights there are so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and shapes, in the order in which weights were added.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.0.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice()))
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, shape: &[usize], start: Start) {
        self.0.push(Weight { name: name.into(), shape: shape.to_vec(), start });
    }

    pub(crate) fn xavier(&mut self, name: &str, outputs: usize, inputs: usize) {
        let bound = (6.0 / (outputs + inputs) as f64).sqrt();
        self.add(format!("{name}.weight"), &[outputs, inputs], Start::Uniform(bound));
        self.add(format!("{name}.bias"), &[outputs], Start::Constant(0.0));
    }

    pub(crate) fn norm(&mut self, name: &str, channels: usize, gain: f64) {
        self.add(format!("{name}.weight"), &[channels], Start::Constant(gain));
        self.add(format!("{name}.bias"), &[channels], Start::Constant(0.0));
    }

    pub(crate) fn block(&mut self, name: &str, config: &FmamilConfig) {
        let (dim, inner) = (config.dim, config.inner_dim());
        self.norm(&format!("{name}.norm"), dim, 1.0);
        let in_bound = 1.0 / (dim as f64).sqrt();
        self.add(format!("{name}.in_proj.weight"), &[2 * inner, dim], Start::Uniform(in_bound));
        for suffix in if config.has_own_columns() { &["", "_v"][..] } else { &[""] } {
            if config.directions.has_forward() {
                self.direction(&format!("{name}.fwd{suffix}"), config);
            }
            if config.directions.has_backward() {
                self.direction(&format!("{name}.bwd{suffix}"), config);
            }
        }
        if config.freq_band == FreqBand::Learned {
            for part in ["re", "im"] {
                let shape = [inner, config.freq_nodes];
                self.add(format!("{name}.lfde.weight_{part}"), &shape, Start::Normal(0.02));
            }
        }
        if config.has_freq_norm() {
            self.norm(&format!("{name}.freq_norm"), inner, config.freq_gain);
        }
        let out_bound = 1.0 / (inner as f64).sqrt() / (config.depth as f64).sqrt();
        self.add(format!("{name}.out_proj.weight"), &[dim, inner], Start::Uniform(out_bound));
    }

    pub(crate) fn direction(&mut self, name: &str, config: &FmamilConfig) {
        let (inner, state, rank) = (config.inner_dim(), config.state, config.dt_rank);
        let conv = 1.0 / (config.conv as f64).sqrt();
        self.add(format!("{name}.conv1d.weight"), &[inner, 1, config.conv], Start::Uniform(conv));
        self.add(format!("{name}.conv1d.bias"), &[inner], Start::Uniform(conv));
        let project = 1.0 / (inner as f64).sqrt();
        let shape = [rank + 2 * state, inner];
        self.add(format!("{name}.x_proj.weight"), &shape, Start::Uniform(project));
        let step = 1.0 / (rank as f64).sqrt();
        self.add(format!("{name}.dt_proj.weight"), &[inner, rank], Start::Uniform(step));
        self.add(format!("{name}.dt_proj.bias"), &[inner], Start::StepBias);
        self.add(format!("{name}.A_log"), &[inner, state], Start::DecayLog);
        self.add(format!("{name}.D"), &[inner], Start::Constant(1.0));
    }
}

fn draw(start: Start, shape: &[usize], count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let one = |i: usize, rng: &mut ChaCha8Rng| match start {
        Start::Constant(value) => value,
        Start::Uniform(bound) => rng.random_range(-bound..bound),
        Start::Normal(deviation) => deviation * normal(rng),
        Start::TruncatedNormal(deviation) => loop {
            let x = normal(rng);
            if x.abs() <= 2.0 {
                break deviation * x;
            }
        },
        Start::DecayLog => ((i % shape.last().copied().unwrap_or(1) + 1) as f64).ln(),
        Start::StepBias => {
            let step = rng.random_range(0.001f64.ln()..0.1f64.ln()).exp();
            step + (-(-step).exp_m1()).ln()
        }
    };
    (0..count).map(|i| one(i, rng) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::Fmamil;
    use candle_core::DType;
    use candle_nn::VarBuilder;
    use std::collections::HashMap;

    #[test]
    fn one_seed_is_one_network_and_another_seed_another() {
        let config = FmamilConfig::small(8);
        let values = |seed| -> Vec<f32> {
            let weights = initial_weights(&config, seed).unwrap();
            crate::nn::storage::to_vec(&weights["blocks.0.in_proj.weight"]).unwrap()
        };
        assert_eq!(values(3), values(3));
        assert_ne!(values(3), values(4));
    }

    #[test]
    fn every_switch_builds_from_its_first_weights() {
        use crate::fmamil::config::*;
        let small = FmamilConfig { dim: 8, dt_rank: 1, head_dim: 8, ..FmamilConfig::small(4) };
        let variants = [
            small.clone(),
            FmamilConfig { freq_band: FreqBand::Off, ..small.clone() },
            FmamilConfig { freq_band: FreqBand::High, ..small.clone() },
            FmamilConfig { freq_gate: FreqGate::Alg2, ..small.clone() },
            FmamilConfig { freq_norm: FreqNorm::Sequence, ..small.clone() },
            FmamilConfig { freq_pool: FreqPool::Local, ..small.clone() },
            FmamilConfig { scans: Scans::Rows, ..small.clone() },
            FmamilConfig { directions: Directions::Backward, ..small.clone() },
            FmamilConfig { share_hv: false, ..small.clone() },
            FmamilConfig { attention: Attention::Eq18, ..small.clone() },
            FmamilConfig { positions: Positions::Sincos, ..small.clone() },
            FmamilConfig { positions: Positions::None, depth: 0, ..small },
        ];
        let grid = crate::fmamil::Grid { rows: 2, columns: 3 };
        let features = crate::testing::normal(&[2, 6, 4], 1).to_dtype(DType::F32).unwrap();
        let mask = Tensor::ones((2, 6), DType::F32, &Device::Cpu).unwrap();
        for config in variants {
            let weights: HashMap<_, _> = initial_weights(&config, 1).unwrap().into_iter().collect();
            let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
            let model = Fmamil::new(&config, vb).unwrap();
            let out = model.head(&model.tokens(&features, grid).unwrap(), &mask).unwrap();
            let logits: Vec<f32> = crate::nn::storage::to_vec(&out.logits).unwrap();
            assert!(logits.iter().all(|v| v.is_finite()), "{config:?}");
        }
    }
}
