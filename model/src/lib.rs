//! Slides in, heatmaps out; labelled folders in, models out. No candle type leaves this crate.

pub mod analysis;
pub mod assets;
pub mod bag;
pub mod cam;
pub mod camseg;
pub mod data;
pub mod device;
pub mod encoder;
pub mod eval;
pub mod fixture;
pub mod fmamil;
pub mod lens;
pub mod loss;
pub mod memory;
pub mod mil;
pub mod registry;
pub mod threads;
pub mod timing;
pub mod train;
pub mod wise;

mod nn;
mod pipeline;
mod stopwatch;
#[cfg(test)]
mod testing;
