//! The Haar transform of images and its inverse (MODELS 8.1): orthonormal, each the adjoint of the other.
//!
//! Images `[b, h, w, C]`; bands `[b, ceil(h/2), ceil(w/2), 4C]`, channel `4c + band` with the bands LL, LH (difference of rows), HL
//! (difference of columns), HH. Odd sides are continued by a row or column of zeros.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::real::Real;
use super::storage::{on_cpu, slice};

/// Bands of an image.
pub(crate) const BANDS: usize = 4;

/// `[b, h, w, C]` to `[b, ceil(h/2), ceil(w/2), 4C]`.
///
/// # Errors
/// If `x` is no image or neither `f32` nor `f64`.
pub(crate) fn haar(x: &Tensor) -> Result<Tensor> {
    let (_, height, width, _) = x.dims4()?;
    on_cpu([x], |[x]| x.apply_op1(Haar { height, width, is_inverse: false }))
}

/// `[b, ceil(h/2), ceil(w/2), 4C]` to `[b, h, w, C]`.
///
/// # Errors
/// If the bands are not those of such an image or neither `f32` nor `f64`.
pub(crate) fn inverse_haar(bands: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
    on_cpu([bands], |[bands]| bands.apply_op1(Haar { height, width, is_inverse: true }))
}

#[derive(Clone, Copy)]
struct Haar {
    /// Of the image.
    height: usize,
    width: usize,
    is_inverse: bool,
}

impl CustomOp1 for Haar {
    fn name(&self) -> &'static str {
        "haar"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Self { height, width, is_inverse } = *self;
        let &[images, rows, columns, channels] = layout.dims() else {
            bail!("haar: expected an image, found {:?}", layout.dims())
        };
        let halves = (height.div_ceil(2), width.div_ceil(2));
        let shape = if is_inverse {
            if (rows, columns) != halves || !channels.is_multiple_of(BANDS) {
                bail!("haar: expected the bands of {height} x {width}, found {:?}", layout.dims())
            }
            (images, height, width, channels / BANDS)
        } else {
            (images, halves.0, halves.1, BANDS * channels)
        };
        let y = match storage {
            CpuStorage::F32(_) => CpuStorage::F32(self.transformed(slice(storage, layout)?, shape)),
            CpuStorage::F64(_) => CpuStorage::F64(self.transformed(slice(storage, layout)?, shape)),
            _ => bail!("haar: expected f32 or f64"),
        };
        Ok((y, shape.into()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let adjoint = Self { is_inverse: !self.is_inverse, ..*self };
        Ok(Some(dy.contiguous()?.apply_op1_no_bwd(&adjoint)?))
    }
}

impl Haar {
    /// To a tensor of `shape`.
    fn transformed<T: Real>(self, x: &[T], shape: (usize, usize, usize, usize)) -> Vec<T> {
        let (images, rows, columns, channels) = shape;
        let (pair, row) = (if self.is_inverse { 2 } else { 1 }, columns * channels);
        let mut y = vec![T::zero(); images * rows * row];
        let bands_per_image = rows.div_ceil(pair);
        y.par_chunks_exact_mut((rows * row).max(1))
            .enumerate()
            .flat_map(|(image, y)| {
                y.par_chunks_mut((pair * row).max(1))
                    .enumerate()
                    .map(move |(at, y)| (image * bands_per_image + at, y))
            })
            .for_each(|(at, y)| {
                let (image, at) = (at / bands_per_image, at % bands_per_image);
                if self.is_inverse {
                    self.join(x, image, at, y);
                } else {
                    self.split(x, image, at, y);
                }
            });
        y
    }

    /// One row of bands.
    fn split<T: Real>(self, x: &[T], image: usize, at: usize, bands: &mut [T]) {
        let halves = self.width.div_ceil(2);
        let channels = bands.len() / halves / BANDS;
        let half = T::of(0.5);
        for (column, bands) in bands.chunks_exact_mut(BANDS * channels).enumerate() {
            let pixel = |dy: usize, dx: usize| {
                let (y, x_) = (2 * at + dy, 2 * column + dx);
                (y < self.height && x_ < self.width).then(|| {
                    &x[((image * self.height + y) * self.width + x_) * channels..][..channels]
                })
            };
            let corners = [pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)];
            for (c, bands) in bands.chunks_exact_mut(BANDS).enumerate() {
                let [a, b, c, d] = corners.map(|it| it.map_or(T::zero(), |it| it[c]));
                let (sum, rows, columns, diagonal) =
                    (a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d);
                bands.copy_from_slice(&[sum * half, rows * half, columns * half, diagonal * half]);
            }
        }
    }

    /// One or, above the last, two rows of the image.
    fn join<T: Real>(self, bands: &[T], image: usize, at: usize, pixels: &mut [T]) {
        let (rows, columns) = (self.height.div_ceil(2), self.width.div_ceil(2));
        let row = pixels.len() / (self.height - 2 * at).min(2);
        let channels = row / self.width;
        let half = T::of(0.5);
        for (dy, pixels) in pixels.chunks_exact_mut(row).enumerate() {
            for (x, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
                let start = ((image * rows + at) * columns + x / 2) * BANDS * channels;
                let bands = bands[start..][..BANDS * channels].chunks_exact(BANDS);
                for (to, bands) in pixel.iter_mut().zip(bands) {
                    let (ll, lh, hl, hh) = (bands[0], bands[1], bands[2], bands[3]);
                    *to = half
                        * match (dy, x % 2) {
                            (0, 0) => ll + lh + hl + hh,
                            (0, _) => ll + lh - hl - hh,
                            (_, 0) => ll - lh + hl - hh,
                            _ => ll - lh - hl + hh,
                        };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, assert_near, normal};

    #[test]
    fn the_inverse_brings_back_any_size() {
        for (h, w) in [(1, 1), (2, 2), (5, 8), (6, 3)] {
            let x = normal(&[2, h, w, 3], 1);
            let bands = haar(&x).unwrap();
            assert_eq!(bands.dims(), [2, h.div_ceil(2), w.div_ceil(2), 12]);
            assert_near(&inverse_haar(&bands, (h, w)).unwrap(), &x, 1e-14, "image");
        }
    }

    #[test]
    fn a_flat_image_lies_in_the_first_band_alone_and_energy_stays() {
        let x =
            Tensor::ones((1, 4, 4, 1), candle_core::DType::F64, &candle_core::Device::Cpu).unwrap();
        let bands: Vec<f64> = haar(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(bands, [2.0, 0.0, 0.0, 0.0].repeat(4));
        let x = normal(&[1, 6, 4, 2], 2);
        let energy = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
        assert!((energy(&x) - energy(&haar(&x).unwrap())).abs() < 1e-12);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for (h, w) in [(1, 1), (4, 2), (3, 5)] {
            assert_gradients(&[normal(&[1, h, w, 2], 3)], |t| haar(&t[0]));
            let bands = normal(&[1, h.div_ceil(2), w.div_ceil(2), 8], 4);
            assert_gradients(&[bands], |t| inverse_haar(&t[0], (h, w)));
        }
    }
}
