//! The selective scan of one direction, fused with its step-size projection (Alg. 2, lines 14-17).
//!
//! For a token sequence `x` and per token a row `[dt, B, C]`:
//! `delta_t = softplus(W_dt dt_t + b_dt)`, `h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t`, `h_0 = 0`,
//! `y_t = <C_t, h_t> + D x_t`, per channel with its own state of `S` numbers.
//!
//! The state stays in registers, sixteen channels at a time. For the gradient only the state at every
//! [`CHUNK`]-th step is kept; the steps between are computed again, so memory grows with `L / CHUNK`.
//! Sums over channels and bags are taken in a fixed order: results do not depend on the number of threads.

mod backward;
mod chunk;
mod forward;
#[cfg(test)]
mod tests;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::ScanDirection;
use super::real::Real;
use super::storage::{on_cpu, read, slice, tensor};

/// Steps between two kept states.
const CHUNK: usize = 64;

/// Channels per task.
const GROUP: usize = 64;

/// What a direction has learned about its channels; `E` channels, state `S`, step-size rank `R`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanParams<'a> {
    /// `A`, `[E, S]`, negative.
    pub(crate) decay: &'a Tensor,
    /// `D`, `[E]`.
    pub(crate) skip: &'a Tensor,
    /// `b_dt`, `[E]`.
    pub(crate) dt_bias: &'a Tensor,
    /// `W_dt`, `[E, R]`.
    pub(crate) dt_weight: &'a Tensor,
}

/// `x` `[b, L, E]`, `projected` `[b, L, R + 2S]` (columns dt, B, C) to `y` `[b, L, E]`.
///
/// # Errors
/// If shapes disagree or the type is neither `f32` nor `f64`.
pub(crate) fn selective_scan(
    x: &Tensor,
    projected: &Tensor,
    params: ScanParams<'_>,
    direction: ScanDirection,
) -> Result<Tensor> {
    let state = params.decay.dim(1)?;
    let rank = params.dt_weight.dim(1)?;
    let (skip, bias) = (params.skip.unsqueeze(1)?, params.dt_bias.unsqueeze(1)?);
    let packed = Tensor::cat(&[params.decay, &skip, &bias, params.dt_weight], 1)?;
    on_cpu([x, projected, &packed], |[x, projected, packed]| {
        x.apply_op3(&projected, &packed, Op { state, rank, direction })
    })
}

#[derive(Clone, Copy, Debug)]
struct Size {
    length: usize,
    channels: usize,
    state: usize,
    rank: usize,
    direction: ScanDirection,
}

impl Size {
    /// Numbers per token in `projected`.
    fn row(&self) -> usize {
        self.rank + 2 * self.state
    }

    /// Numbers per channel in the packed parameters: A, D, bias, weight.
    fn params(&self) -> usize {
        self.state + 2 + self.rank
    }
}

/// The op's inputs as slices.
#[derive(Clone, Copy, Debug)]
struct Inputs<'a, T> {
    x: &'a [T],
    projected: &'a [T],
    params: &'a [T],
    size: Size,
}

impl<'a, T: Real> Inputs<'a, T> {
    /// One bag's `x` and `projected`.
    fn bag(&self, bag: usize) -> (&'a [T], &'a [T]) {
        let (x, row) = (self.size.length * self.size.channels, self.size.length * self.size.row());
        (&self.x[bag * x..(bag + 1) * x], &self.projected[bag * row..(bag + 1) * row])
    }
}

struct Op {
    state: usize,
    rank: usize,
    direction: ScanDirection,
}

impl Op {
    fn size(&self, x: &Shape, projected: &Shape, params: &Shape) -> Result<Size> {
        let (batch, length, channels) = x.dims3()?;
        let size = Size {
            length,
            channels,
            state: self.state,
            rank: self.rank,
            direction: self.direction,
        };
        if projected.dims() != [batch, length, size.row()]
            || params.dims() != [channels, size.params()]
        {
            bail!(
                "selective scan of {x:?}: expected rows {:?} and parameters {:?}, found {projected:?} and {params:?}",
                [batch, length, size.row()],
                [channels, size.params()],
            )
        }
        Ok(size)
    }

    fn gradients<T: Real>(
        &self,
        [x, projected, params, dy]: [&Tensor; 4],
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let size = self.size(x.shape(), projected.shape(), params.shape())?;
        let (dx, d_projected, d_params) = read(x, |x| {
            read(projected, |projected| {
                read(params, |params| {
                    let inputs = Inputs::<T> { x, projected, params, size };
                    read(dy, |dy| Ok(backward::run(inputs, dy)))
                })
            })
        })?;
        Ok((
            tensor(dx, x.shape())?,
            tensor(d_projected, projected.shape())?,
            tensor(d_params, params.shape())?,
        ))
    }
}

impl CustomOp3 for Op {
    fn name(&self) -> &'static str {
        "selective-scan"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        projected: &CpuStorage,
        projected_layout: &Layout,
        params: &CpuStorage,
        params_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = x_layout.shape();
        let size = self.size(shape, projected_layout.shape(), params_layout.shape())?;
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(forward::run::<f32>(Inputs {
                x: slice(x, x_layout)?,
                projected: slice(projected, projected_layout)?,
                params: slice(params, params_layout)?,
                size,
            })),
            CpuStorage::F64(_) => CpuStorage::F64(forward::run::<f64>(Inputs {
                x: slice(x, x_layout)?,
                projected: slice(projected, projected_layout)?,
                params: slice(params, params_layout)?,
                size,
            })),
            _ => bail!("selective scan: expected f32 or f64"),
        };
        Ok((y, shape.clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        projected: &Tensor,
        params: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let inputs = [x, projected, params, &dy.contiguous()?];
        let (dx, d_projected, d_params) = match x.dtype() {
            DType::F64 => self.gradients::<f64>(inputs)?,
            _ => self.gradients::<f32>(inputs)?,
        };
        Ok((Some(dx), Some(d_projected), Some(d_params)))
    }
}
