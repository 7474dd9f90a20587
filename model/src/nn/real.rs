//! The two float types the operations compute in, and their elementary functions.

use std::sync::{LazyLock, Mutex};

use candle_core::WithDType;
use rustfft::num_traits::Float;
use rustfft::{FftNum, FftPlanner};

/// `f32` for work, `f64` for gradient checks. `FMA` says whether fused multiply-add is an instruction where a function is compiled.
pub(crate) trait Real: WithDType + FftNum + Float + Default + std::iter::Sum {
    /// `2^x` for `x <= 126`. In `f32` within 3e-7 relative and never less than `2^-125`; NaN stays NaN.
    fn exp2_fast<const FMA: bool>(self) -> Self;

    /// `ln(1 + x)` for `0 <= x <= 1`. In `f32` within 3e-7 relative, also near 0.
    fn ln_1p_fast<const FMA: bool>(self) -> Self;

    /// The error function and `e^(-x^2)`. In `f32` within 3e-7.
    fn erf_and_bell<const FMA: bool>(self) -> (Self, Self);

    /// The hyperbolic tangent. In `f32` within 3e-7 relative, also near 0.
    fn tanh_fast<const FMA: bool>(self) -> Self;

    /// Plans of this type's transforms, shared by all threads.
    fn fft_planner() -> &'static Mutex<FftPlanner<Self>>;

    /// A constant.
    #[inline(always)]
    fn of(value: f64) -> Self {
        <Self as WithDType>::from_f64(value)
    }

    /// The same number as `f64`.
    #[inline(always)]
    fn wide(self) -> f64 {
        WithDType::to_f64(self)
    }

    /// `e^x`, with the accuracy and range of [`Self::exp2_fast`].
    #[inline(always)]
    fn exp_fast<const FMA: bool>(self) -> Self {
        (self * Self::of(std::f64::consts::LOG2_E)).exp2_fast::<FMA>()
    }

    /// `1 / (1 + e^-x)`, finite everywhere.
    #[inline(always)]
    fn sigmoid<const FMA: bool>(self) -> Self {
        let e = (-self.abs()).exp_fast::<FMA>();
        let small = e / (Self::one() + e);
        if self < Self::zero() { small } else { Self::one() - small }
    }

    /// `ln(1 + e^x)`, finite everywhere.
    #[inline(always)]
    fn softplus<const FMA: bool>(self) -> Self {
        let positive = if self < Self::zero() { Self::zero() } else { self };
        positive + (-self.abs()).exp_fast::<FMA>().ln_1p_fast::<FMA>()
    }

    /// `x * sigmoid(x)`.
    #[inline(always)]
    fn silu<const FMA: bool>(self) -> Self {
        self * self.sigmoid::<FMA>()
    }

    /// Derivative of [`Self::silu`].
    #[inline(always)]
    fn silu_slope<const FMA: bool>(self) -> Self {
        self.silu_and_slope::<FMA>().1
    }

    /// [`Self::silu`] and its derivative.
    #[inline(always)]
    fn silu_and_slope<const FMA: bool>(self) -> (Self, Self) {
        let s = self.sigmoid::<FMA>();
        let y = self * s;
        (y, s + y * (Self::one() - s))
    }

    /// `self * b + c`, in one rounding where the processor has that instruction.
    #[inline(always)]
    fn fma<const FMA: bool>(self, b: Self, c: Self) -> Self {
        if FMA { self.mul_add(b, c) } else { self * b + c }
    }
}

impl Real for f32 {
    #[inline(always)]
    fn exp2_fast<const FMA: bool>(self) -> Self {
        // 1.5 * 2^23: adding it rounds to the nearest integer, which then sits in the low bits.
        const ROUND: f32 = 12_582_912.0;
        let x = if self < -125.0 { -125.0 } else { self };
        let shifted = x + ROUND;
        let f = x - (shifted - ROUND);
        // Of the polynomials of degree 5 with the value and slope of 2^f at 0 the one of least relative error on [-1/2, 1/2], 1.1e-7.
        let p = 1.330_026_4e-3f32.fma::<FMA>(f, 9.669_708e-3);
        let p = p.fma::<FMA>(f, 5.550_56e-2);
        let p = p.fma::<FMA>(f, 2.402_228_1e-1);
        let p = p.fma::<FMA>(f, std::f32::consts::LN_2);
        let p = p.fma::<FMA>(f, 1.0);
        // The integer goes to where the exponent is: a multiplication without multiplying.
        Self::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
    }

    #[inline(always)]
    fn ln_1p_fast<const FMA: bool>(self) -> Self {
        // Of the polynomials p of degree 8 the one for which x p(x) has the least relative error on [0, 1], 3e-8.
        let p = 5.232_696e-3f32.fma::<FMA>(self, -2.950_524_7e-2);
        let p = p.fma::<FMA>(self, 7.822_596e-2);
        let p = p.fma::<FMA>(self, -1.366_324_7e-1);
        let p = p.fma::<FMA>(self, 1.910_600_8e-1);
        let p = p.fma::<FMA>(self, -2.484_298_2e-1);
        let p = p.fma::<FMA>(self, 3.331_909_8e-1);
        let p = p.fma::<FMA>(self, -4.999_949_3e-1);
        self * p.fma::<FMA>(self, 0.999_999_94)
    }

    #[inline(always)]
    fn erf_and_bell<const FMA: bool>(self) -> (Self, Self) {
        // Abramowitz and Stegun 7.1.26, within 1.5e-7.
        let bell = (-self * self).exp_fast::<FMA>();
        let t = 1.0 / self.abs().fma::<FMA>(0.327_591_1, 1.0);
        let p = 1.061_405_4f32.fma::<FMA>(t, -1.453_152_1);
        let p = p.fma::<FMA>(t, 1.421_413_8);
        let p = p.fma::<FMA>(t, -0.284_496_74);
        let p = p.fma::<FMA>(t, 0.254_829_6);
        ((1.0 - p * t * bell).copysign(self), bell)
    }

    #[inline(always)]
    fn tanh_fast<const FMA: bool>(self) -> Self {
        // Near 0 its series, cut below 3e-8; elsewhere by an exponential that does not overflow.
        let q = self * self;
        let p = (62.0f32 / 2835.0).fma::<FMA>(q, -17.0 / 315.0);
        let p = p.fma::<FMA>(q, 2.0 / 15.0);
        let p = p.fma::<FMA>(q, -1.0 / 3.0);
        let near = self * p.fma::<FMA>(q, 1.0);
        let e = (-2.0 * self.abs()).exp_fast::<FMA>();
        let far = ((1.0 - e) / (1.0 + e)).copysign(self);
        if self.abs() < 0.3 { near } else { far }
    }

    fn fft_planner() -> &'static Mutex<FftPlanner<Self>> {
        static PLANNER: LazyLock<Mutex<FftPlanner<f32>>> =
            LazyLock::new(|| Mutex::new(FftPlanner::new()));
        &PLANNER
    }
}

impl Real for f64 {
    #[inline(always)]
    fn exp2_fast<const FMA: bool>(self) -> Self {
        self.exp2()
    }

    #[inline(always)]
    fn ln_1p_fast<const FMA: bool>(self) -> Self {
        self.ln_1p()
    }

    #[inline(always)]
    fn erf_and_bell<const FMA: bool>(self) -> (Self, Self) {
        (candle_core::cpu::erf::erf_f64(self), (-self * self).exp())
    }

    #[inline(always)]
    fn tanh_fast<const FMA: bool>(self) -> Self {
        self.tanh()
    }

    fn fft_planner() -> &'static Mutex<FftPlanner<Self>> {
        static PLANNER: LazyLock<Mutex<FftPlanner<f64>>> =
            LazyLock::new(|| Mutex::new(FftPlanner::new()));
        &PLANNER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst_relative_error(range: (f64, f64), ours: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let n = 200_001;
        let at = |i: i32| (range.0 + (range.1 - range.0) * f64::from(i) / f64::from(n - 1)) as f32;
        let error = |x: f32| {
            let want = exact(f64::from(x));
            ((f64::from(ours(x)) - want) / want.abs().max(f64::MIN_POSITIVE)).abs()
        };
        (0..n).map(|i| error(at(i))).fold(0.0, f64::max)
    }

    #[test]
    fn fast_functions_are_within_a_millionth_of_the_exact_ones() {
        assert_close_to_exact::<false>();
        assert_close_to_exact::<true>();
    }

    fn assert_close_to_exact<const FMA: bool>() {
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        assert!(worst_relative_error((-125.0, 126.0), f32::exp2_fast::<FMA>, f64::exp2) < 3e-7);
        assert!(worst_relative_error((1e-9, 1.0), f32::ln_1p_fast::<FMA>, f64::ln_1p) < 3e-7);
        assert!(worst_relative_error((-12.0, 12.0), f32::tanh_fast::<FMA>, f64::tanh) < 3e-7);
        assert!(worst_relative_error((1e-9, 1e-3), f32::tanh_fast::<FMA>, f64::tanh) < 3e-7);
        assert!(worst_relative_error((-8.0, 8.0), f32::exp_fast::<FMA>, f64::exp) < 1e-6);
        assert!(worst_relative_error((-8.0, 30.0), f32::softplus::<FMA>, softplus) < 1e-6);
        assert!(
            worst_relative_error((-8.0, 30.0), f32::sigmoid::<FMA>, |x| 1.0 / (1.0 + (-x).exp()))
                < 1e-6
        );
    }

    #[test]
    fn extremes_stay_finite_and_nan_stays_nan() {
        assert_eq!(1e30f32.softplus::<true>(), 1e30);
        assert_eq!((-1e30f32).sigmoid::<true>() + 1.0, 1.0);
        assert_eq!(1e30f32.sigmoid::<true>(), 1.0);
        assert!((-1e30f32).softplus::<true>() < 1e-30);
        assert_eq!((-1e30f32).exp2_fast::<true>(), 2f32.powi(-125));
        assert!((-1e30f32).silu::<true>().abs() < 1e-6);
        for f in
            [f32::exp2_fast::<true>, f32::softplus::<true>, f32::sigmoid::<true>, f32::silu::<true>]
        {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
