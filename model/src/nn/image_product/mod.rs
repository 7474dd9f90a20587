//! Matrix products over images, channel last, without gathering what an output pixel sees.
//!
//! What a pixel of a 3 x 3 convolution sees are three runs of neighbouring values, one per row of the
//! padded image; for a pixel of a transposed convolution it is one run. [`Walk`] says where the runs lie.
//! [`forward`] multiplies them with fixed weights, [`weight_gradient`] with the output's gradient. Sums
//! stay in registers; `pulp` picks the instructions at run time. No sum depends on the number of threads.

mod gradient;
mod panels;
mod product;

pub(crate) use gradient::{Cotangent, weight_gradient};
pub(crate) use panels::Panels;
pub(crate) use product::{forward, forward_onto};

/// Where the runs lie that the output pixels of one image see. All steps count values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    /// Rows of output pixels.
    pub(crate) rows: usize,
    /// Output pixels per row.
    pub(crate) columns: usize,
    /// From one output row to the next.
    pub(crate) row_step: usize,
    /// From one output pixel to the next.
    pub(crate) pixel_step: usize,
    /// Runs per output pixel.
    pub(crate) runs: usize,
    /// Values per run.
    pub(crate) run_len: usize,
    /// From one run to the next.
    pub(crate) run_step: usize,
}

impl Walk {
    /// Values that one output pixel sees.
    pub(crate) fn inner(self) -> usize {
        self.runs * self.run_len
    }
}

/// Rows of output pixels that one task computes: enough to reuse weights from the cache, few enough to give
/// every thread work. Results do not depend on it.
pub(crate) fn band_rows(images: usize, rows: usize, columns: usize) -> usize {
    let tasks = rayon::current_num_threads().div_ceil(images.max(1));
    (BAND_PIXELS / columns.max(1)).max(1).min(rows.div_ceil(tasks)).max(1)
}

/// Output pixels that one task computes.
const BAND_PIXELS: usize = 1024;

/// Registers side by side that the columns of a panel fill: two hide the latency of a multiply-add and
/// halve the loads, unless one holds all outputs.
fn registers(outputs: usize, lanes: usize) -> usize {
    if outputs <= lanes { 1 } else { 2 }
}

/// The widest panel: two registers of sixteen values.
const MAX_PANEL: usize = 32;
/// Pixels worked on at a time with 32 registers (AVX-512).
const MANY_ROWS: usize = 8;
/// Pixels worked on at a time with 16 registers.
const FEW_ROWS: usize = 6;

/// Calls `$run::<S, ROWS, REGISTERS>` with the shape of block that fits this machine's registers.
macro_rules! with_block {
    ($self:ident, $simd:ident, $registers:expr, $S:ident) => {
        match ($S::F32_LANES, $registers) {
            (16, 1) => $self.run::<$S, { super::MANY_ROWS }, 1>($simd),
            (16, _) => $self.run::<$S, { super::MANY_ROWS }, 2>($simd),
            (_, 1) => $self.run::<$S, { super::FEW_ROWS }, 1>($simd),
            (_, _) => $self.run::<$S, { super::FEW_ROWS }, 2>($simd),
        }
    };
}
use with_block;
