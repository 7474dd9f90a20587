//! The costly computations on made-up data, for benchmarks.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::camseg::network::{Answer, NetworkConfig, variables};
use crate::fmamil::init::initial_weights;
use crate::fmamil::{Fmamil, FmamilConfig, Grid};
use crate::loss::mil::{LossConfig, mil_loss};
use crate::nn::ScanDirection;
use crate::nn::batch_norm::batch_norm_relu;
use crate::nn::conv3x3::conv3x3;
use crate::nn::gradients::gradients;
use crate::nn::max_pool::max_pool2;
use crate::nn::pointwise_conv::pointwise_conv;
use crate::nn::selective_scan::{ScanParams, selective_scan};
use crate::nn::spectrum::learned_filter;
use crate::nn::tape::{Chain, Slot, Tape, chained};
use crate::nn::up_conv::up_conv;
use crate::nn::vectors::Vectors;
use crate::registry::weights::one_line;
use crate::train::adamw::{AdamW, AdamWConfig};
use crate::wise::autoencoder::{Autoencoder, AutoencoderConfig};
use crate::wise::roll::Roll;
use crate::wise::tokens::Order;

/// How much of an operation is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Outputs alone.
    Forward,
    /// Outputs, then gradients in every input.
    Training,
}

/// Why a computation failed, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the computation failed: {0}")]
pub struct TimingError(String);

impl TimingError {
    /// From the cause.
    pub fn new(cause: &dyn std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl From<candle_core::Error> for TimingError {
    fn from(error: candle_core::Error) -> Self {
        Self(one_line(&error))
    }
}

/// Runs a computation once; its inputs are already there.
pub type Workload = Box<dyn FnMut() -> std::result::Result<(), TimingError>>;

/// One forward scan of `length` tokens with its step-size projection of rank `channels / 32`, one bag.
///
/// # Errors
/// If the inputs cannot be made.
pub fn scan(
    length: usize,
    channels: usize,
    state: usize,
    pass: Pass,
) -> std::result::Result<Workload, TimingError> {
    let rank = channels / 32;
    let inputs = [
        normal(&[1, length, channels], 1)?,
        normal(&[1, length, rank + 2 * state], 2)?,
        normal(&[channels, state], 3)?.abs()?.neg()?,
        normal(&[channels], 4)?,
        normal(&[channels], 5)?,
        (normal(&[channels, rank], 6)? * 0.1)?,
    ];
    operation(inputs, pass, |inputs| {
        let [x, projected, decay, skip, dt_bias, dt_weight] = inputs;
        let params = ScanParams { decay, skip, dt_bias, dt_weight };
        selective_scan(x, projected, params, ScanDirection::Forward)
    })
}

/// The learned filter of 62 nodes along `length` tokens, one bag.
///
/// # Errors
/// If the inputs cannot be made.
pub fn frequency_filter(
    length: usize,
    channels: usize,
    pass: Pass,
) -> std::result::Result<Workload, TimingError> {
    let inputs = [
        normal(&[1, length, channels], 1)?,
        normal(&[channels, 62], 2)?,
        normal(&[channels, 62], 3)?,
    ];
    operation(inputs, pass, |[x, re, im]| learned_filter(x, re, im))
}

/// A training step of a network on one bag: forward, loss, gradients, optimizer.
///
/// # Errors
/// If the network cannot be built.
pub fn training_step(
    config: &FmamilConfig,
    grid: Grid,
) -> std::result::Result<Workload, TimingError> {
    let (model, vars) = network(config)?;
    let features = normal(&[1, grid.patches(), config.feature_dim], 7)?;
    let mask = Tensor::ones((1, grid.patches()), features.dtype(), &Device::Cpu)?;
    let target = Tensor::new(&[[0f32, 1.0]], &Device::Cpu)?;
    let mut optimizer = AdamW::<f32>::new(&vars, AdamWConfig::paper())?;
    let mut step = move || {
        let output = model.head(&model.tokens(&features, grid)?, &mask)?;
        let loss = mil_loss(&output, &target, &mask, &LossConfig::paper())?;
        optimizer.step(&gradients(&loss.total)?, 1e-3)
    };
    Ok(Box::new(move || {
        step()?;
        Ok(())
    }))
}

/// A segmentation network on one image of `side_px` x `side_px`: applied, or with gradients of all weights.
///
/// # Errors
/// If the network cannot be built.
pub fn segmentation(
    config: &NetworkConfig,
    side_px: usize,
    pass: Pass,
) -> std::result::Result<Workload, TimingError> {
    let vars = variables(&config.first_weights(0)?)?;
    let network = config.build(&vars)?;
    let image = normal(&[1, side_px, side_px, 3], 8)?;
    Ok(Box::new(move || {
        match pass {
            Pass::Forward => drop(network.apply(&image)?),
            Pass::Training => drop(gradients(&sum_of(&network.learn(&image)?)?)?),
        }
        Ok(())
    }))
}

/// Every mask that is learned from, summed.
fn sum_of(answer: &Answer) -> Result<Tensor> {
    let mut sum = answer.logits.sum_all()?;
    for side in &answer.sides {
        sum = (sum + (side.logits.sum_all()? * side.weight.sum_all()?)?)?;
    }
    Ok(sum)
}

/// A training step of the small masked autoencoder on `count` images: forward, loss, gradients, optimizer (MODELS 10.4).
///
/// # Errors
/// If the network cannot be built.
pub fn pretraining_step(count: usize) -> std::result::Result<Workload, TimingError> {
    let config = AutoencoderConfig::small();
    let (grid, values) = (config.grid(), 3 * config.patch * config.patch);
    let mut roll = Roll::default();
    let network = Autoencoder::new(&config, &mut roll);
    let mut vars = BTreeMap::new();
    for (name, first) in Autoencoder::first_weights(&config, 0)? {
        vars.insert(name, Var::from_tensor(&first)?);
    }
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let weights = roll.sorted(&tensors)?;
    let mut optimizer = AdamW::<f32>::new(&vars, AdamWConfig::paper())?;
    let patches = normal(&[count, grid.patches(), values], 15)?;
    let places = (0..count).flat_map(|_| (0..grid.patches() as u32).rev()).collect();
    let order = Order::masked(places, grid.patches(), config.n_seen(grid.patches()))?;
    Ok(Box::new(move || {
        let weights: Vec<&Tensor> = weights.iter().collect();
        let loss = network.guess(&patches, grid, &order, &weights)?.loss;
        optimizer.step(&gradients(&loss)?, 1e-4)?;
        Ok(())
    }))
}

/// A layer of a U-Net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// 3 x 3, as many channels as before.
    Convolution,
    /// Batch norm with the batch's statistics, and the `ReLU` behind it.
    BatchNorm,
    /// The largest of every 2 x 2 pixels.
    MaxPool,
    /// Twice the sides, half the channels.
    Up,
    /// One weighted sum of every pixel's channels.
    Decision,
}

/// A layer of a U-Net on one image of `side_px` x `side_px`.
///
/// # Errors
/// If the inputs cannot be made.
pub fn layer(
    layer: Layer,
    side_px: usize,
    channels: usize,
    pass: Pass,
) -> std::result::Result<Workload, TimingError> {
    let x = normal(&[1, side_px, side_px, channels], 9)?;
    let ones = Tensor::ones(channels, DType::F32, &Device::Cpu)?;
    match layer {
        Layer::Convolution => {
            let weight = normal(&[channels, channels, 3, 3], 10)?;
            operation([x, weight], pass, |[x, weight]| conv3x3(x, weight))
        }
        Layer::BatchNorm => operation([x, ones.clone(), ones], pass, |[x, weight, bias]| {
            chained(BatchNormAlone, x, &[weight, bias])
        }),
        Layer::MaxPool => operation([x], pass, |[x]| max_pool2(x)),
        Layer::Up => {
            let inputs =
                [x, normal(&[channels, channels / 2, 2, 2], 11)?, normal(&[channels / 2], 12)?];
            operation(inputs, pass, |[x, weight, bias]| up_conv(x, weight, bias))
        }
        Layer::Decision => {
            let inputs = [x, normal(&[1, channels, 1, 1], 13)?, normal(&[1], 14)?];
            operation(inputs, pass, |[x, weight, bias]| pointwise_conv(x, weight, bias))
        }
    }
}

struct BatchNormAlone;

impl Chain for BatchNormAlone {
    const NAME: &'static str = "batch norm";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let (y, _) = batch_norm_relu(tape, [Slot::INPUT, Slot::parameter(0), Slot::parameter(1)])?;
        Ok(y)
    }
}

fn network(config: &FmamilConfig) -> Result<(Fmamil, BTreeMap<String, Var>)> {
    let mut vars = BTreeMap::new();
    for (name, first) in initial_weights(config, 0)? {
        vars.insert(name, Var::from_tensor(&first)?);
    }
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    Ok((Fmamil::new(config, vb)?, vars))
}

/// An operation on variables; for training, the gradients of the sum of its outputs.
fn operation<const N: usize>(
    inputs: [Tensor; N],
    pass: Pass,
    run: impl Fn([&Tensor; N]) -> Result<Tensor> + 'static,
) -> std::result::Result<Workload, TimingError> {
    let vars: Vec<Var> = inputs.iter().map(Var::from_tensor).collect::<Result<_>>()?;
    Ok(Box::new(move || {
        if pass == Pass::Forward {
            run(inputs.each_ref())?;
            return Ok(());
        }
        let mut leaves = inputs.each_ref();
        for (leaf, var) in leaves.iter_mut().zip(&vars) {
            *leaf = var.as_tensor();
        }
        run(leaves)?.sum_all()?.backward()?;
        Ok(())
    }))
}

fn normal(shape: &[usize], seed: u64) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_runs() {
        let small = FmamilConfig { dim: 8, dt_rank: 1, head_dim: 8, ..FmamilConfig::small(4) };
        let workloads = [
            scan(9, 32, 4, Pass::Forward),
            scan(9, 32, 4, Pass::Training),
            frequency_filter(9, 4, Pass::Forward),
            frequency_filter(9, 4, Pass::Training),
            training_step(&small, Grid { rows: 2, columns: 3 }),
            segmentation(&NetworkConfig::Unet { base: 4 }, 16, Pass::Forward),
            segmentation(&NetworkConfig::Unet { base: 4 }, 16, Pass::Training),
            pretraining_step(2),
            layer(Layer::Convolution, 4, 2, Pass::Training),
            layer(Layer::BatchNorm, 4, 2, Pass::Training),
            layer(Layer::MaxPool, 4, 2, Pass::Training),
            layer(Layer::Up, 4, 2, Pass::Training),
            layer(Layer::Decision, 4, 2, Pass::Training),
        ];
        for workload in workloads {
            let mut workload = workload.unwrap();
            assert_eq!((workload(), workload()), (Ok(()), Ok(())));
        }
    }
}
