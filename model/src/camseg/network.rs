//! What stage 2 asks of a segmentation network, and how one is chosen by a word.

use std::collections::BTreeMap;
use std::fmt::Debug;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use super::unet;
use super::vmaml::{self, VmamlConfig, VmamlUnet};
use crate::registry::weights::Tensors;

/// A segmentation network: images `[b, h, w, 3]` of any size, in `-1.0..=1.0`, to logits `[b, h, w]`.
pub(crate) trait SegmentationNetwork: Debug + Send + Sync {
    /// Differentiable, with the statistics of the batch, which the network remembers.
    ///
    /// # Errors
    /// If the images have another shape.
    fn learn(&self, images: &Tensor) -> Result<Answer>;

    /// With the remembered statistics, without a gradient.
    ///
    /// # Errors
    /// If the images have another shape.
    fn apply(&self, images: &Tensor) -> Result<Answer>;
}

/// What a network answers.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Of the mask, `[b, h, w]`.
    pub(crate) logits: Tensor,
    /// Side masks, the coarsest first; none for a network with one mask alone.
    pub(crate) sides: Vec<Side>,
}

/// A mask that training holds to the same label as the network's own, for its share of the loss.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) scale: SideScale,
    /// At the size of the image, `[b, h, w]`.
    pub(crate) logits: Tensor,
    /// What it counts in every image, `[b]`.
    pub(crate) weight: Tensor,
}

/// The resolution that a side mask is decided at (MODELS 8.7), the coarsest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideScale {
    /// A decision for every 16 x 16 network px.
    Sixteenth,
    /// For every 8 x 8.
    Eighth,
    /// For every 4 x 4.
    Quarter,
}

impl SideScale {
    /// All, the coarsest first.
    pub const ALL: [Self; 3] = [Self::Sixteenth, Self::Eighth, Self::Quarter];

    /// Network px along a side of what one decision is about.
    pub fn side_px(self) -> usize {
        match self {
            Self::Sixteenth => 16,
            Self::Eighth => 8,
            Self::Quarter => 4,
        }
    }

    /// The validation figure that says what a mask of this scale counts.
    pub fn weight_metric(self) -> String {
        format!("val_weight_of_1_{}", self.side_px())
    }
}

/// Which network, and how wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkConfig {
    /// U-Net (MODELS 7.5).
    Unet {
        /// Channels of the first level; each further one has twice as many.
        base: usize,
    },
    /// VMAML-UNet (MODELS 8).
    Vmaml(VmamlConfig),
}

impl NetworkConfig {
    /// The network of a word, `unet` or `vmaml`, at its usual size.
    pub(super) fn of_kind(word: &str) -> Option<Self> {
        match word {
            "unet" => Some(Self::Unet { base: 16 }),
            "vmaml" => Some(Self::Vmaml(VmamlConfig::default())),
            _ => None,
        }
    }

    /// Its word.
    fn kind(&self) -> &'static str {
        match self {
            Self::Unet { .. } => "unet",
            Self::Vmaml(_) => "vmaml",
        }
    }

    /// Whether `word` names another network.
    pub(super) fn is_other(&self, word: &str) -> bool {
        word != self.kind()
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Unet { base } => (!(4..=64).contains(base))
                .then(|| format!("the U-Net's base must lie in 4 to 64, found {base}")),
            Self::Vmaml(config) => config.problem(),
        }
    }

    /// A network over `vars`, which it shares.
    ///
    /// # Errors
    /// If a weight is missing.
    pub(crate) fn build(
        &self,
        vars: &BTreeMap<String, Var>,
    ) -> Result<Box<dyn SegmentationNetwork>> {
        match self {
            Self::Unet { .. } => Ok(Box::new(unet::Unet::new(vars)?)),
            Self::Vmaml(config) => Ok(Box::new(VmamlUnet::new(config, vars)?)),
        }
    }

    /// Names, shapes and first values of all weights.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn first_weights(&self, seed: u64) -> Result<Tensors> {
        let weights = match self {
            Self::Unet { base } => unet::weights(*base),
            Self::Vmaml(config) => vmaml::weights(config),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |weight: Weight| {
            let count = weight.shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| weight.first(i, &mut rng)).collect();
            Ok((weight.name, Tensor::from_vec(values, weight.shape, &Device::Cpu)?))
        };
        weights.into_iter().map(draw).collect()
    }
}

/// First values of a weight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Constant(f32),
    /// Uniform in `-bound..bound`.
    Uniform(f32),
    /// Normal with this standard deviation, cut at two of them.
    Normal(f32),
    /// The logarithm of the place in the last axis, from 1: rates of decay of a scan's states.
    LogIndex,
    /// What softplus makes a step size between 0.001 and 0.1 of, evenly spread over their logarithms.
    StepSize,
}

/// PyTorch's default for a layer in which every output sums that many products.
pub(super) fn kaiming(fan_in: usize) -> Start {
    Start::Uniform(1.0 / (fan_in as f32).sqrt())
}

/// A weight of a network.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) start: Start,
}

impl Weight {
    /// The first value of element `index`.
    fn first(&self, index: usize, rng: &mut ChaCha8Rng) -> f32 {
        match self.start {
            Start::Constant(value) => value,
            Start::Uniform(bound) => rng.random_range(-bound..bound),
            Start::Normal(deviation) => loop {
                let value: f32 = StandardNormal.sample(rng);
                if value.abs() <= 2.0 {
                    return value * deviation;
                }
            },
            Start::LogIndex => {
                let place = index % self.shape.last().copied().unwrap_or(1);
                (place as f32 + 1.0).ln()
            }
            Start::StepSize => {
                let step = rng.random_range(0.001f32.ln()..0.1f32.ln()).exp();
                step + (-(-step).exp_m1()).ln()
            }
        }
    }
}

/// A list of weights under construction.
#[derive(Debug)]
pub(super) struct Weights<'a> {
    list: &'a mut Vec<Weight>,
    prefix: String,
}

impl<'a> Weights<'a> {
    pub(super) fn new(list: &'a mut Vec<Weight>) -> Self {
        Self { list, prefix: String::new() }
    }

    /// Adds what `part` adds, under a name.
    pub(super) fn under(&mut self, name: &str, part: impl FnOnce(&mut Weights<'_>)) {
        part(&mut Weights { list: self.list, prefix: format!("{}{name}.", self.prefix) });
    }

    pub(super) fn add(&mut self, name: &str, shape: &[usize], start: Start) {
        let name = format!("{}{name}", self.prefix);
        self.list.push(Weight { name, shape: shape.to_vec(), start });
    }

    /// Scale and shift behind a normalization.
    pub(super) fn norm(&mut self, channels: usize) {
        self.add("weight", &[channels], Start::Constant(1.0));
        self.add("bias", &[channels], Start::Constant(0.0));
    }

    /// Weight and bias of a linear layer.
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize) {
        self.add("weight", &[outputs, inputs], kaiming(inputs));
        self.add("bias", &[outputs], kaiming(inputs));
    }
}

/// Whether a weight is learned rather than remembered.
pub(crate) fn is_trained(name: &str) -> bool {
    !name.contains("running_")
}

/// Weights as shared variables, in single precision.
///
/// # Errors
/// If a tensor cannot be converted.
pub(crate) fn variables(weights: &Tensors) -> Result<BTreeMap<String, Var>> {
    let var = |(name, tensor): (&String, &Tensor)| {
        Ok((name.clone(), Var::from_tensor(&tensor.to_dtype(DType::F32)?)?))
    };
    weights.iter().map(var).collect()
}

/// A weight by its name.
///
/// # Errors
/// If there is none.
pub(super) fn var(vars: &BTreeMap<String, Var>, name: &str) -> Result<Var> {
    match vars.get(name) {
        Some(var) => Ok(var.clone()),
        None => bail!("the segmentation network lacks the weight {name}"),
    }
}
