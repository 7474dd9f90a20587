//! Pseudo-labels: the map, the mask cut from it, and what the network makes of both (Eq. 27).
//!
//! All images are `[b, h, w]` with values in `0.0..=1.0`; nothing here has a gradient.

use candle_core::{DType, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::storage::to_vec;

/// How much an edge counts more than flat parts of a label (the structure loss of `PraNet`).
const EDGE_GAIN: f64 = 5.0;

/// How confident predictions change the map, always starting from the original one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Refinement {
    /// `c p + (1 - c) cam`: the more confident, the more the prediction counts.
    Confidence {
        /// Pixels are refined where `max(p, 1 - p)` exceeds this.
        above: f64,
    },
    /// `c cam + (1 - c) p`: Eq. 27 as printed.
    Literal {
        /// As above.
        above: f64,
    },
    /// `beta cam + (1 - beta) p`.
    Bootstrap {
        /// As above.
        above: f64,
        /// Weight of the map, `0.0..=1.0`.
        beta: f64,
    },
    /// The map stays as it is.
    Off,
}

impl Refinement {
    /// The paper's threshold with the reading that its text asks for.
    pub fn paper() -> Self {
        Self::Confidence { above: 0.7 }
    }
}

/// 1 where `values` exceed `threshold`, else 0.
///
/// # Errors
/// If the device fails.
pub(crate) fn binarize(values: &Tensor, threshold: f64) -> Result<Tensor> {
    values.gt(threshold)?.to_dtype(values.dtype())
}

/// The map, corrected by detached predictions `probability` where they are confident.
///
/// # Errors
/// If shapes disagree.
pub(crate) fn refine(cam: &Tensor, probability: &Tensor, how: Refinement) -> Result<Tensor> {
    let confidence = probability.maximum(&probability.affine(-1.0, 1.0)?)?;
    let (above, share) = match how {
        Refinement::Confidence { above } => (above, confidence.clone()),
        Refinement::Literal { above } => (above, confidence.affine(-1.0, 1.0)?),
        Refinement::Bootstrap { above, beta } => (above, (confidence.ones_like()? * (1.0 - beta))?),
        Refinement::Off => return Ok(cam.clone()),
    };
    let mixed = ((&share * probability)? + (share.affine(-1.0, 1.0)? * cam)?)?;
    confidence.gt(above)?.where_cond(&mixed, cam)
}

/// `1 + 5 |mean over a window - m|` per pixel of masks: large near their edges. `window` is odd; zeros beyond the
/// border count.
///
/// # Errors
/// If the masks are not floats in main memory.
pub(crate) fn structure_weight(mask: &Tensor, window: usize) -> Result<Tensor> {
    let (_, height, width) = mask.dims3()?;
    let mut values: Vec<f64> = to_vec(&mask.to_dtype(DType::F64)?)?;
    let area = (window * window) as f64;
    for image in values.chunks_exact_mut(height * width) {
        let mut sums = image.to_vec();
        for row in sums.chunks_exact_mut(width) {
            box_sum(row, 1, width, window);
        }
        for column in 0..width {
            box_sum(&mut sums[column..], width, height, window);
        }
        for (value, sum) in image.iter_mut().zip(sums) {
            *value = 1.0 + EDGE_GAIN * (sum / area - *value).abs();
        }
    }
    Tensor::from_vec(values, mask.shape(), mask.device())?.to_dtype(mask.dtype())
}

/// Replaces each of `n` values, `stride` apart, by the sum over the `window` around it.
fn box_sum(values: &mut [f64], stride: usize, n: usize, window: usize) {
    let reach = window / 2;
    let mut before = Vec::with_capacity(n + 1);
    before.push(0.0);
    for i in 0..n {
        before.push(before[i] + values[i * stride]);
    }
    for i in 0..n {
        values[i * stride] = before[(i + reach + 1).min(n)] - before[i.saturating_sub(reach)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_confident_prediction_flips_a_pixel_and_a_doubtful_one_does_not() {
        let cam = Tensor::new(&[[[1.0f64, 1.0]]], &Device::Cpu).unwrap();
        let p = Tensor::new(&[[[0.1f64, 0.4]]], &Device::Cpu).unwrap();
        let refined: Vec<f64> = to_vec(&refine(&cam, &p, Refinement::paper()).unwrap()).unwrap();
        assert!((refined[0] - 0.19).abs() < 1e-12, "0.9 of the prediction, 0.1 of the map");
        assert_eq!(refined[1], 1.0);
        let off: Vec<f64> = to_vec(&refine(&cam, &p, Refinement::Off).unwrap()).unwrap();
        assert_eq!(off, [1.0, 1.0]);
    }

    #[test]
    fn a_label_equal_to_the_threshold_is_background() {
        let values = Tensor::new(&[[[0.5f32, 0.500_001]]], &Device::Cpu).unwrap();
        assert_eq!(to_vec::<f32>(&binarize(&values, 0.5).unwrap()).unwrap(), [0.0, 1.0]);
    }

    #[test]
    fn flat_inner_parts_weigh_one() {
        let mask = Tensor::ones((1, 9, 9), DType::F64, &Device::Cpu).unwrap();
        let weight = structure_weight(&mask, 3).unwrap();
        let center: f64 =
            weight.get(0).unwrap().get(4).unwrap().get(4).unwrap().to_scalar().unwrap();
        assert!((center - 1.0).abs() < 1e-12);
    }
}
