//! Rust mirrors of what the shaders read; `tests/shaders.rs` compares both layouts.

use std::mem::offset_of;

/// Mirror of `TileInstance` in `shaders/tile.wgsl`, one per drawn tile.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TileInstance {
    /// Visible part: left, top, right, bottom in clip space.
    pub clip: [f32; 4],
    /// The same in texels of the tile.
    pub texels: [f32; 4],
    /// Centers of the last texel column and row.
    pub texel_limit: [f32; 2],
    /// 1 = linear; `n` = the step from one texel to the next takes `1/n` of a texel.
    pub crispness: f32,
    /// Distance of four taps from the pixel center in texels, across and down; 0 = one tap.
    pub tap_offset: f32,
    /// Layer of the atlas.
    pub layer: u32,
    /// From the upright canvas to the screen's: a 2 x 2 matrix in clip space, row by row.
    pub turn: [f32; 4],
}

impl TileInstance {
    /// As vertex attributes: location, format, offset.
    pub const ATTRIBUTES: [wgpu::VertexAttribute; 7] = [
        attribute(0, wgpu::VertexFormat::Float32x4, offset_of!(Self, clip)),
        attribute(1, wgpu::VertexFormat::Float32x4, offset_of!(Self, texels)),
        attribute(2, wgpu::VertexFormat::Float32x2, offset_of!(Self, texel_limit)),
        attribute(3, wgpu::VertexFormat::Float32, offset_of!(Self, crispness)),
        attribute(4, wgpu::VertexFormat::Float32, offset_of!(Self, tap_offset)),
        attribute(5, wgpu::VertexFormat::Uint32, offset_of!(Self, layer)),
        attribute(6, wgpu::VertexFormat::Float32x4, offset_of!(Self, turn)),
    ];
}

const fn attribute(
    shader_location: u32,
    format: wgpu::VertexFormat,
    offset: usize,
) -> wgpu::VertexAttribute {
    wgpu::VertexAttribute { format, offset: offset as wgpu::BufferAddress, shader_location }
}

/// The turn of a canvas that is not turned.
pub const UPRIGHT: [f32; 4] = [1.0, 0.0, 0.0, 1.0];

/// Mirror of `FieldUniform` in `shaders/shared/field.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FieldUniform {
    /// Drawn rectangle: left, top, right, bottom in clip space.
    pub clip: [f32; 4],
    /// The same in canvas pixels.
    pub canvas: [f32; 4],
    /// Frame of the heatmap: left, top, right, bottom in canvas pixels.
    pub frame: [f32; 4],
    /// From the upright canvas to the screen's: a 2 x 2 matrix in clip space, row by row.
    pub turn: [f32; 4],
    /// Cells across and down that one canvas pixel covers.
    pub cells_per_px: [f32; 2],
    /// Cut-off in multiples of `1 /` [`domain::heatmap::FIELD_ONE`].
    pub threshold: u32,
    /// Row of the colormap texture.
    pub colormap: u32,
    /// `0.0..=1.0`, of the fill.
    pub opacity: f32,
    /// Width of the dark line and of the light line, each, in canvas pixels.
    pub line_px: f32,
    /// WGSL rounds the struct up to 16 bytes.
    pub pad: [u32; 2],
}

/// Mirror of `BandUniform` in `shaders/band.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct BandUniform {
    /// Drawn rectangle: left, top, right, bottom in clip space.
    pub clip: [f32; 4],
    /// The same in texels.
    pub texels: [f32; 4],
    /// From the upright canvas to the screen's: a 2 x 2 matrix in clip space, row by row.
    pub turn: [f32; 4],
    /// A value is drawn as `offset + gain * value`.
    pub gain: f32,
    /// What 0 is drawn as.
    pub offset: f32,
    /// WGSL rounds the struct up to 16 bytes.
    pub pad: [f32; 2],
}

/// Mirror of `SplitUniform` in `shaders/shared/split.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct SplitUniform {
    /// Columns and rows of the field.
    pub frame: [u32; 2],
    /// Columns and rows of the picture.
    pub picture: [u32; 2],
    /// Mirrored columns and rows before the picture.
    pub margin: [u32; 2],
    /// Channel of the real parts; the next one is in the imaginary parts.
    pub channel: u32,
    /// 0 = the low band, 1 = the high band.
    pub band: u32,
}

/// Mirror of `StageUniform` in `shaders/band_fft.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StageUniform {
    /// Columns and rows of the field.
    pub frame: [u32; 2],
    /// 0 = along rows, 1 = along columns.
    pub axis: u32,
    /// How many transforms become one.
    pub radix: u32,
    /// Length of each of them.
    pub span: u32,
    /// 1 = forward, -1 = inverse without its scale.
    pub direction: f32,
}

/// Names of the constants that specialize `shaders/tile.wgsl`.
pub mod tile_override {
    /// Whether the scanner's colors are brought to the screen's by a table.
    pub const HAS_COLOR_TABLE: &str = "HAS_COLOR_TABLE";
    /// Whether some tile of the frame is minified and needs four taps.
    pub const HAS_FOUR_TAPS: &str = "HAS_FOUR_TAPS";
}

/// Names of the constants that specialize `shaders/heatmap.wgsl`.
pub mod heatmap_override {
    /// Whether the foreground is colored.
    pub const HAS_FILL: &str = "HAS_FILL";
    /// Whether the cut-off is outlined.
    pub const HAS_CONTOUR: &str = "HAS_CONTOUR";
}

/// First number of a span outside the frame; `OUTSIDE` in `shaders/shared/field.wgsl`.
pub const SPAN_OUTSIDE: u32 = u32::MAX;

/// Added to the fraction of a span that reaches into the next cell; `STEP` in
/// `shaders/shared/field.wgsl`.
pub const SPAN_STEP: u32 = 0x1_0000;
