//! A color table as a small 3D texture, red across, green down, blue into the depth.

use domain::color::{ColorTable, TABLE_SIDE};
use half::f16;

/// Half floats: every driver filters them, and between two 8-bit steps they have room for several more.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// The texture of `table`; of a single texel without one, since something must be bound.
pub(crate) fn create(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    table: Option<&ColorTable>,
) -> wgpu::TextureView {
    let side = table.map_or(1, |_| u32::from(TABLE_SIDE));
    let size = wgpu::Extent3d { width: side, height: side, depth_or_array_layers: side };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("color table"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format: FORMAT,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    if let Some(table) = table {
        let texels: Vec<u16> = table.nodes().iter().flat_map(texel).collect();
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(side * 8),
            rows_per_image: Some(side),
        };
        queue.write_texture(texture.as_image_copy(), bytemuck::cast_slice(&texels), layout, size);
    }
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

fn texel([r, g, b]: &[f32; 3]) -> [u16; 4] {
    [*r, *g, *b, 1.0].map(|value| f16::from_f32(value).to_bits())
}
