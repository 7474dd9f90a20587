//! Blocks of a vision transformer (Dosovitskiy et al. 2021): attention and a layer of two, each behind a norm and added to its input.

use candle_core::Result;

use super::roll::{Layer, Roll};
use crate::nn::activation::{Activation, Gelu};
use crate::nn::attention::Attention;
use crate::nn::dense::{Dense, Sum};
use crate::nn::layer_norm::Normalization;
use crate::nn::tape::{Slot, Tape};
use crate::nn::vectors::Vectors;

/// Added to variances.
pub(crate) const EPSILON: f64 = 1e-6;

/// One block: tokens `[b, L, D]` to the same shape.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    heads: usize,
    norms: [Layer; 2],
    /// Queries, keys, values; then what becomes of all heads.
    attention: [Layer; 2],
    layers: [Layer; 2],
}

impl Block {
    /// Over `norm1`, `attn`, `norm2`, `fc1`, `fc2`; the layer between is `ratio` times as wide.
    pub(crate) fn new(
        roll: &mut Roll,
        name: &str,
        (dim, heads, ratio): (usize, usize, usize),
    ) -> Self {
        let mut linear =
            |part: &str, outputs, inputs| roll.linear(&format!("{name}.{part}"), outputs, inputs);
        let attention = [linear("attn.qkv", 3 * dim, dim), linear("attn.proj", dim, dim)];
        let layers = [linear("fc1", ratio * dim, dim), linear("fc2", dim, ratio * dim)];
        let norms = ["norm1", "norm2"].map(|part| roll.norm(&format!("{name}.{part}"), dim));
        Self { heads, norms, attention, layers }
    }

    pub(crate) fn forward<T: Vectors>(&self, tape: &mut Tape<'_, T>, x: Slot) -> Result<Slot> {
        let y = self.norms[0].norm(tape, x)?;
        let y = self.attention[0].linear(tape, y)?;
        let y = tape.apply(Attention { heads: self.heads }, [y])?;
        let y = self.attention[1].linear(tape, y)?;
        let x = tape.apply(Sum, [x, y])?;
        let y = self.norms[1].norm(tape, x)?;
        let y = self.layers[0].linear(tape, y)?;
        let y = tape.apply(Activation(Gelu), [y])?;
        let y = self.layers[1].linear(tape, y)?;
        tape.apply(Sum, [x, y])
    }
}

impl Layer {
    /// `[.., in]` to `[.., out]`.
    pub(crate) fn linear<T: Vectors>(&self, tape: &mut Tape<'_, T>, x: Slot) -> Result<Slot> {
        tape.apply(Dense, [x, self.weight, self.bias])
    }

    /// Mean 0 and variance 1 along the last axis, then scale and shift.
    pub(crate) fn norm<T: Vectors>(&self, tape: &mut Tape<'_, T>, x: Slot) -> Result<Slot> {
        tape.apply(Normalization { eps: EPSILON }, [x, self.weight, self.bias])
    }
}
