//! `y = x W^T + b` over the last axis.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::dense::{Dense, Projection};
use super::fused::{apply, apply2};
use super::tape::{Slot, Tape};
use super::vectors::Vectors;

/// A linear layer; weight `[out, in]`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Weight and bias from `vb`.
    pub(crate) fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            weight: vb.get((outputs, inputs), "weight")?,
            bias: Some(vb.get(outputs, "bias")?),
        })
    }

    /// A weight alone.
    pub(crate) fn without_bias(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: vb.get((outputs, inputs), "weight")?, bias: None })
    }

    /// Of tensors that are at hand.
    pub(crate) fn of(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `[out, in]`.
    pub(crate) fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Weight, and bias if there is one.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }

    /// [`Self::forward`] on a tape that was given [`Self::parameters`].
    pub(crate) fn on_tape<T: Vectors>(&self, tape: &mut Tape<'_, T>, x: Slot) -> Result<Slot> {
        let weight = tape.parameter(&self.weight)?;
        match &self.bias {
            Some(bias) => {
                let bias = tape.parameter(bias)?;
                tape.apply(Dense, [x, weight, bias])
            }
            None => tape.apply(Projection, [x, weight]),
        }
    }

    /// `[.., in]` to `[.., out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match (&self.bias, x.device()) {
            (Some(bias), Device::Cpu) => apply(Dense, [x, &self.weight, bias]),
            (None, Device::Cpu) => apply2(Projection, [x, &self.weight]),
            (Some(bias), _) => project(x, &self.weight)?.broadcast_add(bias),
            (None, _) => project(x, &self.weight),
        }
    }
}

/// `x W^T`: `[.., in]` and `[out, in]` to `[.., out]`. One matrix product over all leading axes.
pub(crate) fn project(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let mut shape = x.dims().to_vec();
    let rows = x.elem_count() / x.dim(D::Minus1)?.max(1);
    if let Some(last) = shape.last_mut() {
        *last = outputs;
    }
    x.reshape((rows, inputs))?.matmul(&weight.t()?)?.reshape(shape)
}
