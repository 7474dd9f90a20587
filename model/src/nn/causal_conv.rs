//! Causal depthwise convolution along the tokens followed by `SiLU` (Alg. 2, line 11), along any path.
//!
//! With `t` counting visited tokens: `y_t = silu(bias + sum_j w_j x_{t-k+1+j})`. Tokens before the first visited one count as 0.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::lanes::{
    self, Kernel, Lanes, WIDTH, add_onto, column_windows, dispatch, fma, load, splat, store,
};
use super::real::Real;
use super::vectors::Vectors;
use super::{Path, ScanDirection};

/// Channels per task.
const GROUP: usize = 64;

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
    apply(CausalConv { path: Path::along(direction) }, [x, weight, bias])
}

struct CausalConv {
    path: Path,
}

impl Fused for CausalConv {
    const NAME: &'static str = "causal conv";
    /// Tokens per bag.
    type Plan = usize;

    fn plan(&self, [x, weight, bias]: [&[usize]; 3]) -> Result<(usize, Shape)> {
        Ok((length(x, weight, bias)?, x.into()))
    }

    fn forward<T: Vectors>(&self, length: &usize, [x, weight, bias]: [&[T]; 3]) -> Vec<T> {
        let conv = Conv { length: *length, path: &self.path, x, weight, bias };
        forward(&[conv]).swap_remove(0)
    }

    fn backward<T: Vectors>(
        &self,
        length: &usize,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let conv = Conv { length: *length, path: &self.path, x, weight, bias };
        let (dx, mut params) = backward(&[conv], &[dy]);
        let [weight, bias] = params.swap_remove(0);
        [dx, weight, bias]
    }
}

/// Tokens per bag.
///
/// # Errors
/// If shapes disagree.
pub(super) fn length(x: &[usize], weight: &[usize], bias: &[usize]) -> Result<usize> {
    match (x, weight, bias) {
        (&[_, length, channels], &[e, 1, _], &[n]) if e == channels && n == channels => Ok(length),
        _ => bail!(
            "causal conv: expected [b, L, E], weight [E, 1, k] and bias [E], found {x:?}, {weight:?} and {bias:?}"
        ),
    }
}

/// A convolution of a batch of bags.
#[derive(Clone, Copy)]
pub(super) struct Conv<'a, T> {
    /// Tokens per bag.
    pub(super) length: usize,
    pub(super) path: &'a Path,
    /// `[b, L, E]`.
    pub(super) x: &'a [T],
    /// `[E, 1, k]`.
    pub(super) weight: &'a [T],
    /// `[E]`.
    pub(super) bias: &'a [T],
}

impl<T: Real> Conv<'_, T> {
    fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Of one bag alone.
    fn bag(&self, bag: usize) -> Self {
        let values = self.length * self.channels();
        Self { x: &self.x[bag * values..(bag + 1) * values], ..*self }
    }

    /// The values of a block at the token of a step.
    #[inline(always)]
    fn x(&self, step: usize, block: &Block<T>) -> Lanes<T> {
        let n = self.channels();
        let token = self.path.token(step, self.length);
        load(&self.x[token * n..(token + 1) * n][block.channels.clone()])
    }

    /// Before `SiLU`.
    #[inline(always)]
    fn sum<const FMA: bool>(&self, step: usize, block: &Block<T>) -> Lanes<T> {
        let mut sum = block.bias;
        for (back, weight) in block.taps.iter().enumerate().take(step + 1) {
            sum = fma::<T, FMA>(*weight, &self.x(step - back, block), &sum);
        }
        sum
    }
}

/// Up to sixteen channels.
struct Block<T> {
    channels: Range<usize>,
    /// By how many steps their token lies back.
    taps: Vec<Lanes<T>>,
    bias: Lanes<T>,
}

impl<T: Real> Block<T> {
    /// The blocks of a group of channels.
    fn of(conv: &Conv<'_, T>, group: usize) -> Vec<Self> {
        let channels = group * GROUP..conv.channels().min((group + 1) * GROUP);
        let blocks = channels.clone().step_by(WIDTH);
        blocks.map(|first| Self::new(conv, first..channels.end.min(first + WIDTH))).collect()
    }

    fn new(conv: &Conv<'_, T>, channels: Range<usize>) -> Self {
        let k = conv.weight.len() / conv.channels();
        let mut taps = vec![splat(T::zero()); k];
        for (lane, channel) in channels.clone().enumerate() {
            let weights = conv.weight[channel * k..(channel + 1) * k].iter().rev();
            taps.iter_mut().zip(weights).for_each(|(tap, weight)| tap[lane] = *weight);
        }
        Self { bias: load(&conv.bias[channels.clone()]), taps, channels }
    }

    /// Where its channels are in those of its group.
    fn window(&self) -> Range<usize> {
        let first = self.channels.start % GROUP;
        first..first + self.channels.len()
    }
}

/// The results of several convolutions, `[b, L, E]` each.
pub(super) fn forward<T: Real>(convs: &[Conv<'_, T>]) -> Vec<Vec<T>> {
    let mut results: Vec<Vec<T>> = convs.iter().map(|it| vec![T::zero(); it.x.len()]).collect();
    let mut tasks = Vec::new();
    for (conv, y) in convs.iter().zip(&mut results) {
        let bags = y.chunks_exact_mut(conv.length * conv.channels());
        for (bag, y) in bags.enumerate() {
            let groups = column_windows(y, conv.channels(), GROUP).into_iter().enumerate();
            tasks.extend(groups.map(|(group, y)| Forward { bag: conv.bag(bag), group, y }));
        }
    }
    tasks.into_par_iter().for_each(dispatch);
    results
}

struct Forward<'a, T> {
    bag: Conv<'a, T>,
    group: usize,
    y: Vec<&'a mut [T]>,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let blocks = Block::of(&self.bag, self.group);
        for step in 0..self.bag.length {
            let token = self.bag.path.token(step, self.bag.length);
            for block in &blocks {
                let y = lanes::map(self.bag.sum::<FMA>(step, block), T::silu::<FMA>);
                store(&y, &mut self.y[token][block.window()]);
            }
        }
    }
}

/// From the gradients in the results of convolutions of one input: the gradient in it, and those in every weight and bias.
pub(super) fn backward<T: Real>(convs: &[Conv<'_, T>], dys: &[&[T]]) -> (Vec<T>, Vec<[Vec<T>; 2]>) {
    let zeros = |of: &[T]| vec![T::zero(); of.len()];
    let mut params: Vec<[Vec<T>; 2]> =
        convs.iter().map(|it| [zeros(it.weight), zeros(it.bias)]).collect();
    let Some(first) = convs.first() else { return (Vec::new(), params) };
    let (mut dx, values) = (zeros(first.x), first.length * first.channels());
    let bags = dx.chunks_exact_mut(values).enumerate().flat_map(|(bag, dx)| {
        let groups = column_windows(dx, first.channels(), GROUP).into_iter().enumerate();
        groups.map(move |(group, dx)| Backward { convs, dys, bag, group, dx })
    });
    let tasks: Vec<Backward<'_, T>> = bags.collect();
    let parts: Vec<Vec<(usize, [Vec<T>; 2])>> = tasks.into_par_iter().map(dispatch).collect();
    for part in parts {
        for ((channel, [weight, bias]), params) in part.into_iter().zip(&mut params) {
            let k = params[0].len() / params[1].len();
            add_onto(&mut params[0][channel * k..], &weight);
            add_onto(&mut params[1][channel..], &bias);
        }
    }
    (dx, params)
}

struct Backward<'a, T> {
    convs: &'a [Conv<'a, T>],
    dys: &'a [&'a [T]],
    bag: usize,
    group: usize,
    dx: Vec<&'a mut [T]>,
}

impl<T: Real> Kernel for Backward<'_, T> {
    /// Per convolution the first channel, and the gradients in weight and bias from there on.
    type Output = Vec<(usize, [Vec<T>; 2])>;

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> Self::Output {
        let mut gradients = Vec::with_capacity(self.convs.len());
        for (conv, dy) in self.convs.iter().zip(self.dys) {
            let bag = conv.bag(self.bag);
            let dy = &dy[self.bag * bag.x.len()..(self.bag + 1) * bag.x.len()];
            let of_weights = self.add::<FMA>(bag, dy);
            gradients.push((self.group * GROUP, of_weights));
        }
        gradients
    }
}

impl<T: Real> Backward<'_, T> {
    /// Adds what one convolution hands back; its gradients in weight and bias.
    #[inline(always)]
    fn add<const FMA: bool>(&mut self, bag: Conv<'_, T>, dy: &[T]) -> [Vec<T>; 2] {
        let blocks = Block::of(&bag, self.group);
        let zero = splat(T::zero());
        let mut sums: Vec<(Vec<Lanes<T>>, Lanes<T>)> =
            blocks.iter().map(|block| (vec![zero; block.taps.len()], zero)).collect();
        for step in 0..bag.length {
            let here = bag.path.token(step, bag.length) * bag.channels();
            for (block, (d_taps, d_bias)) in blocks.iter().zip(&mut sums) {
                let slope = lanes::map(bag.sum::<FMA>(step, block), T::silu_slope::<FMA>);
                let dy = load(&dy[here..here + bag.channels()][block.channels.clone()]);
                let d = lanes::mul(dy, &slope);
                *d_bias = lanes::add(*d_bias, &d);
                let taps = block.taps.iter().zip(d_taps).enumerate().take(step + 1);
                for (back, (weight, d_weight)) in taps {
                    let source = bag.path.token(step - back, bag.length);
                    let dx = &mut self.dx[source][block.window()];
                    store(&fma::<T, FMA>(d, weight, &load(dx)), dx);
                    *d_weight = fma::<T, FMA>(d, &bag.x(step - back, block), d_weight);
                }
            }
        }
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for (block, (d_taps, d_bias)) in blocks.iter().zip(&sums) {
            for lane in 0..block.channels.len() {
                weight.extend(d_taps.iter().rev().map(|tap| tap[lane]));
            }
            bias.extend_from_slice(&d_bias[..block.channels.len()]);
        }
        [weight, bias]
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
