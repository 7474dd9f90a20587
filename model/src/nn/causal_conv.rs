//! Causal depthwise convolution along the tokens followed by `SiLU` (Alg. 2, line 11), in either direction.
//!
//! `y_t = silu(bias + sum_j w_j x_{t-k+1+j})` walking forward; backward it looks at later tokens instead.
//! Tokens before the first visited one count as 0.

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::ScanDirection;
use super::fused::{Fused, apply};
use super::lanes::{Kernel, dispatch};
use super::real::Real;
use super::vectors::Vectors;

/// `x` `[b, L, E]`, `weight` `[E, 1, k]`, `bias` `[E]` to `[b, L, E]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn causal_conv_silu(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    direction: ScanDirection,
) -> Result<Tensor> {
    apply(CausalConv { direction }, [x, weight, bias])
}

struct CausalConv {
    direction: ScanDirection,
}

impl Fused for CausalConv {
    const NAME: &'static str = "causal conv";
    type Plan = Walk;

    fn plan(&self, dims: [&[usize]; 3]) -> Result<(Walk, Shape)> {
        match dims {
            [x @ &[_, length, channels], &[e, 1, taps], &[n]] if e == channels && n == channels => {
                Ok((Walk { length, channels, taps, direction: self.direction }, x.into()))
            }
            [x, weight, bias] => bail!(
                "causal conv: expected [b, L, E], weight [E, 1, k] and bias [E], found {x:?}, {weight:?} and {bias:?}"
            ),
        }
    }

    fn forward<T: Vectors>(&self, walk: &Walk, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        forward(x, weight, bias, *walk)
    }

    fn backward<T: Vectors>(
        &self,
        walk: &Walk,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        backward(x, weight, bias, dy, *walk)
    }
}

#[derive(Clone, Copy)]
struct Walk {
    length: usize,
    channels: usize,
    taps: usize,
    direction: ScanDirection,
}

impl Walk {
    /// The token that `tap` reads when token `t` is computed; `None` before the first visited token.
    #[inline(always)]
    fn source(self, t: usize, tap: usize) -> Option<usize> {
        let back = self.taps - 1 - tap;
        match self.direction {
            ScanDirection::Forward => t.checked_sub(back),
            ScanDirection::Backward => Some(t + back).filter(|&s| s < self.length),
        }
    }
}

/// `[E, 1, k]` to `[k, E]`, so that one tap's weights lie together.
fn by_tap<T: Real>(weight: &[T], walk: Walk) -> Vec<T> {
    let tap_of = |tap| weight.iter().skip(tap).step_by(walk.taps).copied();
    (0..walk.taps).flat_map(tap_of).collect()
}

fn forward<T: Real>(x: &[T], weight: &[T], bias: &[T], walk: Walk) -> Vec<T> {
    let taps = by_tap(weight, walk);
    let bag = walk.length * walk.channels;
    let mut y = vec![T::zero(); x.len()];
    y.par_chunks_mut(bag)
        .zip(x.par_chunks(bag))
        .for_each(|(y, x)| dispatch(Forward { x, taps: &taps, bias, y, walk }));
    y
}

/// Gradients in `x`, weight and bias, the latter two summed in batch order.
fn backward<T: Real>(x: &[T], weight: &[T], bias: &[T], dy: &[T], walk: Walk) -> [Vec<T>; 3] {
    let taps = by_tap(weight, walk);
    let bag = walk.length * walk.channels;
    let mut dx = vec![T::zero(); x.len()];
    let parts: Vec<Vec<T>> = dx
        .par_chunks_mut(bag)
        .zip(x.par_chunks(bag).zip(dy.par_chunks(bag)))
        .map(|(dx, (x, dy))| dispatch(Backward { x, taps: &taps, bias, dy, dx, walk }))
        .collect();
    let mut total = vec![T::zero(); (walk.taps + 1) * walk.channels];
    for part in &parts {
        total.iter_mut().zip(part).for_each(|(to, from)| *to += *from);
    }
    let db = total.split_off(walk.taps * walk.channels);
    let channel_of = |c| total.iter().skip(c).step_by(walk.channels).copied();
    [dx, (0..walk.channels).flat_map(channel_of).collect(), db]
}

/// Pre-activation of token `t` into `sum`.
#[inline(always)]
fn convolve<T: Real, const FMA: bool>(
    x: &[T],
    taps: &[T],
    bias: &[T],
    sum: &mut [T],
    t: usize,
    walk: Walk,
) {
    let n = walk.channels;
    sum.copy_from_slice(bias);
    for (tap, weight) in taps.chunks_exact(n).enumerate() {
        if let Some(source) = walk.source(t, tap) {
            let x = &x[source * n..(source + 1) * n];
            for (sum, (w, x)) in sum.iter_mut().zip(weight.iter().zip(x)) {
                *sum = w.fma::<FMA>(*x, *sum);
            }
        }
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    taps: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
    walk: Walk,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (t, y) in self.y.chunks_exact_mut(self.walk.channels).enumerate() {
            convolve::<T, FMA>(self.x, self.taps, self.bias, y, t, self.walk);
            for y in y {
                *y = y.silu();
            }
        }
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    taps: &'a [T],
    bias: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
    walk: Walk,
}

impl<T: Real> Kernel for Backward<'_, T> {
    /// `[k + 1, E]`: gradients of the taps, then of the bias.
    type Output = Vec<T>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Vec<T> {
        let n = self.walk.channels;
        let mut d_params = vec![T::zero(); self.taps.len() + n];
        let (d_taps, d_bias) = d_params.split_at_mut(self.taps.len());
        let mut d_sum = vec![T::zero(); n];
        for (t, dy) in self.dy.chunks_exact(n).enumerate() {
            convolve::<T, FMA>(self.x, self.taps, self.bias, &mut d_sum, t, self.walk);
            for ((d, dy), db) in d_sum.iter_mut().zip(dy).zip(d_bias.iter_mut()) {
                *d = *dy * d.silu_slope();
                *db += *d;
            }
            for (tap, d_weight) in d_taps.chunks_exact_mut(n).enumerate() {
                let Some(source) = self.walk.source(t, tap) else { continue };
                let (window, weight) = (source * n..(source + 1) * n, &self.taps[tap * n..]);
                let rows = self.x[window.clone()].iter().zip(&mut self.dx[window]);
                for ((d, (x, dx)), (w, dw)) in
                    d_sum.iter().zip(rows).zip(weight.iter().zip(d_weight))
                {
                    *dx = d.fma::<FMA>(*w, *dx);
                    *dw = d.fma::<FMA>(*x, *dw);
                }
            }
        }
        d_params
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn the_first_token_sees_only_the_last_tap() {
        let x = normal(&[1, 3, 2], 1);
        let (weight, bias) = (normal(&[2, 1, 4], 2), normal(&[2], 3));
        let y = causal_conv_silu(&x, &weight, &bias, ScanDirection::Forward).unwrap();
        let last_tap = weight.narrow(2, 3, 1).unwrap().flatten_all().unwrap();
        let first = (x.get(0).unwrap().get(0).unwrap() * last_tap).unwrap();
        let want = (first + &bias).unwrap().silu().unwrap();
        assert_near(&y.get(0).unwrap().get(0).unwrap(), &want, 1e-12, "first token");
    }

    #[test]
    fn walking_backward_equals_flip_walk_flip() {
        let x = normal(&[2, 9, 5], 4);
        let (weight, bias) = (normal(&[5, 1, 4], 5), normal(&[5], 6));
        let backward = causal_conv_silu(&x, &weight, &bias, ScanDirection::Backward).unwrap();
        let flipped = x.flip(&[1]).unwrap();
        let forward = causal_conv_silu(&flipped, &weight, &bias, ScanDirection::Forward).unwrap();
        assert_near(&backward, &forward.flip(&[1]).unwrap(), 1e-12, "flip");
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [normal(&[2, 6, 3], 7), normal(&[3, 1, 4], 8), normal(&[3], 9)];
        for direction in [ScanDirection::Forward, ScanDirection::Backward] {
            assert_gradients(&inputs, |t| causal_conv_silu(&t[0], &t[1], &t[2], direction));
        }
    }

    #[test]
    fn one_token_is_enough() {
        let inputs = [normal(&[1, 1, 3], 7), normal(&[3, 1, 4], 8), normal(&[3], 9)];
        assert_gradients(&inputs, |t| {
            causal_conv_silu(&t[0], &t[1], &t[2], ScanDirection::Backward)
        });
    }
}
