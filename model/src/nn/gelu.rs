//! GELU with the exact error function (Hendrycks and Gimpel 2016): `x` times the share of a normal distribution below `x`.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::fused::Fused;
use super::lanes::{Kernel, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// Values per task.
const CHUNK: usize = 16 * 1024;

/// Any shape.
pub(crate) struct Gelu;

impl Fused<1> for Gelu {
    const NAME: &'static str = "GELU";
    type Plan = ();

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((), Shape)> {
        Ok(((), x.into()))
    }

    fn forward<T: Vectors>(&self, (): &(), [x]: [&[T]; 1]) -> Vec<T> {
        let mut y = vec![T::zero(); x.len()];
        y.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(y, x)| dispatch(Forward { x, y }));
        y
    }

    fn backward<T: Vectors>(&self, (): &(), [x]: [&[T]; 1], _y: &[T], dy: &[T]) -> [Vec<T>; 1] {
        let mut dx = vec![T::zero(); x.len()];
        dx.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK).zip(dy.par_chunks(CHUNK)))
            .for_each(|(dx, (x, dy))| dispatch(Backward { x, dy, dx }));
        [dx]
    }
}

/// The share of a normal distribution below `x`, and `e^(-x^2 / 2)`.
#[inline(always)]
fn share_below<T: Real, const FMA: bool>(x: T) -> (T, T) {
    let half = T::of(0.5);
    let (erf, bell) = (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf_and_bell::<FMA>();
    (half + half * erf, bell)
}

struct Forward<'a, T> {
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = *x * share_below::<T, FMA>(*x).0;
        }
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // 1 / sqrt(2 pi)
        let height =
            T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        for (dx, (x, dy)) in self.dx.iter_mut().zip(self.x.iter().zip(self.dy)) {
            let (share, bell) = share_below::<T, FMA>(*x);
            *dx = *dy * (share + *x * bell * height);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fused::apply1;
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};
    use candle_core::DType;

    #[test]
    fn both_precisions_agree_with_the_librarys() {
        let x = (normal(&[3, 700], 1) * 3.0).unwrap();
        let want = x.gelu_erf().unwrap();
        assert_near(&apply1(Gelu, &x).unwrap(), &want, 1e-13, "f64");
        let single = apply1(Gelu, &x.to_dtype(DType::F32).unwrap()).unwrap();
        assert_near(&single.to_dtype(DType::F64).unwrap(), &want, 3e-7, "f32");
    }

    #[test]
    fn gradients_equal_finite_differences() {
        assert_gradients(&[normal(&[2, 9], 2)], |t| apply1(Gelu, &t[0]));
    }
}
