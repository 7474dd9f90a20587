//! U-Net (Ronneberger et al. 2015) as MODELS 7.5 lays it out: four times down by max pooling, four times up by
//! transposed convolution, each level's two convolutions with batch norm and `ReLU`.
//!
//! Images are channel last. Sides are reflected to multiples of 16 and cropped afterwards. One wiring serves both uses: a trained
//! network computes layer by layer, one that learns as a chain on a tape.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor, TensorId, Var, bail};

use super::network::{Answer, SegmentationNetwork, Start, Weight, Weights, kaiming, var};
use crate::nn::batch_norm::{EPSILON, Moments, batch_norm_relu};
use crate::nn::conv3x3::{Conv3x3, Conv3x3OfTwo, conv3x3_rectified};
use crate::nn::max_pool::{MaxPool2, max_pool2};
use crate::nn::pointwise_conv::{PointwiseConv, pointwise_conv};
use crate::nn::storage::{tensor, to_vec};
use crate::nn::tape::{Chain, Slot, Tape, chained};
use crate::nn::up_conv::{UpConv, up_conv};
use crate::nn::vectors::Vectors;

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

/// The network.
#[derive(Clone, Debug)]
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

    /// Logits `[b, h, w, 1]` of padded images.
    fn logits<L: Layers>(&self, layers: &mut L, images: L::Image) -> Result<L::Image> {
        let mut x = self.first.forward(layers, &[&images])?;
        let mut skips = Vec::with_capacity(DEPTH);
        for level in &self.down {
            let below = layers.max_pool(&x)?;
            skips.push(std::mem::replace(&mut x, level.forward(layers, &[&below])?));
        }
        for ((up, decode), skip) in self.up.iter().zip(&self.decode).zip(skips.into_iter().rev()) {
            let above = layers.up(&x, up)?;
            x = decode.forward(layers, &[&skip, &above])?;
        }
        layers.last(&x, &self.last)
    }

    /// All that is learned.
    fn parameters(&self) -> Vec<&Var> {
        let levels = std::iter::once(&self.first).chain(&self.down).chain(&self.decode);
        let convs = levels.flat_map(|it| &it.0).flat_map(|it| [&it.conv, &it.weight, &it.bias]);
        let pairs = self.up.iter().chain([&self.last]).flat_map(|(weight, bias)| [weight, bias]);
        convs.chain(pairs).collect()
    }
}

impl SegmentationNetwork for Unet {
    fn learn(&self, images: &Tensor) -> Result<Answer> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let chain = Lesson { unet: self.clone(), moments: Arc::clone(&found) };
        let parameters: Vec<&Tensor> = self.parameters().into_iter().map(Var::as_tensor).collect();
        let logits = chained(chain, &reflected(images, ALIGNMENT)?, &parameters)?;
        for (layer, moments) in found.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            layer.remember(&moments)?;
        }
        Ok(Answer { logits: cropped(&logits, images)?, sides: Vec::new() })
    }

    fn apply(&self, images: &Tensor) -> Result<Answer> {
        let logits = self.logits(&mut Trained, reflected(images, ALIGNMENT)?)?;
        Ok(Answer { logits: cropped(&logits, images)?.detach(), sides: Vec::new() })
    }
}

/// How the layers are computed.
trait Layers {
    type Image;

    /// Convolution of one image or of the channels of two, batch norm, `ReLU`.
    fn conv_norm(&mut self, x: &[&Self::Image], layer: &ConvNorm) -> Result<Self::Image>;

    /// The largest of every 2 x 2 pixels.
    fn max_pool(&mut self, x: &Self::Image) -> Result<Self::Image>;

    /// Twice the sides, by weight and bias of a transposed convolution.
    fn up(&mut self, x: &Self::Image, layer: &(Var, Var)) -> Result<Self::Image>;

    /// Weighted channels of every pixel alone.
    fn last(&mut self, x: &Self::Image, layer: &(Var, Var)) -> Result<Self::Image>;
}

/// With the remembered statistics, without a gradient.
struct Trained;

impl Layers for Trained {
    type Image = Tensor;

    fn conv_norm(&mut self, x: &[&Tensor], layer: &ConvNorm) -> Result<Tensor> {
        let (scale, shift) = layer.folded()?;
        conv3x3_rectified(x, &layer.conv, &scale, &shift)
    }

    fn max_pool(&mut self, x: &Tensor) -> Result<Tensor> {
        max_pool2(x)
    }

    fn up(&mut self, x: &Tensor, (weight, bias): &(Var, Var)) -> Result<Tensor> {
        up_conv(x, weight, bias)
    }

    fn last(&mut self, x: &Tensor, (weight, bias): &(Var, Var)) -> Result<Tensor> {
        pointwise_conv(x, weight, bias)
    }
}

/// With the statistics of the batch.
struct Learning<'l, 't, T> {
    tape: &'l mut Tape<'t, T>,
    /// Where the parameters lie.
    slots: HashMap<TensorId, Slot>,
    moments: Vec<(ConvNorm, Moments)>,
}

impl<T> Learning<'_, '_, T> {
    fn slot(&self, var: &Var) -> Result<Slot> {
        match self.slots.get(&var.id()) {
            Some(slot) => Ok(*slot),
            None => bail!("a layer of the U-Net is not among its parameters"),
        }
    }
}

impl<T: Vectors> Layers for Learning<'_, '_, T> {
    type Image = Slot;

    fn conv_norm(&mut self, x: &[&Slot], layer: &ConvNorm) -> Result<Slot> {
        let weight = self.slot(&layer.conv)?;
        let y = match *x {
            [x] => self.tape.apply(Conv3x3, [*x, weight])?,
            [a, b] => self.tape.apply(Conv3x3OfTwo, [*a, *b, weight])?,
            _ => bail!("expected one or two images, found {}", x.len()),
        };
        let norm = [y, self.slot(&layer.weight)?, self.slot(&layer.bias)?];
        let (y, moments) = batch_norm_relu(self.tape, norm)?;
        self.moments.push((layer.clone(), moments));
        Ok(y)
    }

    fn max_pool(&mut self, x: &Slot) -> Result<Slot> {
        self.tape.apply(MaxPool2, [*x])
    }

    fn up(&mut self, x: &Slot, (weight, bias): &(Var, Var)) -> Result<Slot> {
        let inputs = [*x, self.slot(weight)?, self.slot(bias)?];
        self.tape.apply(UpConv, inputs)
    }

    fn last(&mut self, x: &Slot, (weight, bias): &(Var, Var)) -> Result<Slot> {
        let inputs = [*x, self.slot(weight)?, self.slot(bias)?];
        self.tape.apply(PointwiseConv, inputs)
    }
}

/// A network that learns; the batch's moments are put aside.
struct Lesson {
    unet: Unet,
    moments: Arc<Mutex<Vec<(ConvNorm, Moments)>>>,
}

impl Chain for Lesson {
    const NAME: &'static str = "U-Net";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let parameters = self.unet.parameters().into_iter().enumerate();
        let slots = parameters.map(|(at, var)| (var.id(), Slot::parameter(at))).collect();
        let mut layers = Learning { tape, slots, moments: Vec::new() };
        let logits = self.unet.logits(&mut layers, Slot::INPUT)?;
        *self.moments.lock().unwrap_or_else(PoisonError::into_inner) = layers.moments;
        Ok(logits)
    }
}

/// Logits of padded images without the padding, `[b, h, w]`.
fn cropped(logits: &Tensor, images: &Tensor) -> Result<Tensor> {
    let (_, height, width, _) = images.dims4()?;
    logits.squeeze(3)?.narrow(1, 0, height)?.narrow(2, 0, width)?.contiguous()
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
#[derive(Clone, Debug)]
struct DoubleConv([ConvNorm; 2]);

impl DoubleConv {
    fn new(vars: &BTreeMap<String, Var>, name: &str) -> Result<Self> {
        Ok(Self([ConvNorm::new(vars, name, 1)?, ConvNorm::new(vars, name, 2)?]))
    }

    /// Of one image or of the channels of two.
    fn forward<L: Layers>(&self, layers: &mut L, x: &[&L::Image]) -> Result<L::Image> {
        let half = layers.conv_norm(x, &self.0[0])?;
        layers.conv_norm(&[&half], &self.0[1])
    }
}

#[derive(Clone, Debug)]
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
            let logits = network.apply(&x).unwrap().logits;
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
