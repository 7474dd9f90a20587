//! The heatmap's panel: reads state, pushes commands, owns nothing.

use domain::mask::BinaryThreshold;
use domain::scale::{Area, Mpp};
use egui::{ComboBox, DragValue, Rangef, RichText, Slider, Ui};
use render::frame::{Colormap, OverlayStyle};

use super::theme;
use crate::command::{Commands, FileCommand, OverlayCommand};
use crate::state::overlay::{OverlayState, SlideResult};

mod color_bar;
mod histogram;

const COLORMAPS: [(Colormap, &str); 4] = [
    (Colormap::Cividis, "Cividis"),
    (Colormap::Viridis, "Viridis"),
    (Colormap::Magma, "Magma"),
    (Colormap::Inferno, "Inferno"),
];

const STYLES: [(OverlayStyle, &str); 3] = [
    (OverlayStyle::FillAndContour, "Both"),
    (OverlayStyle::Fill, "Fill"),
    (OverlayStyle::Contour, "Contour"),
];

/// Draws the panel; without a result there is nothing to set.
pub(crate) fn overlay_panel_ui(
    ui: &mut Ui,
    overlay: &OverlayState,
    mpp: Option<Mpp>,
    commands: &mut Commands,
) {
    let Some(result) = &overlay.result else {
        super::section_title(ui, "Heatmap");
        ui.label(RichText::new("Run a model to see where it looks.").color(theme::TEXT_WEAK));
        return;
    };
    title_ui(ui, overlay.is_visible, commands);
    ui.add_enabled_ui(overlay.is_visible, |ui| {
        threshold_ui(ui, overlay, result, commands);
        lesions_ui(ui, result, overlay.threshold, mpp);
        color_bar::color_bar_ui(ui, overlay.colormap, overlay.threshold);
        look_ui(ui, overlay, commands);
    });
    ui.add_space(4.0);
    let size = egui::vec2(ui.available_width(), 30.0);
    if ui.add(egui::Button::new("Export…").min_size(size)).clicked() {
        commands.push(FileCommand::ShowExport);
    }
}

fn title_ui(ui: &mut Ui, mut is_visible: bool, commands: &mut Commands) {
    ui.horizontal(|ui| {
        super::section_title(ui, "Heatmap");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.checkbox(&mut is_visible, "Show the heatmap  (H)").changed() {
                commands.push(OverlayCommand::SetVisible(is_visible));
            }
        });
    });
}

/// The histogram, the slider under it, the typed value, and what *t* could be set to.
fn threshold_ui(
    ui: &mut Ui,
    overlay: &OverlayState,
    result: &SlideResult,
    commands: &mut Commands,
) {
    let label = ui.label("Threshold t, keys [ and ]");
    let left = ui.cursor().left();
    let slider_width = ui.available_width() - 66.0;
    // The rail ends half a handle before the slider does.
    let rail = Rangef::new(left, left + slider_width).shrink(ui.spacing().interact_size.y / 2.5);
    histogram::histogram_ui(ui, rail, overlay, result);
    let mut value = overlay.threshold.get();
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = slider_width;
        let circle = egui::style::HandleShape::Circle;
        let slider = Slider::new(&mut value, 0.0..=1.0).show_value(false).handle_shape(circle);
        let slider = ui.add(slider).labelled_by(label.id);
        let typed = DragValue::new(&mut value).range(0.0..=1.0).speed(0.002).fixed_decimals(3);
        let typed = ui.add(typed).labelled_by(label.id);
        if slider.changed() || typed.changed() {
            let threshold = BinaryThreshold::clamped(value);
            commands.push(OverlayCommand::SetThreshold(threshold));
        }
    });
    proposals_ui(ui, overlay.threshold, result, commands);
}

/// The model's own *t* and Otsu's, in the colours of their ticks.
fn proposals_ui(
    ui: &mut Ui,
    threshold: BinaryThreshold,
    result: &SlideResult,
    commands: &mut Commands,
) {
    ui.horizontal(|ui| {
        let recommended = result.recommended;
        let text = format!("Model's t = {:.2}  (T)", recommended.get());
        let button = egui::Button::new(RichText::new(text).color(theme::WARNING)).small();
        if ui.add_enabled(threshold != recommended, button).clicked() {
            commands.push(OverlayCommand::ResetThreshold);
        }
        if let Some(otsu) = result.otsu {
            let text = format!("Otsu's t = {:.2}", otsu.get());
            let button = egui::Button::new(RichText::new(text).color(theme::ACCENT)).small();
            if ui.add_enabled(threshold != otsu, button).clicked() {
                commands.push(OverlayCommand::SetThreshold(otsu));
            }
        }
    });
}

/// The lesions at *t*, from the curve that the job prepared.
fn lesions_ui(ui: &mut Ui, result: &SlideResult, threshold: BinaryThreshold, mpp: Option<Mpp>) {
    let lesions = result.lesions.at(threshold);
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new("Lesion area at t").color(theme::TEXT_WEAK).small());
        let area = Area::from_level0_px(lesions.area_level0_px, mpp).to_string();
        ui.horizontal(|ui| {
            ui.label(RichText::new(area).size(18.0).color(theme::TEXT_STRONG));
            if let Some(share) = result.tissue_share(threshold) {
                ui.label(format!("{:.1} % of the tissue", 100.0 * share));
            }
        });
        let largest = Area::from_level0_px(lesions.largest_level0_px, mpp);
        ui.label(match lesions.n_lesions {
            0 => "no lesion".to_owned(),
            1 => "1 lesion".to_owned(),
            n => format!("{n} lesions, the largest {largest}"),
        });
    });
}

/// Opacity, colours, fill or contour.
fn look_ui(ui: &mut Ui, overlay: &OverlayState, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let mut opacity = overlay.opacity;
        ui.spacing_mut().slider_width = 130.0;
        let slider = Slider::new(&mut opacity, 0.0..=1.0).fixed_decimals(2).text("Opacity");
        if ui.add(slider).changed() {
            commands.push(OverlayCommand::SetOpacity(opacity));
        }
    });
    ui.horizontal(|ui| {
        for (style, name) in STYLES {
            if ui.selectable_label(overlay.style == style, name).clicked() {
                commands.push(OverlayCommand::SetStyle(style));
            }
        }
        let chosen = COLORMAPS.iter().find(|(colormap, _)| *colormap == overlay.colormap);
        let title = chosen.map_or("", |(_, name)| name);
        let combo = ComboBox::from_id_salt("colormap").selected_text(title).show_ui(ui, |ui| {
            for (colormap, name) in COLORMAPS {
                if ui.selectable_label(overlay.colormap == colormap, name).clicked() {
                    commands.push(OverlayCommand::SetColormap(colormap));
                }
            }
        });
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Colour scale"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui::Role;
    use egui_kittest::{Harness, kittest::Queryable as _};
    use std::sync::Arc;

    fn overlay() -> OverlayState {
        OverlayState { result: Some(Arc::new(samples::result(false))), ..Default::default() }
    }

    #[test]
    fn the_slider_moves_t_through_a_command_and_changes_nothing_itself() {
        let overlay = overlay();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        let slider = harness.get_by_role_and_label(Role::Slider, "Threshold t, keys [ and ]");
        slider.set_value_accesskit(0.75);
        harness.run();
        drop(harness);
        let moved = OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.75));
        assert!(commands.take().contains(&Command::Overlay(moved)));
        assert_eq!(overlay.threshold, BinaryThreshold::HALF);
    }

    #[test]
    fn the_area_is_metric_where_the_slide_is_calibrated() {
        let overlay = overlay();
        let mut commands = Commands::default();
        let mpp = Mpp::new(0.5, 0.5);
        let lesions = overlay.result.as_ref().unwrap().lesions.at(overlay.threshold);
        let expected = Area::from_level0_px(lesions.area_level0_px, mpp).to_string();
        assert!(expected.ends_with("mm²"));
        let harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, mpp, &mut commands));
        harness.get_by_label(&expected);
    }

    #[test]
    fn otsus_t_is_one_click_away() {
        let overlay = overlay();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Otsu's t = 0.60").click();
        harness.run();
        drop(harness);
        let moved = OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.6));
        assert_eq!(commands.take(), [Command::Overlay(moved)]);
    }

    #[test]
    fn without_a_result_there_is_nothing_to_set() {
        let mut commands = Commands::default();
        let overlay = OverlayState::default();
        let harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Run a model to see where it looks.");
        assert!(harness.query_by_label("Export…").is_none());
    }
}
