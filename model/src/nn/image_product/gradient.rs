//! What output pixels saw times the gradient of the output, summed over all pixels: the weights' gradient.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::panels::panel_width;
use super::{Walk, with_block};
use crate::nn::lanes::add_onto;
use crate::nn::vectors::Vectors;

/// Pixels whose part of the gradient is repacked at a time; a panel of them fits the first cache.
const BAND_PIXELS: usize = 256;
/// Rows of the gradient per task when parts are put together.
const TOTAL_ROWS: usize = 32;
/// Least number of tasks, so that narrow layers keep several threads busy.
const MIN_TASKS: usize = 8;

/// Gradient of the outputs of a batch of images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cotangent<'a, T> {
    /// Rows of `[columns, outputs]`.
    pub(crate) values: &'a [T],
    /// Values per image.
    pub(crate) image: usize,
    /// Values from row to row.
    pub(crate) row_step: usize,
    /// Values per pixel.
    pub(crate) outputs: usize,
}

/// Gradient of the weights `[inner, outputs]`; `x` holds `x_image` values per image.
///
/// # Panics
/// If `x` or the cotangent is shorter than `walk` says.
pub(crate) fn weight_gradient<T: Vectors>(
    x: &[T],
    x_image: usize,
    walk: Walk,
    dy: Cotangent<'_, T>,
) -> Vec<T> {
    let (width, registers) = panel_width::<T>(dy.outputs);
    let n_panels = dy.outputs.div_ceil(width);
    let bands = bands(x.len() / x_image, walk);
    let n_groups = MIN_TASKS.div_ceil(n_panels).clamp(1, bands.len());
    let group = bands.len().div_ceil(n_groups);
    let tasks: Vec<_> = (0..n_panels)
        .flat_map(|panel| bands.chunks(group).map(move |bands| (panel, bands)))
        .collect();
    let parts: Vec<(usize, Vec<T>)> = tasks
        .into_par_iter()
        .map(|(panel, bands)| {
            let mut sums = vec![T::zero(); walk.inner() * width];
            let mut packed = Vec::new();
            for band in bands {
                let walk = Walk { rows: band.rows, ..walk };
                pack(dy, *band, panel * width, width, walk.columns, &mut packed);
                let x = &x[band.image * x_image + band.row * walk.row_step..];
                Arch::new().dispatch(Outer { x, walk, dy: &packed, sums: &mut sums, registers });
            }
            (panel, sums)
        })
        .collect();
    let mut total = vec![T::zero(); walk.inner() * dy.outputs];
    total.par_chunks_mut(TOTAL_ROWS * dy.outputs).enumerate().for_each(|(at, total)| {
        for (panel, part) in &parts {
            let columns = panel * width..dy.outputs.min((panel + 1) * width);
            let part = part.chunks_exact(width).skip(at * TOTAL_ROWS);
            for (to, from) in total.chunks_exact_mut(dy.outputs).zip(part) {
                add_onto(&mut to[columns.clone()], from);
            }
        }
    });
    total
}

/// Neighbouring rows of one image.
#[derive(Clone, Copy, Debug)]
struct Band {
    image: usize,
    row: usize,
    rows: usize,
}

fn bands(images: usize, walk: Walk) -> Vec<Band> {
    let rows = (BAND_PIXELS / walk.columns).clamp(1, walk.rows);
    let of_image = |image| {
        let band = move |row| Band { image, row, rows: rows.min(walk.rows - row) };
        (0..walk.rows).step_by(rows).map(band)
    };
    (0..images).flat_map(of_image).collect()
}

/// Copies the columns `from..from + width` of a band's gradient, zeros beyond the last.
fn pack<T: Vectors>(
    dy: Cotangent<'_, T>,
    band: Band,
    from: usize,
    width: usize,
    columns: usize,
    packed: &mut Vec<T>,
) {
    packed.clear();
    packed.resize(band.rows * columns * width, T::zero());
    let to = dy.outputs.min(from + width);
    for (row, packed) in packed.chunks_exact_mut(columns * width).enumerate() {
        let start = band.image * dy.image + (band.row + row) * dy.row_step;
        let pixels = dy.values[start..].chunks_exact(dy.outputs);
        for (packed, pixel) in packed.chunks_exact_mut(width).zip(pixels) {
            packed[..to - from].copy_from_slice(&pixel[from..to]);
        }
    }
}

/// Adds a band's products to `sums` `[inner, width]`.
struct Outer<'a, T> {
    x: &'a [T],
    walk: Walk,
    /// `[pixels, width]`.
    dy: &'a [T],
    sums: &'a mut [T],
    registers: usize,
}

impl<T: Vectors> WithSimd for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_block!(self, simd, self.registers, S);
    }
}

impl<T: Vectors> Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const REGISTERS: usize>(self, simd: S) {
        let Walk { run_len, run_step, .. } = self.walk;
        let dy = T::view::<S>(self.dy).as_chunks::<REGISTERS>().0;
        let sums = T::view_mut::<S>(self.sums).as_chunks_mut::<REGISTERS>().0;
        for (run, sums) in sums.chunks_exact_mut(run_len).enumerate() {
            let x = &self.x[run * run_step..];
            let (blocks, rest) = sums.as_chunks_mut::<ROWS>();
            for (index, sums) in blocks.iter_mut().enumerate() {
                block(simd, &x[index * ROWS..], self.walk, dy, sums);
            }
            let done = run_len - rest.len();
            for (index, sums) in rest.iter_mut().enumerate() {
                block(simd, &x[done + index..], self.walk, dy, std::array::from_mut(sums));
            }
        }
    }
}

/// Adds to `sums` the products of [`ROWS`] neighbouring values that each pixel saw with its gradient.
#[inline(always)]
fn block<T: Vectors, S: Simd, const ROWS: usize, const REGISTERS: usize>(
    simd: S,
    x: &[T],
    walk: Walk,
    dy: &[[T::Vector<S>; REGISTERS]],
    sums: &mut [[T::Vector<S>; REGISTERS]; ROWS],
) {
    let mut local = [[T::splat(simd, T::zero()); REGISTERS]; ROWS];
    for (row, dy) in dy.chunks_exact(walk.columns).enumerate() {
        let x = &x[row * walk.row_step..];
        for (column, dy) in dy.iter().enumerate() {
            let seen = &x[column * walk.pixel_step..][..ROWS];
            for (local, seen) in local.iter_mut().zip(seen) {
                let seen = T::splat(simd, *seen);
                for (sum, dy) in local.iter_mut().zip(dy) {
                    *sum = T::fused(simd, seen, *dy, *sum);
                }
            }
        }
    }
    for (sums, local) in sums.iter_mut().zip(&local) {
        for (sum, local) in sums.iter_mut().zip(local) {
            *sum = T::plus(simd, *sum, *local);
        }
    }
}
