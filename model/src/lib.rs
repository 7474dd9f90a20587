//! Slides in, heatmaps out; labelled folders in, models out. No candle type leaves this crate.

pub mod analysis;
mod cam;
pub mod device;
pub mod fmamil;
pub mod loss;
mod nn;
pub mod registry;
mod train;

#[cfg(test)]
mod testing;
