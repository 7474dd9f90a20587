//! The whole network, its loss, maps and optimizer against the reference's golden tensors.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;

use super::config::*;
use super::{Fmamil, Grid, HeadOutput};
use crate::cam::grad_cam::{
    CamLayer, CamScore, CamTarget, class_activation, gate_cam, grad_cam, normalize_cam,
    upsample_cam,
};
use crate::loss::mil::{InstanceTarget, LossConfig, mil_loss, soft_label};
use crate::nn::storage::to_vec;
use crate::testing::{Fixture, assert_near, normal};
use crate::train::adamw::{AdamW, AdamWConfig};

const CASES: [&str; 12] = [
    "model_11x11_s0",
    "model_7x13_s0",
    "model_22x22_s0",
    "model_7x13_freq_norm_seq_s0",
    "model_7x13_freq_gate_alg2_s0",
    "model_7x13_freq_off_s0",
    "model_7x13_freq_mid_s0",
    "model_7x13_scan_h_s0",
    "model_7x13_forward_only_s0",
    "model_7x13_unshared_s0",
    "model_7x13_eq18_s0",
    "model_7x13_sincos_s0",
];

/// The config of a case, which uses the reference's names.
pub(crate) fn config(fixture: &Fixture) -> FmamilConfig {
    let json = &fixture.meta["config"];
    let size = |name: &str| json[name].as_u64().unwrap() as usize;
    let word = |name: &str| json[name].as_str().unwrap_or("learned").to_owned();
    FmamilConfig {
        feature_dim: size("feat_dim"),
        dim: size("d_model"),
        depth: size("depth"),
        state: size("d_state"),
        expand: size("expand"),
        conv: size("d_conv"),
        dt_rank: size("dt_rank"),
        freq_nodes: size("freq_nodes"),
        freq_gain: json["freq_gain"].as_f64().unwrap(),
        head_dim: size("head_dim"),
        attention_dim: size("att_dim"),
        classes: size("n_classes"),
        positions: serde_json::from_value(json["pos"].clone()).unwrap(),
        position_grid: Grid { rows: size("pos_rows"), columns: size("pos_cols") },
        scans: if word("scans") == "h" { Scans::Rows } else { Scans::RowsAndColumns },
        directions: match word("directions").as_str() {
            "f" => Directions::Forward,
            "b" => Directions::Backward,
            _ => Directions::Both,
        },
        share_hv: json["share_hv"].as_bool().unwrap(),
        freq_band: serde_json::from_value(word("freq_band").into()).unwrap(),
        freq_gate: serde_json::from_value(json["freq_gate"].clone()).unwrap(),
        freq_norm: match word("freq_norm").as_str() {
            "seq" => FreqNorm::Sequence,
            _ => FreqNorm::Channel,
        },
        freq_pool: serde_json::from_value(json["freq_pool"].clone()).unwrap(),
        attention: serde_json::from_value(json["att_mode"].clone()).unwrap(),
    }
}

/// A case's network, whose weights are `vars`.
struct Case {
    fixture: Fixture,
    dtype: DType,
    grid: Grid,
    vars: HashMap<String, Var>,
    model: Fmamil,
}

impl Case {
    fn load(name: &str, weights: &str, dtype: DType) -> Option<Self> {
        let fixture = Fixture::load(name)?;
        let size = |i: usize| fixture.meta["grid"][i].as_u64().unwrap() as usize;
        let grid = Grid { rows: size(0), columns: size(1) };
        let vars = fixture.vars(weights, dtype);
        let model = build(&config(&fixture), &vars, dtype);
        Some(Self { dtype, grid, vars, model, fixture })
    }

    fn tokens(&self) -> Tensor {
        self.model.tokens(&self.fixture.get("feats", self.dtype), self.grid).unwrap()
    }

    fn everywhere(&self) -> Tensor {
        Tensor::ones((self.bags(), self.grid.patches()), self.dtype, &Device::Cpu).unwrap()
    }

    fn bags(&self) -> usize {
        self.fixture.raw("feats").dim(0).unwrap()
    }

    /// One-hot labels.
    fn target(&self) -> Tensor {
        let label = |i: usize| self.fixture.meta["labels"][i].as_f64().unwrap();
        let rows = (0..self.bags()).flat_map(|i| [1.0 - label(i), label(i)]).collect();
        Tensor::from_vec(rows, (self.bags(), 2), &Device::Cpu)
            .unwrap()
            .to_dtype(self.dtype)
            .unwrap()
    }

    fn check_loss(
        &self,
        out: &HeadOutput,
        target: &Tensor,
        mask: &Tensor,
        key: &str,
        c: LossConfig,
    ) {
        let loss = mil_loss(out, target, mask, &c).unwrap();
        for (part, ours) in [("bag", &loss.bag), ("inst", &loss.instance), ("total", &loss.total)] {
            let want = self.fixture.number(&format!("/values/{key}/{part}"));
            let ours = ours.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
            let tolerance = self.fixture.tolerance(self.dtype);
            assert!((ours - want).abs() < tolerance, "{key}/{part}: {ours} is not {want}");
        }
    }
}

fn build(config: &FmamilConfig, vars: &HashMap<String, Var>, dtype: DType) -> Fmamil {
    let weights = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    Fmamil::new(config, VarBuilder::from_tensors(weights, dtype, &Device::Cpu)).unwrap()
}

/// Every case in both float types.
fn each_case(check: impl Fn(&Case)) {
    for name in CASES {
        for dtype in [DType::F32, DType::F64] {
            if let Some(case) = Case::load(name, "w.", dtype) {
                check(&case);
            }
        }
    }
}

#[test]
fn the_forward_pass_agrees_with_the_reference() {
    each_case(|case| {
        let fixture = &case.fixture;
        let features = fixture.get("feats", case.dtype);
        fixture.check(&case.model.sequence(&features, case.grid).unwrap(), "out.tokens");
        let tokens = case.tokens();
        fixture.check(&tokens, "out.X");
        let out = case.model.head(&tokens, &case.everywhere()).unwrap();
        fixture.check(&out.hidden, "out.Z");
        fixture.check(&out.attention, "out.alpha");
        fixture.check(&out.logits, "out.logits");
        fixture.check(&out.instance_logits, "out.inst_logits");
        for bag in 0..case.bags() {
            let p = out.probabilities().unwrap().get(bag).unwrap().get(1).unwrap();
            let p = p.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
            let want = fixture.number(&format!("/values/p_pos/{bag}"));
            assert!((p - want).abs() < fixture.tolerance(case.dtype));
        }
    });
}

#[test]
fn losses_agree_with_the_reference() {
    each_case(|case| {
        let (mask, target) = (case.everywhere(), case.target());
        let out = case.model.head(&case.tokens(), &mask).unwrap();
        let paper = LossConfig::paper();
        let with = |instance_target| LossConfig { instance_target, ..paper };
        let check = |target: &Tensor, key: &str, config| {
            case.check_loss(&out, target, &mask, key, config);
        };
        check(&target, "loss.default", paper);
        check(&target, "loss.smooth0.1", LossConfig { label_smoothing: 0.1, ..paper });
        check(&target, "loss.literal", with(InstanceTarget::Literal));
        check(&target, "loss.max", with(InstanceTarget::Max));
        let min_max = LossConfig { w_neg: 0.1, ..with(InstanceTarget::MinMax) };
        check(&target, "loss.minmax_wneg0.1", min_max);
        let soft = Tensor::new(&[[0.7f64, 0.3], [0.25, 0.75]], &Device::Cpu).unwrap();
        check(&soft, "loss.mixup_soft_labels", paper);
        let positive = target.narrow(1, 1, 1).unwrap();
        for (key, config) in [("default", paper), ("max", with(InstanceTarget::Max))] {
            let label = soft_label(&out.attention, &mask, &config).unwrap();
            let label = label.broadcast_mul(&positive).unwrap();
            case.fixture.check(&label, &format!("inst_target.{key}"));
        }
    });
}

#[test]
fn gradients_of_the_loss_agree_with_the_reference() {
    each_case(|case| {
        let mask = case.everywhere();
        let out = case.model.head(&case.tokens(), &mask).unwrap();
        let loss = mil_loss(&out, &case.target(), &mask, &LossConfig::paper()).unwrap();
        let grads = loss.total.backward().unwrap();
        let names = case.fixture.names("grad.");
        assert!(names.len() >= 14, "{names:?}");
        for name in names {
            case.fixture.check(grads.get(&case.vars[&name]).unwrap(), &format!("grad.{name}"));
        }
    });
}

#[test]
fn every_weight_gets_a_gradient() {
    let Some(case) = Case::load("model_7x13_s0", "w.", DType::F32) else { return };
    let mask = case.everywhere();
    let out = case.model.head(&case.tokens(), &mask).unwrap();
    let loss = mil_loss(&out, &case.target(), &mask, &LossConfig::paper()).unwrap();
    let grads = loss.total.backward().unwrap();
    for name in case.fixture.names("w.") {
        assert!(grads.get(&case.vars[&name]).is_some(), "{name}");
    }
}

fn as_grid(map: Tensor, grid: Grid) -> Tensor {
    let bags = map.dim(0).unwrap();
    map.reshape((bags, grid.rows, grid.columns)).unwrap()
}

#[test]
fn raw_maps_agree_with_the_reference() {
    each_case(|case| {
        let (tokens, mask) = (case.tokens(), case.everywhere());
        for (layer, layer_name) in [(CamLayer::Tokens, "X"), (CamLayer::Hidden, "Z")] {
            for (score, score_name) in [(CamScore::Margin, "margin"), (CamScore::Logit, "logit")] {
                let target = CamTarget { class: 1, score, layer };
                let raw = class_activation(&case.model, &tokens, &mask, target).unwrap();
                let name = format!("cam_raw.{layer_name}.{score_name}");
                case.fixture.check(&as_grid(raw, case.grid), &name);
            }
        }
    });
}

#[test]
fn normalized_gated_and_upsampled_maps_agree_with_the_reference() {
    each_case(|case| {
        let raw = grad_cam(&case.model, &case.tokens(), &case.everywhere()).unwrap();
        let Grid { rows, columns } = case.grid;
        let size = (rows * 4 - 2, columns * 4 - 1);
        for bag in 0..case.bags() {
            let raw: Vec<f32> =
                to_vec(&raw.get(bag).unwrap().to_dtype(DType::F32).unwrap()).unwrap();
            let cam = normalize_cam(&raw, &vec![true; raw.len()]);
            let up = upsample_cam(&cam, case.grid, 4, size);
            let p = case.fixture.number(&format!("/values/p_pos/{bag}"));
            let gated = gate_cam(cam.clone(), p);
            let shape = [rows, columns];
            let maps =
                [(cam, shape, "cam"), (gated, shape, "cam_gated"), (up, size.into(), "cam_up")];
            for (ours, shape, name) in maps {
                let ours = Tensor::from_vec(ours, &shape[..], &Device::Cpu).unwrap();
                let want = case.fixture.get(name, DType::F64).get(bag).unwrap();
                // A small maximum magnifies the error of the raw map.
                assert_near(&ours.to_dtype(DType::F64).unwrap(), &want, 1e-3, name);
            }
        }
    });
}

#[test]
fn a_masked_bag_agrees_with_the_reference() {
    for name in &CASES[..3] {
        for dtype in [DType::F32, DType::F64] {
            let Some(case) = Case::load(name, "w.", dtype) else { return };
            let mask = case.fixture.raw("masked.mask");
            let tokens = case.tokens();
            let out = case.model.head(&tokens, mask).unwrap();
            case.fixture.check(&out.attention, "masked.alpha");
            case.fixture.check(&out.logits, "masked.logits");
            let raw = grad_cam(&case.model, &tokens, mask).unwrap();
            case.fixture.check(&as_grid(raw, case.grid), "masked.cam_raw");
            case.check_loss(&out, &case.target(), mask, "masked.loss", LossConfig::paper());
        }
    }
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
        let vars = weights.into_iter().map(|(name, t)| (name, var(t))).collect();
        let model = build(&config, &vars, DType::F64);
        let tokens = normal(&[2, 7, 8], 6);
        let mask = [[1f64, 1., 0., 1., 1., 1., 0.], [1., 1., 1., 1., 1., 1., 1.]];
        let mask = Tensor::new(&mask, &Device::Cpu).unwrap();
        let closed = grad_cam(&model, &tokens, &mask).unwrap();
        let tape = grad_cam_by_tape(&model, &tokens, &mask);
        assert_near(&closed, &tape, 1e-12, "closed form");
    }
}

#[test]
fn four_optimizer_steps_agree_with_the_reference() {
    let Some(case) = Case::load("adamw_steps_s0", "w0.", DType::F32) else { return };
    let vars: BTreeMap<String, Var> = case.vars.clone().into_iter().collect();
    let config = AdamWConfig { clip_norm: None, ..AdamWConfig::paper() };
    let mut optimizer = AdamW::new(&vars, config).unwrap();
    for step in 0..5 {
        // `Var::set` writes through the storage the model shares, so it need not be built again.
        let out = case.model.head(&case.tokens(), &case.everywhere()).unwrap();
        let loss =
            mil_loss(&out, &case.target(), &case.everywhere(), &LossConfig::paper()).unwrap().total;
        let ours = f64::from(loss.to_scalar::<f32>().unwrap());
        let want = case.fixture.number(&format!("/values/losses/{step}"));
        assert!((ours - want).abs() < case.fixture.tolerance(DType::F32), "{step}: {ours}, {want}");
        if step < 4 {
            optimizer.step(&loss.backward().unwrap(), 1e-3).unwrap();
        }
    }
    for (name, var) in &vars {
        case.fixture.check(var, &format!("w4.{name}"));
    }
}

#[test]
fn a_bag_of_padding_stays_finite() {
    let Some(case) = Case::load("model_7x13_s0", "w.", DType::F32) else { return };
    let mask = case.everywhere().zeros_like().unwrap();
    let out = case.model.head(&case.tokens(), &mask).unwrap();
    let loss = mil_loss(&out, &case.target(), &mask, &LossConfig::paper()).unwrap();
    assert!(loss.total.to_scalar::<f32>().unwrap().is_finite());
    let map: Vec<f32> = to_vec(&grad_cam(&case.model, &case.tokens(), &mask).unwrap()).unwrap();
    assert!(map.iter().all(|v| *v == 0.0));
}

#[test]
fn a_grid_of_another_size_is_refused() {
    let Some(case) = Case::load("model_7x13_s0", "w.", DType::F32) else { return };
    let features = case.fixture.get("feats", DType::F32);
    let error = case.model.tokens(&features, Grid { rows: 7, columns: 12 }).unwrap_err();
    assert!(error.to_string().contains("7 x 12 patches, but 91 features"), "{error}");
}
