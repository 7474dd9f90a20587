//! The renderer inside the window's own render pass.

use domain::coords::PixelSize;
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use egui::{PaintCallbackInfo, Rect, Shape};
use render::frame::{CanvasPlace, Frame};
use render::{Renderer, RendererConfig};

/// Compiles the shaders and keeps the renderer where paint callbacks find it: once, at start.
pub(crate) fn install(gpu: &RenderState) {
    let config = RendererConfig::suited_to(&gpu.adapter.get_info());
    let renderer = Renderer::new(&gpu.device, &gpu.queue, gpu.target_format, config);
    gpu.renderer.write().callback_resources.insert(renderer);
}

/// The picture as a shape for egui to paint into `canvas`.
pub(super) fn shape(canvas: Rect, frame: Frame, egui_ctx: egui::Context) -> Shape {
    Shape::from(egui_wgpu::Callback::new_paint_callback(canvas, Picture { frame, egui_ctx }))
}

/// The second canvas of the picture; it is prepared with the first.
pub(super) fn shape_beside(canvas: Rect) -> Shape {
    Shape::from(egui_wgpu::Callback::new_paint_callback(canvas, Beside))
}

struct Picture {
    frame: Frame,
    egui_ctx: egui::Context,
}

impl CallbackTrait for Picture {
    fn prepare(
        &self,
        device: &egui_wgpu::wgpu::Device,
        queue: &egui_wgpu::wgpu::Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut egui_wgpu::wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<egui_wgpu::wgpu::CommandBuffer> {
        if let Some(renderer) = resources.get_mut::<Renderer>() {
            let prepared = renderer.prepare(device, queue, &self.frame);
            if 0 < prepared.pending_uploads {
                self.egui_ctx.request_repaint();
            }
            if let Some(error) = prepared.overlay_error {
                tracing::error!("the heatmap cannot be drawn: {error}");
            }
        }
        Vec::new()
    }

    fn paint(
        &self,
        info: PaintCallbackInfo,
        pass: &mut egui_wgpu::wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(renderer) = resources.get::<Renderer>() {
            renderer.paint(pass, place(&info));
        }
    }
}

struct Beside;

impl CallbackTrait for Beside {
    fn paint(
        &self,
        info: PaintCallbackInfo,
        pass: &mut egui_wgpu::wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(renderer) = resources.get::<Renderer>() {
            renderer.paint_beside(pass, place(&info));
        }
    }
}

/// The toolkit keeps the viewport within the window.
fn place(info: &PaintCallbackInfo) -> CanvasPlace {
    let px = |px: i32| u32::try_from(px).unwrap_or(0);
    let viewport = info.viewport_in_pixels();
    CanvasPlace {
        left: px(viewport.left_px),
        top: px(viewport.top_px),
        size: PixelSize { width: px(viewport.width_px), height: px(viewport.height_px) },
    }
}
