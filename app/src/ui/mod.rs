//! Everything around the canvas: panels read the state and push commands, nothing more.

pub(crate) mod about;
pub(crate) mod channel_panel;
pub(crate) mod chart;
pub(crate) mod comparing;
pub(crate) mod dialogs;
pub(crate) mod export_dialog;
pub(crate) mod histogram;
pub(crate) mod import_dialog;
pub(crate) mod informative_panel;
pub(crate) mod job_tray;
pub(crate) mod lens_panel;
pub(crate) mod lesion_list;
pub(crate) mod menu_bar;
pub(crate) mod model_list;
pub(crate) mod model_panel;
pub(crate) mod overlay_panel;
pub(crate) mod palette;
pub(crate) mod plots;
pub(crate) mod queue_bar;
pub(crate) mod result_card;
pub(crate) mod send_dialog;
pub(crate) mod shortcut_sheet;
pub(crate) mod slide_panel;
pub(crate) mod start_page;
pub(crate) mod status_bar;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod theme;
pub(crate) mod toast;
pub(crate) mod training;
pub(crate) mod welcome;

use std::time::Duration;

use domain::coords::Level0Px;
use domain::scale::Mpp;

/// `8 s`, `2 min 05 s`; never `0 s`.
pub(crate) fn readable(duration: Duration) -> String {
    let secs = duration.as_secs_f64().ceil().max(1.0);
    let (minutes, rest) = ((secs / 60.0).floor(), secs % 60.0);
    if minutes < 1.0 { format!("{rest:.0} s") } else { format!("{minutes:.0} min {rest:02.0} s") }
}

/// How long a line is: `12.5 µm`, `1.25 mm`, or in px where the slide is not calibrated.
pub(crate) fn length_text(line: &[Level0Px], mpp: Option<Mpp>) -> String {
    let scale = mpp.map_or((1.0, 1.0), |mpp| (mpp.x(), mpp.y()));
    let length = review::outline::length(line, scale);
    match mpp {
        None => format!("{length:.0} px"),
        Some(_) if length < 1000.0 => format!("{length:.1} µm"),
        Some(_) => format!("{:.3} mm", length / 1000.0),
    }
}

/// Whether Enter was pressed in a field. To be asked before anything else takes the keyboard.
pub(crate) fn is_entered(ui: &egui::Ui, field: &egui::Response) -> bool {
    field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
}

/// A paragraph that is not the first thing to read.
pub(crate) fn weak(ui: &mut egui::Ui, text: &str) {
    let text = egui::RichText::new(text).small().color(theme::TEXT_WEAK);
    ui.add(egui::Label::new(text).wrap());
}

/// The name of a field at its left, as wide as those above and below it.
pub(crate) fn field_name(ui: &mut egui::Ui, name: &str, width: f32) -> egui::Response {
    let size = egui::vec2(width, ui.spacing().interact_size.y);
    let left = egui::Layout::left_to_right(egui::Align::Center);
    let place = ui.allocate_ui_with_layout(size, left, |ui| {
        ui.set_min_width(width);
        ui.label(name)
    });
    place.inner
}

/// A title over a group of controls.
pub(crate) fn section_title(ui: &mut egui::Ui, title: &str) {
    ui.add_space(2.0);
    ui.label(egui::RichText::new(title).strong().size(15.0).color(theme::TEXT_STRONG));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up_to_whole_seconds() {
        let text = [0, 900, 8000, 59_001, 125_000].map(|ms| readable(Duration::from_millis(ms)));
        assert_eq!(text, ["1 s", "1 s", "8 s", "1 min 00 s", "2 min 05 s"]);
    }
}
