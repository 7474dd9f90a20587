//! A token that stands for the whole bag, before all others: put there, and taken off again.

use candle_core::{Result, Shape, bail};

use super::fused::Fused;
use super::lanes::add_onto;
use super::vectors::Vectors;

/// Class token `[D]` and patches `[b, P, D]` to tokens `[b, P + 1, D]`, the class token first (Eq. 7).
pub(crate) struct Begin;

impl Fused<2> for Begin {
    const NAME: &'static str = "class token";
    /// Values of all patches of a bag.
    type Plan = usize;

    fn plan(&self, dims: [&[usize]; 2]) -> Result<(usize, Shape)> {
        match dims {
            [&[class], &[b, patches, dim]] if class == dim => {
                Ok((patches * dim, (b, patches + 1, dim).into()))
            }
            [class, x] => bail!("expected a class token and patches, found {class:?} and {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, bag: &usize, [class, x]: [&[T]; 2]) -> Vec<T> {
        let mut tokens = Vec::with_capacity(x.len() + x.len() / bag * class.len());
        for bag in x.chunks_exact(*bag) {
            tokens.extend_from_slice(class);
            tokens.extend_from_slice(bag);
        }
        tokens
    }

    fn backward<T: Vectors>(
        &self,
        bag: &usize,
        inputs: [&[T]; 2],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 2] {
        taken_apart(inputs[0].len(), *bag, dy)
    }
}

/// Tokens `[b, P + 1, D]` without their class token, `[b, P, D]` (Eq. 16).
pub(crate) struct Patches;

impl Fused<1> for Patches {
    const NAME: &'static str = "patches";
    /// Values of all tokens of a bag, and of one.
    type Plan = (usize, usize);

    fn plan(&self, [x]: [&[usize]; 1]) -> Result<((usize, usize), Shape)> {
        match *x {
            [b, n, dim] if 1 < n => Ok(((n * dim, dim), (b, n - 1, dim).into())),
            _ => bail!("expected a class token and at least one patch, found {x:?}"),
        }
    }

    fn forward<T: Vectors>(&self, (bag, dim): &(usize, usize), [x]: [&[T]; 1]) -> Vec<T> {
        let mut patches = Vec::with_capacity(x.len());
        x.chunks_exact(*bag).for_each(|bag| patches.extend_from_slice(&bag[*dim..]));
        patches
    }

    fn backward<T: Vectors>(
        &self,
        (bag, dim): &(usize, usize),
        [x]: [&[T]; 1],
        _y: &[T],
        dy: &[T],
    ) -> [Vec<T>; 1] {
        let mut dx = Vec::with_capacity(x.len());
        for patches in dy.chunks_exact(bag - dim) {
            dx.resize(dx.len() + dim, T::zero());
            dx.extend_from_slice(patches);
        }
        [dx]
    }
}

/// Bags of a class token of `dim` values and `others` values beside it: the class tokens' sum, and what stands beside them.
pub(crate) fn taken_apart<T: Vectors>(dim: usize, others: usize, bags: &[T]) -> [Vec<T>; 2] {
    let mut class = vec![T::zero(); dim];
    let mut beside = Vec::with_capacity(bags.len());
    for bag in bags.chunks_exact(dim + others) {
        let (first, rest) = bag.split_at(dim);
        add_onto(&mut class, first);
        beside.extend_from_slice(rest);
    }
    [class, beside]
}
