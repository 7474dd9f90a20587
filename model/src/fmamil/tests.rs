//! The network's properties beside its golden tensors, which `fixture` checks.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;

use super::config::*;
use super::order::ColumnOrder;
use super::{Fmamil, Grid};
use crate::cam::grad_cam::grad_cam;
use crate::loss::mil::{LossConfig, mil_loss};
use crate::nn::spectrum::Band;
use crate::nn::storage::to_vec;
use crate::testing::{assert_near, normal};

/// A network of three classes with its first weights as variables.
pub(crate) fn small(attention: Attention) -> (Fmamil, HashMap<String, Var>) {
    of(&config_of(attention))
}

fn config_of(attention: Attention) -> FmamilConfig {
    FmamilConfig {
        dim: 8,
        dt_rank: 1,
        head_dim: 6,
        attention_dim: 5,
        classes: 3,
        attention,
        ..FmamilConfig::small(4)
    }
}

/// A network with its first weights as variables.
fn of(config: &FmamilConfig) -> (Fmamil, HashMap<String, Var>) {
    let weights = super::init::initial_weights(config, 5).unwrap();
    let var = |t: Tensor| Var::from_tensor(&t.to_dtype(DType::F64).unwrap()).unwrap();
    let vars: HashMap<String, Var> = weights.into_iter().map(|(name, t)| (name, var(t))).collect();
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
    (Fmamil::new(config, vb).unwrap(), vars)
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

/// Configurations that run as a chain, each unlike the paper's in one or two ways.
fn on_a_tape() -> Vec<FmamilConfig> {
    let paper = FmamilConfig { dim: 8, dt_rank: 1, head_dim: 6, ..FmamilConfig::small(4) };
    let positions = [Positions::None, Positions::Sincos];
    let mut configs: Vec<FmamilConfig> =
        positions.map(|positions| FmamilConfig { positions, ..paper.clone() }).into();
    for freq_band in [FreqBand::Off, FreqBand::Low, FreqBand::Mid, FreqBand::High] {
        let freq_without = vec![Band::Mid];
        configs.push(FmamilConfig { freq_band, freq_without, share_hv: false, ..paper.clone() });
    }
    for directions in [Directions::Forward, Directions::Backward] {
        configs.push(FmamilConfig { directions, scans: Scans::Rows, ..paper.clone() });
        configs.push(FmamilConfig { directions, share_hv: false, ..paper.clone() });
    }
    let freq_without = vec![Band::Low, Band::High];
    configs.push(FmamilConfig { freq_without, state: 5, dt_rank: 3, ..paper.clone() });
    configs.push(paper);
    configs
}

#[test]
fn a_chain_gives_the_values_and_gradients_of_single_operations() {
    for config in on_a_tape() {
        let (model, vars) = of(&config);
        // A class token of zeros would open some gates by exactly 0, where the slope of the absolute value is a matter of taste.
        let sorted: BTreeMap<_, _> = vars.iter().collect();
        for (seed, var) in (20..).zip(sorted.into_values()) {
            let noise = (normal(var.dims(), seed) * 0.1).unwrap();
            var.set(&(var.as_tensor() + noise).unwrap().detach()).unwrap();
        }
        let features = Var::from_tensor(&bags().0).unwrap();
        let order = ColumnOrder::new(GRID, &Device::Cpu).unwrap();
        let mut tokens = model.sequence(&features, GRID).unwrap();
        for block in model.blocks() {
            assert!(block.fits_a_tape(), "{config:?}");
            let here = Var::from_tensor(&tokens.detach()).unwrap();
            let whole = block.forward(&here, &order).unwrap();
            tokens = block.by_operations(&tokens, &order).unwrap();
            assert_near(&whole, &tokens, 1e-11, "block");
            assert!(whole.sum_all().unwrap().backward().unwrap().get(&here).is_some());
        }
        let single = model.patches(&tokens).unwrap();
        let chain = model.tokens(&features, GRID).unwrap();
        assert_near(&chain, &single, 1e-11, "tokens");
        let cotangent = normal(chain.dims(), 8);
        let grads = |y: Tensor| (y * &cotangent).unwrap().sum_all().unwrap().backward().unwrap();
        let (ours, want) = (grads(chain), grads(single));
        let learned = vars.iter().filter(|(name, _)| !name.starts_with("head"));
        for (name, var) in learned.chain([(&"features".to_owned(), &features)]) {
            let (ours, want) = (ours.get(var).unwrap(), want.get(var).unwrap());
            assert_near(ours, want, 1e-9, &format!("gradient of {name} in {config:?}"));
        }
    }
}

#[test]
fn what_a_chain_does_not_compute_is_computed_by_single_operations() {
    let paper = FmamilConfig { dim: 8, dt_rank: 1, head_dim: 6, ..FmamilConfig::small(4) };
    for config in [
        FmamilConfig { freq_gate: FreqGate::Alg2, ..paper.clone() },
        FmamilConfig { freq_norm: FreqNorm::Sequence, ..paper.clone() },
        FmamilConfig { freq_pool: FreqPool::Local, ..paper.clone() },
    ] {
        let (model, _) = of(&config);
        assert!(model.blocks().iter().all(|it| !it.fits_a_tape()), "{config:?}");
        assert_eq!(model.tokens(&bags().0, GRID).unwrap().dims(), [2, 6, 8]);
    }
}

#[test]
fn a_network_that_nobody_trains_gives_the_same_tokens() {
    let (model, vars) = small(Attention::Abmil);
    let weights = vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect();
    let vb = VarBuilder::from_tensors(weights, DType::F64, &Device::Cpu);
    let trained = Fmamil::new(&config_of(Attention::Abmil), vb).unwrap();
    let tokens = |it: &Fmamil| it.tokens(&bags().0, GRID).unwrap();
    assert_near(&tokens(&trained), &tokens(&model), 0.0, "tokens");
    assert!(!tokens(&trained).track_op());
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
