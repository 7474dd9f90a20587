//! Attention pooling of the patches and the two classifiers (Eqs 16-21).

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;

use super::config::{self, FmamilConfig};
use crate::nn::activation::{relu, tanh};
use crate::nn::linear::{Linear, project};

/// Added to the score of a masked patch: its attention becomes exactly 0, and a bag that is masked
/// everywhere stays finite.
const MASKED: f64 = -1e9;

#[derive(Clone, Debug)]
enum Attention {
    /// `w tanh(V Z + b) + b'`.
    Abmil { hidden: Linear, score: Linear },
    /// `tanh(w Z + b)`, Eq. 18 as printed.
    Eq18 { score: Linear },
}

/// From patch tokens to a bag and to instances.
#[derive(Clone, Debug)]
pub(crate) struct MilHead {
    encode: Linear,
    attention: Attention,
    classify: Linear,
    instance: Linear,
}

/// What the head says about a batch of bags.
#[derive(Clone, Debug)]
pub(crate) struct HeadOutput {
    /// Bag logits `[b, C]`.
    pub(crate) logits: Tensor,
    /// The pooled bag `[b, H]`.
    pub(crate) bag: Tensor,
    /// Attention `[b, P]`: sums to 1 per bag, 0 where masked.
    pub(crate) attention: Tensor,
    /// Instance logits `[b, P, C]`.
    pub(crate) instance_logits: Tensor,
    /// Encoded patches `Z`, `[b, P, H]`.
    pub(crate) hidden: Tensor,
}

impl HeadOutput {
    /// Probability of each class per bag, `[b, C]`.
    pub(crate) fn probabilities(&self) -> Result<Tensor> {
        softmax(&self.logits, D::Minus1)
    }
}

impl MilHead {
    pub(crate) fn new(config: &FmamilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let (width, hidden) = (config.head_dim, config.attention_dim);
        let attention = match config.attention {
            config::Attention::Abmil => Attention::Abmil {
                hidden: Linear::new(width, hidden, vb.pp("att_v"))?,
                score: Linear::new(hidden, 1, vb.pp("att_w"))?,
            },
            config::Attention::Eq18 => {
                Attention::Eq18 { score: Linear::new(width, 1, vb.pp("att_w"))? }
            }
        };
        Ok(Self {
            encode: Linear::new(config.dim, width, vb.pp("enc"))?,
            attention,
            classify: Linear::new(width, config.classes, vb.pp("cls"))?,
            instance: Linear::new(width, config.classes, vb.pp("inst"))?,
        })
    }

    /// `tokens` `[b, P, D]`, `mask` `[b, P]` (1 a patch, 0 padding).
    pub(crate) fn forward(&self, tokens: &Tensor, mask: &Tensor) -> Result<HeadOutput> {
        let hidden = relu(&self.encode.forward(tokens)?)?; //                 [b, P, H]
        let mask = mask.to_dtype(hidden.dtype())?;
        let scores = (self.scores(&hidden)? + mask.affine(-MASKED, MASKED)?)?; // [b, P], Eq. 18
        let attention = softmax(&scores, 1)?; //                             [b, P], Eq. 19
        let bag = attention.unsqueeze(1)?.matmul(&hidden)?.squeeze(1)?; //   [b, H], Eq. 20
        Ok(HeadOutput {
            logits: self.classify.forward(&bag)?,
            instance_logits: self.instance.forward(&hidden)?,
            bag,
            attention,
            hidden,
        })
    }

    /// Attention before the softmax, `[b, P, H]` to `[b, P]`.
    pub(crate) fn scores(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.attention {
            Attention::Abmil { hidden: inner, score } => {
                score.forward(&tanh(&inner.forward(hidden)?)?)?.squeeze(2)
            }
            Attention::Eq18 { score } => tanh(&score.forward(hidden)?)?.squeeze(2),
        }
    }

    /// Derivative of each patch's score in its own `Z`: `[b, P, H]` to `[b, P, H]`.
    pub(crate) fn score_slope(&self, hidden: &Tensor) -> Result<Tensor> {
        let slope = |tanh: Tensor| tanh.sqr()?.affine(-1.0, 1.0);
        match &self.attention {
            Attention::Abmil { hidden: inner, score } => {
                let inner_slope = slope(tanh(&inner.forward(hidden)?)?)?; // [b, P, A]
                let weighted = inner_slope.broadcast_mul(score.weight())?;
                project(&weighted, &inner.weight().t()?)
            }
            Attention::Eq18 { score } => {
                let slope = slope(tanh(&score.forward(hidden)?)?)?; //       [b, P, 1]
                slope.broadcast_mul(score.weight())
            }
        }
    }

    /// Bag classifier's weight `[C, H]`.
    pub(crate) fn class_weight(&self) -> &Tensor {
        self.classify.weight()
    }

    /// Gradient in the tokens `[b, P, D]` of a gradient in `Z` `[b, P, H]`.
    pub(crate) fn through_encoding(&self, d_hidden: &Tensor, hidden: &Tensor) -> Result<Tensor> {
        let active = hidden.gt(0.0)?.to_dtype(hidden.dtype())?;
        project(&(d_hidden * active)?, &self.encode.weight().t()?)
    }
}
