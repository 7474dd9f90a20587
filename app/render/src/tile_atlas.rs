//! Tiles on the GPU: one 2D array texture, a layer for each tile.

use std::borrow::Cow;

use domain::coords::PixelSize;
use domain::id::TILE_PX;
use domain::pixels::Pixels;

use crate::residency::Residency;

/// The texture and who lives in it.
#[derive(Debug)]
pub(crate) struct TileAtlas {
    texture: wgpu::Texture,
    pub(crate) residency: Residency,
}

impl TileAtlas {
    /// At least one layer, at most what the device allows.
    pub(crate) fn new(device: &wgpu::Device, layers: u32) -> Self {
        let layers = layers.clamp(1, device.limits().max_texture_array_layers);
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("tile atlas"),
            size: wgpu::Extent3d { width: TILE_PX, height: TILE_PX, depth_or_array_layers: layers },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        Self { texture, residency: Residency::new(layers) }
    }

    pub(crate) fn view(&self) -> wgpu::TextureView {
        self.texture.create_view(&wgpu::TextureViewDescriptor {
            dimension: Some(wgpu::TextureViewDimension::D2Array),
            ..Default::default()
        })
    }

    /// Whether a layer can hold it.
    pub(crate) fn holds(size: PixelSize) -> bool {
        size.area() != 0 && size.width <= TILE_PX && size.height <= TILE_PX
    }

    /// Writes `pixels` into the top-left corner of `layer`.
    pub(crate) fn upload(&self, queue: &wgpu::Queue, layer: u32, pixels: &Pixels) {
        let size = pixels.size();
        let target = wgpu::TexelCopyTextureInfo {
            texture: &self.texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: 0, y: 0, z: layer },
            aspect: wgpu::TextureAspect::All,
        };
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(size.width * 4),
            rows_per_image: None,
        };
        let extent =
            wgpu::Extent3d { width: size.width, height: size.height, depth_or_array_layers: 1 };
        queue.write_texture(target, &over_white(pixels.rgba()), layout, extent);
    }
}

/// Clear pixels show the white of a slide's glass. Done before filtering, so that no dark fringe
/// appears where a file leaves black under clear.
fn over_white(rgba: &[u8]) -> Cow<'_, [u8]> {
    if rgba.chunks_exact(4).all(|pixel| pixel[3] == 255) {
        return Cow::Borrowed(rgba);
    }
    let mut opaque = rgba.to_vec();
    for pixel in opaque.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for channel in pixel.iter_mut() {
            let mixed = u32::from(*channel) * alpha + 255 * (255 - alpha);
            *channel = ((mixed + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    Cow::Owned(opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_pixel_becomes_white_and_an_opaque_one_stays() {
        let pixels = [0, 0, 0, 0, 10, 20, 30, 255, 0, 100, 255, 128];
        assert_eq!(*over_white(&pixels), [255, 255, 255, 255, 10, 20, 30, 255, 127, 177, 255, 255]);
        assert!(matches!(over_white(&pixels[4..8]), Cow::Borrowed(_)));
    }
}
