//! Grad-CAM of a bag (MODELS 6): how much each patch speaks for a class, in closed form.
//!
//! Only the head is differentiated, and its gradient is short enough to write down; a test holds it
//! equal to the tape's.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::ops::softmax;
use realfft::num_traits::Float;

use crate::fmamil::{Fmamil, Grid};
use crate::nn::interpolate::{Blend, blends};
use crate::nn::real::Real;

/// The number whose gradient is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CamScore {
    /// `logit_c - logsumexp(other logits)`: does not change when all logits shift.
    Margin,
    /// The class's logit.
    Logit,
}

/// The activations that are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CamLayer {
    /// The head's input `X`.
    Tokens,
    /// The head's encoding `Z`.
    Hidden,
}

/// Which map is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CamTarget {
    pub(crate) class: usize,
    pub(crate) score: CamScore,
    pub(crate) layer: CamLayer,
}

impl CamTarget {
    /// The margin of class 1 at the tokens.
    pub(crate) const POSITIVE: Self =
        Self { class: 1, score: CamScore::Margin, layer: CamLayer::Tokens };
}

/// Raw map `[b, P]` of the positive class from tokens `[b, P, D]`; 0 where `mask` `[b, P]` is.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn grad_cam(model: &Fmamil, tokens: &Tensor, mask: &Tensor) -> Result<Tensor> {
    class_activation(model, tokens, mask, CamTarget::POSITIVE)
}

/// Raw map `[b, P]`: activations times the gradient's mean over unmasked patches.
///
/// # Errors
/// If shapes disagree or the class does not exist.
pub(crate) fn class_activation(
    model: &Fmamil,
    tokens: &Tensor,
    mask: &Tensor,
    target: CamTarget,
) -> Result<Tensor> {
    let head = model.mil_head();
    let out = model.head(&tokens.detach(), mask)?;
    let class_weight = score_gradient(&out.logits, target)?.matmul(head.class_weight())?; // [b, H]
    let (gradient, activation) = {
        let evidence = out.hidden.matmul(&class_weight.unsqueeze(2)?)?.squeeze(2)?; // [b, P], u
        let mean = (&out.attention * &evidence)?.sum_keepdim(1)?;
        let pull = (&out.attention * evidence.broadcast_sub(&mean)?)?.unsqueeze(2)?;
        let direct = out.attention.unsqueeze(2)?.broadcast_mul(&class_weight.unsqueeze(1)?)?;
        let d_hidden = (direct + head.score_slope(&out.hidden)?.broadcast_mul(&pull)?)?;
        match target.layer {
            CamLayer::Hidden => (d_hidden, out.hidden),
            CamLayer::Tokens => (head.through_encoding(&d_hidden, &out.hidden)?, tokens.detach()),
        }
    };
    let mask = mask.to_dtype(gradient.dtype())?;
    let patches = mask.sum_keepdim(1)?.maximum(1.0)?; //                              [b, 1]
    let weight = gradient.sum(1)?.broadcast_div(&patches)?; //                        [b, width]
    activation.matmul(&weight.unsqueeze(2)?)?.squeeze(2)? * mask
}

/// Gradient of the score in the logits, `[b, C]`.
fn score_gradient(logits: &Tensor, target: CamTarget) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    let class = target.class;
    if class >= classes {
        bail!("class activation: expected a class below {classes}, found {class}")
    }
    let one_hot: Vec<f64> = (0..classes).map(|c| if c == class { 1.0 } else { 0.0 }).collect();
    let one_hot = Tensor::new(one_hot, logits.device())?.to_dtype(logits.dtype())?;
    let one_hot = one_hot.unsqueeze(0)?.broadcast_as((batch, classes))?;
    match target.score {
        CamScore::Logit => one_hot.contiguous(),
        CamScore::Margin => {
            let without_class = (logits + (&one_hot * -1e9)?)?;
            one_hot - softmax(&without_class, D::Minus1)?
        }
    }
}

/// `relu(raw) / max`, 0..1; all 0 stays all 0, masked patches are 0. No minimum is subtracted: that would
/// take the low half from a bag that is lesion everywhere.
pub(crate) fn normalize_cam<T: Real>(raw: &[T], mask: &[bool]) -> Vec<T> {
    let zero = T::zero();
    let positive = |(value, real): (&T, &bool)| if *real { Float::max(*value, zero) } else { zero };
    let positives: Vec<T> = raw.iter().zip(mask).map(positive).collect();
    let highest = positives.iter().copied().fold(zero, Float::max);
    if highest <= zero {
        return positives;
    }
    positives.iter().map(|value| *value / highest).collect()
}

/// All 0 if the bag is predicted negative (`probability < 0.5`): noise must not be stretched to 1.
pub(crate) fn gate_cam<T: Real>(mut cam: Vec<T>, probability: f64) -> Vec<T> {
    if probability < 0.5 {
        cam.fill(T::zero());
    }
    cam
}

/// A map of patches as pixels, row by row: bilinear to the canvas of whole patches, then cropped to
/// `height` x `width` pixels, because padding lies at the bottom and right.
pub(crate) fn upsample_cam<T: Real>(
    cam: &[T],
    grid: Grid,
    patch_px: usize,
    (height, width): (usize, usize),
) -> Vec<T> {
    let columns: Vec<Blend> = blends(grid.columns * patch_px, grid.columns).take(width).collect();
    let mix = |row: &[T], blend: &Blend| {
        row[blend.first].wide() * (1.0 - blend.weight) + row[blend.second].wide() * blend.weight
    };
    let row_of = |n: usize| &cam[n * grid.columns..(n + 1) * grid.columns];
    blends(grid.rows * patch_px, grid.rows)
        .take(height)
        .flat_map(|y| {
            columns.iter().map(move |x| {
                let (above, below) = (mix(row_of(y.first), x), mix(row_of(y.second), x));
                T::of(above * (1.0 - y.weight) + below * y.weight)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizing_keeps_the_low_half_and_drops_padding() {
        let cam = normalize_cam(&[2.0, -1.0, 4.0, 9.0], &[true, true, true, false]);
        assert_eq!(cam, [0.5, 0.0, 1.0, 0.0]);
        assert_eq!(normalize_cam(&[-1.0, 0.0], &[true, true]), [0.0, 0.0]);
    }

    #[test]
    fn a_negative_bag_shows_nothing() {
        assert_eq!(gate_cam(vec![1.0, 0.5], 0.49), [0.0, 0.0]);
        assert_eq!(gate_cam(vec![1.0, 0.5], 0.5), [1.0, 0.5]);
    }

    #[test]
    fn pixels_are_cropped_from_the_bottom_and_right() {
        let grid = Grid { rows: 1, columns: 2 };
        let pixels = upsample_cam(&[0.0, 1.0], grid, 2, (2, 3));
        assert_eq!(pixels, [0.0, 0.25, 0.75, 0.0, 0.25, 0.75]);
    }
}
