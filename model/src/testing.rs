//! Shared by this crate's tests: golden tensors, seeded inputs, finite differences.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::nn::storage::to_vec;

/// Golden tensors of one case and what was said about them.
pub(crate) struct Fixture {
    tensors: HashMap<String, Tensor>,
    pub(crate) meta: serde_json::Value,
}

impl Fixture {
    /// A case by name, or `None` after saying that it is skipped.
    pub(crate) fn load(name: &str) -> Option<Self> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures"));
        let meta = folder.join(format!("{name}.json"));
        if !meta.exists() {
            eprintln!("SKIPPED: golden tensors `{name}` are not on this machine");
            return None;
        }
        let tensors = folder.join(format!("{name}.safetensors"));
        Some(Self {
            tensors: candle_core::safetensors::load(tensors, &Device::Cpu).unwrap(),
            meta: serde_json::from_slice(&std::fs::read(meta).unwrap()).unwrap(),
        })
    }

    /// A tensor in the type to test.
    pub(crate) fn get(&self, name: &str, dtype: DType) -> Tensor {
        self.raw(name).to_dtype(dtype).unwrap()
    }

    /// A tensor as stored.
    pub(crate) fn raw(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("no tensor `{name}`"))
    }

    /// Names that begin with `prefix`, without it.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.tensors.keys().filter_map(|k| k.strip_prefix(prefix)).map(str::to_owned).collect();
        names.sort();
        names
    }

    /// The case's weights, below `prefix`, as trainable variables.
    pub(crate) fn vars(&self, prefix: &str, dtype: DType) -> HashMap<String, Var> {
        let var = |name: &String| Var::from_tensor(&self.get(&format!("{prefix}{name}"), dtype));
        self.names(prefix).into_iter().map(|name| (name.clone(), var(&name).unwrap())).collect()
    }

    /// A number from the case's description.
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        let value = self.meta.pointer(pointer).and_then(serde_json::Value::as_f64);
        value.unwrap_or_else(|| panic!("no number at `{pointer}`"))
    }

    /// The case's tolerance for `f32`; a millionth for `f64`, whose golden values are rounded to `f32`.
    pub(crate) fn tolerance(&self, dtype: DType) -> f64 {
        if dtype == DType::F64 { 1e-6 } else { self.number("/tolerance_f32_relative") }
    }

    /// `ours` must equal the golden tensor `name` within the case's tolerance.
    pub(crate) fn check(&self, ours: &Tensor, name: &str) {
        let want = self.get(name, DType::F64);
        let tolerance = self.tolerance(ours.dtype());
        assert_near(&ours.to_dtype(DType::F64).unwrap(), &want, tolerance, name);
    }
}

/// `max|a - b| <= tolerance * max(1, max|b|)`, for `f64` tensors of one shape.
pub(crate) fn assert_near(ours: &Tensor, want: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(ours.dims(), want.dims(), "shape of {what}");
    let (ours, want): (Vec<f64>, Vec<f64>) = (to_vec(ours).unwrap(), to_vec(want).unwrap());
    let scale = want.iter().fold(1.0f64, |scale, b| scale.max(b.abs()));
    for (i, (a, b)) in ours.iter().zip(&want).enumerate() {
        let bound = tolerance * scale;
        assert!((a - b).abs() <= bound, "{what}[{i}]: {a} is not {b} within {bound:.1e}");
    }
}

/// Seeded standard normal numbers, `f64`.
pub(crate) fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Compares the gradient of `<f(inputs), random cotangent>` in every input with central differences.
pub(crate) fn assert_gradients(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    const H: f64 = 1e-5;
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let leaves: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&leaves).unwrap();
    let cotangent = normal(y.dims(), 99);
    let loss = |y: Tensor| (y * &cotangent).unwrap().sum_all().unwrap();
    let grads = loss(y).backward().unwrap();
    for (which, input) in inputs.iter().enumerate() {
        let grad =
            grads.get(&leaves[which]).unwrap_or_else(|| panic!("input {which}: no gradient"));
        let grad: Vec<f64> = to_vec(grad).unwrap();
        let values: Vec<f64> = to_vec(input).unwrap();
        for (i, analytic) in grad.iter().enumerate() {
            let moved = |by: f64| {
                let mut values = values.clone();
                values[i] += by;
                let mut inputs = inputs.to_vec();
                inputs[which] = Tensor::from_vec(values, input.shape(), &Device::Cpu).unwrap();
                loss(f(&inputs).unwrap()).to_scalar::<f64>().unwrap()
            };
            let numeric = (moved(H) - moved(-H)) / (2.0 * H);
            let error = (analytic - numeric).abs() / (1.0 + numeric.abs());
            assert!(error < 1e-6, "input {which}[{i}]: {analytic} is not {numeric}");
        }
    }
}
