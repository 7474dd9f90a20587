//! The heatmap field on the GPU: cell values, and where each pixel column and row falls among them.
//!
//! Both are whole numbers that the CPU prepares in `f64`; the shader only interpolates. That is what
//! makes the mask on the screen equal the exported one (see `domain::heatmap`).

use std::sync::Arc;

use domain::coords::PixelSize;
use domain::heatmap::{CellSpan, Heatmap};

use crate::bindings::{create_texture, extent, texture, uniform};
use crate::error::{RenderError, check_size};
use crate::gpu_data::{FieldUniform, SPAN_OUTSIDE, SPAN_STEP};

/// What a debugger of graphics calls them.
const LABEL: &str = "heatmap field";

/// Uniform, cell values and spans of one heatmap on one raster.
#[derive(Debug)]
pub(crate) struct FieldTextures {
    uniform: wgpu::Buffer,
    cells: Option<(Arc<Heatmap>, wgpu::TextureView)>,
    spans: wgpu::Texture,
}

impl FieldTextures {
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        let uniform = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(LABEL),
            size: size_of::<FieldUniform>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { uniform, cells: None, spans: create_spans(device, 1) }
    }

    pub(crate) fn write_uniform(&self, queue: &wgpu::Queue, uniform: &FieldUniform) {
        queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(uniform));
    }

    /// Whether the cell values are those of this very heatmap.
    pub(crate) fn holds(&self, heatmap: &Arc<Heatmap>) -> bool {
        self.cells.as_ref().is_some_and(|(resident, _)| Arc::ptr_eq(resident, heatmap))
    }

    /// Uploads the cell values if it is another heatmap. Whether it was.
    ///
    /// # Errors
    /// If the heatmap has more cells a side than a texture may have.
    pub(crate) fn set_heatmap(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        heatmap: &Arc<Heatmap>,
    ) -> Result<bool, RenderError> {
        if self.holds(heatmap) {
            return Ok(false);
        }
        let size = heatmap.size();
        check_size(device, "a heatmap", size)?;
        let texture = create_texture(device, LABEL, size, wgpu::TextureFormat::R32Uint);
        write(queue, &texture, size, 1, &heatmap.quantized_values());
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        self.cells = Some((Arc::clone(heatmap), view));
        Ok(true)
    }

    /// Writes where the pixel columns and rows fall. Whether the texture had to grow.
    ///
    /// # Errors
    /// If there are more columns or rows than a texture may have.
    pub(crate) fn set_spans(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        columns: &[Option<CellSpan>],
        rows: &[Option<CellSpan>],
    ) -> Result<bool, RenderError> {
        let raster = PixelSize { width: columns.len() as u32, height: rows.len() as u32 };
        check_size(device, "a canvas", raster)?;
        let longest = raster.width.max(raster.height);
        let grows = self.spans.width() < longest;
        if grows {
            let limit = device.limits().max_texture_dimension_2d;
            self.spans = create_spans(device, longest.next_power_of_two().min(limit));
        }
        let size = PixelSize { width: longest, height: 2 };
        write(queue, &self.spans, size, 2, &span_texels(columns, rows));
        Ok(grows)
    }

    /// Bindings 0, 1 and 2 of `shared/field.wgsl`; `None` before the first heatmap.
    pub(crate) fn bind_group(
        &self,
        device: &wgpu::Device,
        layout: &wgpu::BindGroupLayout,
        colormaps: Option<&wgpu::TextureView>,
    ) -> Option<wgpu::BindGroup> {
        let (_, cells) = self.cells.as_ref()?;
        let spans = self.spans.create_view(&wgpu::TextureViewDescriptor::default());
        let mut entries =
            vec![wgpu::BindGroupEntry { binding: 0, resource: self.uniform.as_entire_binding() }];
        let views = [Some(cells), Some(&spans), colormaps].into_iter().flatten();
        entries.extend((1..).zip(views).map(|(binding, view)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(view),
        }));
        Some(device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(LABEL),
            layout,
            entries: &entries,
        }))
    }
}

/// The layout of [`FieldTextures::bind_group`].
pub(crate) fn create_layout(device: &wgpu::Device, has_colormaps: bool) -> wgpu::BindGroupLayout {
    let whole = wgpu::TextureSampleType::Uint;
    let mut entries = vec![uniform(0), texture(1, whole), texture(2, whole)];
    if has_colormaps {
        entries.push(texture(3, wgpu::TextureSampleType::Float { filterable: false }));
    }
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(LABEL),
        entries: &entries,
    })
}

/// Two rows of equal length: columns, then rows.
fn span_texels(columns: &[Option<CellSpan>], rows: &[Option<CellSpan>]) -> Vec<u32> {
    let longest = columns.len().max(rows.len());
    let padded = |spans: &[Option<CellSpan>]| -> Vec<u32> {
        let outside = [SPAN_OUTSIDE, 0];
        let texel = |span: &Option<CellSpan>| span.map_or(outside, texel);
        let padding = longest - spans.len();
        spans.iter().map(texel).chain(std::iter::repeat_n(outside, padding)).flatten().collect()
    };
    [padded(columns), padded(rows)].concat()
}

fn texel(span: CellSpan) -> [u32; 2] {
    [span.low, (span.high - span.low) * SPAN_STEP + span.fraction]
}

fn create_spans(device: &wgpu::Device, length: u32) -> wgpu::Texture {
    let size = PixelSize { width: length, height: 2 };
    create_texture(device, LABEL, size, wgpu::TextureFormat::Rg32Uint)
}

/// `channels` numbers a texel.
fn write(
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
    size: PixelSize,
    channels: u32,
    numbers: &[u32],
) {
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(size.width * channels * 4),
        rows_per_image: None,
    };
    queue.write_texture(
        texture.as_image_copy(),
        bytemuck::cast_slice(numbers),
        layout,
        extent(size),
    );
}
