//! Every layer of a U-Net beside the tensor library's own operations for it, forward and backward, in one run:
//! what each operation of ours gains.
//!
//! `layers [SIDE [CHANNELS]]` prints a table in Markdown; by default the first level of base 16 at 512 px. The library keeps
//! channels first and sums gradients on one thread; its max pooling has a wrong gradient, whose time is compared all the same.

use std::time::{Duration, Instant};

use candle_core::{D, DType, Device, Result, Var};
use model::timing::{self, Layer, Pass, Workload};

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Repeats until this long has passed.
const ENOUGH: Duration = Duration::from_secs(1);

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
fn main() -> Outcome<()> {
    model::threads::keep_tensors_on_their_thread()?;
    model::memory::keep_freed_blocks();
    let numbers = std::env::args().filter_map(|it| it.parse().ok()).collect::<Vec<usize>>();
    let (side, channels) =
        (numbers.first().copied().unwrap_or(512), numbers.get(1).copied().unwrap_or(16));
    println!("| {side} x {side} px, {channels} channels | ours | the library's | ratio |");
    println!("|---|---|---|---|");
    for (name, layer) in [
        ("convolution 3 x 3", Layer::Convolution),
        ("batch norm and ReLU", Layer::BatchNorm),
        ("max pooling", Layer::MaxPool),
        ("up-convolution", Layer::Up),
        ("decision", Layer::Decision),
    ] {
        let ours = best(&mut timing::layer(layer, side, channels, Pass::Training)?)?;
        let theirs = best(&mut by_the_library(layer, side, channels)?)?;
        println!("| {name} | {ours:.1} ms | {theirs:.1} ms | {:.1}x |", theirs / ours);
    }
    Ok(())
}

/// The shortest of several runs, milliseconds.
fn best(workload: &mut Workload) -> Outcome<f64> {
    workload()?;
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < ENOUGH {
        let run = Instant::now();
        workload()?;
        best = best.min(run.elapsed());
    }
    Ok(best.as_secs_f64() * 1e3)
}

/// The same computation of the library's operations.
fn by_the_library(layer: Layer, side: usize, channels: usize) -> Result<Workload> {
    let var = |shape: &[usize]| Var::randn(0f32, 1.0, shape, &Device::Cpu);
    let x = var(&[1, channels, side, side])?;
    let (weight, bias) = match layer {
        Layer::Convolution => (var(&[channels, channels, 3, 3])?, var(&[channels])?),
        Layer::Up => (var(&[channels, channels / 2, 2, 2])?, var(&[1, channels / 2, 1, 1])?),
        Layer::Decision => (var(&[1, channels, 1, 1])?, var(&[1])?),
        Layer::BatchNorm | Layer::MaxPool => {
            (var(&[1, channels, 1, 1])?, var(&[1, channels, 1, 1])?)
        }
    };
    let run = move || -> Result<()> {
        let y = match layer {
            Layer::Convolution => x.conv2d(&weight, 1, 1, 1, 1)?,
            Layer::Up => x.conv_transpose2d(&weight, 0, 0, 2, 1)?.broadcast_add(&bias)?,
            Layer::Decision => x.conv2d(&weight, 0, 1, 1, 1)?.broadcast_add(&bias)?,
            Layer::MaxPool => x.max_pool2d(2)?,
            Layer::BatchNorm => {
                let pixels = x.flatten_from(2)?;
                let mean = pixels.mean_keepdim(D::Minus1)?.unsqueeze(3)?;
                let centered = x.broadcast_sub(&mean)?;
                let variance =
                    centered.sqr()?.flatten_from(2)?.mean_keepdim(D::Minus1)?.unsqueeze(3)?;
                let scale = (weight.as_tensor() / (variance + 1e-5)?.sqrt()?)?;
                centered.broadcast_mul(&scale)?.broadcast_add(&bias)?.relu()?
            }
        };
        y.to_dtype(DType::F32)?.sum_all()?.backward()?;
        Ok(())
    };
    Ok(Box::new(move || run().map_err(timing::TimingError::from)))
}
