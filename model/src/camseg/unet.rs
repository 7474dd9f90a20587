//! U-Net (Ronneberger et al. 2015) as MODELS 7.5 lays it out: four times down by max pooling, four times up by
//! transposed convolution, each level's two convolutions with batch norm and `ReLU`.
//!
//! Images are channel last. Sides are reflected to multiples of 16 and cropped afterwards.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var, bail};

use super::network::{Learned, SegmentationNetwork, Start, Weight, Weights, kaiming, var};
use crate::nn::batch_norm::{EPSILON, Moments, batch_norm_relu};
use crate::nn::conv3x3::{conv3x3, conv3x3_of_two, conv3x3_rectified};
use crate::nn::linear::project;
use crate::nn::max_pool::max_pool2;
use crate::nn::storage::{tensor, to_vec};
use crate::nn::up_conv::up_conv;

/// Levels below the first.
const DEPTH: usize = 4;
/// Sides of the padded image are multiples of this.
pub(crate) const ALIGNMENT: usize = 1 << DEPTH;
/// How fast remembered statistics follow those of a batch.
const MOMENTUM: f64 = 0.1;

/// All weights of a network whose first level has `base` channels.
pub(super) fn weights(base: usize) -> Vec<Weight> {
    let channels: Vec<usize> = (0..=DEPTH).map(|level| base << level).collect();
    let mut list = Vec::new();
    let to = &mut Weights::new(&mut list);
    to.under("inc", |to| double_conv(to, 3, channels[0]));
    for level in 0..DEPTH {
        let (above, here) = (channels[level], channels[level + 1]);
        to.under(&format!("down.{level}"), |to| double_conv(to, above, here));
    }
    for (step, level) in (0..DEPTH).rev().enumerate() {
        let (below, here) = (channels[level + 1], channels[level]);
        to.under(&format!("up.{step}"), |to| {
            to.add("weight", &[below, here, 2, 2], kaiming(4 * here));
            to.add("bias", &[here], kaiming(4 * here));
        });
        to.under(&format!("dec.{step}"), |to| double_conv(to, 2 * here, here));
    }
    to.add("outc.weight", &[1, base, 1, 1], kaiming(base));
    to.add("outc.bias", &[1], kaiming(base));
    list
}

fn double_conv(to: &mut Weights<'_>, inputs: usize, outputs: usize) {
    for (half, inputs) in [(1, inputs), (2, outputs)] {
        to.add(&format!("conv{half}.weight"), &[outputs, inputs, 3, 3], kaiming(9 * inputs));
        to.under(&format!("bn{half}"), |to| {
            to.norm(outputs);
            to.add("running_mean", &[outputs], Start::Constant(0.0));
            to.add("running_var", &[outputs], Start::Constant(1.0));
        });
    }
}

/// Whether batch norm takes and remembers the batch's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Learn,
    Apply,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Unet {
    first: DoubleConv,
    down: Vec<DoubleConv>,
    up: Vec<(Var, Var)>,
    decode: Vec<DoubleConv>,
    last: (Var, Var),
}

impl Unet {
    /// Over the weights of [`weights`].
    pub(crate) fn new(vars: &BTreeMap<String, Var>) -> Result<Self> {
        let levels = |name: &str| -> Result<Vec<DoubleConv>> {
            (0..DEPTH).map(|level| DoubleConv::new(vars, &format!("{name}.{level}"))).collect()
        };
        let pair = |name: &str| -> Result<(Var, Var)> {
            Ok((var(vars, &format!("{name}.weight"))?, var(vars, &format!("{name}.bias"))?))
        };
        Ok(Self {
            first: DoubleConv::new(vars, "inc")?,
            down: levels("down")?,
            up: (0..DEPTH).map(|step| pair(&format!("up.{step}"))).collect::<Result<_>>()?,
            decode: levels("dec")?,
            last: pair("outc")?,
        })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor> {
        let (_, height, width, _) = images.dims4()?;
        let mut skips = vec![self.first.forward(&[&reflected(images, ALIGNMENT)?], mode)?];
        for level in &self.down {
            let above = skips.last().map_or_else(|| images.clone(), Tensor::clone);
            skips.push(level.forward(&[&max_pool2(&above)?], mode)?);
        }
        let mut x = skips.pop().unwrap_or_else(|| images.clone());
        for ((weight, bias), decode) in self.up.iter().zip(&self.decode) {
            let up = up_conv(&x, weight, bias)?;
            x = match skips.pop() {
                Some(skip) => decode.forward(&[&skip, &up], mode)?,
                None => up,
            };
        }
        let (weight, bias) = &self.last;
        let logits = project(&x, &weight.flatten_from(1)?)?.broadcast_add(bias)?;
        logits.squeeze(3)?.narrow(1, 0, height)?.narrow(2, 0, width)?.contiguous()
    }
}

impl SegmentationNetwork for Unet {
    fn learn(&self, images: &Tensor) -> Result<Learned> {
        Ok(Learned { logits: self.forward(images, Mode::Learn)?, scales: Vec::new() })
    }

    fn apply(&self, images: &Tensor) -> Result<Tensor> {
        self.forward(images, Mode::Apply)?.detach().contiguous()
    }
}

/// Rows and columns mirrored behind the last one, to multiples of `alignment`.
pub(super) fn reflected(images: &Tensor, alignment: usize) -> Result<Tensor> {
    let mut padded = images.contiguous()?;
    for axis in [1, 2] {
        let len = images.dim(axis)?;
        if len.is_multiple_of(alignment) {
            continue;
        }
        let period = (2 * (len - 1)).max(1);
        let mirrored = |i: usize| ((i % period).min(period - i % period)) as u32;
        let places: Vec<u32> = (0..len.next_multiple_of(alignment))
            .map(|i| if len == 1 { 0 } else { mirrored(i) })
            .collect();
        let places = Tensor::from_vec(places, len.next_multiple_of(alignment), images.device())?;
        padded = padded.index_select(&places, axis)?;
    }
    Ok(padded)
}

/// Convolution, batch norm, `ReLU`, twice.
#[derive(Debug)]
struct DoubleConv([ConvNorm; 2]);

impl DoubleConv {
    fn new(vars: &BTreeMap<String, Var>, name: &str) -> Result<Self> {
        Ok(Self([ConvNorm::new(vars, name, 1)?, ConvNorm::new(vars, name, 2)?]))
    }

    /// Of one image or of the channels of two.
    fn forward(&self, x: &[&Tensor], mode: Mode) -> Result<Tensor> {
        self.0[1].forward(&[&self.0[0].forward(x, mode)?], mode)
    }
}

#[derive(Debug)]
struct ConvNorm {
    conv: Var,
    weight: Var,
    bias: Var,
    running_mean: Var,
    running_var: Var,
}

impl ConvNorm {
    fn new(vars: &BTreeMap<String, Var>, name: &str, half: usize) -> Result<Self> {
        let norm = |part: &str| var(vars, &format!("{name}.bn{half}.{part}"));
        Ok(Self {
            conv: var(vars, &format!("{name}.conv{half}.weight"))?,
            weight: norm("weight")?,
            bias: norm("bias")?,
            running_mean: norm("running_mean")?,
            running_var: norm("running_var")?,
        })
    }

    fn forward(&self, x: &[&Tensor], mode: Mode) -> Result<Tensor> {
        if mode == Mode::Apply {
            let (scale, shift) = self.folded()?;
            return conv3x3_rectified(x, &self.conv, &scale, &shift);
        }
        let y = match *x {
            [x] => conv3x3(x, &self.conv)?,
            [a, b] => conv3x3_of_two([a, b], &self.conv)?,
            _ => bail!("expected one or two images, found {}", x.len()),
        };
        let (y, moments) = batch_norm_relu(&y, &self.weight, &self.bias)?;
        self.remember(&moments)?;
        Ok(y)
    }

    /// Scale and shift that batch norm amounts to with the remembered statistics.
    fn folded(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let [weight, bias, mean, variance]: [Vec<f32>; 4] = [
            to_vec(&self.weight)?,
            to_vec(&self.bias)?,
            to_vec(&self.running_mean)?,
            to_vec(&self.running_var)?,
        ];
        let deviation = variance.iter().map(|it| (it + EPSILON as f32).sqrt());
        let scale: Vec<f32> = weight.iter().zip(deviation).map(|(w, d)| w / d).collect();
        let shift = bias.iter().zip(mean.iter().zip(&scale)).map(|(b, (m, s))| b - m * s).collect();
        Ok((scale, shift))
    }

    fn remember(&self, moments: &Moments) -> Result<()> {
        let follow = |var: &Var, values: Vec<f64>| -> Result<()> {
            let values = tensor(values, var.shape())?.to_dtype(var.dtype())?;
            let values = values.to_device(var.device())?;
            let kept = var.affine(1.0 - MOMENTUM, 0.0)?;
            var.set(&(kept + values.affine(MOMENTUM, 0.0)?)?.detach())
        };
        follow(&self.running_mean, moments.mean.clone())?;
        follow(&self.running_var, moments.unbiased_variance().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camseg::network::{NetworkConfig, variables};
    use crate::testing::{assert_near, normal};
    use candle_core::DType;

    const SMALL: NetworkConfig = NetworkConfig::Unet { base: 4 };

    #[test]
    fn any_size_comes_back_as_it_went_in() {
        let vars = variables(&SMALL.first_weights(2).unwrap()).unwrap();
        let network = SMALL.build(&vars).unwrap();
        for (height, width) in [(1, 1), (16, 16), (17, 40)] {
            let x = normal(&[1, height, width, 3], 3).to_dtype(DType::F32).unwrap();
            let logits = network.apply(&x).unwrap();
            assert_eq!(logits.dims(), [1, height, width]);
            let logits: Vec<f32> = to_vec(&logits).unwrap();
            assert!(logits.iter().all(|it| it.is_finite()));
        }
    }

    #[test]
    fn learning_remembers_statistics_and_applying_does_not() {
        let vars = variables(&SMALL.first_weights(4).unwrap()).unwrap();
        let network = SMALL.build(&vars).unwrap();
        let x = normal(&[2, 16, 16, 3], 5).to_dtype(DType::F32).unwrap();
        let mean = || to_vec::<f32>(&vars["inc.bn1.running_mean"]).unwrap();
        network.apply(&x).unwrap();
        assert_eq!(mean(), [0.0; 4]);
        network.learn(&x).unwrap();
        assert_ne!(mean(), [0.0; 4]);
    }

    #[test]
    fn sides_are_mirrored_without_repeating_the_last_row() {
        let x = Tensor::arange(0f64, 18.0, &candle_core::Device::Cpu).unwrap();
        let x = x.reshape((1, 18, 1, 1)).unwrap();
        let padded =
            reflected(&x, ALIGNMENT).unwrap().narrow(1, 17, 3).unwrap().narrow(2, 0, 1).unwrap();
        let want = Tensor::new(&[17.0f64, 16.0, 15.0], x.device()).unwrap();
        assert_near(&padded.flatten_all().unwrap(), &want, 0.0, "mirror");
    }
}
