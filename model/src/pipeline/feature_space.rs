//! What the training features looked like: how features are scaled, and what counts as familiar.

use candle_core::{DType, Device, Tensor};

use super::familiarity::Familiarity;
use crate::registry::weights::{Tensors, WeightsError, one_line};

/// Prefix of these tensors in a weights file.
const PREFIX: &str = "space.";

/// Statistics of the training features, kept with the weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeatureSpace {
    /// Subtracted from every feature, `[F]`.
    pub(crate) mean: Vec<f32>,
    /// Divides every feature, `[F]`, all positive.
    pub(crate) scale: Vec<f32>,
    /// The mean patch of negative training bags, `[F]`, not scaled (MODELS 6.6).
    pub(crate) negative_patch: Vec<f32>,
    /// What training windows look like.
    pub(crate) familiarity: Familiarity,
}

impl FeatureSpace {
    /// Length of a feature.
    pub(crate) fn dim(&self) -> usize {
        self.mean.len()
    }

    /// What these features look like, in the scale that weights trained before are used to: what is familiar and what a
    /// negative patch is come from the images of the last training.
    pub(crate) fn scaled_like(self, before: Self) -> Self {
        Self { mean: before.mean, scale: before.scale, ..self }
    }

    /// Scales features `[n, F]` in place.
    pub(crate) fn standardize(&self, features: &mut [f32]) {
        for feature in features.chunks_exact_mut(self.dim()) {
            for ((value, mean), scale) in feature.iter_mut().zip(&self.mean).zip(&self.scale) {
                *value = (*value - mean) / scale;
            }
        }
    }

    /// The mean negative patch, scaled.
    pub(crate) fn scaled_negative_patch(&self) -> Vec<f32> {
        let mut patch = self.negative_patch.clone();
        self.standardize(&mut patch);
        patch
    }

    /// As tensors of a weights file.
    pub(crate) fn to_tensors(&self) -> candle_core::Result<Tensors> {
        let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        let Familiarity { center, directions, variances, residual, limit } = &self.familiarity;
        let shape = (variances.len(), self.dim());
        let entries = [
            ("mean", vector(&self.mean)?),
            ("scale", vector(&self.scale)?),
            ("negative_patch", vector(&self.negative_patch)?),
            ("center", vector(center)?),
            ("directions", Tensor::from_slice(directions, shape, &Device::Cpu)?),
            ("variances", vector(variances)?),
            ("residual", vector(&[*residual])?),
            ("limit", vector(&[*limit])?),
        ];
        Ok(entries.into_iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor)).collect())
    }

    /// Takes its tensors out of those of a weights file; `dim` values per patch are expected.
    pub(crate) fn take(tensors: &mut Tensors, dim: usize) -> Result<Self, WeightsError> {
        let mut take = |name: &str| take(tensors, &format!("{PREFIX}{name}"));
        let variances = take("variances")?;
        let familiarity = Familiarity {
            center: take("center")?,
            directions: take("directions")?,
            residual: take("residual")?.first().copied().unwrap_or(0.0),
            limit: take("limit")?.first().copied().unwrap_or(0.0),
            variances,
        };
        let space = Self {
            mean: take("mean")?,
            scale: take("scale")?,
            negative_patch: take("negative_patch")?,
            familiarity,
        };
        if space.is_whole(dim) {
            Ok(space)
        } else {
            let problem = format!("its feature statistics are not those of {dim} values per patch");
            Err(WeightsError::Format(problem))
        }
    }

    fn is_whole(&self, dim: usize) -> bool {
        let Familiarity { center, directions, variances, residual, .. } = &self.familiarity;
        let vectors = [&self.mean, &self.scale, &self.negative_patch, center];
        let divisors = self.scale.iter().chain(variances).chain([residual]);
        vectors.into_iter().all(|it| it.len() == dim)
            && directions.len() == variances.len() * dim
            && divisors.into_iter().all(|it| 0.0 < *it)
    }
}

/// The values of one tensor, all finite.
fn take(tensors: &mut Tensors, name: &str) -> Result<Vec<f32>, WeightsError> {
    let tensor = tensors
        .remove(name)
        .ok_or_else(|| WeightsError::Format(format!("it lacks the tensor `{name}`")))?;
    let values: Vec<f32> = tensor
        .to_dtype(DType::F32)
        .and_then(|it| it.flatten_all()?.to_vec1())
        .map_err(|error| WeightsError::Format(one_line(&error)))?;
    if values.iter().all(|it| it.is_finite()) {
        Ok(values)
    } else {
        Err(WeightsError::NotFinite(name.to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn space(dim: usize) -> FeatureSpace {
        FeatureSpace {
            mean: vec![0.0; dim],
            scale: vec![1.0; dim],
            negative_patch: vec![0.0; dim],
            familiarity: Familiarity {
                center: vec![0.0; dim],
                directions: vec![1.0; dim],
                variances: vec![1.0],
                residual: 1.0,
                limit: 1.0,
            },
        }
    }

    #[test]
    fn features_are_centered_and_scaled() {
        let space = FeatureSpace { mean: vec![1.0, 0.0], scale: vec![2.0, 1.0], ..space(2) };
        let mut features = vec![5.0, 0.1, 1.0, -0.1];
        space.standardize(&mut features);
        assert_eq!(features, [2.0, 0.1, 0.0, -0.1]);
    }

    #[test]
    fn further_training_keeps_the_scale_and_learns_what_is_familiar() {
        let before = FeatureSpace { mean: vec![3.0; 2], scale: vec![4.0; 2], ..space(2) };
        let seen = FeatureSpace { negative_patch: vec![7.0; 2], ..space(2) };
        let after = seen.scaled_like(before.clone());
        assert_eq!((&after.mean, &after.scale), (&before.mean, &before.scale));
        assert_eq!(after.negative_patch, [7.0; 2]);
    }

    #[test]
    fn the_space_survives_its_tensors() {
        let mut tensors = space(2).to_tensors().unwrap();
        assert_eq!(FeatureSpace::take(&mut tensors, 2).unwrap(), space(2));
        assert!(tensors.is_empty());
    }

    #[test]
    fn a_space_of_another_length_or_with_a_hole_is_refused() {
        assert!(FeatureSpace::take(&mut space(2).to_tensors().unwrap(), 3).is_err());
        let mut tensors = space(2).to_tensors().unwrap();
        tensors.remove("space.scale");
        let error = FeatureSpace::take(&mut tensors, 2).unwrap_err().to_string();
        assert!(error.contains("space.scale"), "{error}");
    }
}
