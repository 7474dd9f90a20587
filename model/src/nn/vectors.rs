//! SIMD registers of either float type, so that one kernel serves work and gradient checks.

use std::fmt::Debug;

use pulp::Simd;

use super::real::Real;

/// A float type with its registers; `S` is the instruction set that `pulp` picked at run time.
pub(crate) trait Vectors: Real {
    /// One register.
    type Vector<S: Simd>: Copy + Debug;

    /// Values per register.
    fn lanes<S: Simd>() -> usize;

    /// `value` in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// `a * b + c`.
    fn fused<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// `a + b`.
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The larger of both, lane by lane.
    fn larger<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// Whole registers of `values`; a shorter rest is left out.
    fn view<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];

    /// As [`Self::view`], to be written.
    fn view_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
}

macro_rules! vectors {
    ($real:ty, $vector:ident, $lanes:ident, $splat:ident, $mul_add:ident, $add:ident, $max:ident, $view:ident, $view_mut:ident) => {
        impl Vectors for $real {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn fused<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn larger<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$max(a, b)
            }

            #[inline(always)]
            fn view<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$view(values).0
            }

            #[inline(always)]
            fn view_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$view_mut(values).0
            }
        }
    };
}

vectors!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    mul_add_f32s,
    add_f32s,
    max_f32s,
    as_simd_f32s,
    as_mut_simd_f32s
);
vectors!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    mul_add_f64s,
    add_f64s,
    max_f64s,
    as_simd_f64s,
    as_mut_simd_f64s
);
