//! The weights of a network on a tape: their names, shapes and first values, in the order in which the tape is given them.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};

use crate::fmamil::init::{List, Start};
use crate::nn::tape::Slot;

/// A weight and a bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) weight: Slot,
    pub(crate) bias: Slot,
}

/// Weights of a network in the making.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    list: List,
}

impl Roll {
    /// Uniform within Glorot's bound, no bias at first.
    pub(crate) fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Layer {
        let layer = self.next();
        self.list.xavier(name, outputs, inputs);
        layer
    }

    /// As [`Self::linear`], over squares of pixels in three colors.
    pub(crate) fn patches(&mut self, name: &str, outputs: usize, side: usize) -> Layer {
        let layer = self.next();
        let inputs = 3 * side * side;
        let bound = (6.0 / (outputs + inputs) as f64).sqrt();
        self.list.add(format!("{name}.weight"), &[outputs, 3, side, side], Start::Uniform(bound));
        self.list.add(format!("{name}.bias"), &[outputs], Start::Constant(0.0));
        layer
    }

    /// Scale 1, shift 0.
    pub(crate) fn norm(&mut self, name: &str, channels: usize) -> Layer {
        let layer = self.next();
        self.list.norm(name, channels, 1.0);
        layer
    }

    /// A token of small normal values.
    pub(crate) fn token(&mut self, name: &str, dim: usize) -> Slot {
        let Layer { weight: token, .. } = self.next();
        self.list.add(name, &[dim], Start::Normal(0.02));
        token
    }

    /// Where the next weight, and the one behind it, will be.
    fn next(&self) -> Layer {
        let at = self.list.len();
        Layer { weight: Slot::parameter(at), bias: Slot::parameter(at + 1) }
    }

    /// First values by name.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn first_weights(self, seed: u64) -> Result<BTreeMap<String, Tensor>> {
        self.list.draw(seed)
    }

    /// Names and shapes in the tape's order.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.list.shapes()
    }

    /// The weights in the tape's order; others are left out.
    ///
    /// # Errors
    /// If one is missing or of another shape.
    pub(crate) fn sorted(&self, weights: &BTreeMap<String, Tensor>) -> Result<Vec<Tensor>> {
        let find = |(name, shape): (&str, &[usize])| match weights.get(name) {
            Some(weight) if weight.dims() == shape => Ok(weight.clone()),
            Some(weight) => bail!("weight {name}: expected {shape:?}, found {:?}", weight.dims()),
            None => bail!("there is no weight {name}"),
        };
        self.shapes().map(find).collect()
    }
}
