//! How good the averaged weights are on the validation images.

use candle_core::Device;

use super::dataset::Bag;
use super::selection::ValScores;
use crate::cam::stitch::POSITIVE;
use crate::eval::labels::{accuracy, auc, auc_interval, chance};
use crate::mil::MilNetwork;
use crate::pipeline::feature_space::FeatureSpace;
use crate::pipeline::loaded_model::{BATCH, BagBatch, NetworkReader, kept_probabilities};

/// Scores the plain copies of `bags`; an image is as positive as its most positive bag.
///
/// # Errors
/// If the device fails.
pub(crate) fn validate(
    network: &dyn MilNetwork,
    bags: &[Bag],
    space: &FeatureSpace,
    device: &Device,
) -> candle_core::Result<ValScores> {
    let reader = NetworkReader { device, calibration: None };
    let negative_patch = space.scaled_negative_patch();
    let mut images: Vec<(usize, bool, f64)> = Vec::new();
    let mut kept: Vec<f64> = Vec::new();
    for bags in bags.chunk_by(|a, b| a.grid == b.grid).flat_map(|bags| bags.chunks(BATCH)) {
        let batch = plain_batch(bags, space);
        let outputs = reader.outputs(network, &batch)?;
        for (bag, output) in bags.iter().zip(&outputs) {
            let p = f64::from(output.probability);
            match images.last_mut() {
                Some((image, _, highest)) if *image == bag.image => *highest = highest.max(p),
                _ => images.push((bag.image, bag.is_positive, p)),
            }
        }
        let is_positive = outputs.iter().map(|it| POSITIVE <= it.probability);
        if is_positive.clone().any(|it| it) {
            let all = kept_probabilities(network, &batch, &outputs, &negative_patch, device)?;
            let positive = all.into_iter().zip(is_positive).filter(|(_, is)| *is);
            kept.extend(positive.map(|(kept, _)| f64::from(kept)));
        }
    }
    Ok(scores(&images, &kept))
}

fn plain_batch(bags: &[Bag], space: &FeatureSpace) -> BagBatch {
    let mut batch = BagBatch::empty(bags[0].grid);
    for bag in bags {
        let mut features = bag.plain();
        space.standardize(&mut features);
        batch.push(&features, &bag.is_real);
    }
    batch
}

fn scores(images: &[(usize, bool, f64)], kept: &[f64]) -> ValScores {
    let labels: Vec<bool> = images.iter().map(|(_, is_positive, _)| *is_positive).collect();
    let p: Vec<f64> = images.iter().map(|(_, _, p)| *p).collect();
    let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
    let surprise =
        |(is_positive, p): (&bool, &f64)| -(if *is_positive { *p } else { 1.0 - p }).max(1e-6).ln();
    ValScores {
        chance: chance(&labels),
        accuracy: accuracy(&p, &labels),
        auc: auc(&p, &labels).unwrap_or(0.5),
        auc_interval: auc_interval(&p, &labels),
        loss: mean(labels.iter().zip(&p).map(surprise).sum(), p.len()),
        faithfulness: mean(kept.iter().sum(), kept.len()),
    }
}
