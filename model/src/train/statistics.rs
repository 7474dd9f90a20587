//! What the training features look like: scale, the mean negative patch, and where the training data ends.

use super::dataset::{Bag, Dataset};
use crate::pipeline::feature_space::FeatureSpace;

/// Training windows kept as references of what the data looks like.
const N_REFERENCES: usize = 256;
/// Share of validation windows that count as unlike the training data.
const OUTSIDE_SHARE: f64 = 0.02;
/// Keeps a feature that never changes from being divided by 0.
const LEAST_SCALE: f64 = 1e-3;

/// Statistics of the plain training bags; the limit is set so that nearly all validation windows lie inside.
pub(crate) fn feature_space(dataset: &Dataset, dim: usize) -> FeatureSpace {
    let (mean, scale) = mean_and_scale(&dataset.train, dim);
    let (negative_patch, _) = moments(dataset.train.iter().filter(|bag| !bag.is_positive), dim);
    let mut space = FeatureSpace {
        mean,
        scale,
        negative_patch: to_f32(&negative_patch),
        reference: Vec::new(),
        limit: 0.0,
    };
    let step = dataset.train.len().div_ceil(N_REFERENCES).max(1);
    space.reference =
        dataset.train.iter().step_by(step).flat_map(|bag| direction(bag, &space)).collect();
    let mut distances: Vec<f32> =
        dataset.val.iter().map(|bag| space.distance(&direction(bag, &space))).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let inside = ((distances.len() as f64) * (1.0 - OUTSIDE_SHARE)).ceil() as usize;
    space.limit = distances.get(inside.saturating_sub(1)).copied().unwrap_or(2.0);
    space
}

fn direction(bag: &Bag, space: &FeatureSpace) -> Vec<f32> {
    let mut features: Vec<f32> = bag.copies[0].iter().map(|it| it.to_f32()).collect();
    space.standardize(&mut features);
    space.direction(&features, &bag.is_real)
}

fn mean_and_scale(bags: &[Bag], dim: usize) -> (Vec<f32>, Vec<f32>) {
    let (mean, variance) = moments(bags.iter(), dim);
    let scale = variance.iter().map(|it| (it.max(0.0).sqrt() + LEAST_SCALE) as f32).collect();
    (to_f32(&mean), scale)
}

/// Mean and variance per feature over the real patches of plain bags.
fn moments<'a>(bags: impl Iterator<Item = &'a Bag>, dim: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sum, mut squares, mut n) = (vec![0.0; dim], vec![0.0; dim], 0.0);
    for bag in bags {
        let patches = bag.copies[0].chunks_exact(dim).zip(&bag.is_real);
        for (patch, _) in patches.filter(|(_, is_real)| **is_real) {
            n += 1.0;
            for ((sum, square), value) in sum.iter_mut().zip(&mut squares).zip(patch) {
                let value = value.to_f64();
                *sum += value;
                *square += value * value;
            }
        }
    }
    let n = f64::max(n, 1.0);
    let mean: Vec<f64> = sum.iter().map(|it| it / n).collect();
    let variance =
        squares.iter().zip(&mean).map(|(square, mean)| square / n - mean * mean).collect();
    (mean, variance)
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|it| *it as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::Grid;
    use half::f16;

    fn bag(is_positive: bool, patches: [f32; 4], is_real: [bool; 2]) -> Bag {
        Bag {
            grid: Grid { rows: 1, columns: 2 },
            is_real: is_real.to_vec(),
            is_positive,
            image: 0,
            copies: vec![patches.map(f16::from_f32).to_vec()],
        }
    }

    #[test]
    fn statistics_are_those_of_real_patches_and_negative_bags() {
        let dataset = Dataset {
            train: vec![
                bag(true, [1.0, 5.0, 3.0, 5.0], [true, true]),
                bag(false, [2.0, 8.0, 99.0, 99.0], [true, false]),
            ],
            val: vec![bag(true, [1.0, 5.0, 3.0, 5.0], [true, true])],
        };
        let space = feature_space(&dataset, 2);
        assert_eq!(space.mean, [2.0, 6.0]);
        assert_eq!(space.negative_patch, [2.0, 8.0]);
        let deviation = (2.0_f32 / 3.0).sqrt() + 1e-3;
        assert!((space.scale[0] - deviation).abs() < 1e-5);
        assert!(space.limit < 0.01, "the validation window is one of the training windows");
    }
}
