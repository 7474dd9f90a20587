//! The losses of stage 2 (Eqs 26, 28, 29) on logits and labels `[b, h, w]`.

use candle_core::{D, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::camseg::label::{Refinement, binarize, refine, structure_weight};

/// Keeps the quotients of empty masks finite, and makes "nothing marked, nothing there" a full score.
const SMOOTH: f64 = 1.0;

/// Which term `alpha` weighs: Eqs 26 and 29 print the soft one, the text says the hard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlphaOn {
    /// As the equations are printed.
    Soft,
    /// As the text reads.
    Hard,
}

/// How strongly a response of the map holds the prediction to it (Eq. 28).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Cross entropy with the region of high response, over all pixels: Eq. 28 as printed.
    Bce,
    /// Only within the region, over the number of all pixels.
    Pixels,
    /// Only within the region, over its own number of pixels.
    Region,
    /// No such loss.
    Off,
}

/// Weights and choices of the loss (MODELS 7.2 to 7.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CamsegLossConfig {
    /// Share of the term that `alpha_on` names, `0.0..=1.0`.
    pub alpha: f64,
    /// Which term that is.
    pub alpha_on: AlphaOn,
    /// A label above this is lesion in the hard mask, `0.0..1.0`.
    pub mask_threshold: f64,
    /// Side of the window that finds label edges, odd.
    pub structure_window: usize,
    /// How the network corrects its labels in the late stage.
    pub refinement: Refinement,
    /// What is used of Eq. 28 in the late stage.
    pub consistency: Consistency,
    /// A map above this is a high response, `0.0..1.0`.
    pub consistency_threshold: f64,
}

impl CamsegLossConfig {
    /// The paper's weights; where it is silent or contradicts itself, the choices of MODELS section 7.
    pub fn paper() -> Self {
        Self {
            alpha: 0.3,
            alpha_on: AlphaOn::Soft,
            mask_threshold: 0.5,
            structure_window: 31,
            refinement: Refinement::paper(),
            consistency: Consistency::Bce,
            consistency_threshold: 0.7,
        }
    }
}

/// The two stages of the schedule: labels are corrected only once the network has learned from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Eq. 26: the map as it is.
    Early,
    /// Eq. 29: the refined label and consistency.
    Late,
}

/// Means over the images of a batch, and the labels they were taken against.
#[derive(Clone, Debug)]
pub(crate) struct CamsegLoss {
    /// Of each image, `[b]`.
    pub(crate) per_image: Tensor,
    /// Scalars, as those below.
    pub(crate) total: Tensor,
    pub(crate) soft: Tensor,
    pub(crate) hard: Tensor,
    pub(crate) consistency: Tensor,
    /// Soft label, without a gradient.
    pub(crate) label: Tensor,
    /// Hard label.
    pub(crate) mask: Tensor,
}

/// The loss of a batch: `logits` and `cam` `[b, h, w]`.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn camseg_loss(
    logits: &Tensor,
    cam: &Tensor,
    stage: Stage,
    config: &CamsegLossConfig,
) -> Result<CamsegLoss> {
    let probability = candle_nn::ops::sigmoid(logits)?;
    let label = match stage {
        Stage::Early => cam.clone(),
        Stage::Late => refine(cam, &probability.detach(), config.refinement)?,
    };
    let mask = binarize(&label, config.mask_threshold)?;
    let soft = bce(logits, &label)?.flatten_from(1)?.mean(D::Minus1)?;
    let weight = structure_weight(&mask, config.structure_window)?;
    let hard = (dice_loss(&probability, &mask)? + structure_loss(&probability, &mask, &weight)?)?;
    let consistency = match stage {
        Stage::Early => soft.zeros_like()?,
        Stage::Late => consistency_loss(logits, cam, config)?,
    };
    let soft_share = match config.alpha_on {
        AlphaOn::Soft => config.alpha,
        AlphaOn::Hard => 1.0 - config.alpha,
    };
    let per_image = (((&soft * soft_share)? + (&hard * (1.0 - soft_share))?)? + &consistency)?;
    Ok(CamsegLoss {
        total: per_image.mean_all()?,
        per_image,
        soft: soft.mean_all()?,
        hard: hard.mean_all()?,
        consistency: consistency.mean_all()?,
        label,
        mask,
    })
}

/// Binary cross entropy per element from logits, finite everywhere.
pub(crate) fn bce(logits: &Tensor, label: &Tensor) -> Result<Tensor> {
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    (logits.relu()? - (logits * label)?)? + tail
}

/// Sum over the pixels of each image, `[b]`.
fn per_image(values: &Tensor) -> Result<Tensor> {
    values.flatten_from(1)?.sum(D::Minus1)
}

/// `1 - Dice` of each image, `[b]`.
pub(crate) fn dice_loss(probability: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let shared = ((per_image(&(probability * mask)?)? * 2.0)? + SMOOTH)?;
    let sum = ((per_image(probability)? + per_image(mask)?)? + SMOOTH)?;
    (shared / sum)?.affine(-1.0, 1.0)
}

/// `1 -` the mean of the lesion's and the background's `IoU` of each image, `[b]`; pixels near label edges count more.
pub(crate) fn structure_loss(
    probability: &Tensor,
    mask: &Tensor,
    weight: &Tensor,
) -> Result<Tensor> {
    let iou = |p: &Tensor, m: &Tensor| -> Result<Tensor> {
        let both = (p * m)?;
        let shared = (per_image(&(weight * &both)?)? + SMOOTH)?;
        let either = ((p + m)? - both)?;
        shared / (per_image(&(weight * either)?)? + SMOOTH)?
    };
    let lesion = iou(probability, mask)?;
    let background = iou(&probability.affine(-1.0, 1.0)?, &mask.affine(-1.0, 1.0)?)?;
    (lesion + background)?.affine(-0.5, 1.0)
}

/// Eq. 28 of each image, `[b]`; the region is taken from the original map.
pub(crate) fn consistency_loss(
    logits: &Tensor,
    cam: &Tensor,
    config: &CamsegLossConfig,
) -> Result<Tensor> {
    let region = binarize(cam, config.consistency_threshold)?;
    let within = || per_image(&(bce(logits, &logits.ones_like()?)? * &region)?);
    let images = logits.dim(0)? as f64;
    match config.consistency {
        Consistency::Bce => bce(logits, &region)?.flatten_from(1)?.mean(D::Minus1),
        Consistency::Pixels => within()? / (region.elem_count() as f64 / images),
        // The region is that of the batch: an image without one counts nothing.
        Consistency::Region => {
            let pixels = (region.sum_all()?.maximum(1.0)? / images)?;
            within()?.broadcast_div(&pixels)
        }
        Consistency::Off => per_image(logits)?.zeros_like(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, normal};
    use candle_core::DType;

    fn number(tensor: &Tensor) -> f64 {
        tensor.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn a_confident_mistake_costs_its_logit_and_stays_finite() {
        let logits = Tensor::new(&[[[1e4f32, -1e4]]], &candle_core::Device::Cpu).unwrap();
        let cam = Tensor::new(&[[[0f32, 1.0]]], logits.device()).unwrap();
        let loss = camseg_loss(&logits, &cam, Stage::Late, &CamsegLossConfig::paper()).unwrap();
        assert!((number(&bce(&logits, &cam).unwrap().mean_all().unwrap()) - 1e4).abs() < 1.0);
        assert!(number(&loss.total).is_finite());
    }

    #[test]
    fn gradients_of_the_early_loss_equal_finite_differences() {
        let cam = candle_nn::ops::sigmoid(&normal(&[2, 5, 4], 1)).unwrap();
        let config = CamsegLossConfig { structure_window: 3, ..CamsegLossConfig::paper() };
        assert_gradients(&[normal(&[2, 5, 4], 2)], |t| {
            Ok(camseg_loss(&t[0], &cam, Stage::Early, &config)?.total)
        });
    }

    #[test]
    fn alpha_moves_to_the_term_it_is_told() {
        let (logits, cam) =
            (normal(&[1, 4, 4], 3), candle_nn::ops::sigmoid(&normal(&[1, 4, 4], 4)).unwrap());
        let total = |alpha, alpha_on| {
            let config = CamsegLossConfig { alpha, alpha_on, ..CamsegLossConfig::paper() };
            number(&camseg_loss(&logits, &cam, Stage::Early, &config).unwrap().total)
        };
        assert_eq!(total(0.25, AlphaOn::Soft), total(0.75, AlphaOn::Hard));
        assert_ne!(total(0.25, AlphaOn::Soft), total(0.25, AlphaOn::Hard));
    }
}
