//! `AdamW` (the paper's optimizer, MODELS 5.3), one pass per weight.
//!
//! Weight decay applies to matrices only: not to tensors of fewer than two dimensions, `A_log`, `A_logs` or `pos_embed`.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::nn::real::Real;
use crate::nn::storage::{in_main_memory, read, tensor, to_vec};
use crate::registry::weights::Tensors;

/// Elements per task.
const CHUNK: usize = 16 * 1024;
/// Name of the step count in a saved state.
const STEP: &str = "step";

/// Constants of the optimizer; the learning rate is given at every step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// Memory of the mean gradient, `0.0..1.0`.
    pub(crate) beta1: f64,
    /// Memory of the mean squared gradient, `0.0..1.0`.
    pub(crate) beta2: f64,
    /// Keeps the quotient finite.
    pub(crate) eps: f64,
    /// Decay per step and unit of learning rate.
    pub(crate) weight_decay: f64,
    /// Largest norm of all gradients together; longer ones are shortened to it.
    pub(crate) clip_norm: Option<f64>,
}

impl AdamWConfig {
    /// The paper's constants; gradients clipped to norm 1.
    pub(crate) fn paper() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.05, clip_norm: Some(1.0) }
    }

    /// Those of segmentation by state spaces (VM-UNet; MODELS 8.7), and the longest gradient of MODELS 7.6.
    pub(crate) fn segmentation() -> Self {
        Self { weight_decay: 1e-2, clip_norm: Some(5.0), ..Self::paper() }
    }

    /// Those of masked autoencoders (He et al. 2022).
    pub(crate) fn autoencoder() -> Self {
        Self { beta2: 0.95, clip_norm: None, ..Self::paper() }
    }
}

/// A weight and its moments.
#[derive(Debug)]
struct Slot<T> {
    var: Var,
    decays: bool,
    mean: Vec<T>,
    square: Vec<T>,
}

/// The optimizer's state for named weights.
#[derive(Debug)]
pub(crate) struct AdamW<T = f32> {
    config: AdamWConfig,
    step: u32,
    slots: BTreeMap<String, Slot<T>>,
}

impl<T: Real> AdamW<T> {
    /// Starts with empty moments.
    ///
    /// # Errors
    /// If a weight is not of type `T`.
    pub(crate) fn new(vars: &BTreeMap<String, Var>, config: AdamWConfig) -> Result<Self> {
        let slot = |(name, var): (&String, &Var)| {
            if var.dtype() != T::DTYPE {
                bail!("AdamW: expected {:?} weights, found {:?} in {name}", T::DTYPE, var.dtype())
            }
            let zero = vec![T::zero(); var.elem_count()];
            let decays = decays(name, var.rank());
            Ok((name.clone(), Slot { var: var.clone(), decays, mean: zero.clone(), square: zero }))
        };
        Ok(Self { config, step: 0, slots: vars.iter().map(slot).collect::<Result<_>>()? })
    }

    /// Moves every weight that has a gradient; returns the norm of all gradients before clipping.
    ///
    /// # Errors
    /// If the norm is not finite: the weights are left as they were.
    pub(crate) fn step(&mut self, grads: &GradStore, learning_rate: f64) -> Result<f64> {
        let norm = self.norm(grads)?;
        if !norm.is_finite() {
            bail!("the gradient is not finite (norm {norm}) after {} steps", self.step)
        }
        self.step += 1;
        let update = self.update(learning_rate, norm);
        let slots = self.slots.values_mut();
        let moved: Vec<(&mut Slot<T>, &Tensor)> =
            slots.filter_map(|slot| grads.get(&slot.var).map(|grad| (slot, grad))).collect();
        moved.into_par_iter().try_for_each(|(slot, grad)| {
            read(&in_main_memory(grad)?, |grad| slot.apply(grad, update))
        })?;
        Ok(norm)
    }

    fn norm(&self, grads: &GradStore) -> Result<f64> {
        let grads: Vec<&Tensor> =
            self.slots.values().filter_map(|slot| grads.get(&slot.var)).collect();
        let sums = grads
            .into_par_iter()
            .map(|grad| read(&in_main_memory(grad)?, |grad: &[T]| Ok(square_sum(grad))));
        let sums = sums.collect::<Result<Vec<f64>>>()?;
        Ok(sums.into_iter().sum::<f64>().sqrt())
    }

    fn update(&self, learning_rate: f64, norm: f64) -> Update<T> {
        let Self { config, step, .. } = self;
        let clip = config.clip_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
        let unbias = |beta: f64| 1.0 - beta.powi(*step as i32);
        Update {
            beta1: T::of(config.beta1),
            beta2: T::of(config.beta2),
            eps: T::of(config.eps),
            clip: T::of(clip),
            rate: T::of(learning_rate / unbias(config.beta1)),
            unbias_square: T::of(1.0 / unbias(config.beta2).sqrt()),
            decay: T::of(1.0 - learning_rate * config.weight_decay),
        }
    }

    /// Moments as `mean.NAME` and `square.NAME`, and the step count.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn state(&self) -> Result<Tensors> {
        let mut state = Tensors::from([(STEP.to_owned(), tensor(vec![self.step], 1)?)]);
        for (name, slot) in &self.slots {
            state.insert(format!("mean.{name}"), tensor(slot.mean.clone(), slot.var.shape())?);
            state.insert(format!("square.{name}"), tensor(slot.square.clone(), slot.var.shape())?);
        }
        Ok(state)
    }

    /// Takes over a saved state.
    ///
    /// # Errors
    /// If a name is missing or unknown, or a shape is another one: then nothing is taken over.
    pub(crate) fn load_state(&mut self, state: &Tensors) -> Result<()> {
        let find = |name: &str, shape: &[usize]| match state.get(name) {
            Some(found) if found.dims() == shape => Ok(found),
            Some(found) => {
                bail!("optimizer state {name}: expected {shape:?}, found {:?}", found.dims())
            }
            None => bail!("optimizer state: {name} is missing"),
        };
        let expected = 2 * self.slots.len() + 1;
        if state.len() != expected {
            bail!("optimizer state: expected {expected} tensors, found {}", state.len())
        }
        let step: Vec<u32> = find(STEP, &[1])?.to_vec1()?;
        let mut moments = Vec::with_capacity(self.slots.len());
        for (name, slot) in &self.slots {
            let moment = |kind: &str| to_vec(find(&format!("{kind}.{name}"), slot.var.dims())?);
            moments.push((moment("mean")?, moment("square")?));
        }
        for (slot, (mean, square)) in self.slots.values_mut().zip(moments) {
            (slot.mean, slot.square) = (mean, square);
        }
        self.step = step.first().copied().unwrap_or(0);
        Ok(())
    }
}

/// Sum of all squares; it does not depend on the number of threads.
fn square_sum<T: Real>(values: &[T]) -> f64 {
    let of_chunk = |values: &[T]| {
        let (eights, rest) = values.as_chunks::<8>();
        let mut sums = [0.0; 8];
        for eight in eights {
            sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value.wide().powi(2));
        }
        rest.iter().map(|it| it.wide().powi(2)).chain(sums).sum::<f64>()
    };
    values.par_chunks(CHUNK).map(of_chunk).collect::<Vec<f64>>().iter().sum()
}

/// Whether weight decay applies.
fn decays(name: &str, rank: usize) -> bool {
    let is_exempt = ["A_log", "A_logs", "pos_embed"].iter().any(|it| name.ends_with(it));
    rank >= 2 && !is_exempt
}

/// One step's constants.
#[derive(Clone, Copy, Debug)]
struct Update<T> {
    beta1: T,
    beta2: T,
    eps: T,
    clip: T,
    /// Learning rate over the bias of the mean.
    rate: T,
    /// One over the root of the bias of the square.
    unbias_square: T,
    /// Factor of decaying weights.
    decay: T,
}

impl<T: Real> Update<T> {
    fn apply(&self, [weight, mean, square]: [&mut T; 3], grad: T) {
        let grad = grad * self.clip;
        *mean = self.beta1 * *mean + (T::one() - self.beta1) * grad;
        *square = self.beta2 * *square + (T::one() - self.beta2) * grad * grad;
        let deviation = square.sqrt() * self.unbias_square + self.eps;
        *weight = *weight * self.decay - self.rate * *mean / deviation;
    }
}

impl<T: Real> Slot<T> {
    fn apply(&mut self, grad: &[T], update: Update<T>) -> Result<()> {
        let update = Update { decay: if self.decays { update.decay } else { T::one() }, ..update };
        let mut weights: Vec<T> = to_vec(&self.var)?;
        weights
            .par_chunks_mut(CHUNK)
            .zip(self.mean.par_chunks_mut(CHUNK))
            .zip(self.square.par_chunks_mut(CHUNK))
            .zip(grad.par_chunks(CHUNK))
            .for_each(|(((weights, means), squares), grads)| {
                let moments = means.iter_mut().zip(squares);
                for ((weight, (mean, square)), grad) in weights.iter_mut().zip(moments).zip(grads) {
                    update.apply([weight, mean, square], *grad);
                }
            });
        self.var.set(&tensor(weights, self.var.shape())?.to_device(self.var.device())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn vars(values: [f32; 2]) -> BTreeMap<String, Var> {
        let matrix = Tensor::new(&[values], &Device::Cpu).unwrap();
        BTreeMap::from([("w".to_owned(), Var::from_tensor(&matrix).unwrap())])
    }

    fn gradient(vars: &BTreeMap<String, Var>) -> GradStore {
        (&*vars["w"] * 3.0).unwrap().sum_all().unwrap().backward().unwrap()
    }

    fn values(vars: &BTreeMap<String, Var>) -> Vec<f32> {
        to_vec(&vars["w"]).unwrap()
    }

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate() {
        let vars = vars([1.0, -1.0]);
        let config = AdamWConfig { weight_decay: 0.5, clip_norm: None, ..AdamWConfig::paper() };
        let norm = AdamW::<f32>::new(&vars, config).unwrap().step(&gradient(&vars), 0.1).unwrap();
        assert!((norm - 18f64.sqrt()).abs() < 1e-6);
        let want = [0.95 - 0.1, -0.95 - 0.1];
        assert!(values(&vars).iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn vectors_decay_logs_and_positions_do_not_decay() {
        assert!(decays("blocks.0.in_proj.weight", 2));
        assert!(!decays("norm_f.weight", 1));
        assert!(!decays("blocks.0.fwd.A_log", 2));
        assert!(!decays("enc.0.0.ss2d.A_logs", 2));
        assert!(!decays("pos_embed", 3));
    }

    #[test]
    fn a_restored_optimizer_goes_on_as_if_never_stopped() {
        let (one, two) = (vars([0.3, -2.0]), vars([0.3, -2.0]));
        let mut first = AdamW::<f32>::new(&one, AdamWConfig::paper()).unwrap();
        let mut second = AdamW::<f32>::new(&two, AdamWConfig::paper()).unwrap();
        for _ in 0..3 {
            first.step(&gradient(&one), 0.01).unwrap();
        }
        second.load_state(&first.state().unwrap()).unwrap();
        two["w"].set(&one["w"].as_tensor().copy().unwrap()).unwrap();
        first.step(&gradient(&one), 0.01).unwrap();
        second.step(&gradient(&two), 0.01).unwrap();
        assert_eq!(values(&one), values(&two));
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let vars = vars([0.0, 1.0]);
        let grads = vars["w"].log().unwrap().sum_all().unwrap().backward().unwrap();
        let error =
            AdamW::<f32>::new(&vars, AdamWConfig::paper()).unwrap().step(&grads, 0.1).unwrap_err();
        assert!(error.to_string().contains("not finite"), "{error}");
        assert_eq!(values(&vars), [0.0, 1.0]);
    }

    #[test]
    fn a_state_of_other_weights_is_refused() {
        let vars = vars([0.0, 1.0]);
        let mut optimizer = AdamW::<f32>::new(&vars, AdamWConfig::paper()).unwrap();
        let mut state = optimizer.state().unwrap();
        state.remove("mean.w");
        state.insert("mean.other".to_owned(), tensor(vec![0f32], 1).unwrap());
        let error = optimizer.load_state(&state).unwrap_err().to_string();
        assert!(error.contains("mean.w is missing"), "{error}");
    }
}
