//! Whether a window looks like the training windows: Mahalanobis distance of its mean feature along the main
//! directions of the training windows, plus what lies off them, each in units of the training data.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// Directions kept.
const N_DIRECTIONS: usize = 16;
/// Rounds of orthogonal iteration; the directions need not be exact, only fixed.
const N_ROUNDS: usize = 30;
/// Share of windows that count as inside, of training and of validation windows alike.
const INSIDE_SHARE: f64 = 0.99;
/// Keeps a direction without variance from dividing by 0.
const LEAST_VARIANCE: f64 = 1e-9;

/// The training windows' mean features, summarized. `F` values per patch, `K` directions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Familiarity {
    /// `[F]`.
    pub(crate) center: Vec<f32>,
    /// Orthonormal, `[K, F]`.
    pub(crate) directions: Vec<f32>,
    /// Variance along each direction, `[K]`.
    pub(crate) variances: Vec<f32>,
    /// Mean squared distance from the plane of the directions.
    pub(crate) residual: f32,
    /// Strangeness beyond which a window is unlike the training data.
    pub(crate) limit: f32,
}

/// Mean feature of the real patches of a window; `features` `[n, F]`, not scaled.
pub(crate) fn window_mean(features: &[f32], is_real: &[bool], dim: usize) -> Vec<f32> {
    let mut mean = vec![0.0; dim];
    let n = is_real.iter().filter(|it| **it).count().max(1) as f32;
    let patches = features.chunks_exact(dim).zip(is_real).filter(|(_, is_real)| **is_real);
    for (patch, _) in patches {
        mean.iter_mut().zip(patch).for_each(|(mean, value)| *mean += value / n);
    }
    mean
}

impl Familiarity {
    /// Learns from window means `train`; the limit is set so that nearly all of `train` and of `val` lie inside.
    pub(crate) fn fit(train: &[Vec<f32>], val: &[Vec<f32>], dim: usize) -> Self {
        let n = train.len().max(1) as f64;
        let center: Vec<f64> =
            (0..dim).map(|i| train.iter().map(|it| f64::from(it[i])).sum::<f64>() / n).collect();
        let centered: Vec<Vec<f64>> = train
            .iter()
            .map(|it| {
                it.iter().zip(&center).map(|(value, mean)| f64::from(*value) - mean).collect()
            })
            .collect();
        let directions = principal_directions(&centered, dim);
        let along = |direction: &Vec<f64>| -> f64 {
            centered.iter().map(|it| dot(it, direction).powi(2)).sum::<f64>() / n
        };
        let variances: Vec<f64> = directions.iter().map(along).collect();
        let total = centered.iter().map(|it| dot(it, it)).sum::<f64>() / n;
        let residual = (total - variances.iter().sum::<f64>()).max(LEAST_VARIANCE);
        let to_f32 = |values: &[f64]| values.iter().map(|it| *it as f32).collect();
        let mut fitted = Self {
            center: to_f32(&center),
            directions: to_f32(&directions.concat()),
            variances: variances.iter().map(|it| it.max(LEAST_VARIANCE) as f32).collect(),
            residual: residual as f32,
            limit: 0.0,
        };
        fitted.limit = f32::max(fitted.inside_limit(train), fitted.inside_limit(val));
        fitted
    }

    /// How unlike the training windows a window mean is; about 2 for a usual one.
    pub(crate) fn strangeness(&self, mean: &[f32]) -> f32 {
        let offset: Vec<f64> =
            mean.iter().zip(&self.center).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
        let (mut inside, mut explained) = (0.0, 0.0);
        for (direction, variance) in
            self.directions.chunks_exact(self.center.len()).zip(&self.variances)
        {
            let along: f64 = direction.iter().zip(&offset).map(|(a, b)| f64::from(*a) * b).sum();
            inside += along * along / f64::from(*variance);
            explained += along * along;
        }
        let off_plane = (dot(&offset, &offset) - explained).max(0.0) / f64::from(self.residual);
        (inside / self.variances.len().max(1) as f64 + off_plane) as f32
    }

    /// Whether a window mean is unlike the training data.
    pub(crate) fn is_outside(&self, mean: &[f32]) -> bool {
        self.limit < self.strangeness(mean)
    }

    fn inside_limit(&self, means: &[Vec<f32>]) -> f32 {
        let mut strangeness: Vec<f32> = means.iter().map(|it| self.strangeness(it)).collect();
        strangeness.sort_unstable_by(f32::total_cmp);
        let n_inside = (strangeness.len() as f64 * INSIDE_SHARE).ceil() as usize;
        strangeness.get(n_inside.saturating_sub(1)).copied().unwrap_or(0.0)
    }
}

/// The main directions of centered rows by orthogonal iteration from a fixed start.
fn principal_directions(rows: &[Vec<f64>], dim: usize) -> Vec<Vec<f64>> {
    let n_directions = N_DIRECTIONS.min(dim).min(rows.len());
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut directions: Vec<Vec<f64>> = (0..n_directions)
        .map(|_| (0..dim).map(|_| StandardNormal.sample(&mut rng)).collect())
        .collect();
    orthonormalize(&mut directions);
    for _ in 0..N_ROUNDS {
        for direction in &mut directions {
            let mut next = vec![0.0; dim];
            for row in rows {
                let weight = dot(row, direction);
                next.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
            *direction = next;
        }
        orthonormalize(&mut directions);
    }
    directions
}

/// Gram-Schmidt in place; a vector that others explain becomes 0.
fn orthonormalize(vectors: &mut [Vec<f64>]) {
    for i in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(i);
        let vector = &mut rest[0];
        let length_before = dot(vector, vector).sqrt();
        for other in before {
            let along = dot(vector, other);
            vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * *other);
        }
        let length = dot(vector, vector).sqrt();
        let is_new = 1e-9 * length_before < length;
        vector.iter_mut().for_each(|it| *it = if is_new { *it / length } else { 0.0 });
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows spread widely along one axis, narrowly along another, and not at all along the rest.
    fn windows(n: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
        (0..n)
            .map(|_| {
                let mut window = vec![5.0 + 10.0 * normal(), normal()];
                window.extend((0..30).map(|_| 0.01 * normal()));
                window
            })
            .collect()
    }

    #[test]
    fn directions_are_orthonormal_and_the_widest_comes_first() {
        let fitted = Familiarity::fit(&windows(300, 1), &windows(50, 2), 32);
        let first = &fitted.directions[..32];
        assert!(0.999 < first[0].abs(), "{}", first[0]);
        assert!((fitted.variances[0] - 100.0).abs() < 20.0);
        let second = &fitted.directions[32..64];
        let product: f32 = first.iter().zip(second).map(|(a, b)| a * b).sum();
        assert!(product.abs() < 1e-5);
    }

    #[test]
    fn windows_like_the_training_ones_are_inside_and_others_are_not() {
        let fitted = Familiarity::fit(&windows(300, 1), &windows(50, 2), 32);
        let n_outside = windows(200, 3).iter().filter(|it| fitted.is_outside(it)).count();
        assert!(n_outside < 20, "{n_outside} of 200");
        let mut strange = windows(1, 4).remove(0);
        strange[20] += 3.0;
        assert!(fitted.is_outside(&strange), "small to the eye, large to the data");
    }

    #[test]
    fn a_handful_of_windows_is_enough_not_to_fail() {
        let few = windows(2, 1);
        let fitted = Familiarity::fit(&few, &few, 32);
        assert!(!fitted.is_outside(&few[0]));
        assert!(fitted.strangeness(&few[1]).is_finite());
    }

    #[test]
    fn padding_does_not_count() {
        assert_eq!(
            window_mean(&[1.0, 2.0, 3.0, 4.0, 90.0, 90.0], &[true, true, false], 2),
            [2.0, 3.0]
        );
    }
}
