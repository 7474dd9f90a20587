//! VMAML-UNet: a U-shaped network of wavelet scan blocks with attention on its skips and supervised scales (MODELS 8).
//!
//! Only the abstract of its publication was at hand: the parts are those it names, how they are wired is a reconstruction.

mod kan;
mod resolution;
mod scales;
mod skip_attention;
mod ss2d;
mod wavelet_conv;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

pub(crate) use kan::{KanConv, KanLinear};
pub(crate) use resolution::{PatchExpand, PatchMerging};
pub(crate) use skip_attention::SkipAttention;
pub(crate) use ss2d::{Sizes, Ss2d, WaveletScanBlock};
pub(crate) use wavelet_conv::WaveletConv;

use super::network::{Answer, SegmentationNetwork, Side, Weight, Weights, kaiming};
use super::unet::reflected;
use crate::nn::linear::Linear;
use resolution::{PATCH, PatchEmbed};
use scales::Scales;

/// Stages on either side.
const STAGES: usize = 4;
/// Sides of the padded image are multiples of this.
const ALIGNMENT: usize = PATCH << (STAGES - 1);
/// Channels of an image.
const COLORS: usize = 3;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VmamlConfig {
    /// Channels of the first stage; each further one has twice as many.
    pub dim: usize,
    /// Blocks of each stage on the way down.
    pub depths: [usize; STAGES],
    /// Blocks of each stage on the way up.
    pub depths_dec: [usize; STAGES],
    /// Numbers of state per channel of a scan.
    pub d_state: usize,
    /// Sides of the wavelet convolutions' filters, odd.
    pub kernel: usize,
    /// Levels of the wavelet convolutions of each stage.
    pub wt_levels: [usize; STAGES],
    /// Channels that a supervised scale is read from.
    pub kan_ch: usize,
    /// Share of the scales' weights that is the same for all, so that none is left out; `0.0..=1.0`.
    pub kan_floor: f64,
}

impl Default for VmamlConfig {
    /// Small enough for a CPU; 96 channels are the paper's.
    fn default() -> Self {
        Self {
            dim: 32,
            depths: [2, 2, 2, 2],
            depths_dec: [2, 2, 2, 1],
            d_state: 16,
            kernel: 5,
            wt_levels: [3, 2, 1, 1],
            kan_ch: 8,
            kan_floor: 0.3,
        }
    }
}

impl VmamlConfig {
    /// Says what is out of range, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let ranges = [
            ("dim", self.dim, 4..=128),
            ("d_state", self.d_state, 1..=64),
            ("kernel", self.kernel, 1..=15),
            ("kan_ch", self.kan_ch, 1..=64),
        ];
        if let Some((name, found, range)) = ranges.iter().find(|(_, it, range)| !range.contains(it))
        {
            let (least, most) = (range.start(), range.end());
            return Some(format!(
                "VMAML-UNet's {name} must lie in {least} to {most}, found {found}"
            ));
        }
        if self.kernel.is_multiple_of(2) {
            return Some(format!("VMAML-UNet's kernel must be odd, found {}", self.kernel));
        }
        let outside = !(0.0..=1.0).contains(&self.kan_floor);
        outside
            .then(|| format!("VMAML-UNet's kan_floor must lie in 0 to 1, found {}", self.kan_floor))
    }

    /// Channels of the stages.
    fn dims(&self) -> [usize; STAGES] {
        std::array::from_fn(|stage| self.dim << stage)
    }

    /// Channels of the full-size image that the mask is read from.
    fn last(&self) -> usize {
        (self.dim / 4).max(4)
    }

    /// Of a stage's blocks.
    fn sizes(&self, stage: usize) -> Sizes {
        let (dim, levels) = (self.dims()[stage], Some(self.wt_levels[stage]));
        Sizes { dim, state: self.d_state, kernel: self.kernel, levels }
    }
}

/// All weights (MODELS 8.8).
pub(super) fn weights(config: &VmamlConfig) -> Vec<Weight> {
    let mut list = Vec::new();
    let to = &mut Weights::new(&mut list);
    let (dims, last) = (config.dims(), config.last());
    let skips = &dims[..STAGES - 1];
    PatchEmbed::weights(to, COLORS, dims[0]);
    for (i, dim) in dims.iter().enumerate() {
        for j in 0..config.depths[i] {
            to.under(&format!("enc.{i}.{j}"), |to| WaveletScanBlock::weights(to, config.sizes(i)));
        }
        if i < STAGES - 1 {
            to.under(&format!("merge.{i}"), |to| PatchMerging::weights(to, *dim));
            to.under(&format!("wcaa.{i}"), |to| {
                SkipAttention::weights(to, skips, i, config.kernel);
            });
        }
    }
    for i in 0..STAGES {
        let stage = STAGES - 1 - i;
        if 0 < i {
            let (below, here) = (dims[stage + 1], dims[stage]);
            to.under(&format!("expand.{}", i - 1), |to| PatchExpand::weights(to, below, 2, here));
        }
        for j in 0..config.depths_dec[i] {
            let sizes = config.sizes(stage);
            to.under(&format!("dec.{i}.{j}"), |to| WaveletScanBlock::weights(to, sizes));
        }
    }
    to.under("final_up", |to| PatchExpand::weights(to, dims[0], PATCH, last));
    to.add("final_conv.weight", &[1, last, 1, 1], kaiming(last));
    to.add("final_conv.bias", &[1], kaiming(last));
    Scales::weights(to, skips, config.kan_ch);
    list
}

/// The network.
#[derive(Debug)]
pub(crate) struct VmamlUnet {
    embed: PatchEmbed,
    encode: Vec<Vec<WaveletScanBlock>>,
    merge: Vec<PatchMerging>,
    attend: Vec<SkipAttention>,
    expand: Vec<PatchExpand>,
    decode: Vec<Vec<WaveletScanBlock>>,
    last_up: PatchExpand,
    last: Linear,
    scales: Scales,
}

/// The answer, and the side masks at the size that they are decided at.
pub(crate) struct Masks {
    pub(crate) answer: Answer,
    /// Logits, the coarsest first.
    pub(crate) decided: Vec<Tensor>,
}

impl VmamlUnet {
    /// Over the weights of [`weights`].
    pub(crate) fn new(config: &VmamlConfig, vars: &BTreeMap<String, Var>) -> Result<Self> {
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let (dtype, device) = vars
            .values()
            .next()
            .map_or((DType::F32, Device::Cpu), |var| (var.dtype(), var.device().clone()));
        let vb = &VarBuilder::from_tensors(tensors.collect(), dtype, &device);
        let (dims, last) = (config.dims(), config.last());
        let skips = &dims[..STAGES - 1];
        let blocks = |name: &str, count: usize, sizes: Sizes| -> Result<Vec<WaveletScanBlock>> {
            let block = |j| WaveletScanBlock::new(sizes, &vb.pp(format!("{name}.{j}")));
            (0..count).map(block).collect()
        };
        let encode = |i: usize| blocks(&format!("enc.{i}"), config.depths[i], config.sizes(i));
        let decode = |i: usize| {
            blocks(&format!("dec.{i}"), config.depths_dec[i], config.sizes(STAGES - 1 - i))
        };
        let merge = |i: usize| PatchMerging::new(dims[i], &vb.pp(format!("merge.{i}")));
        let expand = |i: usize| {
            let (below, here) = (dims[STAGES - 1 - i], dims[STAGES - 2 - i]);
            PatchExpand::new(below, 2, here, &vb.pp(format!("expand.{i}")))
        };
        let attend =
            |i: usize| SkipAttention::new(skips, i, config.kernel, &vb.pp(format!("wcaa.{i}")));
        let last_weight = vb.get((1, last, 1, 1), "final_conv.weight")?.flatten_from(1)?;
        Ok(Self {
            embed: PatchEmbed::new(COLORS, dims[0], vb)?,
            encode: (0..STAGES).map(encode).collect::<Result<_>>()?,
            merge: (0..STAGES - 1).map(merge).collect::<Result<_>>()?,
            attend: (0..STAGES - 1).map(attend).collect::<Result<_>>()?,
            expand: (0..STAGES - 1).map(expand).collect::<Result<_>>()?,
            decode: (0..STAGES).map(decode).collect::<Result<_>>()?,
            last_up: PatchExpand::new(dims[0], PATCH, last, &vb.pp("final_up"))?,
            last: Linear::of(last_weight, Some(vb.get(1, "final_conv.bias")?)),
            scales: Scales::new(skips, config.kan_ch, config.kan_floor, vb)?,
        })
    }

    /// Images `[b, h, w, 3]` of any size.
    pub(crate) fn masks(&self, images: &Tensor) -> Result<Masks> {
        let (_, height, width, _) = images.dims4()?;
        let padded = reflected(images, ALIGNMENT)?;
        let (_, padded_height, padded_width, _) = padded.dims4()?;
        let (mut x, skips) = self.encoded(&padded)?;
        let mut decided = Vec::new();
        for (i, blocks) in self.decode.iter().enumerate() {
            if 0 < i {
                let attended = self.attend[STAGES - 1 - i].forward(&skips)?;
                x = (self.expand[i - 1].forward(&x)? + attended)?;
            }
            x = through(blocks, x)?;
            if 0 < i {
                decided.push(self.scales.decide(i - 1, &x)?);
            }
        }
        let cropped =
            |logits: &Tensor| logits.narrow(1, 0, height)?.narrow(2, 0, width)?.contiguous();
        let logits = cropped(&self.last.forward(&self.last_up.forward(&x)?)?.squeeze(3)?)?;
        let mut sides = self.scales.weighed(&decided, &skips, (padded_height, padded_width))?;
        for side in &mut sides {
            side.logits = cropped(&side.logits)?;
        }
        Ok(Masks { answer: Answer { logits, sides }, decided })
    }

    /// The coarsest features, and those of the stages above, the finest first.
    fn encoded(&self, images: &Tensor) -> Result<(Tensor, Vec<Tensor>)> {
        let mut x = self.embed.forward(images)?;
        let mut skips = Vec::new();
        for (i, blocks) in self.encode.iter().enumerate() {
            x = through(blocks, x)?;
            if let Some(merge) = self.merge.get(i) {
                skips.push(x.clone());
                x = merge.forward(&x)?;
            }
        }
        Ok((x, skips))
    }
}

fn through(blocks: &[WaveletScanBlock], x: Tensor) -> Result<Tensor> {
    blocks.iter().try_fold(x, |x, block| block.forward(&x))
}

impl SegmentationNetwork for VmamlUnet {
    fn learn(&self, images: &Tensor) -> Result<Answer> {
        Ok(self.masks(images)?.answer)
    }

    fn apply(&self, images: &Tensor) -> Result<Answer> {
        let Answer { logits, sides } = self.masks(images)?.answer;
        let detached = |side: Side| Side {
            scale: side.scale,
            logits: side.logits.detach(),
            weight: side.weight.detach(),
        };
        Ok(Answer { logits: logits.detach(), sides: sides.into_iter().map(detached).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camseg::network::{NetworkConfig, SideScale, variables};
    use crate::nn::storage::to_vec;
    use crate::testing::normal;

    fn small() -> VmamlConfig {
        let depths = [1; STAGES];
        VmamlConfig { dim: 4, depths, depths_dec: depths, d_state: 2, ..VmamlConfig::default() }
    }

    #[test]
    fn any_size_comes_back_as_it_went_in_and_every_weight_learns() {
        let config = NetworkConfig::Vmaml(small());
        let vars = variables(&config.first_weights(1).unwrap()).unwrap();
        let network = config.build(&vars).unwrap();
        for (height, width) in [(1, 1), (32, 32), (17, 40)] {
            let x = normal(&[2, height, width, 3], 2).to_dtype(DType::F32).unwrap();
            let learned = network.learn(&x).unwrap();
            assert_eq!(learned.logits.dims(), [2, height, width]);
            let mut total = learned.logits.sqr().unwrap().sum_all().unwrap();
            for Side { logits, weight, .. } in &learned.sides {
                assert_eq!((logits.dims(), weight.dims()), (&[2, height, width][..], &[2][..]));
                let part = logits.sqr().unwrap().mean((1, 2)).unwrap();
                total = (total + (part * weight).unwrap().sum_all().unwrap()).unwrap();
            }
            let grads = total.backward().unwrap();
            for (name, var) in &vars {
                let grad: Vec<f32> =
                    to_vec(grads.get(var).unwrap_or_else(|| panic!("{name}"))).unwrap();
                assert!(grad.iter().all(|it| it.is_finite()), "{name} of {height} x {width}");
            }
        }
    }

    #[test]
    fn weights_of_the_scales_add_up_to_one_and_none_is_left_out() {
        let config = small();
        let list = NetworkConfig::Vmaml(config.clone()).first_weights(3).unwrap();
        let network = VmamlUnet::new(&config, &variables(&list).unwrap()).unwrap();
        let x = normal(&[1, 32, 32, 3], 4).to_dtype(DType::F32).unwrap();
        let sides = network.apply(&x).unwrap().sides;
        let scales: Vec<SideScale> = sides.iter().map(|it| it.scale).collect();
        assert_eq!(scales, SideScale::ALL);
        let weights: Vec<f32> = sides.iter().flat_map(|it| to_vec(&it.weight).unwrap()).collect();
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{weights:?}");
        assert!(weights.iter().all(|it| 0.1 <= *it), "{weights:?}");
    }

    #[test]
    fn the_default_has_the_stated_size() {
        let millions = |dim| {
            let weights = weights(&VmamlConfig { dim, ..VmamlConfig::default() });
            let count: usize = weights.iter().map(|it| it.shape.iter().product::<usize>()).sum();
            format!("{:.1}", count as f64 / 1e6)
        };
        assert_eq!([millions(32), millions(96)], ["4.2", "29.7"]);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let even = VmamlConfig { kernel: 4, ..small() }.problem().unwrap();
        assert!(even.contains("must be odd"), "{even}");
        let wide = VmamlConfig { dim: 1000, ..small() }.problem().unwrap();
        assert!(wide.contains("4 to 128, found 1000"), "{wide}");
    }
}
