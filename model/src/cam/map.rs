//! What is drawn over a bag (MODELS 6): several readings of one network, which disagree usefully.

use candle_core::{D, Result, Tensor};
use candle_nn::ops::{sigmoid, softmax};
use serde::{Deserialize, Serialize};

use super::grad_cam::{grad_cam, grad_cam_plus_plus};
use crate::fmamil::{Fmamil, HeadOutput};
use crate::loss::mil::{LossConfig, soft_label};

/// A reading of the network as a number per patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapKind {
    /// Grad-CAM of the margin at the patch tokens: the paper's.
    #[default]
    GradCam,
    /// Grad-CAM++ at the head's encoding, whose activations are never negative.
    GradCamPlusPlus,
    /// The attention that a patch gets.
    Attention,
    /// Attention above that of a uniform bag: what the instance loss teaches.
    Lift,
    /// `sigmoid` of the attention's score less the bag's mean score: the order of the attention, less peaked.
    AttentionGate,
    /// Probability of the positive class that the instance classifier gives the patch alone.
    Instance,
}

impl MapKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::Attention,
        Self::Lift,
        Self::AttentionGate,
        Self::Instance,
    ];

    /// One line for records and legends.
    pub fn description(self) -> &'static str {
        match self {
            Self::GradCam => "Grad-CAM on patch tokens, target margin",
            Self::GradCamPlusPlus => "Grad-CAM++ on the head's encoding, target margin",
            Self::Attention => "attention",
            Self::Lift => "attention above that of a uniform bag",
            Self::AttentionGate => "attention score above the bag's mean",
            Self::Instance => "instance classifier",
        }
    }
}

/// The raw map `[b, P]` of class 1 from patch tokens `[b, P, D]`: of any scale, 0 where `mask` `[b, P]` is.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn raw_map(
    kind: MapKind,
    model: &Fmamil,
    tokens: &Tensor,
    mask: &Tensor,
) -> Result<Tensor> {
    let out = model.head(tokens, mask)?;
    let mask = mask.to_dtype(tokens.dtype())?;
    match kind {
        MapKind::GradCam => grad_cam(model, tokens, &mask),
        MapKind::GradCamPlusPlus => grad_cam_plus_plus(model, tokens, &mask),
        MapKind::Attention => Ok(out.attention),
        MapKind::Lift => lift(&out, &mask),
        MapKind::AttentionGate => attention_gate(model, &out, &mask),
        MapKind::Instance => instance(&out, &mask),
    }
}

/// The map of a network that has nothing but attention `[b, P]`, which sums to 1 over a bag: itself, or its gate.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn of_attention(kind: MapKind, attention: Tensor, mask: &Tensor) -> Result<Tensor> {
    match kind {
        MapKind::AttentionGate => {
            let smallest = f64::from(f32::MIN_POSITIVE);
            let mask = mask.to_dtype(attention.dtype())?;
            above_the_mean(&attention.maximum(smallest)?.log()?, &mask)
        }
        _ => Ok(attention),
    }
}

fn lift(out: &HeadOutput, mask: &Tensor) -> Result<Tensor> {
    soft_label(&out.attention, mask, &LossConfig::paper())? * mask
}

fn attention_gate(model: &Fmamil, out: &HeadOutput, mask: &Tensor) -> Result<Tensor> {
    above_the_mean(&model.mil_head().scores(&out.hidden)?, mask)
}

/// `sigmoid` of scores less the bag's mean score, 0 where there is no patch. Scores may be off by a constant, so the logarithm of the
/// attention serves as well.
fn above_the_mean(scores: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let scores = (scores * mask)?;
    let patches = mask.sum_keepdim(1)?.maximum(1.0)?;
    let mean = scores.sum_keepdim(1)?.broadcast_div(&patches)?;
    sigmoid(&scores.broadcast_sub(&mean)?)? * mask
}

fn instance(out: &HeadOutput, mask: &Tensor) -> Result<Tensor> {
    softmax(&out.instance_logits, D::Minus1)?.narrow(2, 1, 1)?.squeeze(2)? * mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::config::Attention;
    use crate::fmamil::tests::small;
    use crate::nn::storage::to_vec;
    use crate::testing::{assert_near, normal};
    use candle_core::{DType, Device, IndexOp as _};

    fn mask() -> Tensor {
        let mask = [[1f64, 1., 0., 1., 1., 1., 0.], [1., 1., 1., 1., 1., 1., 1.]];
        Tensor::new(&mask, &Device::Cpu).unwrap()
    }

    #[test]
    fn every_map_is_finite_and_zero_where_there_is_no_patch() {
        for attention in [Attention::Abmil, Attention::Eq18] {
            let (model, _) = small(attention);
            for kind in MapKind::ALL {
                let map = raw_map(kind, &model, &normal(&[2, 7, 8], 6), &mask()).unwrap();
                let map: Vec<Vec<f64>> = map.to_vec2().unwrap();
                assert!(map.iter().flatten().all(|it| it.is_finite()), "{kind:?}");
                assert_eq!((map[0][2], map[0][6]), (0.0, 0.0), "{kind:?}");
                assert!(map.iter().flatten().any(|it| *it != 0.0), "{kind:?}");
            }
        }
    }

    #[test]
    fn attention_and_its_gate_rank_patches_alike() {
        let (model, _) = small(Attention::Abmil);
        let tokens = normal(&[1, 7, 8], 6);
        let mask = mask().i(1..2).unwrap();
        let order = |kind| {
            let map: Vec<f64> = to_vec(&raw_map(kind, &model, &tokens, &mask).unwrap()).unwrap();
            let mut order: Vec<usize> = (0..map.len()).collect();
            order.sort_by(|a, b| map[*a].total_cmp(&map[*b]));
            order
        };
        assert_eq!(order(MapKind::Attention), order(MapKind::AttentionGate));
    }

    #[test]
    fn the_gate_of_an_attention_is_that_of_its_scores() {
        let (model, _) = small(Attention::Abmil);
        let (tokens, mask) = (normal(&[2, 7, 8], 6), mask());
        let attention = raw_map(MapKind::Attention, &model, &tokens, &mask).unwrap();
        let gate = raw_map(MapKind::AttentionGate, &model, &tokens, &mask).unwrap();
        let ours = of_attention(MapKind::AttentionGate, attention, &mask).unwrap();
        assert_near(&ours, &gate, 1e-9, "gate");
    }

    #[test]
    fn a_uniform_bag_is_lifted_nowhere_and_half_open_everywhere() {
        let (model, _) = small(Attention::Abmil);
        let tokens = normal(&[1, 1, 8], 6).broadcast_as((1, 7, 8)).unwrap().contiguous().unwrap();
        let mask = Tensor::ones((1, 7), DType::F64, &Device::Cpu).unwrap();
        let map = |kind| raw_map(kind, &model, &tokens, &mask).unwrap();
        assert_near(&map(MapKind::Lift), &mask.zeros_like().unwrap(), 1e-12, "lift");
        assert_near(&map(MapKind::AttentionGate), &(&mask * 0.5).unwrap(), 1e-12, "gate");
    }

    #[test]
    fn a_kind_is_one_word_in_a_configuration() {
        let words: Vec<String> =
            MapKind::ALL.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
        assert_eq!(words[1], r#""grad_cam_plus_plus""#);
        for (word, kind) in words.iter().zip(MapKind::ALL) {
            assert_eq!(serde_json::from_str::<MapKind>(word).unwrap(), kind);
        }
    }
}
