//! The legend: which colour stands for which value, and what *t* cuts away.

use egui::{Align2, Color32, FontId, Mesh, Rect, Sense, Ui, pos2, vec2};
use render::colormap::colors;

use crate::state::layer::Layer;
use crate::ui::theme;

/// Colours of a scale.
const COLORS: f32 = 256.0;

/// Draws the strip, clear up to *t* as the layer is.
pub(super) fn color_bar_ui(ui: &mut Ui, layer: &Layer) {
    let threshold = layer.threshold;
    let (place, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 30.0), Sense::hover());
    let units = layer.kind.units();
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, format!("Color bar: {units}"))
    });
    let strip = Rect::from_min_size(place.min, vec2(place.width(), 12.0));
    let x_at = |value: f32| egui::lerp(strip.x_range(), value);
    let painter = ui.painter();
    // One mesh: single rectangles would be smoothed at their edges and show as stripes.
    let mut cells = Mesh::default();
    for (index, [red, green, blue]) in (0_u16..).zip(colors(layer.look.colormap)) {
        let (from, to) = (f32::from(index) / COLORS, f32::from(index + 1) / COLORS);
        if to <= threshold.get() {
            continue;
        }
        let left = x_at(from.max(threshold.get()));
        let cell = Rect::from_min_max(pos2(left, strip.top()), pos2(x_at(to), strip.bottom()));
        cells.add_colored_rect(cell, Color32::from_rgb(red, green, blue));
    }
    painter.add(cells);
    let outline = egui::Stroke::new(1.0, theme::TEXT_WEAK);
    painter.rect_stroke(strip, 0.0, outline, egui::StrokeKind::Outside);
    let font = FontId::proportional(12.0);
    let below = strip.bottom() + 3.0;
    for (x, align, text) in [
        (strip.left(), Align2::LEFT_TOP, "0"),
        (strip.center().x, Align2::CENTER_TOP, units),
        (strip.right(), Align2::RIGHT_TOP, "1"),
    ] {
        painter.text(pos2(x, below), align, text, font.clone(), theme::TEXT_WEAK);
    }
}
