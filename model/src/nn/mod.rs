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
pub(crate) mod conv3x3;
pub(crate) mod dense;
pub(crate) mod depthwise_conv;
pub(crate) mod fused;
pub(crate) mod gelu;
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
pub(crate) mod spectrum;
pub(crate) mod storage;
pub(crate) mod tape;
pub(crate) mod up_conv;
pub(crate) mod vectors;

/// Which way a causal operation walks along the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanDirection {
    /// From the first token to the last.
    Forward,
    /// From the last token to the first: equal to flipping, walking forward and flipping back.
    Backward,
}

impl ScanDirection {
    /// Index of the `step`-th visited token out of `length`.
    #[inline(always)]
    pub(crate) fn token(self, step: usize, length: usize) -> usize {
        match self {
            Self::Forward => step,
            Self::Backward => length - 1 - step,
        }
    }
}
