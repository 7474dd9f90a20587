//! Attention pooling (Ilse et al. 2018): `softmax(w tanh(V h))`, or gated, `softmax(w (tanh(V h) * sigmoid(U h)))`.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::{sigmoid, softmax};

use crate::fmamil::init::List;
use crate::nn::activation::tanh;
use crate::nn::linear::Linear;

/// Added to the score of a masked patch: its attention becomes exactly 0.
const MASKED: f64 = -1e9;

/// From encoded patches to one vector per bag.
#[derive(Clone, Debug)]
pub(super) struct AttentionPool {
    value: Linear,
    gate: Option<Linear>,
    score: Linear,
}

/// Adds the weights below `name`.
pub(super) fn weights(
    list: &mut List,
    name: &str,
    (hidden, attention): (usize, usize),
    gated: bool,
) {
    list.xavier(&format!("{name}.v"), attention, hidden);
    if gated {
        list.xavier(&format!("{name}.u"), attention, hidden);
    }
    list.xavier(&format!("{name}.w"), 1, attention);
}

impl AttentionPool {
    pub(super) fn new(
        (hidden, attention): (usize, usize),
        gated: bool,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let gate = || Linear::new(hidden, attention, vb.pp("u"));
        Ok(Self {
            value: Linear::new(hidden, attention, vb.pp("v"))?,
            gate: gated.then(gate).transpose()?,
            score: Linear::new(attention, 1, vb.pp("w"))?,
        })
    }

    /// Encoded patches `[b, P, H]` and mask `[b, P]` to attention `[b, P]`, 0 where masked, and mean `[b, H]`.
    pub(super) fn forward(&self, hidden: &Tensor, mask: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut inner = tanh(&self.value.forward(hidden)?)?;
        if let Some(gate) = &self.gate {
            inner = (inner * sigmoid(&gate.forward(hidden)?)?)?;
        }
        let scores = (self.score.forward(&inner)?.squeeze(2)? + mask.affine(-MASKED, MASKED)?)?;
        let attention = softmax(&scores, 1)?;
        let bag = attention.unsqueeze(1)?.matmul(hidden)?.squeeze(1)?;
        Ok((attention, bag))
    }
}
