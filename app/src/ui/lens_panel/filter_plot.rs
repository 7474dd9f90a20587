//! The learned filters over frequency: one pair of lines a block.

use egui::{Align2, Color32, FontId, Pos2, Shape, Stroke, Ui, pos2};
use model::lens::filter_curve::FilterCurve;

use super::plot;
use crate::ui::theme;

/// Where the bands meet, relative to Nyquist.
const EDGES: [f32; 2] = [0.2, 0.8];

/// The blocks' colors in turn.
const COLORS: [Color32; 3] = [theme::ACCENT, theme::WARNING, theme::DONE];

/// Draws the mean of the channels as a line, and what a tenth of them exceeds as a thinner one.
pub(super) fn filter_plot_ui(ui: &mut Ui, filters: &[FilterCurve]) {
    let highest =
        filters.iter().flat_map(|it| &it.upper).copied().fold(f32::MIN_POSITIVE, f32::max);
    let name = format!("Magnitude of the learned filter over frequency, up to {highest:.3}");
    let plot = plot::ground_ui(ui, &name);
    let painter = ui.painter();
    let at = |frequency: f32, value: f32| -> Pos2 {
        let y = egui::lerp(plot.bottom()..=plot.top(), value / highest);
        pos2(egui::lerp(plot.x_range(), frequency), y)
    };
    for edge in EDGES {
        painter.vline(at(edge, 0.0).x, plot.y_range(), Stroke::new(1.0, theme::LINE));
    }
    painter.hline(plot.x_range(), plot.bottom(), Stroke::new(1.0, theme::LINE));
    for (filter, color) in filters.iter().zip(COLORS.iter().cycle()) {
        for (values, width) in [(&filter.mean, 2.0), (&filter.upper, 1.0)] {
            let line = filter.frequencies.iter().zip(values).map(|(f, value)| at(*f, *value));
            painter.add(Shape::line(line.collect(), Stroke::new(width, *color)));
        }
    }
    let font = FontId::proportional(11.0);
    let below = plot.bottom() + 3.0;
    for (frequency, align, text) in [
        (0.0, Align2::LEFT_TOP, "0"),
        (EDGES[0], Align2::CENTER_TOP, "0.2"),
        (EDGES[1], Align2::CENTER_TOP, "0.8"),
        (1.0, Align2::RIGHT_TOP, "1 Nyquist"),
    ] {
        let place = pos2(at(frequency, 0.0).x, below);
        painter.text(place, align, text, font.clone(), theme::TEXT_WEAK);
    }
    let top = format!("{highest:.2}");
    painter.text(plot.right_top(), Align2::RIGHT_TOP, top, font, theme::TEXT_WEAK);
}
