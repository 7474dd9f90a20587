//! Filters along the token axis by FFT: the learnable frequency-domain encoding (Alg. 1, Eqs 10-12)
//! and fixed bands (Table 5).
//!
//! `rfft` is not normalized, its inverse by `1 / L`. Frequencies are relative: 0 is the mean, 1 Nyquist.
//! A learned filter is stored at equally spaced frequencies and interpolated, so it fits any length.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp3, DType, Error, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;
use realfft::num_complex::Complex;

use super::lanes::{WIDTH, column_windows};
use super::real::Real;
use super::storage::{on_cpu, read, slice, tensor};

mod transform;

use transform::{Gradient, Node, Transform, edge, nodes};

/// Where "low" ends, relative to Nyquist.
const LOW: f64 = 0.2;
/// Where "high" begins, relative to Nyquist.
const HIGH: f64 = 0.8;

/// A third of the spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Band {
    /// Below 0.2 of Nyquist.
    Low,
    /// From 0.2 to 0.8 of Nyquist, both included.
    Mid,
    /// Above 0.8 of Nyquist.
    High,
}

impl Band {
    /// Whether bin `bin` of a transform of length `length` belongs to the band.
    pub(crate) fn contains(self, bin: usize, length: usize) -> bool {
        let frequency = 2.0 * bin as f64 / length as f64;
        match self {
            Self::Low => frequency < LOW,
            Self::Mid => (LOW..=HIGH).contains(&frequency),
            Self::High => frequency > HIGH,
        }
    }
}

/// `irfft(W rfft(x))` per channel: `x` `[b, L, E]`; real and imaginary part of `W` at `G` nodes, each `[E, G]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn learned_filter(x: &Tensor, re: &Tensor, im: &Tensor) -> Result<Tensor> {
    on_cpu([x, re, im], |[x, re, im]| x.apply_op3(&re, &im, LearnedFilter))
}

/// The part of `x` `[b, L, E]` that lies in `band`; the three bands sum to `x`.
///
/// # Errors
/// If the type is neither `f32` nor `f64`.
pub(crate) fn band_pass(x: &Tensor, band: Band) -> Result<Tensor> {
    on_cpu([x], |[x]| x.apply_op1(BandPass { band }))
}

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
    let mut work = transform.work();
    let mut re = vec![T::zero(); batch * bins * channels];
    let mut im = re.clone();
    let x: Vec<T> = super::storage::to_vec(x)?;
    for (bag, rows) in x.chunks_exact(length * channels).enumerate() {
        for channel in 0..channels {
            transform.forward(&mut work, rows.iter().skip(channel).step_by(channels))?;
            for (bin, value) in work.spectrum.iter().enumerate() {
                let at = (bag * bins + bin) * channels + channel;
                (re[at], im[at]) = (value.re, value.im);
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
    let mut mix = vec![0.0; (length / 2 + 1) * count];
    for (row, node) in mix.chunks_exact_mut(count).zip(nodes::<f64>(length, count)) {
        row[node.first] = 1.0 - node.weight;
        row[node.first + 1] = node.weight;
    }
    let mix = Tensor::from_vec(mix, (length / 2 + 1, count), part.device())?;
    mix.to_dtype(part.dtype())?.matmul(&part.t()?)
}

struct BandPass {
    band: Band,
}

impl BandPass {
    fn apply<T: Real>(&self, x: &[T], length: usize, channels: usize) -> Result<CpuStorage> {
        let y = filter(x, length, channels, |_, bin| {
            let gain = if self.band.contains(bin, length) { T::one() } else { T::zero() };
            Complex::new(gain, T::zero())
        })?;
        Ok(T::to_cpu_storage_owned(y))
    }
}

impl CustomOp1 for BandPass {
    fn name(&self) -> &'static str {
        "band-pass"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, length, channels) = layout.shape().dims3()?;
        let y = match x {
            CpuStorage::F32(_) => self.apply::<f32>(slice(x, layout)?, length, channels)?,
            CpuStorage::F64(_) => self.apply::<f64>(slice(x, layout)?, length, channels)?,
            _ => bail!("band pass: expected f32 or f64"),
        };
        Ok((y, layout.shape().clone()))
    }

    /// A real symmetric gain is its own adjoint.
    fn bwd(&self, _x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        band_pass(dy, self.band).map(Some)
    }
}

struct LearnedFilter;

impl CustomOp3 for LearnedFilter {
    fn name(&self) -> &'static str {
        "learned-filter"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        re: &CpuStorage,
        re_layout: &Layout,
        im: &CpuStorage,
        im_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, length, channels) = x_layout.shape().dims3()?;
        let (filters, count) = re_layout.shape().dims2()?;
        if filters != channels || count < 2 || im_layout.dims() != re_layout.dims() {
            bail!(
                "learned filter of {:?}: expected two [{channels}, G >= 2], found {:?} and {:?}",
                x_layout.dims(),
                re_layout.dims(),
                im_layout.dims()
            )
        }
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(learned::<f32>(
                slice(x, x_layout)?,
                (slice(re, re_layout)?, slice(im, im_layout)?),
                (length, channels, count),
                Adjoint::No,
            )?),
            CpuStorage::F64(_) => CpuStorage::F64(learned::<f64>(
                slice(x, x_layout)?,
                (slice(re, re_layout)?, slice(im, im_layout)?),
                (length, channels, count),
                Adjoint::No,
            )?),
            _ => bail!("learned filter: expected f32 or f64"),
        };
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        re: &Tensor,
        im: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, d_re, d_im) = match x.dtype() {
            DType::F64 => gradients::<f64>(x, re, im, &dy)?,
            _ => gradients::<f32>(x, re, im, &dy)?,
        };
        Ok((Some(dx), Some(d_re), Some(d_im)))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Adjoint {
    No,
    Yes,
}

/// The filter between its nodes.
#[inline]
fn at_node<T: Real>(re: &[T], im: &[T], node: &Node<T>) -> Complex<T> {
    let mix = |w: &[T]| w[node.first] + node.weight * (w[node.first + 1] - w[node.first]);
    Complex::new(mix(re), mix(im))
}

fn learned<T: Real>(
    x: &[T],
    (re, im): (&[T], &[T]),
    (length, channels, count): (usize, usize, usize),
    adjoint: Adjoint,
) -> Result<Vec<T>> {
    let nodes = nodes::<T>(length, count);
    filter(x, length, channels, |channel, bin| {
        let row = channel * count..(channel + 1) * count;
        let w = at_node(&re[row.clone()], &im[row], &nodes[bin]);
        if adjoint == Adjoint::Yes { w.conj() } else { w }
    })
}

/// Multiplies the spectrum of every channel of every bag by `gain(channel, bin)`.
fn filter<T: Real>(
    x: &[T],
    length: usize,
    channels: usize,
    gain: impl Fn(usize, usize) -> Complex<T> + Sync,
) -> Result<Vec<T>> {
    let transform = Transform::new(length);
    let mut y = vec![T::zero(); x.len()];
    column_windows(&mut y, channels, WIDTH).into_par_iter().enumerate().try_for_each(
        |(block, mut y)| {
            let mut work = transform.work();
            for (bag, y) in y.chunks_exact_mut(length).enumerate() {
                let rows = &x[bag * length * channels..(bag + 1) * length * channels];
                for lane in 0..y.first().map_or(0, |row| row.len()) {
                    let channel = block * WIDTH + lane;
                    transform.forward(&mut work, rows.iter().skip(channel).step_by(channels))?;
                    for (bin, value) in work.spectrum.iter_mut().enumerate() {
                        *value *= gain(channel, bin);
                    }
                    let signal = transform.inverse(&mut work)?;
                    y.iter_mut().zip(signal).for_each(|(row, value)| row[lane] = *value);
                }
            }
            Ok::<(), Error>(())
        },
    )?;
    Ok(y)
}

/// Gradients in `x`, real and imaginary nodes. With `Y = W X`: `dX = conj(W) dY`, and for a bin of
/// multiplicity `c`: `dW = c / L conj(X) dY`.
fn gradients<T: Real>(
    x: &Tensor,
    re: &Tensor,
    im: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (_, length, channels) = x.dims3()?;
    let count = re.dim(1)?;
    let dims = (length, channels, count);
    let dx = read(re, |re| {
        read(im, |im| read(dy, |dy| learned::<T>(dy, (re, im), dims, Adjoint::Yes)))
    })?;
    let nodes = nodes::<T>(length, count);
    let (d_re, d_im) = read(x, |x| read(dy, |dy| weight_gradients(x, dy, dims, &nodes)))?;
    Ok((tensor(dx, x.shape())?, tensor(d_re, re.shape())?, tensor(d_im, re.shape())?))
}

fn weight_gradients<T: Real>(
    x: &[T],
    dy: &[T],
    (length, channels, count): (usize, usize, usize),
    nodes: &[Node<T>],
) -> Result<(Vec<T>, Vec<T>)> {
    let transform = Transform::new(length);
    let bag = length * channels;
    let per_channel: Vec<Gradient<T>> = (0..channels)
        .into_par_iter()
        .map(|channel| {
            let (mut work, mut other) = (transform.work(), transform.work());
            let mut gradient = Gradient::zero(count);
            for (x, dy) in x.chunks_exact(bag).zip(dy.chunks_exact(bag)) {
                transform.forward(&mut work, x.iter().skip(channel).step_by(channels))?;
                transform.forward(&mut other, dy.iter().skip(channel).step_by(channels))?;
                let bins = work.spectrum.iter().zip(&other.spectrum).zip(nodes);
                for (bin, ((x, dy), node)) in bins.enumerate() {
                    let multiplicity = if edge(bin, length) { 1.0 } else { 2.0 };
                    gradient.add(node, x.conj() * dy * T::of(multiplicity / length as f64));
                }
            }
            Ok(gradient)
        })
        .collect::<Result<_>>()?;
    let d_re = per_channel.iter().flat_map(|g| g.re.iter().copied()).collect();
    Ok((d_re, per_channel.iter().flat_map(|g| g.im.iter().copied()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn gradients_equal_finite_differences_at_even_and_odd_lengths() {
        for length in [1, 2, 7, 12] {
            let inputs = [normal(&[2, length, 3], 1), normal(&[3, 4], 2), normal(&[3, 4], 3)];
            assert_gradients(&inputs, |t| learned_filter(&t[0], &t[1], &t[2]));
            assert_gradients(&inputs[..1], |t| band_pass(&t[0], Band::Low));
        }
    }

    #[test]
    fn bands_sum_to_the_signal() {
        for length in [1, 2, 5, 92, 101] {
            let x = normal(&[1, length, 17], 4);
            let [low, mid, high] =
                [Band::Low, Band::Mid, Band::High].map(|band| band_pass(&x, band).unwrap());
            assert_near(&((low + mid).unwrap() + high).unwrap(), &x, 1e-12, "sum of bands");
        }
    }

    #[test]
    fn a_constant_is_low_and_an_alternation_is_high() {
        let ones = Tensor::ones((1, 8, 1), DType::F64, &candle_core::Device::Cpu).unwrap();
        assert_near(&band_pass(&ones, Band::Low).unwrap(), &ones, 1e-12, "constant");
        let signs: Vec<f64> = (0..8).map(|t| if t % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let signs = tensor(signs, (1, 8, 1)).unwrap();
        assert_near(&band_pass(&signs, Band::High).unwrap(), &signs, 1e-12, "alternation");
    }
}
