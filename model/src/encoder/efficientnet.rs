//! EfficientNet-Lite0 (Tan and Le 2019; Lite: no squeeze-and-excite, `ReLU6`), head convolution
//! included, global average pool: 1280 features. Tensor names are timm's.

use std::mem::swap;

use super::conv::{Activation, Conv, ConvShape, Padding};
use super::depthwise::Depthwise;
use super::feature_map::{FeatureMap, Scratch};
use super::weights::Weights;
use super::{Backbone, EncoderError};

/// Channels of the stem.
const STEM: usize = 32;
/// Channels of the head.
const HEAD: usize = 1280;
/// Every stage but the first widens its blocks so many times.
const EXPANSION: usize = 6;

/// Blocks of one kind; only the first has a stride.
struct Stage {
    kernel: usize,
    stride: usize,
    outputs: usize,
    blocks: usize,
}

const STAGES: [Stage; 7] = [
    Stage { kernel: 3, stride: 1, outputs: 16, blocks: 1 },
    Stage { kernel: 3, stride: 2, outputs: 24, blocks: 2 },
    Stage { kernel: 5, stride: 2, outputs: 40, blocks: 2 },
    Stage { kernel: 3, stride: 2, outputs: 80, blocks: 3 },
    Stage { kernel: 5, stride: 1, outputs: 112, blocks: 3 },
    Stage { kernel: 5, stride: 2, outputs: 192, blocks: 4 },
    Stage { kernel: 3, stride: 1, outputs: 320, blocks: 1 },
];

/// The network without its classifier.
#[derive(Debug)]
pub(super) struct EfficientNetLite0 {
    stem: Conv,
    blocks: Vec<Block>,
    head: Conv,
}

impl EfficientNetLite0 {
    /// Takes every tensor but the classifier.
    pub(super) fn load(mut file: Weights<'_>) -> Result<Self, EncoderError> {
        file.ignore(|name| {
            name.starts_with("classifier.") || name.ends_with(".num_batches_tracked")
        });
        let shape =
            ConvShape { inputs: 3, outputs: STEM, kernel: 3, stride: 2, padding: Padding::Same };
        let stem = Conv::load(&mut file, "conv_stem", "bn1", shape, Activation::Relu6)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (index, stage) in STAGES.iter().enumerate() {
            for block in 0..stage.blocks {
                let name = format!("blocks.{index}.{block}");
                let stride = if block == 0 { stage.stride } else { 1 };
                let expands = index != 0;
                blocks.push(Block::load(&mut file, &name, stage, (inputs, stride, expands))?);
                inputs = stage.outputs;
            }
        }
        let head = pointwise(&mut file, "conv_head", "bn2", (inputs, HEAD), Activation::Relu6)?;
        file.finish()?;
        Ok(Self { stem, blocks, head })
    }
}

impl Backbone for EfficientNetLite0 {
    fn feature_dim(&self) -> usize {
        HEAD
    }

    fn largest_map(&self, input_px: usize) -> usize {
        // The first widened map: 96 channels at half the input's side.
        input_px.div_ceil(2).pow(2) * 16 * EXPANSION
    }

    fn features(
        &self,
        images: &FeatureMap,
        scratch: &mut Scratch,
        features: &mut [f32],
    ) -> Result<(), EncoderError> {
        self.stem.forward(images, &mut scratch.map, &mut scratch.columns); // [n, px/2, px/2, 32]
        for block in &self.blocks {
            block.forward(scratch);
        }
        let Scratch { map, first, columns, .. } = scratch;
        self.head.forward(map, first, columns); // [n, px/32, px/32, 1280]
        first.global_average(features);
        Ok(())
    }
}

/// 1 x 1 widen, depthwise, 1 x 1 narrow; added to its input where size and width stay.
#[derive(Debug)]
struct Block {
    widen: Option<Conv>,
    depthwise: Depthwise,
    narrow: Conv,
    is_residual: bool,
}

impl Block {
    fn load(
        file: &mut Weights<'_>,
        name: &str,
        stage: &Stage,
        (inputs, stride, expands): (usize, usize, bool),
    ) -> Result<Self, EncoderError> {
        let names = if expands {
            [["conv_pw", "bn1"], ["conv_dw", "bn2"], ["conv_pwl", "bn3"]]
        } else {
            [["", ""], ["conv_dw", "bn1"], ["conv_pw", "bn2"]]
        };
        let names = names.map(|pair| pair.map(|it| format!("{name}.{it}")));
        let [[widen, widen_norm], [depthwise, depthwise_norm], [narrow, narrow_norm]] = &names;
        let wide = if expands { inputs * EXPANSION } else { inputs };
        let relu = Activation::Relu6;
        let filter = (wide, stage.kernel, stride);
        Ok(Self {
            widen: expands
                .then(|| pointwise(file, widen, widen_norm, (inputs, wide), relu))
                .transpose()?,
            depthwise: Depthwise::load(file, depthwise, depthwise_norm, filter, relu)?,
            narrow: {
                let widths = (wide, stage.outputs);
                pointwise(file, narrow, narrow_norm, widths, Activation::Identity)?
            },
            is_residual: stride == 1 && inputs == stage.outputs,
        })
    }

    fn forward(&self, scratch: &mut Scratch) {
        let Scratch { map, first, second, next, columns } = scratch;
        match &self.widen {
            Some(widen) => {
                widen.forward(map, first, columns);
                self.depthwise.forward(first, second);
            }
            None => self.depthwise.forward(map, second),
        }
        if self.is_residual {
            self.narrow.add_to(second, map, columns);
        } else {
            self.narrow.forward(second, next, columns);
            swap(map, next);
        }
    }
}

fn pointwise(
    file: &mut Weights<'_>,
    conv: &str,
    norm: &str,
    (inputs, outputs): (usize, usize),
    activation: Activation,
) -> Result<Conv, EncoderError> {
    let shape = ConvShape { inputs, outputs, kernel: 1, stride: 1, padding: Padding::Same };
    Conv::load(file, conv, norm, shape, activation)
}
