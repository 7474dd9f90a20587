//! `WTConv`: a depthwise convolution, and further ones on the image's Haar bands (MODELS 8.2).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::camseg::network::{Start, Weights, kaiming};
use crate::nn::depthwise_conv::depthwise_conv;
use crate::nn::haar::{BANDS, haar, inverse_haar};

/// Share of the wavelet path at the start.
const FIRST_SCALE: f32 = 0.1;

/// `[b, h, w, C]` to the same shape, seeing `2^levels` times as far as its filters.
#[derive(Debug)]
pub(crate) struct WaveletConv {
    base: Filter,
    base_bias: Tensor,
    levels: Vec<Filter>,
}

/// Depthwise filters `[C, 1, k, k]` and a factor per channel.
#[derive(Debug)]
struct Filter {
    weight: Tensor,
    scale: Tensor,
}

impl Filter {
    /// The filters times their factors: the same as the result times them.
    fn scaled(&self) -> Result<Tensor> {
        self.weight.broadcast_mul(&self.scale.reshape(((), 1, 1, 1))?)
    }
}

impl WaveletConv {
    /// Filters of `kernel` x `kernel`, from `base_conv`, `base_scale`, `wavelet_convs.j` and `wavelet_scale.j`.
    pub(crate) fn new(
        channels: usize,
        kernel: usize,
        levels: usize,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let base = Filter {
            weight: vb.get((channels, 1, kernel, kernel), "base_conv.weight")?,
            scale: vb.get(channels, "base_scale")?,
        };
        let bands = BANDS * channels;
        let level = |j: usize| {
            let weight =
                vb.get((bands, 1, kernel, kernel), &format!("wavelet_convs.{j}.weight"))?;
            Ok(Filter { weight, scale: vb.get(bands, &format!("wavelet_scale.{j}"))? })
        };
        Ok(Self {
            base,
            base_bias: vb.get(channels, "base_conv.bias")?,
            levels: (0..levels).map(level).collect::<Result<_>>()?,
        })
    }

    /// Of a network in training.
    pub(in crate::camseg) fn weights(
        to: &mut Weights<'_>,
        channels: usize,
        kernel: usize,
        levels: usize,
    ) {
        let (taps, bands) = (kernel * kernel, BANDS * channels);
        to.add("base_conv.weight", &[channels, 1, kernel, kernel], kaiming(taps));
        to.add("base_conv.bias", &[channels], kaiming(taps));
        to.add("base_scale", &[channels], Start::Constant(1.0));
        for j in 0..levels {
            let shape = [bands, 1, kernel, kernel];
            to.add(&format!("wavelet_convs.{j}.weight"), &shape, kaiming(taps));
            to.add(&format!("wavelet_scale.{j}"), &[bands], Start::Constant(FIRST_SCALE));
        }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let base = (&self.base_bias * &self.base.scale)?;
        let y = depthwise_conv(x, &self.base.scaled()?, &base)?;
        match self.details(x, &self.levels)? {
            Some(details) => y + details,
            None => Ok(y),
        }
    }

    /// What `levels` add to an image: its bands are filtered, the next level sees the first of them as it was.
    fn details(&self, x: &Tensor, levels: &[Filter]) -> Result<Option<Tensor>> {
        let Some((filter, coarser)) = levels.split_first() else { return Ok(None) };
        let (_, height, width, channels) = x.dims4()?;
        let bands = haar(x)?;
        let none = Tensor::zeros(BANDS * channels, x.dtype(), x.device())?;
        let mut filtered = depthwise_conv(&bands, &filter.scaled()?, &none)?;
        if !coarser.is_empty() {
            let (b, h, w, _) = bands.dims4()?;
            let by_band = |t: &Tensor| t.reshape((b, h, w, channels, BANDS));
            let low = by_band(&bands)?.narrow(4, 0, 1)?.squeeze(4)?.contiguous()?;
            if let Some(from_below) = self.details(&low, coarser)? {
                let from_below = from_below.unsqueeze(4)?.pad_with_zeros(4, 0, BANDS - 1)?;
                filtered = (by_band(&filtered)? + from_below)?.reshape(bands.dims())?;
            }
        }
        Ok(Some(inverse_haar(&filtered, (height, width))?))
    }
}
