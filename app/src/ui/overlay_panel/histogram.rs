//! How often the heatmap takes which value, over the slider of *t*: what a little more or less would cut.

use egui::{Color32, Rangef, Rect, Sense, Stroke, Ui, vec2};

use crate::state::layer::Layer;
use crate::ui::{histogram, theme};

const HEIGHT_PT: f32 = 34.0;

/// Draws the bars, those above *t* bright; `rail` is where the slider below goes from 0 to 1.
pub(super) fn histogram_ui(ui: &mut Ui, rail: Rangef, layer: &Layer) {
    let (place, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT_PT), Sense::hover());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, "Histogram of the heatmap's values")
    });
    let bars = Rect::from_x_y_ranges(rail, place.y_range());
    let threshold = layer.threshold.get();
    let color = |_, to| if threshold < to { theme::TEXT_WEAK } else { theme::CONTROL };
    let counts = layer.readout.as_ref().map_or(&[][..], |readout| &readout.histogram);
    ui.painter().add(histogram::bars(bars, counts, color));
    let baseline = Stroke::new(1.0, theme::LINE);
    ui.painter().hline(rail, bars.bottom(), baseline);
    let tick = |value: f32, color: Color32| {
        let x = egui::lerp(rail, value);
        ui.painter().vline(x, bars.y_range(), Stroke::new(1.5, color));
    };
    if let Some(otsu) = layer.readout.as_ref().and_then(|readout| readout.otsu) {
        tick(otsu.get(), theme::ACCENT);
    }
    if let Some(youden) = layer.youden {
        tick(youden.get(), theme::DONE);
    }
    if let Some(recommended) = layer.recommended {
        tick(recommended.get(), theme::WARNING);
    }
    response.on_hover_text(
        "Pixels of the layer by value (square root). Ticks: the model's t, Otsu's t, Youden's t.",
    );
}
