//! The two calls of a frame: `prepare` with the device at hand, `paint` inside someone's pass.

use crate::band_pass::BandPass;
use crate::canvas::Canvas;
use crate::error::RenderError;
use crate::frame::{CanvasPlace, Frame};
use crate::overlay_pass::OverlayPass;
use crate::tile_pass::TilePass;

/// How much memory and time a frame may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RendererConfig {
    /// Tiles that the atlas holds, 1 MiB each. More than one screen of them, with their parents.
    pub tile_layers: u32,
    /// Tiles uploaded in one frame, at least 1.
    pub upload_budget: usize,
}

impl RendererConfig {
    /// For a real graphics processor: 256 MiB of tiles.
    pub const HARDWARE: Self = Self { tile_layers: 256, upload_budget: 16 };
    /// For a software driver, where the atlas is ordinary memory and an upload a copy.
    pub const SOFTWARE: Self = Self { tile_layers: 96, upload_budget: 8 };

    /// What suits an adapter.
    pub fn suited_to(adapter: &wgpu::AdapterInfo) -> Self {
        if adapter.device_type == wgpu::DeviceType::Cpu { Self::SOFTWARE } else { Self::HARDWARE }
    }
}

/// What a frame still lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "pending uploads need another frame, and an overlay that is not drawn a message"]
pub struct Prepared {
    /// Tiles that wait for a later frame: draw again while this is not 0.
    pub pending_uploads: usize,
    /// Why a layer or a band is not drawn although it is shown; of several one.
    pub overlay_error: Option<RenderError>,
}

/// Draws frames into passes of one color format, without depth and multisampling.
#[derive(Debug)]
pub struct Renderer {
    tiles: TilePass,
    band: BandPass,
    overlay: OverlayPass,
    upload_budget: usize,
}

impl Renderer {
    /// Compiles the shaders and reserves the atlas: once, not per frame. `target_format` is that of
    /// the pass; not an sRGB one, since the colors of slides and of their tables are encoded already.
    pub fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        target_format: wgpu::TextureFormat,
        config: RendererConfig,
    ) -> Self {
        Self {
            tiles: TilePass::new(device, queue, target_format, config.tile_layers),
            band: BandPass::new(device, target_format),
            overlay: OverlayPass::new(device, queue, target_format),
            upload_budget: config.upload_budget.max(1),
        }
    }

    /// Uploads what the frame needs, within the budget, and lays it out.
    ///
    /// Tiles that are not on the GPU yet are left out of the picture: their parents show through.
    pub fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        frame: &Frame,
    ) -> Prepared {
        self.tiles.clear();
        self.band.clear();
        self.overlay.clear();
        let Some(canvas) = Canvas::of(frame) else {
            return Prepared::default();
        };
        self.tiles.set_color_table(device, queue, frame.color_table.as_ref());
        let pending_uploads = self.tiles.prepare(
            device,
            queue,
            &canvas,
            &frame.tiles,
            frame.slide_generation,
            self.upload_budget,
        );
        let band = self.band.prepare(device, queue, &canvas, frame.band.as_ref());
        let overlay = self.overlay.prepare(device, queue, &canvas, frame);
        Prepared { pending_uploads, overlay_error: overlay.and(band).err() }
    }

    /// Draws what was prepared last. The viewport of `pass` must be the canvas, which lies at `place`; its scissor is
    /// another one afterwards.
    pub fn paint(&self, pass: &mut wgpu::RenderPass<'static>, place: CanvasPlace) {
        self.tiles.paint(pass);
        self.band.paint(pass);
        self.overlay.paint(pass, place);
    }

    /// As [`Self::paint`], the second canvas.
    pub fn paint_beside(&self, pass: &mut wgpu::RenderPass<'static>, place: CanvasPlace) {
        self.tiles.paint(pass);
        self.band.paint(pass);
        self.overlay.paint_beside(pass, place);
    }
}
