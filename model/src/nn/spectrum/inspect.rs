//! What a filter does, for looking at: spectra of signals and of filters, without gradients.

use candle_core::{DType, Result, Tensor, bail};

use super::super::lanes::WIDTH;
use super::super::real::Real;
use super::super::storage::{tensor, to_vec};
use super::learned::mix;
use super::transform::{Transform, split};

/// Real and imaginary part of `rfft(x)` along the tokens: `x` `[b, L, E]` to two `[b, L / 2 + 1, E]`, no gradient.
///
/// # Errors
/// If the type is neither `f32` nor `f64`.
pub(crate) fn spectrum(x: &Tensor) -> Result<(Tensor, Tensor)> {
    match x.dtype() {
        DType::F64 => spectrum_of::<f64>(x),
        _ => spectrum_of::<f32>(x),
    }
}

fn spectrum_of<T: Real>(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let (batch, length, channels) = x.dims3()?;
    let bins = length / 2 + 1;
    let transform = Transform::<T>::new(length);
    let mut room = transform.room();
    let mut re = vec![T::zero(); batch * bins * channels];
    let mut im = re.clone();
    let x: Vec<T> = to_vec(x)?;
    for (bag, rows) in x.chunks_exact(length * channels).enumerate() {
        for first in (0..channels).step_by(WIDTH) {
            let window = first..channels.min(first + WIDTH);
            let mut spectra = transform.spectra(window.len());
            transform.forward(&mut room, rows, window.clone(), &mut spectra);
            for (at, channel) in window.enumerate() {
                let pair = &spectra[at / 2 * length..][..length];
                for bin in 0..bins {
                    let value = split(pair, bin)[at % 2];
                    let at = (bag * bins + bin) * channels + channel;
                    (re[at], im[at]) = (value.re, value.im);
                }
            }
        }
    }
    Ok((tensor(re, (batch, bins, channels))?, tensor(im, (batch, bins, channels))?))
}

/// One part of a learned filter, `[E, G]` at its nodes, at the bins of a transform of length `length`:
/// `[length / 2 + 1, E]`, no gradient.
///
/// # Errors
/// If there are fewer than two nodes.
pub(crate) fn interpolated_filter(part: &Tensor, length: usize) -> Result<Tensor> {
    let (_, count) = part.dims2()?;
    if count < 2 {
        bail!("learned filter: expected at least 2 nodes, found {count}")
    }
    let mix = Tensor::from_vec(mix(length, count), (length / 2 + 1, count), part.device())?;
    mix.to_dtype(part.dtype())?.matmul(&part.t()?)
}
