//! What stage 2 asks of a segmentation network, and how one is chosen by a word.

use std::collections::BTreeMap;
use std::fmt::Debug;

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::unet;
use crate::registry::weights::Tensors;

/// A segmentation network: images `[b, h, w, 3]` of any size, in `-1.0..=1.0`, to logits `[b, h, w]`.
pub(crate) trait SegmentationNetwork: Debug + Send + Sync {
    /// Differentiable, with the statistics of the batch, which the network remembers.
    ///
    /// # Errors
    /// If the images have another shape.
    fn learn(&self, images: &Tensor) -> Result<Tensor>;

    /// With the remembered statistics, without a gradient.
    ///
    /// # Errors
    /// If the images have another shape.
    fn apply(&self, images: &Tensor) -> Result<Tensor>;
}

/// Which network, and how wide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkConfig {
    /// U-Net (MODELS 7.5).
    Unet {
        /// Channels of the first level; each further one has twice as many.
        base: usize,
    },
}

impl NetworkConfig {
    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Unet { base } => (!(4..=64).contains(base))
                .then(|| format!("the U-Net's base must lie in 4 to 64, found {base}")),
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
        }
    }

    /// Names, shapes and first values of all weights.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn first_weights(&self, seed: u64) -> Result<Tensors> {
        let weights = match self {
            Self::Unet { base } => unet::weights(*base),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |weight: Weight| {
            let count = weight.shape.iter().product();
            let values: Vec<f32> = match weight.start {
                Start::Constant(value) => vec![value; count],
                Start::Uniform(bound) => {
                    (0..count).map(|_| rng.random_range(-bound..bound)).collect()
                }
            };
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
}

/// A weight of a network.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) start: Start,
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
