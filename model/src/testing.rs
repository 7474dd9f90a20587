//! Shared by this crate's tests: seeded inputs, finite differences.

use candle_core::{Device, Result, Tensor, Var};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::nn::storage::to_vec;

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
