//! What the training features looked like: how features are scaled, and whether a window resembles them.

use candle_core::{DType, Device, Tensor};

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
    /// Directions of training windows, `[m, F]`, see [`Self::direction`].
    pub(crate) reference: Vec<f32>,
    /// Distance to the nearest reference beyond which a window is unlike the training data.
    pub(crate) limit: f32,
}

impl FeatureSpace {
    /// Length of a feature.
    pub(crate) fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Scales features `[n, F]` in place.
    pub(crate) fn standardize(&self, features: &mut [f32]) {
        for feature in features.chunks_exact_mut(self.dim()) {
            for ((value, mean), scale) in feature.iter_mut().zip(&self.mean).zip(&self.scale) {
                *value = (*value - mean) / scale;
            }
        }
    }

    /// Unit vector of the mean of those `features` `[n, F]`, scaled, whose patch is real; `[F]`.
    pub(crate) fn direction(&self, features: &[f32], is_real: &[bool]) -> Vec<f32> {
        let mut sum = vec![0.0; self.dim()];
        let real = features.chunks_exact(self.dim()).zip(is_real).filter(|(_, is_real)| **is_real);
        for (feature, _) in real {
            sum.iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
        }
        let length = sum.iter().map(|it| it * it).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        sum.iter_mut().for_each(|it| *it /= length);
        sum
    }

    /// Cosine distance, `0.0..=2.0`, to the nearest reference; 2 without any.
    pub(crate) fn distance(&self, direction: &[f32]) -> f32 {
        let similarity = |reference: &[f32]| -> f32 {
            reference.iter().zip(direction).map(|(a, b)| a * b).sum()
        };
        let nearest = self.reference.chunks_exact(self.dim()).map(similarity).fold(-1.0, f32::max);
        1.0 - nearest
    }

    /// Whether a window of scaled features is unlike the training data.
    pub(crate) fn is_outside(&self, features: &[f32], is_real: &[bool]) -> bool {
        self.limit < self.distance(&self.direction(features, is_real))
    }

    /// As tensors of a weights file; references as half floats.
    pub(crate) fn to_tensors(&self) -> candle_core::Result<Tensors> {
        let dim = self.dim();
        let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        let reference = Tensor::from_slice(
            &self.reference,
            (self.reference.len() / dim.max(1), dim),
            &Device::Cpu,
        )?;
        let entries = [
            ("mean", vector(&self.mean)?),
            ("scale", vector(&self.scale)?),
            ("negative_patch", vector(&self.negative_patch)?),
            ("reference", reference.to_dtype(DType::F16)?),
            ("limit", vector(&[self.limit])?),
        ];
        Ok(entries.into_iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor)).collect())
    }

    /// Takes its tensors out of those of a weights file.
    pub(crate) fn take(tensors: &mut Tensors, dim: usize) -> Result<Self, WeightsError> {
        let mut take = |name: &str| -> Result<Vec<f32>, WeightsError> {
            let name = format!("{PREFIX}{name}");
            let tensor = tensors
                .remove(&name)
                .ok_or_else(|| WeightsError::Format(format!("it lacks the tensor `{name}`")))?;
            let values: Vec<f32> = tensor
                .to_dtype(DType::F32)
                .and_then(|it| it.flatten_all()?.to_vec1())
                .map_err(|error| WeightsError::Format(one_line(&error)))?;
            match values.iter().all(|it| it.is_finite()) {
                true => Ok(values),
                false => Err(WeightsError::NotFinite(name)),
            }
        };
        let space = Self {
            mean: take("mean")?,
            scale: take("scale")?,
            negative_patch: take("negative_patch")?,
            reference: take("reference")?,
            limit: take("limit")?.first().copied().unwrap_or(0.0),
        };
        let is_whole =
            [&space.mean, &space.scale, &space.negative_patch].iter().all(|it| it.len() == dim)
                && space.reference.len() % dim.max(1) == 0
                && space.scale.iter().all(|it| 0.0 < *it);
        if is_whole {
            Ok(space)
        } else {
            let problem = format!("its feature statistics are not those of {dim} values per patch");
            Err(WeightsError::Format(problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> FeatureSpace {
        FeatureSpace {
            mean: vec![1.0, 0.0],
            scale: vec![2.0, 1.0],
            negative_patch: vec![0.5, 0.25],
            reference: vec![1.0, 0.0],
            limit: 0.5,
        }
    }

    #[test]
    fn a_window_like_a_reference_is_inside_and_an_opposite_one_outside() {
        let space = space();
        let mut features = vec![5.0, 0.1, 3.0, -0.1, -90.0, 9.0];
        space.standardize(&mut features);
        assert!(!space.is_outside(&features, &[true, true, false]), "padding does not count");
        assert!(space.is_outside(&features, &[false, false, true]));
    }

    #[test]
    fn the_space_survives_its_tensors() {
        let mut tensors = space().to_tensors().unwrap();
        assert_eq!(FeatureSpace::take(&mut tensors, 2).unwrap(), space());
        assert!(tensors.is_empty());
    }

    #[test]
    fn a_space_of_another_length_or_with_a_hole_is_refused() {
        assert!(FeatureSpace::take(&mut space().to_tensors().unwrap(), 3).is_err());
        let mut tensors = space().to_tensors().unwrap();
        tensors.remove("space.scale");
        let error = FeatureSpace::take(&mut tensors, 2).unwrap_err().to_string();
        assert!(error.contains("space.scale"), "{error}");
    }
}
