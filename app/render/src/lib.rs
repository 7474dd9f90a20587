//! Draws a [`frame::Frame`] with wgpu: slide tiles from an atlas, the heatmap over them.
//!
//! Knows no window toolkit, no file and no model. [`Renderer::prepare`] uploads within a budget,
//! [`Renderer::paint`] draws into a pass whose viewport is the canvas. [`band_compute`] takes pictures apart on the same device.
//!
//! | space   | unit                                  | origin                              |
//! |---------|---------------------------------------|-------------------------------------|
//! | canvas  | device pixel                          | top-left of the canvas, y down      |
//! | clip    | -1 to 1 over the canvas               | middle of the canvas, y up          |
//! | texel   | pixel of a tile                       | top-left of the tile, y down        |
//!
//! Positions become canvas pixels in `f64` on the CPU, so nothing jitters far from the slide's
//! corner; the GPU sees only numbers of the size of the canvas.

pub mod band_compute;
mod band_pass;
mod bindings;
mod canvas;
mod color_texture;
pub mod colormap;
pub mod error;
mod field_textures;
pub mod frame;
pub mod gpu_data;
pub mod headless;
mod occlusion;
mod overlay_pass;
mod pipeline;
mod readback;
mod renderer;
mod residency;
pub mod shaders;
mod tile_atlas;
mod tile_pass;

pub use error::RenderError;
pub use renderer::{Prepared, Renderer, RendererConfig};
