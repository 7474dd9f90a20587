//! Draws a [`frame::Frame`] with wgpu: slide tiles from an atlas, the heatmap over them.
//!
//! Knows no window toolkit, no file and no model. `prepare` uploads within a budget, `paint` draws.

pub mod frame;
