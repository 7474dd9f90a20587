//! Draws tiles from the atlas: one instance each, one draw call, in the order of the frame.
//!
//! Up to 2 device pixels a texel the picture is interpolated linearly. Beyond, the step from texel to
//! texel narrows to about one device pixel, so that single pixels of the slide can be told apart and
//! nothing pops at the limit. Where a pyramid has no level for the zoom and a device pixel covers
//! several texels, four of them are averaged, so that nuclei neither flicker nor vanish. What comes out
//! is then corrected by the scanner's color table, if there is one.

use std::sync::Arc;

use domain::color::ColorTable;
use domain::coords::PixelSize;

use crate::canvas::{Canvas, CanvasRect};
use crate::color_texture;
use crate::frame::TileQuad;
use crate::gpu_data::{TileInstance, tile_override};
use crate::occlusion::{self, Shown};
use crate::pipeline::PassPipeline;
use crate::shaders;
use crate::tile_atlas::TileAtlas;

/// Texels under a device pixel from which on one bilinear tap would skip some of them.
const MINIFIED_FROM: f64 = 1.5;

/// Pipelines, atlas and what is drawn this frame.
#[derive(Debug)]
pub(crate) struct TilePass {
    atlas: TileAtlas,
    as_scanned: Pipelines,
    corrected: Pipelines,
    layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    bind_group: wgpu::BindGroup,
    color_table: Option<Arc<ColorTable>>,
    instances: wgpu::Buffer,
    instance_count: u32,
    minifies: bool,
}

#[derive(Debug)]
struct Pipelines {
    one_tap: wgpu::RenderPipeline,
    four_taps: wgpu::RenderPipeline,
}

impl TilePass {
    pub(crate) fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        target_format: wgpu::TextureFormat,
        layers: u32,
    ) -> Self {
        let atlas = TileAtlas::new(device, layers);
        let layout = create_layout(device);
        let module = shaders::TILE.compile(device);
        let instances = wgpu::VertexBufferLayout {
            array_stride: size_of::<TileInstance>() as u64,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &TileInstance::ATTRIBUTES,
        };
        let pipeline = |has_color_table: f64, has_four_taps: f64| {
            let pass = PassPipeline {
                label: "tiles",
                layout: &layout,
                module: &module,
                constants: &[
                    (tile_override::HAS_COLOR_TABLE, has_color_table),
                    (tile_override::HAS_FOUR_TAPS, has_four_taps),
                ],
                buffers: &[Some(instances.clone())],
                target: target_format.into(),
            };
            pass.create(device)
        };
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("tile atlas"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let pipelines = |has_color_table: f64| Pipelines {
            one_tap: pipeline(has_color_table, 0.0),
            four_taps: pipeline(has_color_table, 1.0),
        };
        let no_table = color_texture::create(device, queue, None);
        Self {
            as_scanned: pipelines(0.0),
            corrected: pipelines(1.0),
            bind_group: create_bind_group(device, &layout, &atlas.view(), &sampler, &no_table),
            atlas,
            layout,
            sampler,
            color_table: None,
            instances: create_instances(device, 256),
            instance_count: 0,
            minifies: false,
        }
    }

    /// Uploads the table if it is another one.
    pub(crate) fn set_color_table(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        table: Option<&Arc<ColorTable>>,
    ) {
        let is_same = match (&self.color_table, table) {
            (None, None) => true,
            (Some(resident), Some(wanted)) => Arc::ptr_eq(resident, wanted),
            _ => false,
        };
        if !is_same {
            let texture = color_texture::create(device, queue, table.map(AsRef::as_ref));
            let atlas = self.atlas.view();
            self.bind_group =
                create_bind_group(device, &self.layout, &atlas, &self.sampler, &texture);
            self.color_table = table.cloned();
        }
    }

    /// Uploads at most `upload_budget` tiles and lays out the frame. How many uploads are left.
    pub(crate) fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        canvas: &Canvas,
        tiles: &[TileQuad],
        slide_generation: u64,
        upload_budget: usize,
    ) -> usize {
        self.atlas.residency.begin_frame(slide_generation);
        let pending = self.upload(queue, canvas, tiles, upload_budget);
        let placed: Vec<Placed> =
            tiles.iter().filter_map(|tile| self.place(canvas, tile)).collect();
        self.minifies = placed.iter().any(|it| 0.0 < it.instance.tap_offset);
        let shown: Vec<Shown> = placed.iter().map(|it| it.shown).collect();
        let instances: Vec<TileInstance> = (1..)
            .zip(&placed)
            .filter(|(next, it)| !occlusion::is_covered(it.shown, &shown[*next..]))
            .map(|(_, it)| it.instance)
            .collect();
        self.write_instances(device, queue, &instances);
        pending
    }

    /// Visible tiles first, each group in drawing order: a coarse picture of all before a sharp one
    /// of a part. What the atlas cannot hold at once is not waited for.
    fn upload(
        &mut self,
        queue: &wgpu::Queue,
        canvas: &Canvas,
        tiles: &[TileQuad],
        upload_budget: usize,
    ) -> usize {
        let is_visible = |tile: &TileQuad| {
            canvas.canvas_from_level0(tile.area).intersection(canvas.rect()).is_some()
        };
        let (mut wanted, hidden): (Vec<&TileQuad>, Vec<&TileQuad>) = tiles
            .iter()
            .filter(|tile| TileAtlas::holds(tile.pixels.size()))
            .partition(|tile| is_visible(tile));
        wanted.extend(hidden);
        wanted.truncate(self.atlas.residency.layers());
        wanted.retain(|tile| !self.atlas.residency.touch(tile.key, tile.revision));

        let now = wanted.len().min(upload_budget);
        for tile in &wanted[..now] {
            if self.atlas.residency.touch(tile.key, tile.revision) {
                continue;
            }
            if let Some(layer) = self.atlas.residency.claim(tile.key, tile.revision) {
                self.atlas.upload(queue, layer, &tile.pixels);
            }
        }
        wanted.len() - now
    }

    fn write_instances(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        instances: &[TileInstance],
    ) {
        let bytes: &[u8] = bytemuck::cast_slice(instances);
        if self.instances.size() < bytes.len() as u64 {
            self.instances = create_instances(device, instances.len().next_power_of_two());
        }
        queue.write_buffer(&self.instances, 0, bytes);
        self.instance_count = instances.len() as u32;
    }

    /// A resident tile on the canvas; `None` if it is not resident or not in sight.
    fn place(&self, canvas: &Canvas, tile: &TileQuad) -> Option<Placed> {
        let layer = self.atlas.residency.layer(tile.key)?;
        let area = canvas.canvas_from_level0(tile.area).snapped();
        let visible = area.intersection(canvas.rect())?;
        let instance = TileInstance {
            clip: canvas.clip_from_canvas(visible),
            layer,
            turn: canvas.turn(),
            ..sampling(area, visible, tile.pixels.size())
        };
        Some(Placed { shown: Shown { level: tile.key.level, visible }, instance })
    }

    /// Draws what was prepared.
    pub(crate) fn paint(&self, pass: &mut wgpu::RenderPass<'_>) {
        if self.instance_count == 0 {
            return;
        }
        let pipelines = if self.color_table.is_some() { &self.corrected } else { &self.as_scanned };
        pass.set_pipeline(if self.minifies { &pipelines.four_taps } else { &pipelines.one_tap });
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.set_vertex_buffer(0, self.instances.slice(..));
        pass.draw(0..4, 0..self.instance_count);
    }

    /// Draws nothing until the next `prepare`.
    pub(crate) fn clear(&mut self) {
        self.instance_count = 0;
    }
}

/// What is drawn of a tile.
#[derive(Clone, Copy, Debug)]
struct Placed {
    shown: Shown,
    instance: TileInstance,
}

/// How the `visible` part of a tile of `size` texels that covers `area` is sampled.
///
/// Cut to the canvas in `f64`, so that a coarse tile of millions of device pixels stays exact.
fn sampling(area: CanvasRect, visible: CanvasRect, size: PixelSize) -> TileInstance {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let texel_x = |px: f64| ((px - area.left) / area.width() * width) as f32;
    let texel_y = |px: f64| ((px - area.top) / area.height() * height) as f32;
    let px_per_texel = area.width() / width;
    TileInstance {
        texels: [
            texel_x(visible.left),
            texel_y(visible.top),
            texel_x(visible.right),
            texel_y(visible.bottom),
        ],
        texel_limit: [(width - 0.5) as f32, (height - 0.5) as f32],
        crispness: (px_per_texel - 1.0).max(1.0) as f32,
        tap_offset: tap_offset(width / area.width()),
        ..Default::default()
    }
}

/// Where four bilinear taps come closest to the mean of the texels under a pixel: exactly at 2 and 3.
fn tap_offset(texels_per_px: f64) -> f32 {
    if texels_per_px < MINIFIED_FROM {
        return 0.0;
    }
    ((texels_per_px - 1.0 / texels_per_px) * 0.25) as f32
}

fn create_instances(device: &wgpu::Device, count: usize) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("tile instances"),
        size: (count * size_of::<TileInstance>()) as u64,
        usage: wgpu::BufferUsages::VERTEX | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

fn create_bind_group(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    atlas: &wgpu::TextureView,
    sampler: &wgpu::Sampler,
    color_table: &wgpu::TextureView,
) -> wgpu::BindGroup {
    let entry = |binding: u32, resource| wgpu::BindGroupEntry { binding, resource };
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("tiles"),
        layout,
        entries: &[
            entry(0, wgpu::BindingResource::TextureView(atlas)),
            entry(1, wgpu::BindingResource::Sampler(sampler)),
            entry(2, wgpu::BindingResource::TextureView(color_table)),
        ],
    })
}

fn create_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding: u32, ty: wgpu::BindingType| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty,
        count: None,
    };
    let texture = |view_dimension| wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension,
        multisampled: false,
    };
    let atlas = texture(wgpu::TextureViewDimension::D2Array);
    let color_table = texture(wgpu::TextureViewDimension::D3);
    let sampler = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("tiles"),
        entries: &[entry(0, atlas), entry(1, sampler), entry(2, color_table)],
    })
}
