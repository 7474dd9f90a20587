//! The encoder of a masked autoencoder (MODELS 10.5; a reconstruction of WISE-MAE from its abstract): the mean of all patches' tokens.

use candle_core::{Device, Tensor};

use super::feature_map::{FeatureMap, Scratch};
use super::weights::Weights;
use super::{Backbone, EncoderError};
use crate::registry::weights::one_line;
use crate::wise::autoencoder::{VisionConfig, VisionEncoder};
use crate::wise::roll::Roll;

/// What its weights file calls it.
pub(crate) const ARCHITECTURE: &str = "wise-mae";

/// The trained network.
#[derive(Debug)]
pub(super) struct VisionTransformer {
    config: VisionConfig,
    network: VisionEncoder,
    /// In the tape's order.
    weights: Vec<Tensor>,
}

fn compute_error(error: candle_core::Error) -> EncoderError {
    EncoderError::Compute(one_line(&error))
}

impl VisionTransformer {
    /// Takes exactly the weights that the file's own description asks for.
    pub(super) fn load(mut file: Weights<'_>) -> Result<Self, EncoderError> {
        let sizes: Option<VisionConfig> =
            file.described("config", "sizes of a vision transformer", None)?;
        let Some(config) = sizes else {
            return Err(EncoderError::Folder("its weights do not say their sizes".to_owned()));
        };
        if let Some(problem) = config.problem() {
            return Err(EncoderError::Folder(problem));
        }
        let mut roll = Roll::default();
        let network = VisionEncoder::new(&config, &mut roll);
        let mut weights = Vec::new();
        for (name, shape) in roll.shapes() {
            let values = file.take(name, shape)?;
            weights.push(Tensor::from_vec(values, shape, &Device::Cpu).map_err(compute_error)?);
        }
        file.finish()?;
        Ok(Self { config, network, weights })
    }

    /// Images `[n, px, px, 3]` as patches `[n, L, patch * patch * 3]`.
    fn patches(&self, images: &FeatureMap) -> Vec<f32> {
        let (side, per_row) = (self.config.patch, self.config.img / self.config.patch);
        let row = side * images.channels;
        let mut patches = Vec::with_capacity(images.values.len());
        for image in 0..images.count {
            for at in 0..per_row * per_row {
                let (top, left) = (at / per_row * side, at % per_row * row);
                for y in top..top + side {
                    patches.extend_from_slice(&images.row(image, y)[left..left + row]);
                }
            }
        }
        patches
    }
}

impl Backbone for VisionTransformer {
    fn feature_dim(&self) -> usize {
        self.config.dim
    }

    /// The layer between the two of a block, of every block, since a tape keeps them.
    fn largest_map(&self, _input_px: usize) -> usize {
        let VisionConfig { dim, mlp_ratio, .. } = self.config;
        (self.config.grid().patches() + 1) * dim * mlp_ratio
    }

    fn only_px(&self) -> Option<u32> {
        u32::try_from(self.config.img).ok()
    }

    fn features(
        &self,
        images: &FeatureMap,
        _scratch: &mut Scratch,
        features: &mut [f32],
    ) -> Result<(), EncoderError> {
        let grid = self.config.grid();
        let values = images.channels * self.config.patch * self.config.patch;
        let shape = (images.count, grid.patches(), values);
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        let describe = || -> candle_core::Result<Vec<f32>> {
            let patches = Tensor::from_vec(self.patches(images), shape, &Device::Cpu)?;
            self.network.features(&patches, grid, &weights)?.flatten_all()?.to_vec1()
        };
        features.copy_from_slice(&describe().map_err(compute_error)?);
        Ok(())
    }
}
