//! Bag loss and attention-labelled instance loss (Eqs 22-24).

use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;
use serde::{Deserialize, Serialize};

use crate::fmamil::HeadOutput;

/// Keeps quotients finite.
const TINY: f64 = 1e-12;

/// What an instance is taught (Eq. 23; its target is open in the paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceTarget {
    /// Attention above that of a uniform bag, over the larger of `tau` and the bag's maximum.
    Lift,
    /// Attention over the bag's maximum.
    Max,
    /// Attention from the bag's minimum to its maximum.
    MinMax,
    /// No soft label: the bag's class, weighted by attention, as Eq. 23 is printed.
    Literal,
}

/// Weights and choices of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the bag loss, `0.0..=1.0`; the instance loss has the rest.
    pub lambda: f64,
    /// Label smoothing of the bag loss, `0.0..1.0`.
    pub label_smoothing: f64,
    /// What instances are taught.
    pub instance_target: InstanceTarget,
    /// Least lift that counts as a full positive, for [`InstanceTarget::Lift`].
    pub tau: f64,
    /// Weight of the negative part of an instance label, `0.0..=1.0`; 0.5 weighs both alike.
    pub w_neg: f64,
}

impl LossConfig {
    /// The paper's lambda of 0.2, no smoothing, lifted attention as soft label.
    pub fn paper() -> Self {
        Self {
            lambda: 0.2,
            label_smoothing: 0.0,
            instance_target: InstanceTarget::Lift,
            tau: 2.0,
            w_neg: 0.5,
        }
    }
}

/// Scalars, means over the bags of a batch.
#[derive(Clone, Debug)]
pub(crate) struct MilLoss {
    /// `lambda * bag + (1 - lambda) * instance`.
    pub(crate) total: Tensor,
    /// Eq. 22.
    pub(crate) bag: Tensor,
    /// Eq. 23.
    pub(crate) instance: Tensor,
}

/// The loss of a batch: `target` soft labels `[b, C]` (class 0 negative), `mask` `[b, P]` (1 a patch).
///
/// # Errors
/// If shapes disagree.
pub(crate) fn mil_loss(
    out: &HeadOutput,
    target: &Tensor,
    mask: &Tensor,
    config: &LossConfig,
) -> Result<MilLoss> {
    let target = target.to_dtype(out.logits.dtype())?;
    let mask = mask.to_dtype(out.logits.dtype())?;
    let bag = bag_loss(&out.logits, &target, config.label_smoothing)?;
    let instance = instance_loss(out, &target, &mask, config)?;
    let total = ((&bag * config.lambda)? + (&instance * (1.0 - config.lambda))?)?;
    Ok(MilLoss { total, bag, instance })
}

/// Cross entropy with smoothed soft labels, `[b, C]` each, to a scalar (Eq. 22).
pub(crate) fn bag_loss(logits: &Tensor, target: &Tensor, smoothing: f64) -> Result<Tensor> {
    let classes = logits.dim(1)? as f64;
    let target = target.affine(1.0 - smoothing, smoothing / classes)?;
    (target * log_softmax(logits, D::Minus1)?)?.sum(1)?.mean(0)?.neg()
}

fn instance_loss(
    out: &HeadOutput,
    target: &Tensor,
    mask: &Tensor,
    config: &LossConfig,
) -> Result<Tensor> {
    let log_p = log_softmax(&out.instance_logits, D::Minus1)?; //           [b, P, C]
    let attention = out.attention.detach();
    if config.instance_target == InstanceTarget::Literal {
        let of_class = log_p.broadcast_mul(&target.unsqueeze(1)?)?.sum(2)?; // [b, P]
        return (attention * of_class)?.sum(1)?.mean(0)?.neg();
    }
    let classes = target.dim(1)?;
    let positive = target.narrow(1, 0, 1)?.affine(-1.0, 1.0)?; //           [b, 1]
    let label = soft_label(&attention, mask, config)?.broadcast_mul(&positive)?;
    let share = target.narrow(1, 1, classes - 1)?.broadcast_div(&positive.maximum(TINY)?)?;
    let log_positive = log_p.narrow(2, 1, classes - 1)?.broadcast_mul(&share.unsqueeze(1)?)?;
    let positive_part = (&label * log_positive.sum(2)?)?; //                [b, P]
    let negative_part = (label.affine(-1.0, 1.0)? * log_p.narrow(2, 0, 1)?.squeeze(2)?)?;
    let per_patch = ((positive_part * (-2.0 * (1.0 - config.w_neg)))?
        + (negative_part * (-2.0 * config.w_neg))?)?;
    let patches = mask.sum(1)?.maximum(1.0)?;
    ((per_patch * mask)?.sum(1)? / patches)?.mean(0)
}

/// Soft labels of the instances of positive bags from detached attention, `[b, P]`, in 0..1.
pub(crate) fn soft_label(attention: &Tensor, mask: &Tensor, config: &LossConfig) -> Result<Tensor> {
    let highest = attention.max_keepdim(1)?;
    match config.instance_target {
        InstanceTarget::Lift => {
            let lift = attention.broadcast_mul(&mask.sum_keepdim(1)?)?.affine(1.0, -1.0)?;
            let full = lift.max_keepdim(1)?.maximum(config.tau)?;
            lift.broadcast_div(&full)?.maximum(0.0)
        }
        InstanceTarget::Max | InstanceTarget::Literal => {
            attention.broadcast_div(&highest.affine(1.0, TINY)?)
        }
        InstanceTarget::MinMax => {
            let lowest = attention.min_keepdim(1)?;
            let span = (highest - &lowest)?.affine(1.0, TINY)?;
            attention.broadcast_sub(&lowest)?.broadcast_div(&span)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::normal;
    use candle_core::{Device, Var};

    fn output(logits: &Tensor, attention: &Tensor, instance_logits: &Tensor) -> HeadOutput {
        HeadOutput {
            logits: logits.clone(),
            attention: attention.clone(),
            instance_logits: instance_logits.clone(),
            hidden: attention.clone(),
            bag: attention.clone(),
        }
    }

    fn scalar(t: &Tensor) -> f64 {
        t.to_scalar().unwrap()
    }

    #[test]
    fn undecided_logits_cost_ln_2_whatever_the_label() {
        let zero = Tensor::zeros((1, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        let attention = Tensor::new(&[[0.5f64, 0.5]], &Device::Cpu).unwrap();
        let instances = Tensor::zeros((1, 2, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        let mask = attention.ones_like().unwrap();
        for target in [[[1.0, 0.0]], [[0.0, 1.0]], [[0.4, 0.6]]] {
            let target = Tensor::new(&target, &Device::Cpu).unwrap();
            let out = output(&zero, &attention, &instances);
            let loss = mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap();
            assert!((scalar(&loss.total) - std::f64::consts::LN_2).abs() < 1e-12);
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let logits = Tensor::new(&[[-2000f64, 2000.0]], &Device::Cpu).unwrap();
        let attention = Tensor::new(&[[1.0f64, 0.0]], &Device::Cpu).unwrap();
        let instances = Tensor::new(&[[[900f64, -900.0], [-900.0, 900.0]]], &Device::Cpu).unwrap();
        let target = Tensor::new(&[[1.0f64, 0.0]], &Device::Cpu).unwrap();
        let mask = attention.ones_like().unwrap();
        let out = output(&logits, &attention, &instances);
        let loss = mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap();
        assert!((scalar(&loss.bag) - 4000.0).abs() < 1e-9);
        assert!((scalar(&loss.instance) - 900.0).abs() < 1e-9);
    }

    #[test]
    fn uniform_attention_lifts_no_instance() {
        let attention = Tensor::full(0.25f64, (1, 4), &Device::Cpu).unwrap();
        let mask = attention.ones_like().unwrap();
        let label = soft_label(&attention, &mask, &LossConfig::paper()).unwrap();
        assert_eq!(scalar(&label.max_all().unwrap()), 0.0);
    }

    #[test]
    fn attention_gets_no_gradient_from_the_instance_loss() {
        let attention = Var::from_tensor(&normal(&[1, 3], 1)).unwrap();
        let instances = Var::from_tensor(&normal(&[1, 3, 2], 2)).unwrap();
        let out = output(&normal(&[1, 2], 3), &attention, &instances);
        let target = Tensor::new(&[[0.0f64, 1.0]], &Device::Cpu).unwrap();
        let mask = attention.ones_like().unwrap();
        let loss = mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap();
        let grads = loss.instance.backward().unwrap();
        assert!(grads.get(&attention).is_none());
        assert!(grads.get(&instances).is_some());
    }

    #[test]
    fn a_masked_instance_costs_nothing() {
        let attention = Tensor::new(&[[1.0f64, 0.0]], &Device::Cpu).unwrap();
        let mask = Tensor::new(&[[1.0f64, 0.0]], &Device::Cpu).unwrap();
        let target = Tensor::new(&[[1.0f64, 0.0]], &Device::Cpu).unwrap();
        let loss = |second: f64| {
            let values = [[[0.5f64, -0.5], [second, 0.0]]];
            let instances = Tensor::new(&values, &Device::Cpu).unwrap();
            let out = output(&normal(&[1, 2], 3), &attention, &instances);
            scalar(&mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap().instance)
        };
        assert_eq!(loss(0.0), loss(50.0));
    }
}
