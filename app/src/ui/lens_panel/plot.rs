//! The ground of the lens's plots: values over frequency.

use egui::{Rect, Sense, Ui, vec2};

use crate::ui::theme;

const HEIGHT_PT: f32 = 90.0;

/// Takes the room for a plot of this name. Answers with where the curves go; below it there is room for words.
pub(super) fn ground_ui(ui: &mut Ui, name: &str) -> Rect {
    let size = vec2(ui.available_width(), HEIGHT_PT);
    let (place, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, name));
    ui.painter().rect_filled(place, 3.0, theme::CANVAS);
    Rect::from_min_max(place.min + vec2(6.0, 6.0), place.max - vec2(6.0, 18.0))
}
