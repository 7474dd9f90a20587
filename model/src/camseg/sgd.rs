//! Stochastic gradient descent with momentum, weight decay and clipping (MODELS 7.6), one pass per weight.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Var, bail};
use serde::{Deserialize, Serialize};

use super::optimizer::Optimizer;
use crate::nn::storage::{tensor, to_vec};
use crate::registry::weights::Tensors;

/// Constants of the optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate of the first step.
    pub rate: f64,
    /// Exponent of its fall to 0 at the last step.
    pub power: f64,
    /// Share of the last step that the next one keeps, `0.0..1.0`.
    pub momentum: f64,
    /// Pull of every weight towards 0, per unit of learning rate.
    pub weight_decay: f64,
    /// Longer gradients are shortened to this norm.
    pub clip_norm: f64,
}

impl SgdConfig {
    /// The paper's constants, polynomial decay and clipping.
    pub fn paper() -> Self {
        Self { rate: 0.01, power: 0.9, momentum: 0.9, weight_decay: 1e-4, clip_norm: 5.0 }
    }

    /// The learning rate of step `step` of `n_steps`.
    pub(crate) fn rate_at(&self, step: usize, n_steps: usize) -> f64 {
        let left = 1.0 - step as f64 / n_steps.max(1) as f64;
        self.rate * left.max(0.0).powf(self.power)
    }
}

/// The optimizer's state.
#[derive(Debug)]
pub(crate) struct Sgd {
    config: SgdConfig,
    slots: Vec<Slot>,
}

/// A weight and how it moves.
#[derive(Debug)]
struct Slot {
    name: String,
    var: Var,
    motion: Vec<f32>,
}

impl Sgd {
    /// For `vars`, at rest.
    pub(crate) fn new(vars: &BTreeMap<String, Var>, config: SgdConfig) -> Self {
        let at_rest = |(name, var): (&String, &Var)| Slot {
            name: name.clone(),
            var: var.clone(),
            motion: vec![0.0; var.elem_count()],
        };
        Self { config, slots: vars.iter().map(at_rest).collect() }
    }
}

impl Optimizer for Sgd {
    fn state(&self) -> Result<Tensors> {
        let named = |Slot { name, var, motion }: &Slot| {
            Ok((name.clone(), tensor(motion.clone(), var.shape())?))
        };
        self.slots.iter().map(named).collect()
    }

    fn load_state(&mut self, saved: &Tensors) -> Result<()> {
        for Slot { name, motion, .. } in &mut self.slots {
            match saved.get(name).map(to_vec).transpose()? {
                Some(found) if found.len() == motion.len() => *motion = found,
                _ => bail!("the saved state does not say how the weight {name} moves"),
            }
        }
        Ok(())
    }

    fn step(&mut self, grads: &GradStore, rate: f64) -> Result<f64> {
        let mut gradients = Vec::with_capacity(self.slots.len());
        let mut squares = 0.0;
        for Slot { var, .. } in &self.slots {
            let gradient: Option<Vec<f32>> = grads.get(var).map(to_vec).transpose()?;
            let sum = |it: &Vec<f32>| it.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            squares += gradient.as_ref().map_or(0.0, sum);
            gradients.push(gradient);
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            bail!("the gradient is not finite (norm {norm})")
        }
        let clip = (self.config.clip_norm / (norm + 1e-6)).min(1.0) as f32;
        let (momentum, decay) = (self.config.momentum as f32, self.config.weight_decay as f32);
        for (Slot { var, motion, .. }, gradient) in self.slots.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let mut weights: Vec<f32> = to_vec(var)?;
            for ((weight, motion), g) in weights.iter_mut().zip(motion.iter_mut()).zip(gradient) {
                *motion = momentum * *motion + g * clip + decay * *weight;
                *weight -= rate as f32 * *motion;
            }
            var.set(&tensor(weights, var.shape())?.to_device(var.device())?)?;
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn vars() -> BTreeMap<String, Var> {
        let var = || Var::from_tensor(&Tensor::new(&[1f32, -2.0], &Device::Cpu).unwrap()).unwrap();
        [("w".to_owned(), var())].into()
    }

    fn values(vars: &BTreeMap<String, Var>, name: &str) -> Vec<f32> {
        to_vec(&vars[name]).unwrap()
    }

    #[test]
    fn steps_follow_the_definition() {
        let vars = vars();
        let config = SgdConfig { weight_decay: 0.5, clip_norm: 1e9, ..SgdConfig::paper() };
        let mut sgd = Sgd::new(&vars, config);
        let (mut weight, mut motion) = (1.0f32, 0.0f32);
        for _ in 0..3 {
            let loss = (&*vars["w"] * 3.0).unwrap().sum_all().unwrap();
            sgd.step(&loss.backward().unwrap(), 0.1).unwrap();
            motion = 0.9 * motion + 3.0 + 0.5 * weight;
            weight -= 0.1 * motion;
        }
        assert!((values(&vars, "w")[0] - weight).abs() < 1e-6);
    }

    #[test]
    fn a_long_gradient_is_shortened() {
        let vars = vars();
        let config = SgdConfig { weight_decay: 0.0, clip_norm: 1.0, ..SgdConfig::paper() };
        let loss = (&*vars["w"] * 300.0).unwrap().sum_all().unwrap();
        let norm = Sgd::new(&vars, config).step(&loss.backward().unwrap(), 1.0).unwrap();
        assert!((norm - 300.0 * 2f64.sqrt()).abs() < 1e-2);
        let moved = 1.0 - values(&vars, "w")[0];
        assert!((moved - 0.5f32.sqrt()).abs() < 1e-4, "{moved}");
    }

    #[test]
    fn the_rate_falls_from_its_first_value_to_nothing() {
        let config = SgdConfig::paper();
        assert_eq!(config.rate_at(0, 100), 0.01);
        assert!((config.rate_at(50, 100) - 0.01 * 0.5f64.powf(0.9)).abs() < 1e-12);
        assert_eq!((config.rate_at(100, 100), config.rate_at(120, 100)), (0.0, 0.0));
    }
}
