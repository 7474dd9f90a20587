//! Colormaps as one small texture: 256 sRGB colors across, one colormap a row. Masks have a single color in all of a row.
//!
//! The tables are those of matplotlib 3.11 (`_cm_listed.py`), rounded to 8 bits. Viridis, magma and
//! inferno are by Smith, van der Walt and Firing, dedicated to the public domain (CC0); cividis is by
//! Nuñez, Anderton and Renslow (PLOS ONE 13(7), 2018), as distributed with matplotlib under its
//! BSD-compatible license.

use crate::frame::Colormap;

/// Colors in a colormap.
pub(crate) const COLORS: u32 = 256;

const ROWS: u32 = 7;

/// Row by row, in the order of [`row`]; single colors follow.
const TABLES: [&str; 4] = [
    include_str!("../../../shaders/colormaps/cividis.txt"),
    include_str!("../../../shaders/colormaps/viridis.txt"),
    include_str!("../../../shaders/colormaps/magma.txt"),
    include_str!("../../../shaders/colormaps/inferno.txt"),
];

/// Orange, sky blue and bluish green of Okabe and Ito (2008).
const SINGLE: [[u8; 3]; 3] = [[230, 159, 0], [86, 180, 233], [0, 158, 115]];

/// For what cannot happen, so that it is seen.
const MAGENTA: u32 = 0xff_00_ff;

/// Row of the texture.
pub(crate) fn row(colormap: Colormap) -> u32 {
    match colormap {
        Colormap::Cividis => 0,
        Colormap::Viridis => 1,
        Colormap::Magma => 2,
        Colormap::Inferno => 3,
        Colormap::Orange => 4,
        Colormap::Blue => 5,
        Colormap::Green => 6,
    }
}

/// The 256 colors of `colormap` from 0 to 1, as RGB: for legends and exported pictures.
pub fn colors(colormap: Colormap) -> impl Iterator<Item = [u8; 3]> {
    let first = row(colormap) as usize * COLORS as usize;
    all().skip(first).take(COLORS as usize)
}

fn all() -> impl Iterator<Item = [u8; 3]> {
    let single = SINGLE.into_iter().flat_map(|color| std::iter::repeat_n(color, COLORS as usize));
    TABLES.into_iter().flat_map(colors_of_table).chain(single)
}

fn colors_of_table(table: &str) -> impl Iterator<Item = [u8; 3]> {
    table.split_whitespace().map(|hex| {
        let [_, rgb @ ..] = u32::from_str_radix(hex, 16).unwrap_or(MAGENTA).to_be_bytes();
        rgb
    })
}

/// All colormaps as a texture.
pub(crate) fn create_texture(device: &wgpu::Device, queue: &wgpu::Queue) -> wgpu::TextureView {
    let size = wgpu::Extent3d { width: COLORS, height: ROWS, depth_or_array_layers: 1 };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("colormaps"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let rgba: Vec<u8> = all().flat_map(|[r, g, b]| [r, g, b, 255]).collect();
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(COLORS * 4),
        rows_per_image: None,
    };
    queue.write_texture(texture.as_image_copy(), &rgba, layout, size);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colormap_has_its_published_ends() {
        let ends = |colormap| {
            let colors: Vec<[u8; 3]> = colors(colormap).collect();
            assert_eq!(colors.len(), COLORS as usize);
            (colors[0], colors[255])
        };
        assert_eq!(ends(Colormap::Cividis), ([0, 34, 78], [254, 232, 56]));
        assert_eq!(ends(Colormap::Viridis), ([68, 1, 84], [253, 231, 37]));
        assert_eq!(ends(Colormap::Magma), ([0, 0, 4], [252, 253, 191]));
        assert_eq!(ends(Colormap::Inferno), ([0, 0, 4], [252, 255, 164]));
        assert_eq!(ends(Colormap::Green), ([0, 158, 115], [0, 158, 115]));
        assert_eq!(all().count(), (ROWS * COLORS) as usize);
    }

    #[test]
    fn every_colormap_grows_lighter() {
        for colormap in [Colormap::Cividis, Colormap::Viridis, Colormap::Magma, Colormap::Inferno] {
            let luma = |[r, g, b]: [u8; 3]| {
                0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)
            };
            let lumas: Vec<f64> = colors(colormap).map(luma).collect();
            assert!(lumas.windows(17).all(|run| run[0] < run[16]), "{colormap:?}");
        }
    }
}
