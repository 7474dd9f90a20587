//! The selective scan of one direction with its step-size projection (Alg. 2, lines 14-17).
//!
//! For a token sequence `x` and per token a row `[dt, B, C]`:
//! `delta_t = softplus(W_dt dt_t + b_dt)`, `h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t`, `h_0 = 0`,
//! `y_t = <C_t, h_t> + D x_t`, per channel with its own state of `S` numbers.
//!
//! `W_dt dt_t` is a matrix product over all tokens; everything after it is one fused operation.
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
use super::linear::project;
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
    let (batch, length, channels) = x.dims3()?;
    if projected.dims() != [batch, length, rank + 2 * state] {
        bail!(
            "selective scan of {x:?}: expected rows {:?}, found {:?}",
            [batch, length, rank + 2 * state],
            projected.dims()
        )
    }
    let raw = project(&projected.narrow(2, 0, rank)?.contiguous()?, params.dt_weight)?;
    let gates = projected.narrow(2, rank, 2 * state)?.contiguous()?.flatten_all()?;
    let (skip, bias) = (params.skip.unsqueeze(1)?, params.dt_bias.unsqueeze(1)?);
    let channel_rows = Tensor::cat(&[params.decay, &skip, &bias], 1)?.flatten_all()?;
    let packed = Tensor::cat(&[gates, channel_rows], 0)?;
    let size = Size { length, channels, state, direction };
    on_cpu([x, &raw, &packed], |[x, raw, packed]| x.apply_op3(&raw, &packed, Op { size }))
}

#[derive(Clone, Copy, Debug)]
struct Size {
    length: usize,
    channels: usize,
    state: usize,
    direction: ScanDirection,
}

impl Size {
    /// Numbers `[B, C]` per token.
    fn gates(&self) -> usize {
        2 * self.state
    }

    /// Numbers `[A, D, bias]` per channel.
    fn params(&self) -> usize {
        self.state + 2
    }
}

/// The op's inputs as slices.
#[derive(Clone, Copy, Debug)]
struct Inputs<'a, T> {
    /// `[b, L, E]`.
    x: &'a [T],
    /// `W_dt dt`, `[b, L, E]`.
    raw: &'a [T],
    /// `[b, L, 2S]`.
    gates: &'a [T],
    /// `[E, S + 2]`.
    params: &'a [T],
    size: Size,
}

impl<'a, T: Real> Inputs<'a, T> {
    /// `packed` is the gates, then the parameters.
    fn new(x: &'a [T], raw: &'a [T], packed: &'a [T], size: Size) -> Self {
        let (gates, params) = packed.split_at(packed.len() - size.channels * size.params());
        Self { x, raw, gates, params, size }
    }

    /// One bag alone.
    fn bag(&self, bag: usize) -> Self {
        let (tokens, gates) =
            (self.size.length * self.size.channels, self.size.length * self.size.gates());
        let tokens = bag * tokens..(bag + 1) * tokens;
        Self {
            x: &self.x[tokens.clone()],
            raw: &self.raw[tokens],
            gates: &self.gates[bag * gates..(bag + 1) * gates],
            ..*self
        }
    }
}

struct Op {
    size: Size,
}

impl Op {
    fn gradients<T: Real>(
        &self,
        [x, raw, packed, dy]: [&Tensor; 4],
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (dx, d_raw, d_packed) = read(x, |x| {
            read(raw, |raw| {
                read(packed, |packed| {
                    let inputs = Inputs::<T>::new(x, raw, packed, self.size);
                    read(dy, |dy| Ok(backward::run(inputs, dy)))
                })
            })
        })?;
        Ok((tensor(dx, x.shape())?, tensor(d_raw, raw.shape())?, tensor(d_packed, packed.shape())?))
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
        raw: &CpuStorage,
        raw_layout: &Layout,
        packed: &CpuStorage,
        packed_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(forward::run::<f32>(Inputs::new(
                slice(x, x_layout)?,
                slice(raw, raw_layout)?,
                slice(packed, packed_layout)?,
                self.size,
            ))),
            CpuStorage::F64(_) => CpuStorage::F64(forward::run::<f64>(Inputs::new(
                slice(x, x_layout)?,
                slice(raw, raw_layout)?,
                slice(packed, packed_layout)?,
                self.size,
            ))),
            _ => bail!("selective scan: expected f32 or f64"),
        };
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        raw: &Tensor,
        packed: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let inputs = [x, raw, packed, &dy.contiguous()?];
        let (dx, d_raw, d_packed) = match x.dtype() {
            DType::F64 => self.gradients::<f64>(inputs)?,
            _ => self.gradients::<f32>(inputs)?,
        };
        Ok((Some(dx), Some(d_raw), Some(d_packed)))
    }
}
