//! Cubic B-splines on a fixed grid: the learned functions of a KAN are sums of them (MODELS 8.6).

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::real::Real;
use super::storage::{on_cpu, read, slice, tensor};

/// Bases over five cells of `-1.0..1.0` and three more on either side.
pub(crate) const BASES: usize = CELLS + ORDER;
const CELLS: usize = 5;
const ORDER: usize = 3;
const N_KNOTS: usize = CELLS + 2 * ORDER + 1;
/// Values per task.
const BLOCK: usize = 4096;

/// `[..]` to `[.., 8]`: every basis at every value (Cox-de Boor, half-open cells, 0 beyond the knots).
///
/// # Errors
/// If the type is neither `f32` nor `f64`.
pub(crate) fn b_splines(x: &Tensor) -> Result<Tensor> {
    on_cpu([x], |[x]| x.apply_op1(BSplines))
}

/// The knots, `-1 - 3h` to `1 + 3h` in steps of `h`.
pub(crate) fn knots() -> [f64; N_KNOTS] {
    let h = 2.0 / CELLS as f64;
    std::array::from_fn(|i| (i as f64 - ORDER as f64) * h - 1.0)
}

/// The bases at a value, and their slopes.
fn bases<T: Real>(x: T, knots: &[T; N_KNOTS]) -> ([T; BASES], [T; BASES]) {
    let mut b = [T::zero(); N_KNOTS - 1];
    for (b, cell) in b.iter_mut().zip(knots.windows(2)) {
        *b = if cell[0] <= x && x < cell[1] { T::one() } else { T::zero() };
    }
    let mut slopes = [T::zero(); BASES];
    for order in 1..=ORDER {
        if order == ORDER {
            let order = T::of(ORDER as f64);
            for (i, slope) in slopes.iter_mut().enumerate() {
                let (left, right) =
                    (knots[i + ORDER] - knots[i], knots[i + ORDER + 1] - knots[i + 1]);
                *slope = order * (b[i] / left - b[i + 1] / right);
            }
        }
        for i in 0..N_KNOTS - 1 - order {
            let left = (x - knots[i]) / (knots[i + order] - knots[i]) * b[i];
            let right =
                (knots[i + order + 1] - x) / (knots[i + order + 1] - knots[i + 1]) * b[i + 1];
            b[i] = left + right;
        }
    }
    (std::array::from_fn(|i| b[i]), slopes)
}

struct BSplines;

impl CustomOp1 for BSplines {
    fn name(&self) -> &'static str {
        "b-splines"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match storage {
            CpuStorage::F32(_) => CpuStorage::F32(values::<f32>(slice(storage, layout)?)),
            CpuStorage::F64(_) => CpuStorage::F64(values::<f64>(slice(storage, layout)?)),
            _ => bail!("b-splines: expected f32 or f64"),
        };
        Ok((y, [layout.dims(), &[BASES]].concat().into()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        let dx = match x.dtype() {
            DType::F64 => gradient::<f64>(x, &dy)?,
            _ => gradient::<f32>(x, &dy)?,
        };
        Ok(Some(dx))
    }
}

fn values<T: Real>(x: &[T]) -> Vec<T> {
    let knots = knots().map(T::of);
    let mut y = vec![T::zero(); x.len() * BASES];
    y.par_chunks_mut(BLOCK * BASES).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(BASES).zip(x) {
            y.copy_from_slice(&bases(*x, &knots).0);
        }
    });
    y
}

fn gradient<T: Real>(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let knots = knots().map(T::of);
    let mut dx = vec![T::zero(); x.elem_count()];
    read::<T, _>(x, |x| {
        read::<T, _>(dy, |dy| {
            let blocks = x.par_chunks(BLOCK).zip(dy.par_chunks(BLOCK * BASES));
            dx.par_chunks_mut(BLOCK).zip(blocks).for_each(|(dx, (x, dy))| {
                for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy.chunks_exact(BASES)) {
                    let (_, slopes) = bases(*x, &knots);
                    *dx = slopes.iter().zip(dy).fold(T::zero(), |sum, (a, b)| sum + *a * *b);
                }
            });
            Ok(())
        })
    })?;
    tensor(dx, x.shape())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradients, normal};
    use candle_core::Device;

    fn at(x: f64) -> Vec<f64> {
        b_splines(&Tensor::new(&[x], &Device::Cpu).unwrap())
            .unwrap()
            .squeeze(0)
            .unwrap()
            .to_vec1()
            .unwrap()
    }

    #[test]
    fn inside_the_grid_the_bases_add_up_to_one() {
        for x in [-1.0, -0.73, 0.0, 0.2, 0.999] {
            assert!((at(x).iter().sum::<f64>() - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn far_outside_all_are_zero_and_nan_stays_nan() {
        assert!(at(2.2000001).iter().chain(&at(-2.3)).all(|it| *it == 0.0));
        assert!(at(f64::NAN).iter().all(|it| it.is_nan()));
    }

    #[test]
    fn in_the_middle_of_its_five_knots_a_basis_is_two_thirds() {
        let middle = knots()[5];
        assert!((at(middle)[3] - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        assert_gradients(&[normal(&[3, 7], 1)], |t| b_splines(&t[0]));
    }
}
