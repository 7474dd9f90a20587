//! The shaders as the driver receives them: shared parts first, joined as text.

use std::borrow::Cow;

const CORNER: &str = include_str!("../../../shaders/shared/corner.wgsl");
const FIELD: &str = include_str!("../../../shaders/shared/field.wgsl");
const SPLIT: &str = include_str!("../../../shaders/shared/split.wgsl");

/// Slide tiles.
pub const TILE: Shader =
    Shader { name: "tile", parts: &[CORNER, include_str!("../../../shaders/tile.wgsl")] };

/// The heatmap over the slide.
pub const HEATMAP: Shader = Shader {
    name: "heatmap",
    parts: &[CORNER, FIELD, include_str!("../../../shaders/heatmap.wgsl")],
};

/// The binary mask.
pub const MASK: Shader =
    Shader { name: "mask", parts: &[CORNER, FIELD, include_str!("../../../shaders/mask.wgsl")] };

/// One band of the picture.
pub const BAND: Shader =
    Shader { name: "band", parts: &[CORNER, include_str!("../../../shaders/band.wgsl")] };

/// A picture becomes a field to be transformed.
pub const BAND_MIRROR: Shader = Shader {
    name: "band_mirror",
    parts: &[SPLIT, include_str!("../../../shaders/band_mirror.wgsl")],
};

/// One stage of a transform.
pub const BAND_FFT: Shader =
    Shader { name: "band_fft", parts: &[include_str!("../../../shaders/band_fft.wgsl")] };

/// One band of a spectrum.
pub const BAND_GAIN: Shader =
    Shader { name: "band_gain", parts: &[SPLIT, include_str!("../../../shaders/band_gain.wgsl")] };

/// A field becomes planes of values.
pub const BAND_CROP: Shader =
    Shader { name: "band_crop", parts: &[SPLIT, include_str!("../../../shaders/band_crop.wgsl")] };

/// Every shader there is.
pub const ALL: [Shader; 8] =
    [TILE, HEATMAP, MASK, BAND, BAND_MIRROR, BAND_FFT, BAND_GAIN, BAND_CROP];

/// One shader with a `vs_main` and a `fs_main`, or with a `cs_main`.
#[derive(Clone, Copy, Debug)]
pub struct Shader {
    /// Name of its file.
    pub name: &'static str,
    parts: &'static [&'static str],
}

impl Shader {
    /// The whole text.
    pub fn source(&self) -> String {
        self.parts.join("\n")
    }

    pub(crate) fn compile(&self, device: &wgpu::Device) -> wgpu::ShaderModule {
        device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(self.name),
            source: wgpu::ShaderSource::Wgsl(Cow::Owned(self.source())),
        })
    }
}
