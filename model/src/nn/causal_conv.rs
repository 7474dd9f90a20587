//! Causal depthwise convolution along the tokens followed by `SiLU` (Alg. 2, line 11), along any path.
//!
//! With `t` counting visited tokens: `y_t = silu(bias + sum_j w_j x_{t-k+1+j})`. Tokens before the first visited one count as 0.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::fused::{Fused, apply};
use super::lanes::{
    self, Kernel, Lanes, WIDTH, add_onto, column_windows, dispatch, fma, load, splat,
};
use super::real::Real;
use super::strip::{STEPS, Strip, group_width, spans};
use super::vectors::Vectors;
use super::{Path, ScanDirection};

/// Channels that a task has at least, if there are as many.
const UNIT: usize = 32;
/// Channels that a task has at most: what several convolutions read of them stays in the second cache.
const WIDEST: usize = 96;

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
        forward(&[Conv { length: *length, path: &self.path, x, weight, bias }]).remove(0)
    }

    fn backward<T: Vectors>(
        &self,
        length: &usize,
        [x, weight, bias]: [&[T]; 3],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 3] {
        let conv = Conv { length: *length, path: &self.path, x, weight, bias };
        let (dx, mut learned) = backward(&[conv], &[dy]);
        let [weight, bias] = learned.remove(0);
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

/// A convolution of a batch of bags. Several of them that share `x` are computed together, group by group of channels: what one of them
/// has read of a group is in the cache for the others.
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

    fn bags(&self) -> usize {
        self.x.len() / (self.length * self.channels()).max(1)
    }

    /// Of one bag alone.
    fn bag(&self, bag: usize) -> Self {
        let values = self.length * self.channels();
        Self { x: &self.x[bag * values..(bag + 1) * values], ..*self }
    }

    /// Per channel.
    fn taps(&self) -> usize {
        self.weight.len() / self.channels()
    }

    /// The rows of a bag `[L, E]` in groups of channels, and which they are.
    fn groups<'y>(
        &self,
        rows: &'y mut [T],
    ) -> impl Iterator<Item = (Range<usize>, Vec<&'y mut [T]>)> + use<'y, T> {
        let all = self.channels();
        let width = group_width(all, UNIT, self.bags()).min(WIDEST);
        let channels = (0..all).step_by(width).map(move |first| first..all.min(first + width));
        channels.zip(column_windows(rows, all, width))
    }

    /// The tokens of some steps.
    #[inline(always)]
    fn tokens(self, steps: Range<usize>) -> impl Iterator<Item = usize> {
        steps.map(move |step| self.path.token(step, self.length))
    }

    /// Reads the steps `span` of `channels` behind the `lead` steps before them; there are zeros before the first.
    #[inline(always)]
    fn read(self, span: Range<usize>, lead: usize, channels: &Range<usize>, to: &mut Strip<T>) {
        let first = span.start.saturating_sub(lead);
        let missing = lead - (span.start - first);
        let tokens = self.tokens(first..span.end);
        to.read(missing, tokens.map(|it| &self.x[it * self.channels()..][channels.clone()]));
    }
}

/// Taps worked on together.
const QUAD: usize = 4;

/// Up to sixteen channels.
struct Block<T> {
    channels: Range<usize>,
    /// From the earliest step to the last one, behind as many of weight 0 as fill up whole quads.
    taps: Vec<[Lanes<T>; QUAD]>,
    bias: Lanes<T>,
}

impl<T: Real> Block<T> {
    /// The blocks of a group of channels.
    fn of(conv: &Conv<'_, T>, channels: &Range<usize>) -> Vec<Self> {
        let blocks = channels.clone().step_by(WIDTH);
        blocks.map(|first| Self::new(conv, first..channels.end.min(first + WIDTH))).collect()
    }

    fn new(conv: &Conv<'_, T>, channels: Range<usize>) -> Self {
        let k = conv.taps();
        let mut taps = vec![[splat(T::zero()); QUAD]; k.div_ceil(QUAD)];
        let filling = taps.len() * QUAD - k;
        for (lane, channel) in channels.clone().enumerate() {
            let weights = &conv.weight[channel * k..(channel + 1) * k];
            let taps = taps.as_flattened_mut()[filling..].iter_mut();
            taps.zip(weights).for_each(|(tap, weight)| tap[lane] = *weight);
        }
        Self { bias: load(&conv.bias[channels.clone()]), taps, channels }
    }

    /// How many steps before its own one the sum of a step is made of.
    fn lead(&self) -> usize {
        self.taps.len() * QUAD - 1
    }

    /// Before `SiLU`, from a step and its lead.
    #[inline(always)]
    fn sum<const FMA: bool>(&self, steps: &[Lanes<T>]) -> Lanes<T> {
        let mut sum = self.bias;
        for (taps, steps) in self.taps.iter().zip(steps.as_chunks::<QUAD>().0) {
            for (tap, x) in taps.iter().zip(steps) {
                sum = fma::<T, FMA>(*tap, x, &sum);
            }
        }
        sum
    }

    /// The gradient in `x` of a step, from those in its own sum and in the sums of as many later steps as lead.
    #[inline(always)]
    fn spread<const FMA: bool>(&self, d_sums: &[Lanes<T>]) -> Lanes<T> {
        let mut dx = splat(T::zero());
        for (taps, d_sums) in self.taps.iter().rev().zip(d_sums.as_chunks::<QUAD>().0) {
            for (tap, d) in taps.iter().rev().zip(d_sums) {
                dx = fma::<T, FMA>(*tap, d, &dx);
            }
        }
        dx
    }
}

/// The result of every convolution of one `x`, `[b, L, E]` each.
pub(super) fn forward<T: Real>(convs: &[Conv<'_, T>]) -> Vec<Vec<T>> {
    let mut ys: Vec<Vec<T>> = convs.iter().map(|conv| vec![T::zero(); conv.x.len()]).collect();
    let mut tasks: Vec<Vec<Forward<'_, T>>> = Vec::new();
    for (conv, y) in convs.iter().zip(&mut ys) {
        let bags = y.chunks_exact_mut(conv.length * conv.channels()).enumerate();
        let of_conv = bags.flat_map(|(bag, y)| {
            let groups = conv.groups(y);
            groups.map(move |(channels, y)| Forward { bag: conv.bag(bag), channels, y })
        });
        for (at, task) in of_conv.enumerate() {
            match tasks.get_mut(at) {
                Some(tasks) => tasks.push(task),
                None => tasks.push(vec![task]),
            }
        }
    }
    tasks.into_par_iter().flatten_iter().for_each(dispatch);
    ys
}

struct Forward<'a, T> {
    bag: Conv<'a, T>,
    channels: Range<usize>,
    y: Vec<&'a mut [T]>,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let Self { bag, ref channels, .. } = self;
        let blocks = Block::of(&bag, channels);
        let lead = blocks[0].lead();
        let mut x = Strip::new(channels.len(), lead + STEPS);
        let mut y = Strip::new(channels.len(), STEPS);
        for span in spans(bag.length) {
            bag.read(span.clone(), lead, channels, &mut x);
            for (block, (x, y)) in blocks.iter().zip(x.blocks().zip(y.blocks_mut())) {
                for (y, steps) in y[..span.len()].iter_mut().zip(x.windows(lead + 1)) {
                    *y = lanes::map(block.sum::<FMA>(steps), T::silu::<FMA>);
                }
            }
            y.write_to(&mut self.y, bag.tokens(span));
        }
    }
}

/// From the gradient `dy` in the result of every convolution of one `x` that in `x`, and those in their weights and biases.
pub(super) fn backward<T: Real>(convs: &[Conv<'_, T>], dys: &[&[T]]) -> (Vec<T>, Vec<[Vec<T>; 2]>) {
    let Some(shared) = convs.first() else { return Default::default() };
    let mut dx = vec![T::zero(); shared.x.len()];
    let values = shared.length * shared.channels();
    let tasks = dx.chunks_exact_mut(values).enumerate().flat_map(|(bag, dx)| {
        shared.groups(dx).map(move |(channels, dx)| {
            let dys = dys.iter().map(|dy| &dy[bag * values..(bag + 1) * values]);
            let of_bag = convs.iter().map(|conv| conv.bag(bag)).zip(dys).collect();
            Backward { of_bag, channels, dx }
        })
    });
    let tasks: Vec<Backward<'_, T>> = tasks.collect();
    let parts: Vec<(usize, Vec<[Vec<T>; 2]>)> = tasks.into_par_iter().map(dispatch).collect();
    let zeros = |it: &[T]| vec![T::zero(); it.len()];
    let mut learned: Vec<[Vec<T>; 2]> =
        convs.iter().map(|conv| [conv.weight, conv.bias].map(zeros)).collect();
    for (first, part) in parts {
        for ([weight, bias], [of_weight, of_bias]) in learned.iter_mut().zip(part) {
            add_onto(&mut weight[first * shared.taps()..], &of_weight);
            add_onto(&mut bias[first..], &of_bias);
        }
    }
    (dx, learned)
}

struct Backward<'a, T> {
    /// Every convolution of a bag and the gradient in its result.
    of_bag: Vec<(Conv<'a, T>, &'a [T])>,
    channels: Range<usize>,
    dx: Vec<&'a mut [T]>,
}

impl<T: Real> Kernel for Backward<'_, T> {
    /// The first channel, and the gradients in weights and biases from there on.
    type Output = (usize, Vec<[Vec<T>; 2]>);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let Self { of_bag, channels, mut dx } = self;
        let mut learned = Vec::with_capacity(of_bag.len());
        for (bag, dy) in of_bag {
            learned.push(bag.back::<FMA>(&channels, dy, &mut dx));
        }
        (channels.start, learned)
    }
}

impl<T: Real> Conv<'_, T> {
    /// Adds the gradient in some channels of one bag to their rows; returns those in weight and bias. Last steps first.
    #[inline(always)]
    fn back<const FMA: bool>(
        self,
        channels: &Range<usize>,
        dy: &[T],
        rows: &mut [&mut [T]],
    ) -> [Vec<T>; 2] {
        let blocks = Block::of(&self, channels);
        let lead = blocks[0].lead();
        let mut x = Strip::new(channels.len(), lead + STEPS);
        let mut dx = Strip::new(channels.len(), STEPS);
        // First gradients in `y`, then in the sums below `SiLU`, and behind them those of the steps that come next.
        let mut d = Strip::new(channels.len(), STEPS + lead);
        let mut params: Vec<Params<T>> = blocks.iter().map(Params::zero).collect();
        for span in spans(self.length).rev() {
            self.read(span.clone(), lead, channels, &mut x);
            Conv { x: dy, ..self }.read(span.clone(), 0, channels, &mut d);
            let strips = x.blocks().zip(d.blocks_mut()).zip(dx.blocks_mut());
            for ((block, params), ((x, d), dx)) in blocks.iter().zip(&mut params).zip(strips) {
                for (d, steps) in d[..span.len()].iter_mut().zip(x.windows(lead + 1)) {
                    let slope = lanes::map(block.sum::<FMA>(steps), T::silu_slope::<FMA>);
                    *d = lanes::mul(*d, &slope);
                }
                params.add::<FMA>(x, &d[..span.len()]);
                for (dx, d) in dx.iter_mut().zip(d.windows(lead + 1)) {
                    *dx = block.spread::<FMA>(d);
                }
                d.copy_within(..lead, STEPS);
            }
            dx.add_to(rows, self.tokens(span));
        }
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for (block, params) in blocks.iter().zip(&params) {
            let n = block.channels.len();
            for lane in 0..n {
                let taps = params.taps.as_flattened();
                weight.extend(taps[taps.len() - self.taps()..].iter().map(|tap| tap[lane]));
            }
            bias.extend_from_slice(&params.bias[..n]);
        }
        [weight, bias]
    }
}

/// Gradients in a block's taps and bias.
struct Params<T> {
    taps: Vec<[Lanes<T>; QUAD]>,
    bias: Lanes<T>,
}

impl<T: Real> Params<T> {
    fn zero(block: &Block<T>) -> Self {
        let zero = splat(T::zero());
        Self { taps: vec![[zero; QUAD]; block.taps.len()], bias: zero }
    }

    /// Adds the share of some steps `x`, their lead in front, from the gradients `d` in their sums.
    #[inline(always)]
    fn add<const FMA: bool>(&mut self, x: &[Lanes<T>], d: &[Lanes<T>]) {
        for (at, taps) in self.taps.iter_mut().enumerate() {
            let mut local = *taps;
            for (d, steps) in d.iter().zip(x[at * QUAD..].windows(QUAD)) {
                for (tap, x) in local.iter_mut().zip(steps) {
                    *tap = fma::<T, FMA>(*d, x, tap);
                }
            }
            *taps = local;
        }
        self.bias = d.iter().fold(self.bias, lanes::add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};
    use candle_core::Var;

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

    /// In operations of the library, forward along the tokens.
    fn by_definition([x, weight, bias]: [&Tensor; 3]) -> Result<Tensor> {
        let (batch, length, channels) = x.dims3()?;
        let k = weight.dim(2)?;
        let before = Tensor::zeros((batch, k - 1, channels), x.dtype(), x.device())?;
        let padded = Tensor::cat(&[&before, x], 1)?;
        let mut sum = x.zeros_like()?.broadcast_add(bias)?;
        for tap in 0..k {
            let taps = weight.narrow(2, tap, 1)?.flatten_all()?;
            sum = (sum + padded.narrow(1, tap, length)?.broadcast_mul(&taps)?)?;
        }
        sum.silu()
    }

    #[test]
    fn long_ways_and_many_channels_are_those_of_the_definition() {
        for (length, channels, k) in [(70, 70, 4), (32, 16, 1), (33, 17, 3), (97, 5, 6)] {
            let shapes = [vec![2, length, channels], vec![channels, 1, k], vec![channels]];
            let vars = shapes.map(|it| Var::from_tensor(&normal(&it, it.len() as u64)).unwrap());
            let [x, weight, bias] = vars.each_ref().map(Var::as_tensor);
            let ours = causal_conv_silu(x, weight, bias, ScanDirection::Forward).unwrap();
            let want = by_definition([x, weight, bias]).unwrap();
            assert_near(&ours, &want, 1e-12, "values");
            let cotangent = normal(want.dims(), 9);
            let grads =
                |y: Tensor| (y * &cotangent).unwrap().sum_all().unwrap().backward().unwrap();
            let (ours, want) = (grads(ours), grads(want));
            for var in &vars {
                let (ours, want) = (ours.get(var).unwrap(), want.get(var).unwrap());
                assert_near(ours, want, 1e-11, "gradients");
            }
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
