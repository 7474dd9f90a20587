//! ResNet50 (He et al. 2015), up to layer 3 (1024 features) or layer 4 (2048), global average pool.
//!
//! Tensor names are torchvision's. In the original network (v1) stride 2 sits in the first 1 x 1
//! convolution of a stage, in torchvision's (v1.5) in the 3 x 3 one; the file says which
//! (`stride_in_1x1`), torchvision's files say nothing. The wrong one runs, but its features drift.

use std::mem::swap;

use super::conv::{Activation, Conv, ConvShape, Padding};
use super::feature_map::{FeatureMap, Scratch};
use super::weights::Weights;
use super::{Backbone, EncoderError};

/// Residual blocks per stage.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];
/// Channels of the stem.
const STEM: usize = 64;
/// A block's output is this many times wider than its middle.
const EXPANSION: usize = 4;

/// The network without its classifier.
#[derive(Debug)]
pub(super) struct ResNet50 {
    stem: Conv,
    blocks: Vec<Bottleneck>,
    feature_dim: usize,
}

impl ResNet50 {
    /// Takes every tensor but the classifier; three stages if the file has no layer 4.
    pub(super) fn load(mut file: Weights<'_>) -> Result<Self, EncoderError> {
        file.ignore(|name| name.starts_with("fc.") || name.ends_with(".num_batches_tracked"));
        let stride_in_1x1 = file.described("stride_in_1x1", "true or false", false)?;
        let stages = if file.has("layer4.0.conv1.weight") { 4 } else { 3 };
        let shape =
            ConvShape { inputs: 3, outputs: STEM, kernel: 7, stride: 2, padding: Padding::Even(3) };
        let stem = Conv::load(&mut file, "conv1", "bn1", shape, Activation::Relu)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (stage, count) in BLOCKS.iter().enumerate().take(stages) {
            for block in 0..*count {
                let form = BlockForm {
                    inputs,
                    middle: STEM << stage,
                    stride: if block == 0 && stage != 0 { 2 } else { 1 },
                    stride_in_1x1,
                };
                let name = format!("layer{}.{block}", stage + 1);
                blocks.push(Bottleneck::load(&mut file, &name, form)?);
                inputs = form.middle * EXPANSION;
            }
        }
        file.finish()?;
        Ok(Self { stem, blocks, feature_dim: inputs })
    }
}

impl Backbone for ResNet50 {
    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn largest_map(&self, input_px: usize) -> usize {
        input_px.div_ceil(2).pow(2) * STEM
    }

    fn features(
        &self,
        images: &FeatureMap,
        scratch: &mut Scratch,
        features: &mut [f32],
    ) -> Result<(), EncoderError> {
        let Scratch { map, first, columns, .. } = scratch;
        self.stem.forward(images, first, columns); // [n, px/2, px/2, 64]
        first.max_pool_3x3_stride_2(map); //          [n, px/4, px/4, 64]
        for block in &self.blocks {
            block.forward(scratch);
        }
        scratch.map.global_average(features);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct BlockForm {
    inputs: usize,
    middle: usize,
    stride: usize,
    stride_in_1x1: bool,
}

/// 1 x 1 reduce, 3 x 3, 1 x 1 expand, plus a shortcut.
#[derive(Debug)]
struct Bottleneck {
    reduce: Conv,
    spatial: Conv,
    expand: Conv,
    /// Where a stage begins, the shortcut changes width and size.
    downsample: Option<Conv>,
}

impl Bottleneck {
    fn load(file: &mut Weights<'_>, name: &str, form: BlockForm) -> Result<Self, EncoderError> {
        let BlockForm { inputs, middle, stride, .. } = form;
        let (first, second) = if form.stride_in_1x1 { (stride, 1) } else { (1, stride) };
        let wide = middle * EXPANSION;
        let mut conv = |conv: &str, norm: &str, inputs, outputs, kernel, stride, activation| {
            let padding = Padding::Even(kernel / 2);
            let shape = ConvShape { inputs, outputs, kernel, stride, padding };
            Conv::load(
                file,
                &format!("{name}.{conv}"),
                &format!("{name}.{norm}"),
                shape,
                activation,
            )
        };
        Ok(Self {
            reduce: conv("conv1", "bn1", inputs, middle, 1, first, Activation::Relu)?,
            spatial: conv("conv2", "bn2", middle, middle, 3, second, Activation::Relu)?,
            expand: conv("conv3", "bn3", middle, wide, 1, 1, Activation::Relu)?,
            downsample: (name.ends_with(".0"))
                .then(|| {
                    let activation = Activation::Identity;
                    conv("downsample.0", "downsample.1", inputs, wide, 1, stride, activation)
                })
                .transpose()?,
        })
    }

    fn forward(&self, scratch: &mut Scratch) {
        let Scratch { map, first, second, next, columns } = scratch;
        self.reduce.forward(map, first, columns);
        self.spatial.forward(first, second, columns);
        if let Some(downsample) = &self.downsample {
            downsample.forward(map, next, columns);
            swap(map, next);
        }
        self.expand.add_to(second, map, columns);
    }
}
