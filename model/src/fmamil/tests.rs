//! The network's properties beside its golden tensors, which `fixture` checks.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;

use super::config::*;
use super::{Fmamil, Grid};
use crate::cam::grad_cam::grad_cam;
use crate::loss::mil::{LossConfig, mil_loss};
use crate::nn::storage::to_vec;
use crate::testing::{assert_near, normal};

/// A network of three classes with its first weights as variables.
pub(crate) fn small(attention: Attention) -> (Fmamil, HashMap<String, Var>) {
    let config = FmamilConfig {
        dim: 8,
        dt_rank: 1,
        head_dim: 6,
        attention_dim: 5,
        classes: 3,
        attention,
        ..FmamilConfig::small(4)
    };
    let weights = super::init::initial_weights(&config, 5).unwrap();
    let var = |t: Tensor| Var::from_tensor(&t.to_dtype(DType::F64).unwrap()).unwrap();
    let vars: HashMap<String, Var> = weights.into_iter().map(|(name, t)| (name, var(t))).collect();
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
    (Fmamil::new(&config, vb).unwrap(), vars)
}

const GRID: Grid = Grid { rows: 2, columns: 3 };

/// Two bags: features `[2, P, F]` and one-hot labels `[2, C]`.
fn bags() -> (Tensor, Tensor) {
    let target = Tensor::new(&[[1f64, 0.0, 0.0], [0.0, 0.3, 0.7]], &Device::Cpu).unwrap();
    (normal(&[2, GRID.patches(), 4], 3), target)
}

#[test]
fn every_weight_gets_a_gradient() {
    let (model, vars) = small(Attention::Abmil);
    let (features, target) = bags();
    let tokens = model.tokens(&features, GRID).unwrap();
    let mask = Tensor::ones((2, GRID.patches()), DType::F64, &Device::Cpu).unwrap();
    let out = model.head(&tokens, &mask).unwrap();
    let loss = mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap();
    let grads = loss.total.backward().unwrap();
    let mut without = vars.iter().filter(|(_, var)| grads.get(var).is_none());
    assert_eq!(without.next().map(|(name, _)| name), None);
}

/// Grad-CAM of the positive margin by the tape, with the tokens as a variable.
fn grad_cam_by_tape(model: &Fmamil, tokens: &Tensor, mask: &Tensor) -> Tensor {
    let tokens = Var::from_tensor(tokens).unwrap();
    let logits = model.head(&tokens, mask).unwrap().logits;
    let column = |c| logits.narrow(1, c, 1).unwrap();
    let others = Tensor::cat(&[column(0), column(2)], 1).unwrap().log_sum_exp(1).unwrap();
    let margin = (column(1).squeeze(1).unwrap() - others).unwrap().sum_all().unwrap();
    let gradient = margin.backward().unwrap().get(&tokens).unwrap().clone();
    let patches = mask.sum_keepdim(1).unwrap();
    let weight = gradient.sum(1).unwrap().broadcast_div(&patches).unwrap();
    let raw = tokens.broadcast_mul(&weight.unsqueeze(1).unwrap()).unwrap().sum(2).unwrap();
    (raw * mask).unwrap()
}

#[test]
fn the_closed_form_equals_the_tape_with_three_classes_and_a_mask() {
    for attention in [Attention::Abmil, Attention::Eq18] {
        let (model, _) = small(attention);
        let tokens = normal(&[2, 7, 8], 6);
        let mask = [[1f64, 1., 0., 1., 1., 1., 0.], [1., 1., 1., 1., 1., 1., 1.]];
        let mask = Tensor::new(&mask, &Device::Cpu).unwrap();
        let closed = grad_cam(&model, &tokens, &mask).unwrap();
        let tape = grad_cam_by_tape(&model, &tokens, &mask);
        assert_near(&closed, &tape, 1e-12, "closed form");
    }
}

#[test]
fn a_bag_of_padding_stays_finite() {
    let (model, _) = small(Attention::Abmil);
    let (features, target) = bags();
    let tokens = model.tokens(&features, GRID).unwrap();
    let mask = Tensor::zeros((2, GRID.patches()), DType::F64, &Device::Cpu).unwrap();
    let out = model.head(&tokens, &mask).unwrap();
    let loss = mil_loss(&out, &target, &mask, &LossConfig::paper()).unwrap();
    assert!(loss.total.to_scalar::<f64>().unwrap().is_finite());
    let map: Vec<f64> = to_vec(&grad_cam(&model, &tokens, &mask).unwrap()).unwrap();
    assert!(map.iter().all(|v| *v == 0.0));
}

#[test]
fn a_grid_of_another_size_is_refused() {
    let (model, _) = small(Attention::Abmil);
    let error = model.tokens(&bags().0, Grid { rows: 7, columns: 12 }).unwrap_err();
    assert!(error.to_string().contains("7 x 12 patches, but 6 features"), "{error}");
}
