//! How the weights of a segmentation network are moved, chosen by a word as the network is.

use std::collections::BTreeMap;
use std::fmt::Debug;

use candle_core::backprop::GradStore;
use candle_core::{Result, Var};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::network::{NetworkConfig, is_trained};
use super::sgd::{Sgd, SgdConfig};
use crate::registry::weights::Tensors;
use crate::train::ScheduleConfig;
use crate::train::adamw::{AdamW, AdamWConfig};
use crate::train::schedule::learning_rate;

/// Moves weights along their gradients.
pub(super) trait Optimizer: Debug + Send {
    /// Moves every weight that has a gradient; returns the gradients' norm before clipping.
    ///
    /// # Errors
    /// If the norm is not finite: the weights are left as they were.
    fn step(&mut self, grads: &GradStore, rate: f64) -> Result<f64>;

    /// What it remembers of earlier steps, for [`Self::load_state`].
    ///
    /// # Errors
    /// If a tensor cannot be made.
    fn state(&self) -> Result<Tensors>;

    /// Goes back to where [`Self::state`] was called.
    ///
    /// # Errors
    /// If what is saved is about other weights.
    fn load_state(&mut self, saved: &Tensors) -> Result<()>;
}

/// Which optimizer, and its learning rate over time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum (MODELS 7.6).
    Sgd(SgdConfig),
    /// `AdamW` along a cosine (MODELS 8.7).
    AdamW {
        /// The learning rate.
        learning_rate: ScheduleConfig,
        /// The other constants.
        constants: AdamWConfig,
    },
}

impl OptimizerConfig {
    /// The one that a network is published with.
    pub(super) fn of(network: &NetworkConfig) -> Self {
        match network {
            NetworkConfig::Unet { .. } => Self::sgd(),
            NetworkConfig::Vmaml(_) => Self::adamw(),
        }
    }

    /// The one of a word, `sgd` or `adamw`, with its usual constants.
    pub(super) fn of_kind(word: &str) -> Option<Self> {
        [Self::sgd(), Self::adamw()].into_iter().find(|it| it.kind() == word)
    }

    /// Its word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::AdamW { .. } => "adamw",
        }
    }

    fn sgd() -> Self {
        Self::Sgd(SgdConfig::paper())
    }

    fn adamw() -> Self {
        Self::AdamW {
            learning_rate: ScheduleConfig { peak: 1e-3, last: 1e-5, warmup_epochs: 0 },
            constants: AdamWConfig::segmentation(),
        }
    }

    /// Says what is out of range, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Sgd(SgdConfig { momentum, .. }) => (!(0.0..=1.0).contains(momentum))
                .then(|| format!("momentum must lie in 0 to 1, found {momentum}")),
            Self::AdamW { learning_rate: ScheduleConfig { peak, last, .. }, .. } => (!(0.0
                < *peak
                && (0.0..=*peak).contains(last)))
            .then(|| format!("learning_rate must fall from its peak, found {peak} to {last}")),
        }
    }

    /// The learning rate of step `step` of `epochs` epochs with as many steps each.
    pub(super) fn rate_at(&self, step: usize, steps_per_epoch: usize, epochs: usize) -> f64 {
        let n_steps = epochs * steps_per_epoch;
        match self {
            Self::Sgd(config) => config.rate_at(step, n_steps),
            Self::AdamW { learning_rate: schedule, .. } => {
                learning_rate(schedule, step, schedule.warmup_epochs * steps_per_epoch, n_steps)
            }
        }
    }

    /// For the trained ones among `vars`, with nothing remembered.
    ///
    /// # Errors
    /// If a weight is not of 32-bit numbers.
    pub(super) fn build(&self, vars: &BTreeMap<String, Var>) -> Result<Box<dyn Optimizer>> {
        let trained = vars.iter().filter(|(name, _)| is_trained(name));
        let trained = trained.map(|(name, var)| (name.clone(), var.clone())).collect();
        Ok(match self {
            Self::Sgd(config) => Box::new(Sgd::new(&trained, *config)),
            Self::AdamW { constants, .. } => Box::new(AdamW::new(&trained, *constants)?),
        })
    }
}

/// Reads an optimizer; one without a word, as run folders of earlier versions hold it, is SGD.
pub(super) fn named_or_sgd<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<OptimizerConfig, D::Error> {
    let mut written = serde_json::Map::deserialize(from)?;
    written.entry("kind").or_insert_with(|| OptimizerConfig::sgd().kind().into());
    serde_json::from_value(written.into()).map_err(D::Error::custom)
}

impl Optimizer for AdamW {
    fn step(&mut self, grads: &GradStore, rate: f64) -> Result<f64> {
        Self::step(self, grads, rate)
    }

    fn state(&self) -> Result<Tensors> {
        Self::state(self)
    }

    fn load_state(&mut self, saved: &Tensors) -> Result<()> {
        Self::load_state(self, saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::storage::to_vec;
    use candle_core::{Device, Tensor};

    #[test]
    fn every_kind_moves_the_weights_and_leaves_statistics_alone() {
        for kind in ["sgd", "adamw"] {
            let config = OptimizerConfig::of_kind(kind).unwrap();
            assert_eq!((config.kind(), config.problem()), (kind, None));
            let first = Tensor::new(&[1f32, -2.0], &Device::Cpu).unwrap();
            let var = || Var::from_tensor(&first).unwrap();
            let vars: BTreeMap<_, _> =
                [("w".to_owned(), var()), ("bn1.running_mean".to_owned(), var())].into();
            let sum = (&*vars["w"] + &*vars["bn1.running_mean"]).unwrap().sum_all().unwrap();
            config.build(&vars).unwrap().step(&sum.backward().unwrap(), 0.1).unwrap();
            let values = |name: &str| -> Vec<f32> { to_vec(&vars[name]).unwrap() };
            assert!(values("w")[0] < 1.0 && values("w")[1] < -2.0, "{kind}");
            assert_eq!(values("bn1.running_mean"), [1.0, -2.0], "{kind}");
        }
    }

    #[test]
    fn the_cosine_runs_over_all_epochs_after_its_warm_up() {
        let OptimizerConfig::AdamW { learning_rate, constants } = OptimizerConfig::adamw() else {
            unreachable!("it is AdamW");
        };
        let learning_rate = ScheduleConfig { warmup_epochs: 2, ..learning_rate };
        let config = OptimizerConfig::AdamW { learning_rate, constants };
        assert!((config.rate_at(20, 10, 12) - 1e-3).abs() < 1e-12);
        assert!((config.rate_at(120, 10, 12) - 1e-5).abs() < 1e-12);
    }
}
