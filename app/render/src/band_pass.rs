//! Draws one band of the picture over the tiles: a texture of values, a rectangle, a draw call.
//!
//! Another gain or offset writes a few bytes; the values are uploaded once.

use std::sync::Arc;

use domain::coords::PixelSize;
use half::f16;

use crate::bindings::{create_texture, extent, texture, uniform};
use crate::canvas::{Canvas, CanvasRect};
use crate::error::{RenderError, check_size};
use crate::frame::{BandFrame, BandPicture};
use crate::gpu_data::BandUniform;
use crate::pipeline::PassPipeline;
use crate::shaders;

/// Half floats: twenty times as fine as the steps of a screen.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// Pipeline, the last picture, and whether it is drawn this frame.
#[derive(Debug)]
pub(crate) struct BandPass {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
    uniform: wgpu::Buffer,
    resident: Option<(Arc<BandPicture>, wgpu::BindGroup)>,
    is_shown: bool,
}

impl BandPass {
    pub(crate) fn new(device: &wgpu::Device, target_format: wgpu::TextureFormat) -> Self {
        let layout = create_layout(device);
        let pass = PassPipeline {
            label: "band",
            layout: &layout,
            module: &shaders::BAND.compile(device),
            constants: &[],
            buffers: &[],
            target: target_format.into(),
        };
        let pipeline = pass.create(device);
        let uniform = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("band"),
            size: size_of::<BandUniform>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { layout, pipeline, uniform, resident: None, is_shown: false }
    }

    /// Uploads the values if they are others, and lays them out.
    ///
    /// # Errors
    /// If the band is larger than a texture may be; it is not drawn then.
    pub(crate) fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        canvas: &Canvas,
        band: Option<&BandFrame>,
    ) -> Result<(), RenderError> {
        self.is_shown = false;
        let Some(band) = band else {
            self.resident = None;
            return Ok(());
        };
        let frame = canvas.canvas_from_level0(band.picture.area());
        let Some(visible) = frame.intersection(canvas.rect()) else { return Ok(()) };
        if self.resident.as_ref().is_none_or(|(it, _)| !Arc::ptr_eq(it, &band.picture)) {
            self.upload(device, queue, &band.picture)?;
        }
        let uniform = BandUniform {
            clip: canvas.clip_from_canvas(visible),
            texels: texels(band.picture.size(), frame, visible),
            turn: canvas.turn(),
            gain: band.gain,
            offset: band.offset,
            pad: [0.0; 2],
        };
        queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform));
        self.is_shown = true;
        Ok(())
    }

    /// Draws what was prepared.
    pub(crate) fn paint(&self, pass: &mut wgpu::RenderPass<'_>) {
        if let Some((_, bind_group)) = self.resident.as_ref().filter(|_| self.is_shown) {
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.draw(0..4, 0..1);
        }
    }

    /// Draws nothing until the next `prepare`.
    pub(crate) fn clear(&mut self) {
        self.is_shown = false;
    }

    fn upload(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        picture: &Arc<BandPicture>,
    ) -> Result<(), RenderError> {
        let PixelSize { width, height } = picture.size();
        check_size(device, "a band", picture.size())?;
        let texture = create_texture(device, "band", picture.size(), FORMAT);
        let bytes: &[u8] = bytemuck::cast_slice(picture.texels());
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(width * 8),
            rows_per_image: Some(height),
        };
        queue.write_texture(texture.as_image_copy(), bytes, layout, extent(picture.size()));
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("band"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: self.uniform.as_entire_binding() },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: wgpu::BindingResource::TextureView(&view),
                },
            ],
        });
        self.resident = Some((Arc::clone(picture), bind_group));
        Ok(())
    }
}

/// Half floats red, green, blue and 1 of planes red, green and blue, as bits.
pub(crate) fn interleaved(planes: &[f32], n_pixels: usize) -> Vec<[u16; 4]> {
    let one = f16::ONE.to_bits();
    let bits = |at: usize| planes.get(at).map_or(0, |it| f16::from_f32(*it).to_bits());
    let texel = |at: usize| [bits(at), bits(at + n_pixels), bits(at + 2 * n_pixels), one];
    (0..n_pixels).map(texel).collect()
}

/// `visible` of `frame`, both in canvas pixels, in texels.
fn texels(size: PixelSize, frame: CanvasRect, visible: CanvasRect) -> [f32; 4] {
    let x = |px: f64| ((px - frame.left) / frame.width() * f64::from(size.width)) as f32;
    let y = |px: f64| ((px - frame.top) / frame.height() * f64::from(size.height)) as f32;
    [x(visible.left), y(visible.top), x(visible.right), y(visible.bottom)]
}

fn create_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let values = texture(1, wgpu::TextureSampleType::Float { filterable: false });
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("band"),
        entries: &[uniform(0), values],
    })
}
