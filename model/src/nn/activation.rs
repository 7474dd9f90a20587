//! Activations: functions of every value by itself, one pass forward and one backward.

use std::marker::PhantomData;

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Fused, apply1};
use super::lanes::{Kernel, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// Values per task.
const CHUNK: usize = 16 * 1024;

/// A function of one number.
pub(crate) trait Curve: Send + Sync {
    /// Its name in error texts.
    const NAME: &'static str;

    /// `y` at `x`.
    fn value<T: Real, const FMA: bool>(x: T) -> T;

    /// The derivative at `x`, where the value is `y`.
    fn slope<T: Real, const FMA: bool>(x: T, y: T) -> T;
}

/// `x * sigmoid(x)`.
pub(crate) struct Silu;

impl Curve for Silu {
    const NAME: &'static str = "SiLU";

    #[inline(always)]
    fn value<T: Real, const FMA: bool>(x: T) -> T {
        x.silu::<FMA>()
    }

    #[inline(always)]
    fn slope<T: Real, const FMA: bool>(x: T, _y: T) -> T {
        x.silu_slope::<FMA>()
    }
}

/// `max(x, 0)`; flat at 0.
pub(crate) struct Relu;

impl Curve for Relu {
    const NAME: &'static str = "ReLU";

    #[inline(always)]
    fn value<T: Real, const FMA: bool>(x: T) -> T {
        if x < T::zero() { T::zero() } else { x }
    }

    #[inline(always)]
    fn slope<T: Real, const FMA: bool>(_x: T, y: T) -> T {
        if y > T::zero() { T::one() } else { T::zero() }
    }
}

/// The hyperbolic tangent.
pub(crate) struct Tanh;

impl Curve for Tanh {
    const NAME: &'static str = "tanh";

    #[inline(always)]
    fn value<T: Real, const FMA: bool>(x: T) -> T {
        x.tanh_fast::<FMA>()
    }

    #[inline(always)]
    fn slope<T: Real, const FMA: bool>(_x: T, y: T) -> T {
        T::one() - y * y
    }
}

/// GELU with the exact error function (Hendrycks and Gimpel 2016): `x` times the share of a normal distribution below `x`.
pub(crate) struct Gelu;

impl Gelu {
    /// The share of a normal distribution below `x`, and `e^(-x^2 / 2)`.
    #[inline(always)]
    fn share_below<T: Real, const FMA: bool>(x: T) -> (T, T) {
        let half = T::of(0.5);
        let (erf, bell) = (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf_and_bell::<FMA>();
        (half + half * erf, bell)
    }
}

impl Curve for Gelu {
    const NAME: &'static str = "GELU";

    #[inline(always)]
    fn value<T: Real, const FMA: bool>(x: T) -> T {
        x * Self::share_below::<T, FMA>(x).0
    }

    #[inline(always)]
    fn slope<T: Real, const FMA: bool>(x: T, _y: T) -> T {
        // 1 / sqrt(2 pi)
        let height =
            T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        let (share, bell) = Self::share_below::<T, FMA>(x);
        share + x * bell * height
    }
}

/// A curve as an operation, any shape.
pub(crate) struct Activation<C>(pub(crate) C);

/// [`Silu`] of a tensor, on any device.
///
/// # Errors
/// If `x` is neither `f32` nor `f64`.
pub(crate) fn silu(x: &Tensor) -> Result<Tensor> {
    apply1(Activation(Silu), x)
}

/// [`Relu`] of a tensor: ours in main memory, the library's elsewhere.
///
/// # Errors
/// If `x` is neither `f32` nor `f64`.
pub(crate) fn relu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { apply1(Activation(Relu), x) } else { x.relu() }
}

/// [`Tanh`] of a tensor: ours in main memory, the library's elsewhere.
///
/// # Errors
/// If `x` is neither `f32` nor `f64`.
pub(crate) fn tanh(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { apply1(Activation(Tanh), x) } else { x.tanh() }
}

impl<C: Curve> Fused<1> for Activation<C> {
    const NAME: &'static str = C::NAME;
    type Plan = ();

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((), Shape)> {
        Ok(((), x.into()))
    }

    fn forward<T: Vectors>(&self, (): &(), [x]: [&[T]; 1]) -> Vec<T> {
        let mut y = vec![T::zero(); x.len()];
        y.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(y, x)| dispatch(Forward { curve: PhantomData::<C>, x, y }));
        y
    }

    fn backward<T: Vectors>(&self, (): &(), [x]: [&[T]; 1], y: &[T], dy: &[T]) -> [Vec<T>; 1] {
        let mut dx = vec![T::zero(); x.len()];
        let values = x.par_chunks(CHUNK).zip(y.par_chunks(CHUNK)).zip(dy.par_chunks(CHUNK));
        dx.par_chunks_mut(CHUNK).zip(values).for_each(|(dx, ((x, y), dy))| {
            dispatch(Backward { curve: PhantomData::<C>, x, y, dy, dx });
        });
        [dx]
    }
}

struct Forward<'a, C, T> {
    curve: PhantomData<C>,
    x: &'a [T],
    y: &'a mut [T],
}

impl<C: Curve, T: Real> Kernel for Forward<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { curve: _, x, y } = self;
        for (y, x) in y.iter_mut().zip(x) {
            *y = C::value::<T, FMA>(*x);
        }
    }
}

struct Backward<'a, C, T> {
    curve: PhantomData<C>,
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<C: Curve, T: Real> Kernel for Backward<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { curve: _, x, y, dy, dx } = self;
        for (dx, ((x, y), dy)) in dx.iter_mut().zip(x.iter().zip(y).zip(dy)) {
            *dx = *dy * C::slope::<T, FMA>(*x, *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    fn assert_curve<C: Curve + 'static>(curve: fn() -> C, library: fn(&Tensor) -> Result<Tensor>) {
        let x = (normal(&[3, 700], 1) * 3.0).unwrap();
        let want = library(&x).unwrap();
        let name = C::NAME;
        assert_near(&apply1(Activation(curve()), &x).unwrap(), &want, 1e-13, name);
        let single = apply1(Activation(curve()), &x.to_dtype(DType::F32).unwrap()).unwrap();
        assert_near(&single.to_dtype(DType::F64).unwrap(), &want, 3e-7, name);
        assert_gradients(&[normal(&[2, 9], 2)], |t| apply1(Activation(curve()), &t[0]));
        let extremes = Tensor::new(&[-1e30f32, -90.0, 0.0, 90.0, 1e30], x.device()).unwrap();
        let y: Vec<f32> = apply1(Activation(curve()), &extremes).unwrap().to_vec1().unwrap();
        assert!(y.iter().all(|it| it.is_finite()) && y[2] == 0.0, "{name} {y:?}");
    }

    #[test]
    fn curves_are_those_of_the_library_in_both_precisions() {
        assert_curve(|| Silu, Tensor::silu);
        assert_curve(|| Relu, Tensor::relu);
        assert_curve(|| Tanh, Tensor::tanh);
        assert_curve(|| Gelu, Tensor::gelu_erf);
    }

    #[test]
    fn a_relu_is_flat_at_zero_and_nan_is_not_hidden() {
        assert_eq!(Relu::slope::<f64, false>(0.0, Relu::value::<f64, false>(0.0)), 0.0);
        assert!(Relu::value::<f32, true>(f32::NAN).is_nan());
        assert!(Tanh::value::<f32, true>(f32::NAN).is_nan());
    }
}
