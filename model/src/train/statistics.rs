//! What the training features look like: scale, the mean negative patch, and what counts as familiar.

use super::dataset::{Bag, Dataset};
use crate::pipeline::familiarity::{Familiarity, window_mean};
use crate::pipeline::feature_space::FeatureSpace;

/// Keeps a feature that never changes from being divided by 0.
const LEAST_SCALE: f64 = 1e-3;

/// Statistics of the plain training bags; validation bags only widen what counts as familiar.
pub(crate) fn feature_space(dataset: &Dataset, dim: usize) -> FeatureSpace {
    let (mean, variance) = moments(dataset.train.iter(), dim);
    let (negative_patch, _) = moments(dataset.train.iter().filter(|bag| !bag.is_positive), dim);
    let means = |bags: &[Bag]| -> Vec<Vec<f32>> {
        bags.iter().map(|bag| window_mean(&bag.plain(), &bag.is_real, dim)).collect()
    };
    FeatureSpace {
        mean: to_f32(&mean),
        scale: variance.iter().map(|it| (it.max(0.0).sqrt() + LEAST_SCALE) as f32).collect(),
        negative_patch: to_f32(&negative_patch),
        familiarity: Familiarity::fit(&means(&dataset.train), &means(&dataset.val), dim),
    }
}

/// Mean and variance per feature over the real patches of plain bags.
fn moments<'a>(bags: impl Iterator<Item = &'a Bag>, dim: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sum, mut squares, mut n) = (vec![0.0; dim], vec![0.0; dim], 0.0);
    for bag in bags {
        let plain = bag.plain();
        let patches = plain.chunks_exact(dim).zip(&bag.is_real);
        for (patch, _) in patches.filter(|(_, is_real)| **is_real) {
            n += 1.0;
            for ((sum, square), value) in sum.iter_mut().zip(&mut squares).zip(patch) {
                let value = f64::from(*value);
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
    }
}
