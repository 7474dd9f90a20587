//! Draws layers of values over the slide, one over the other: a rectangle where the frame is visible, a draw call each.
//!
//! Moving a cut-off, the opacity or the colormap writes a few bytes; fill, contour and both are
//! three pipelines of one shader. A layer that is hidden keeps its textures for when it is shown again.

use std::sync::Arc;

use domain::heatmap::Heatmap;

use crate::canvas::{Canvas, CanvasRect};
use crate::colormap;
use crate::error::RenderError;
use crate::field_textures::{self, FieldTextures};
use crate::frame::{CanvasPlace, Frame, OverlayFrame, OverlayStyle};
use crate::gpu_data::{FieldUniform, heatmap_override};
use crate::pipeline::PassPipeline;
use crate::shaders;

/// Width of each of the two lines of the contour, in window points.
const LINE_PT: f32 = 1.25;

/// Layers whose textures are kept although they may not be shown.
const SLOTS_KEPT: usize = 10;

/// Pipelines, textures and what is drawn this frame.
#[derive(Debug)]
pub(crate) struct OverlayPass {
    layout: wgpu::BindGroupLayout,
    pipelines: Pipelines,
    colormaps: wgpu::TextureView,
    slots: Vec<Slot>,
    /// In the order in which they are drawn.
    shown: Vec<Shown>,
    /// As many of them are on the first canvas, the others on the second.
    n_first: usize,
}

/// A layer of this frame.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Of its slot.
    index: usize,
    style: OverlayStyle,
    /// The first pixel across that it is drawn on, and how many.
    columns: (u32, u32),
}

/// Room for one layer.
#[derive(Debug)]
struct Slot {
    field: FieldTextures,
    bind_group: Option<wgpu::BindGroup>,
    is_taken: bool,
}

#[derive(Debug)]
struct Pipelines {
    fill: wgpu::RenderPipeline,
    contour: wgpu::RenderPipeline,
    fill_and_contour: wgpu::RenderPipeline,
}

impl OverlayPass {
    pub(crate) fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        target_format: wgpu::TextureFormat,
    ) -> Self {
        let layout = field_textures::create_layout(device, true);
        let module = shaders::HEATMAP.compile(device);
        let target = wgpu::ColorTargetState {
            format: target_format,
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            write_mask: wgpu::ColorWrites::ALL,
        };
        let pipeline = |has_fill: f64, has_contour: f64| {
            let pass = PassPipeline {
                label: "heatmap",
                layout: &layout,
                module: &module,
                constants: &[
                    (heatmap_override::HAS_FILL, has_fill),
                    (heatmap_override::HAS_CONTOUR, has_contour),
                ],
                buffers: &[],
                target: target.clone(),
            };
            pass.create(device)
        };
        let pipelines = Pipelines {
            fill: pipeline(1.0, 0.0),
            contour: pipeline(0.0, 1.0),
            fill_and_contour: pipeline(1.0, 1.0),
        };
        Self {
            layout,
            pipelines,
            colormaps: colormap::create_texture(device, queue),
            slots: Vec::new(),
            shown: Vec::new(),
            n_first: 0,
        }
    }

    /// Uploads what changed.
    ///
    /// # Errors
    /// If a heatmap or the canvas is larger than a texture may be; that layer is not drawn then.
    pub(crate) fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        canvas: &Canvas,
        frame: &Frame,
    ) -> Result<(), RenderError> {
        self.clear();
        let mut result = Ok(());
        let pixels_per_pt = frame.pixels_per_pt;
        for overlay in &frame.overlays {
            let layer = self.prepare_layer(device, queue, canvas, overlay, pixels_per_pt);
            result = result.and(layer);
        }
        self.n_first = self.shown.len();
        for overlay in frame.beside.iter().flatten() {
            let layer = self.prepare_layer(device, queue, canvas, overlay, pixels_per_pt);
            result = result.and(layer);
        }
        // Of a slide before, or of more layers than are shown at once, only so many are kept.
        while SLOTS_KEPT < self.slots.len() && self.slots.last().is_some_and(|it| !it.is_taken) {
            self.slots.pop();
        }
        result
    }

    fn prepare_layer(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        canvas: &Canvas,
        overlay: &OverlayFrame,
        pixels_per_pt: f32,
    ) -> Result<(), RenderError> {
        let heatmap = &overlay.heatmap;
        let frame = canvas.canvas_from_level0(heatmap.frame());
        let Some(visible) = frame.intersection(canvas.rect()) else {
            return Ok(());
        };
        let columns: Vec<_> = canvas.column_centers().map(|x| heatmap.column_at(x)).collect();
        let rows: Vec<_> = canvas.row_centers().map(|y| heatmap.row_at(y)).collect();
        let index = self.slot_for(device, heatmap);
        let slot = &mut self.slots[index];
        let is_other = slot.field.set_heatmap(device, queue, heatmap)?;
        let has_grown = slot.field.set_spans(device, queue, &columns, &rows)?;
        if is_other || has_grown {
            slot.bind_group = slot.field.bind_group(device, &self.layout, Some(&self.colormaps));
        }
        let line_px = LINE_PT * pixels_per_pt;
        slot.field.write_uniform(queue, &uniform(canvas, overlay, frame, visible, line_px));
        slot.is_taken = true;
        let columns = canvas.columns(overlay.columns);
        self.shown.push(Shown { index, style: overlay.style, columns });
        Ok(())
    }

    /// The free slot that holds the heatmap already, else any free one.
    fn slot_for(&mut self, device: &wgpu::Device, heatmap: &Arc<Heatmap>) -> usize {
        let position = |wanted: &dyn Fn(&Slot) -> bool| {
            self.slots.iter().position(|slot| !slot.is_taken && wanted(slot))
        };
        let found = position(&|slot| slot.field.holds(heatmap))
            .or_else(|| position(&|slot| slot.bind_group.is_none()))
            .or_else(|| (SLOTS_KEPT <= self.slots.len()).then(|| position(&|_| true))?);
        found.unwrap_or_else(|| {
            let field = FieldTextures::new(device);
            self.slots.push(Slot { field, bind_group: None, is_taken: false });
            self.slots.len() - 1
        })
    }

    /// Draws what was prepared for the first canvas.
    pub(crate) fn paint(&self, pass: &mut wgpu::RenderPass<'_>, place: CanvasPlace) {
        self.paint_slots(pass, &self.shown[..self.n_first], place);
    }

    /// Draws what was prepared for the second canvas.
    pub(crate) fn paint_beside(&self, pass: &mut wgpu::RenderPass<'_>, place: CanvasPlace) {
        self.paint_slots(pass, &self.shown[self.n_first..], place);
    }

    fn paint_slots(&self, pass: &mut wgpu::RenderPass<'_>, shown: &[Shown], place: CanvasPlace) {
        for Shown { index, style, columns } in shown {
            let Some(bind_group) = &self.slots[*index].bind_group else { continue };
            let (width, height) = (place.size.width, place.size.height);
            let left = columns.0.min(width);
            pass.set_scissor_rect(
                place.left + left,
                place.top,
                columns.1.min(width - left),
                height,
            );
            pass.set_pipeline(match style {
                OverlayStyle::Fill => &self.pipelines.fill,
                OverlayStyle::Contour => &self.pipelines.contour,
                OverlayStyle::FillAndContour => &self.pipelines.fill_and_contour,
            });
            pass.set_bind_group(0, bind_group, &[]);
            pass.draw(0..4, 0..1);
        }
    }

    /// Draws nothing until the next `prepare`.
    pub(crate) fn clear(&mut self) {
        self.shown.clear();
        self.n_first = 0;
        self.slots.iter_mut().for_each(|slot| slot.is_taken = false);
    }
}

/// `frame` and `visible` in canvas pixels.
fn uniform(
    canvas: &Canvas,
    overlay: &OverlayFrame,
    frame: CanvasRect,
    visible: CanvasRect,
    line_px: f32,
) -> FieldUniform {
    let drawn = visible.rounded_out();
    let cells = overlay.heatmap.size();
    FieldUniform {
        clip: canvas.clip_from_canvas(drawn),
        canvas: drawn.to_array(),
        frame: frame.to_array(),
        turn: canvas.turn(),
        cells_per_px: [
            (f64::from(cells.width) / frame.width()) as f32,
            (f64::from(cells.height) / frame.height()) as f32,
        ],
        threshold: overlay.threshold.quantized(),
        colormap: colormap::row(overlay.colormap),
        opacity: if overlay.opacity.is_nan() { 0.0 } else { overlay.opacity.clamp(0.0, 1.0) },
        line_px,
        pad: [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Colormap;
    use crate::headless::{Headless, PICTURE_FORMAT};
    use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt, Turn};
    use domain::mask::BinaryThreshold;

    #[test]
    fn another_t_and_another_color_make_no_texture() {
        let Ok(headless) = Headless::new() else {
            println!("SKIPPED: there is no graphics adapter, not even a software one");
            return;
        };
        let (device, queue) = (headless.device(), headless.queue());
        let mut pass = OverlayPass::new(device, queue, PICTURE_FORMAT);
        let size = PixelSize { width: 2, height: 2 };
        let area = Level0Rect { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };
        let heatmap = Arc::new(Heatmap::new(size, vec![0.1, 0.4, 0.7, 1.0], area).unwrap());
        let camera = Camera {
            center: Level0Px { x: 50.0, y: 50.0 },
            level0_per_pt: 1.0,
            canvas: ScreenPt { x: 64.0, y: 64.0 },
            turn: Turn::NONE,
        };
        let mut made = Vec::new();
        for (t, colormap) in [(0.2, Colormap::Cividis), (0.6, Colormap::Blue)] {
            let overlay = OverlayFrame {
                heatmap: Arc::clone(&heatmap),
                threshold: BinaryThreshold::clamped(t),
                opacity: t,
                colormap,
                style: OverlayStyle::Fill,
                columns: (0.0, 1.0),
            };
            let frame = Frame {
                camera,
                pixels_per_pt: 1.0,
                slide_generation: 0,
                tiles: Vec::new(),
                color_table: None,
                band: None,
                overlays: vec![overlay],
                beside: None,
            };
            let canvas = Canvas::of(&frame).unwrap();
            pass.prepare(device, queue, &canvas, &frame).unwrap();
            // Bind groups are made anew with every texture, and only then.
            made.push(pass.slots.iter().map(|slot| slot.bind_group.clone()).collect::<Vec<_>>());
        }
        assert!(made[0].len() == 1 && made[0] == made[1]);
    }
}
