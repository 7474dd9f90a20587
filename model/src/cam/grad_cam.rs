//! Grad-CAM of a bag (MODELS 6): how much each patch speaks for a class, in closed form.
//!
//! Only the head is differentiated, and its gradient is short enough to write down; a test holds it
//! equal to the tape's.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::ops::softmax;
use rustfft::num_traits::Float;

use crate::fmamil::{Fmamil, Grid};
use crate::nn::interpolate::{Blend, blends};
use crate::nn::real::Real;

/// Below this a divisor counts as 0.
const TINY: f64 = 1e-12;

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
    let (gradient, activation) = gradient_and_activation(model, tokens, mask, target)?;
    let mask = mask.to_dtype(gradient.dtype())?;
    let patches = mask.sum_keepdim(1)?.maximum(1.0)?; //                              [b, 1]
    let weight = gradient.sum(1)?.broadcast_div(&patches)?; //                        [b, width]
    activation.matmul(&weight.unsqueeze(2)?)?.squeeze(2)? * mask
}

/// Grad-CAM++ `[b, P]` of the positive margin at the encoding `Z`: a channel's weight is the sum of its positive
/// gradients `g`, each by `g^2 / (2 g^2 + g^3 sum_i Z_i)` (Chattopadhyay et al. 2018, Eqs 10 and 19).
///
/// # Errors
/// If shapes disagree.
pub(crate) fn grad_cam_plus_plus(model: &Fmamil, tokens: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let target = CamTarget { layer: CamLayer::Hidden, ..CamTarget::POSITIVE };
    let (gradient, activation) = gradient_and_activation(model, tokens, mask, target)?;
    let mask = mask.to_dtype(gradient.dtype())?;
    let real = mask.unsqueeze(2)?; //                                                 [b, P, 1]
    let total = activation.broadcast_mul(&real)?.sum_keepdim(1)?; //                  [b, 1, H]
    let square = gradient.sqr()?;
    let divisor = ((&square * 2.0)? + (&square * &gradient)?.broadcast_mul(&total)?)?;
    let defined = divisor.abs()?.gt(TINY)?;
    let share = (&square / defined.where_cond(&divisor, &divisor.ones_like()?)?)?;
    let share = (share * defined.to_dtype(gradient.dtype())?)?;
    let weight = (share * gradient.relu()?)?.broadcast_mul(&real)?.sum(1)?; //        [b, H]
    activation.matmul(&weight.unsqueeze(2)?)?.squeeze(2)? * mask
}

/// Gradient of the score in the activations of a layer, and these, `[b, P, width]` each.
fn gradient_and_activation(
    model: &Fmamil,
    tokens: &Tensor,
    mask: &Tensor,
    target: CamTarget,
) -> Result<(Tensor, Tensor)> {
    let head = model.mil_head();
    let out = model.head(&tokens.detach(), mask)?;
    let class_weight = score_gradient(&out.logits, target)?.matmul(head.class_weight())?; // [b, H]
    let evidence = out.hidden.matmul(&class_weight.unsqueeze(2)?)?.squeeze(2)?; // [b, P], u
    let mean = (&out.attention * &evidence)?.sum_keepdim(1)?;
    let pull = (&out.attention * evidence.broadcast_sub(&mean)?)?.unsqueeze(2)?;
    let direct = out.attention.unsqueeze(2)?.broadcast_mul(&class_weight.unsqueeze(1)?)?;
    let d_hidden = (direct + head.score_slope(&out.hidden)?.broadcast_mul(&pull)?)?;
    Ok(match target.layer {
        CamLayer::Hidden => (d_hidden, out.hidden),
        CamLayer::Tokens => (head.through_encoding(&d_hidden, &out.hidden)?, tokens.detach()),
    })
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

    /// By the tape, with the encoding as a variable and the formula written out patch by patch.
    #[test]
    fn grad_cam_plus_plus_is_its_formula() {
        use crate::fmamil::{config::Attention, tests::small};
        use crate::nn::storage::to_vec;
        use candle_core::{DType, Device, Var};
        let (model, _) = small(Attention::Abmil);
        let tokens = crate::testing::normal(&[1, 5, 8], 4);
        let mask = Tensor::ones((1, 5), DType::F64, &Device::Cpu).unwrap();
        let out = model.head(&tokens, &mask).unwrap();
        let hidden = Var::from_tensor(&out.hidden.detach()).unwrap();
        let attention = softmax(&model.mil_head().scores(&hidden).unwrap(), 1).unwrap();
        let bag = attention.unsqueeze(1).unwrap().matmul(&hidden).unwrap().squeeze(1).unwrap();
        let slope = score_gradient(&out.logits, CamTarget::POSITIVE).unwrap();
        let slope = slope.matmul(model.mil_head().class_weight()).unwrap();
        let grads = (bag * slope).unwrap().sum_all().unwrap().backward().unwrap();
        let g: Vec<f64> = to_vec(grads.get(&hidden).unwrap()).unwrap();
        let z: Vec<f64> = to_vec(&hidden).unwrap();
        let width = z.len() / 5;
        let weight = |k: usize| -> f64 {
            let total: f64 = (0..5).map(|i| z[i * width + k]).sum();
            let share = |g: f64| g * g / (2.0 * g * g + g * g * g * total);
            let column = (0..5).map(|i| g[i * width + k]).filter(|g| *g > 0.0);
            column.map(|g| share(g) * g).sum()
        };
        let weights: Vec<f64> = (0..width).map(weight).collect();
        let ours: Vec<f64> = to_vec(&grad_cam_plus_plus(&model, &tokens, &mask).unwrap()).unwrap();
        for (i, ours) in ours.iter().enumerate() {
            let want: f64 = (0..width).map(|k| weights[k] * z[i * width + k]).sum();
            assert!((ours - want).abs() < 1e-9, "{i}: {ours} is not {want}");
        }
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
