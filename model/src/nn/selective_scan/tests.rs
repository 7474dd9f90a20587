use candle_core::{DType, Device, IndexOp as _, Result, Tensor, Var};

use super::super::linear::project;
use super::*;
use crate::testing::{assert_gradients, assert_near, normal};

/// The recurrence as written, in tensor ops.
fn by_definition(
    x: &Tensor,
    projected: &Tensor,
    params: ScanParams<'_>,
    direction: ScanDirection,
) -> Result<Tensor> {
    let (batch, length, channels) = x.dims3()?;
    let (state, rank) = (params.decay.dim(1)?, params.dt_weight.dim(1)?);
    let dt = projected.narrow(2, 0, rank)?.contiguous()?;
    let raw = project(&dt, params.dt_weight)?.broadcast_add(params.dt_bias)?;
    let delta = (raw.exp()? + 1.0)?.log()?;
    let mut h = Tensor::zeros((batch, channels, state), x.dtype(), x.device())?;
    let mut y = vec![x.clone(); length];
    for step in 0..length {
        let t = Path::along(direction).token(step, length);
        let column = |m: &Tensor| m.i((.., t, ..))?.unsqueeze(2);
        let row = |start| projected.i((.., t, ..))?.narrow(1, start, state)?.unsqueeze(1);
        let kept = column(&delta)?.broadcast_mul(params.decay)?.exp()?;
        let input = (column(&delta)? * column(x)?)?.broadcast_mul(&row(rank)?)?;
        h = ((kept * h)? + input)?;
        let read = h.broadcast_mul(&row(rank + state)?)?.sum(2)?;
        y[t] = (read + x.i((.., t, ..))?.broadcast_mul(params.skip)?)?;
    }
    Tensor::stack(&y, 1)
}

/// `[x, projected, A, D, b_dt, W_dt]`; A from -4 to -0.05.
fn inputs(batch: usize, length: usize, channels: usize, state: usize, rank: usize) -> [Tensor; 6] {
    let decay = normal(&[channels, state], 3).abs().unwrap().neg().unwrap();
    [
        normal(&[batch, length, channels], 1),
        normal(&[batch, length, rank + 2 * state], 2),
        (decay - 0.05).unwrap(),
        normal(&[channels], 4),
        normal(&[channels], 5),
        normal(&[channels, rank], 6),
    ]
}

fn scan(t: &[Tensor], direction: ScanDirection) -> Result<Tensor> {
    selective_scan(&t[0], &t[1], params(t), direction)
}

fn params(t: &[Tensor]) -> ScanParams<'_> {
    ScanParams { decay: &t[2], skip: &t[3], dt_bias: &t[4], dt_weight: &t[5] }
}

#[test]
fn the_scan_agrees_with_its_definition() {
    for (batch, length, channels, state, rank) in
        [(2, 1, 3, 5, 1), (1, 64, 16, 4, 2), (2, 65, 70, 3, 3), (1, 130, 20, 16, 4)]
    {
        let t = inputs(batch, length, channels, state, rank);
        for direction in [ScanDirection::Forward, ScanDirection::Backward] {
            let want = by_definition(&t[0], &t[1], params(&t), direction).unwrap();
            assert_near(&scan(&t, direction).unwrap(), &want, 1e-10, "f64");
            let single: Vec<Tensor> = t.iter().map(|t| t.to_dtype(DType::F32).unwrap()).collect();
            let ours = scan(&single, direction).unwrap().to_dtype(DType::F64).unwrap();
            assert_near(&ours, &want, 2e-6, "f32");
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    for direction in [ScanDirection::Forward, ScanDirection::Backward] {
        assert_gradients(&inputs(2, 5, 3, 2, 2), |t| scan(t, direction));
        assert_gradients(&inputs(1, 1, 2, 5, 1), |t| scan(t, direction));
    }
}

#[test]
fn gradients_cross_the_boundaries_of_chunks_blocks_and_groups() {
    let t = inputs(2, 150, 70, 5, 3);
    let cotangent = normal(&[2, 150, 70], 9);
    for direction in [ScanDirection::Forward, ScanDirection::Backward] {
        let vars: Vec<Var> = t.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
        let vars: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let grads = |y: Tensor| (y * &cotangent).unwrap().sum_all().unwrap().backward().unwrap();
        let ours = grads(scan(&vars, direction).unwrap());
        let tape = grads(by_definition(&vars[0], &vars[1], params(&vars), direction).unwrap());
        for (i, var) in vars.iter().enumerate() {
            let what = format!("gradient of input {i}");
            assert_near(ours.get(var).unwrap(), tape.get(var).unwrap(), 1e-10, &what);
        }
    }
}

#[test]
fn huge_and_tiny_steps_stay_finite() {
    for dt in [-1e4f32, -50.0, 50.0, 1e4] {
        let t = inputs(1, 70, 16, 4, 1).map(|t| t.to_dtype(DType::F32).unwrap());
        let mut vars = t.map(|t| Var::from_tensor(&t).unwrap().as_tensor().clone());
        vars[4] = Var::from_tensor(&Tensor::full(dt, 16, &Device::Cpu).unwrap())
            .unwrap()
            .as_tensor()
            .clone();
        let y = scan(&vars, ScanDirection::Forward).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        for tensor in std::iter::once(&y).chain(vars.iter().map(|v| grads.get(v).unwrap())) {
            let values: Vec<f32> = crate::nn::storage::to_vec(tensor).unwrap();
            assert!(values.iter().all(|v| v.is_finite()), "delta bias {dt}");
        }
    }
}

#[test]
fn a_hundred_thousand_tokens_fit() {
    let length = 100_000;
    let t = inputs(1, length, 4, 4, 1).map(|t| t.to_dtype(DType::F32).unwrap());
    let vars = t.map(|t| Var::from_tensor(&t).unwrap().as_tensor().clone());
    let y = scan(&vars, ScanDirection::Backward).unwrap();
    let grads = y.mean_all().unwrap().backward().unwrap();
    let total: f32 = grads.get(&vars[0]).unwrap().sum_all().unwrap().to_scalar().unwrap();
    assert!(total.is_finite());
}

#[test]
fn parameters_of_other_channels_are_refused() {
    for (part, wrong) in [(2, &[5, 2][..]), (3, &[5]), (4, &[3]), (5, &[5, 1])] {
        let mut t = inputs(1, 3, 4, 2, 1);
        t[part] = normal(wrong, 1);
        let error = scan(&t, ScanDirection::Forward).unwrap_err().to_string();
        assert!(error.contains("selective scan of [1, 3, 4]"), "{part}: {error}");
    }
}

#[test]
fn rows_of_the_wrong_width_are_refused() {
    let mut t = inputs(1, 3, 4, 2, 1);
    t[1] = normal(&[1, 3, 4], 1);
    let error = scan(&t, ScanDirection::Forward).unwrap_err().to_string();
    assert!(error.contains("expected rows [1, 3, 5]"), "{error}");
}
