//! `SiLU` as one pass forward and one backward.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::lanes::{Kernel, dispatch};
use super::real::Real;
use super::storage::{on_cpu, read, slice, tensor};

/// Elements per task.
const CHUNK: usize = 16 * 1024;

/// `x * sigmoid(x)`, any shape.
///
/// # Errors
/// If `x` is neither `f32` nor `f64`.
pub(crate) fn silu(x: &Tensor) -> Result<Tensor> {
    on_cpu([x], |[x]| x.apply_op1(Silu))
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(forward::<f32>(slice(x, layout)?)),
            CpuStorage::F64(_) => CpuStorage::F64(forward::<f64>(slice(x, layout)?)),
            _ => bail!("silu: expected f32 or f64"),
        };
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        let dx = match x.dtype() {
            DType::F64 => read(x, |x| read(&dy, |dy| backward::<f64>(x, dy, dy.len())))?,
            _ => read(x, |x| read(&dy, |dy| backward::<f32>(x, dy, dy.len())))?,
        };
        Ok(Some(dx.reshape(x.shape())?))
    }
}

fn forward<T: Real>(x: &[T]) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| dispatch(Forward { x, y }));
    y
}

fn backward<T: Real>(x: &[T], dy: &[T], len: usize) -> Result<Tensor> {
    let mut dx = vec![T::zero(); len];
    dx.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK).zip(dy.par_chunks(CHUNK)))
        .for_each(|(dx, (x, dy))| dispatch(Backward { x, dy, dx }));
    tensor(dx, len)
}

struct Forward<'a, T> {
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = x.silu::<FMA>();
        }
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (dx, (x, dy)) in self.dx.iter_mut().zip(self.x.iter().zip(self.dy)) {
            *dx = *dy * x.silu_slope::<FMA>();
        }
    }
}
