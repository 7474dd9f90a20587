//! The operations the networks are made of, each with its own gradient.
//!
//! Candle's fused layer norm has no gradient and its scan would be a tape of thousands of ops, so the
//! costly operations are ours: one forward and one backward pass on the CPU, generic over `f32` and
//! `f64` (the latter for gradient checks). Where one follows the other in the same order always, a tape makes one operation of them. Token tensors are `[batch, length, channels]` everywhere, images `[batch, height, width, channels]`.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod b_spline;
pub(crate) mod batch_norm;
pub(crate) mod causal_conv;
pub(crate) mod class_token;
pub(crate) mod conv3x3;
pub(crate) mod dense;
pub(crate) mod depthwise_conv;
pub(crate) mod fused;
pub(crate) mod gradients;
pub(crate) mod haar;
mod image_product;
pub(crate) mod interpolate;
pub(crate) mod lanes;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod max_pool;
pub(crate) mod pointwise_conv;
pub(crate) mod real;
pub(crate) mod selective_scan;
pub(crate) mod selective_ssm;
pub(crate) mod spectrum;
pub(crate) mod storage;
mod strip;
pub(crate) mod tape;
pub(crate) mod up_conv;
pub(crate) mod vectors;

use std::sync::Arc;

/// Which way a causal operation walks along the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanDirection {
    /// From the first token to the last.
    Forward,
    /// From the last token to the first: equal to flipping, walking forward and flipping back.
    Backward,
}

/// The order in which a causal operation visits the tokens. What it says of a token stands at the token's own place.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    direction: ScanDirection,
    /// The token at every place of another order; `None` for the order in which tokens lie.
    order: Option<Arc<[u32]>>,
}

impl Path {
    /// Along the tokens as they lie.
    pub(crate) fn along(direction: ScanDirection) -> Self {
        Self { direction, order: None }
    }

    /// Along another order: the token at each of its places.
    pub(crate) fn through(order: Arc<[u32]>, direction: ScanDirection) -> Self {
        Self { direction, order: Some(order) }
    }

    /// Whether it visits each of `length` tokens once.
    pub(crate) fn fits(&self, length: usize) -> bool {
        let Some(order) = &self.order else { return true };
        let mut is_met = vec![false; length];
        order.len() == length
            && order.iter().all(|token| match is_met.get_mut(*token as usize) {
                Some(met) => !std::mem::replace(met, true),
                None => false,
            })
    }

    /// The `step`-th visited token out of `length`.
    #[inline(always)]
    pub(crate) fn token(&self, step: usize, length: usize) -> usize {
        let place = match self.direction {
            ScanDirection::Forward => step,
            ScanDirection::Backward => length - 1 - step,
        };
        match &self.order {
            Some(order) => order[place] as usize,
            None => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_meets_every_token_once() {
        let path = |order: &[u32]| Path::through(order.into(), ScanDirection::Backward);
        assert!(path(&[0, 2, 1]).fits(3) && Path::along(ScanDirection::Forward).fits(3));
        assert!(!path(&[0, 2, 2]).fits(3) && !path(&[0, 1]).fits(3) && !path(&[0, 1, 3]).fits(3));
        let visited: Vec<usize> = (0..3).map(|step| path(&[0, 2, 1]).token(step, 3)).collect();
        assert_eq!(visited, [1, 2, 0]);
    }
}
