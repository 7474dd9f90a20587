//! How often the heatmap takes which value, over the slider of *t*: what a little more or less would cut.

use egui::{Color32, Mesh, Rangef, Rect, Sense, Stroke, Ui, pos2, vec2};

use crate::state::overlay::{OverlayState, SlideResult};
use crate::ui::theme;

const HEIGHT_PT: f32 = 34.0;

/// Draws the bars, those above *t* bright; `rail` is where the slider below goes from 0 to 1.
pub(super) fn histogram_ui(
    ui: &mut Ui,
    rail: Rangef,
    overlay: &OverlayState,
    result: &SlideResult,
) {
    let (place, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT_PT), Sense::hover());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, "Histogram of the heatmap's values")
    });
    let bars = Rect::from_x_y_ranges(rail, place.y_range());
    ui.painter().add(mesh(bars, &result.histogram, overlay.threshold.get()));
    let baseline = Stroke::new(1.0, theme::LINE);
    ui.painter().hline(rail, bars.bottom(), baseline);
    let tick = |value: f32, color: Color32| {
        let x = egui::lerp(rail, value);
        ui.painter().vline(x, bars.y_range(), Stroke::new(1.5, color));
    };
    if let Some(otsu) = result.otsu {
        tick(otsu.get(), theme::ACCENT);
    }
    tick(result.recommended.get(), theme::WARNING);
    response.on_hover_text(
        "Pixels of the heatmap by value (square root). Ticks: the model's t, Otsu's t.",
    );
}

/// One mesh: single rectangles would be smoothed at their edges and show as stripes.
#[expect(clippy::cast_precision_loss, reason = "bars are a few points high")]
fn mesh(bars: Rect, histogram: &[u64], threshold: f32) -> Mesh {
    let n_bins = histogram.len() as f32;
    // Roots: the many pixels of low value would leave nothing to see of the few high ones.
    let most = histogram.iter().copied().max().unwrap_or(0).max(1) as f32;
    let mut mesh = Mesh::default();
    for (bin, &count) in histogram.iter().enumerate() {
        let (from, to) = (bin as f32 / n_bins, (bin + 1) as f32 / n_bins);
        let top = egui::lerp(bars.bottom()..=bars.top(), (count as f32 / most).sqrt());
        let color = if threshold < to { theme::TEXT_WEAK } else { theme::CONTROL };
        let x = |value: f32| egui::lerp(bars.x_range(), value);
        let bar = Rect::from_min_max(pos2(x(from), top), pos2(x(to), bars.bottom()));
        mesh.add_colored_rect(bar, color);
    }
    mesh
}
