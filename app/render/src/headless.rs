//! Pictures and masks without a window: for tests, thumbnails and reports.

use std::sync::Arc;

use domain::coords::PixelSize;
use domain::heatmap::{CellSpan, Heatmap};
use domain::mask::{BinaryMask, BinaryThreshold, mask_raster};
use domain::pixels::Pixels;

use crate::canvas::Canvas;
use crate::error::{RenderError, check_size};
use crate::field_textures::{self, FieldTextures};
use crate::frame::{CanvasPlace, Frame};
use crate::gpu_data::{FieldUniform, UPRIGHT};
use crate::pipeline::PassPipeline;
use crate::readback;
use crate::renderer::{Renderer, RendererConfig};
use crate::shaders;

/// A device of its own.
#[derive(Debug)]
pub struct Headless {
    adapter: wgpu::AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// Color format of the pictures.
pub const PICTURE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Headless {
    /// Takes the fastest adapter there is, a software driver if there is no other.
    ///
    /// # Errors
    /// If no driver answers or the adapter gives no device.
    pub fn new() -> Result<Self, RenderError> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options))
            .map_err(|error| RenderError::NoAdapter(error.to_string()))?;
        let info = adapter.get_info();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("headless"),
            required_limits: wgpu::Limits::downlevel_defaults()
                .using_resolution(adapter.limits())
                .using_alignment(adapter.limits()),
            ..Default::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
                RenderError::NoDevice { adapter: info.name.clone(), reason: error.to_string() }
            })?;
        tracing::debug!(adapter = info.name, backend = ?info.backend, "headless rendering");
        Ok(Self { adapter: info, device, queue })
    }

    /// Which adapter it is.
    pub fn adapter(&self) -> &wgpu::AdapterInfo {
        &self.adapter
    }

    /// The device, for passes of the caller's own.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The queue of [`Self::device`].
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// A renderer for [`Self::render`].
    pub fn renderer(&self, config: RendererConfig) -> Renderer {
        Renderer::new(&self.device, &self.queue, PICTURE_FORMAT, config)
    }

    /// Draws `frame` over clear black, with as many uploads as it needs.
    ///
    /// # Errors
    /// If the canvas or the heatmap is larger than a texture may be.
    pub fn render(&self, renderer: &mut Renderer, frame: &Frame) -> Result<Pixels, RenderError> {
        loop {
            let prepared = renderer.prepare(&self.device, &self.queue, frame);
            if let Some(error) = prepared.overlay_error {
                return Err(error);
            }
            if prepared.pending_uploads == 0 {
                break;
            }
        }
        self.paint(renderer, frame)
    }

    /// Draws what `renderer` prepared for `frame`, complete or not.
    ///
    /// # Errors
    /// If the canvas is larger than a texture may be, or the picture cannot be read back.
    pub fn paint(&self, renderer: &Renderer, frame: &Frame) -> Result<Pixels, RenderError> {
        self.picture(frame, |pass, place| renderer.paint(pass, place))
    }

    /// As [`Self::paint`], the second canvas.
    ///
    /// # Errors
    /// As [`Self::paint`].
    pub fn paint_beside(&self, renderer: &Renderer, frame: &Frame) -> Result<Pixels, RenderError> {
        self.picture(frame, |pass, place| renderer.paint_beside(pass, place))
    }

    fn picture(
        &self,
        frame: &Frame,
        paint: impl FnOnce(&mut wgpu::RenderPass<'static>, CanvasPlace),
    ) -> Result<Pixels, RenderError> {
        let size = Canvas::of(frame).map_or(PixelSize::default(), |canvas| canvas.on_screen());
        if size.area() == 0 {
            return Ok(Pixels::filled(size, [0; 4]));
        }
        check_size(&self.device, "a picture", size)?;
        let place = CanvasPlace { left: 0, top: 0, size };
        let rgba = self.draw(size, PICTURE_FORMAT, |pass| paint(pass, place))?;
        Pixels::new(size, rgba)
            .ok_or_else(|| RenderError::Readback("its size changed on the way".to_owned()))
    }

    /// Cuts `heatmap` at `threshold` on the GPU, on the raster of [`BinaryMask::cut`].
    ///
    /// # Errors
    /// As [`Self::mask_pass`], or if the mask cannot be read back.
    pub fn mask(
        &self,
        heatmap: &Arc<Heatmap>,
        threshold: BinaryThreshold,
    ) -> Result<BinaryMask, RenderError> {
        self.mask_pass(heatmap, mask_raster(heatmap.frame()))?.cut(threshold)
    }

    /// Prepares cutting `heatmap` on a `raster` that fills its frame.
    ///
    /// # Errors
    /// If the heatmap or the raster is larger than a texture may be.
    pub fn mask_pass(
        &self,
        heatmap: &Arc<Heatmap>,
        raster: PixelSize,
    ) -> Result<MaskPass<'_>, RenderError> {
        check_size(&self.device, "a mask", raster)?;
        let mut field = FieldTextures::new(&self.device);
        field.set_heatmap(&self.device, &self.queue, heatmap)?;
        let some = |spans: Vec<CellSpan>| -> Vec<_> { spans.into_iter().map(Some).collect() };
        let columns = some(heatmap.raster_columns(raster.width));
        let rows = some(heatmap.raster_rows(raster.height));
        field.set_spans(&self.device, &self.queue, &columns, &rows)?;
        let layout = field_textures::create_layout(&self.device, false);
        let pass = PassPipeline {
            label: "mask",
            layout: &layout,
            module: &shaders::MASK.compile(&self.device),
            constants: &[],
            buffers: &[],
            target: wgpu::TextureFormat::R8Unorm.into(),
        };
        let pipeline = pass.create(&self.device);
        Ok(MaskPass {
            headless: self,
            heatmap: Arc::clone(heatmap),
            raster,
            bind_group: field.bind_group(&self.device, &layout, None),
            field,
            pipeline,
        })
    }

    /// Runs one pass over clear black and reads the picture back, rows without padding.
    fn draw(
        &self,
        size: PixelSize,
        format: wgpu::TextureFormat,
        paint: impl FnOnce(&mut wgpu::RenderPass<'static>),
    ) -> Result<Vec<u8>, RenderError> {
        let extent =
            wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: 1 };
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("headless picture"),
            size: extent,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("headless picture"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        paint(&mut pass.forget_lifetime());
        let row_bytes = size.width * format.block_copy_size(None).unwrap_or(4);
        let padded = row_bytes.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("headless picture"),
            size: u64::from(padded) * u64::from(size.height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(padded),
            rows_per_image: None,
        };
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            extent,
        );
        self.queue.submit([encoder.finish()]);
        let bytes: Vec<u8> = readback::read(&self.device, &buffer)?;
        Ok(bytes
            .chunks(padded as usize)
            .flat_map(|row| &row[..row_bytes as usize])
            .copied()
            .collect())
    }
}

/// A heatmap on the GPU, ready to be cut at any *t*.
#[derive(Debug)]
pub struct MaskPass<'a> {
    headless: &'a Headless,
    heatmap: Arc<Heatmap>,
    raster: PixelSize,
    field: FieldTextures,
    pipeline: wgpu::RenderPipeline,
    bind_group: Option<wgpu::BindGroup>,
}

impl MaskPass<'_> {
    /// The pixels whose centers exceed `threshold`.
    ///
    /// # Errors
    /// If the mask cannot be read back.
    pub fn cut(&self, threshold: BinaryThreshold) -> Result<BinaryMask, RenderError> {
        let (width, height) = (self.raster.width as f32, self.raster.height as f32);
        let uniform = FieldUniform {
            clip: [-1.0, 1.0, 1.0, -1.0],
            canvas: [0.0, 0.0, width, height],
            turn: UPRIGHT,
            threshold: threshold.quantized(),
            ..Default::default()
        };
        self.field.write_uniform(&self.headless.queue, &uniform);
        let bytes = self.headless.draw(self.raster, wgpu::TextureFormat::R8Unorm, |pass| {
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.bind_group, &[]);
            pass.draw(0..4, 0..1);
        })?;
        let bits = bytes.into_iter().map(|byte| byte != 0).collect();
        BinaryMask::new(self.raster, bits, self.heatmap.frame())
            .ok_or_else(|| RenderError::Readback("its size changed on the way".to_owned()))
    }
}
