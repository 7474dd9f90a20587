//! The panel of the layers: reads state, pushes commands, owns nothing.

use domain::mask::BinaryThreshold;
use domain::scale::{Area, Mpp};
use egui::{ComboBox, DragValue, Rangef, RichText, Slider, Ui};
use render::frame::{Colormap, OverlayStyle};

use super::theme;
use crate::command::{Commands, FileCommand, LesionCommand, OverlayCommand};
use crate::state::layer::{Layer, LayerLook};
use crate::state::overlay::OverlayState;

mod color_bar;
mod compare;
mod histogram;

const COLORMAPS: [(Colormap, &str); 7] = [
    (Colormap::Cividis, "Cividis"),
    (Colormap::Viridis, "Viridis"),
    (Colormap::Magma, "Magma"),
    (Colormap::Inferno, "Inferno"),
    (Colormap::Orange, "Orange"),
    (Colormap::Blue, "Blue"),
    (Colormap::Green, "Green"),
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
    let Some(layer) = overlay.layer() else {
        super::section_title(ui, "Heatmap");
        ui.label(RichText::new("Run a model to see where it looks.").color(theme::TEXT_WEAK));
        return;
    };
    title_ui(ui, overlay.is_visible, commands);
    ui.add_enabled_ui(overlay.is_visible, |ui| {
        layer_ui(ui, overlay, layer, commands);
        threshold_ui(ui, layer, commands);
        figures_ui(ui, overlay, layer, mpp, commands);
        color_bar::color_bar_ui(ui, layer);
        look_ui(ui, layer, commands);
        compare::compare_ui(ui, overlay, commands);
    });
    ui.add_space(4.0);
    let size = egui::vec2(ui.available_width(), 30.0);
    if ui.add(egui::Button::new("Export…").min_size(size)).clicked() {
        commands.push(FileCommand::ShowExport);
    }
}

fn title_ui(ui: &mut Ui, mut is_visible: bool, commands: &mut Commands) {
    ui.horizontal(|ui| {
        super::section_title(ui, "Layers");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.checkbox(&mut is_visible, "Show layers  (H)").changed() {
                commands.push(OverlayCommand::SetVisible(is_visible));
            }
        });
    });
}

/// Which layer everything below is about, and whether it is shown.
fn layer_ui(ui: &mut Ui, overlay: &OverlayState, layer: &Layer, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let combo = ComboBox::from_id_salt("layer").width(ui.available_width() - 90.0);
        let combo = combo.height(400.0).selected_text(layer.kind.title()).show_ui(ui, |ui| {
            // The topmost first.
            for other in overlay.layers.iter().rev() {
                let mark = if other.look.is_shown { "shown" } else { "" };
                let text = format!("{}  {mark}", other.kind.title());
                if ui.selectable_label(other.kind == layer.kind, text.trim_end()).clicked() {
                    commands.push(OverlayCommand::Choose(other.kind));
                }
            }
        });
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Layer"));
        let mut is_shown = layer.look.is_shown;
        if ui.checkbox(&mut is_shown, "Shown").changed() {
            commands.push(OverlayCommand::SetShown(is_shown));
        }
    });
}

/// The histogram, the slider under it, the typed value, and what *t* could be set to.
fn threshold_ui(ui: &mut Ui, layer: &Layer, commands: &mut Commands) {
    let label = ui.label("Threshold t, keys [ and ]");
    let left = ui.cursor().left();
    let slider_width = ui.available_width() - 66.0;
    // The rail ends half a handle before the slider does.
    let rail = Rangef::new(left, left + slider_width).shrink(ui.spacing().interact_size.y / 2.5);
    histogram::histogram_ui(ui, rail, layer);
    let mut value = layer.threshold.get();
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
    proposals_ui(ui, layer, commands);
}

/// The model's own *t*, Otsu's and Youden's, in the colours of their ticks.
fn proposals_ui(ui: &mut Ui, layer: &Layer, commands: &mut Commands) {
    let button = |text: String, color| egui::Button::new(RichText::new(text).color(color)).small();
    ui.horizontal(|ui| {
        if let Some(recommended) = layer.recommended {
            let text = format!("Model's {:.2}  (T)", recommended.get());
            let button = button(text, theme::WARNING);
            if ui.add_enabled(layer.threshold != recommended, button).clicked() {
                commands.push(OverlayCommand::ResetThreshold);
            }
        }
        if let Some(otsu) = layer.readout.as_ref().and_then(|readout| readout.otsu) {
            let button = button(format!("Otsu's {:.2}", otsu.get()), theme::ACCENT);
            if ui.add_enabled(layer.threshold != otsu, button).clicked() {
                commands.push(OverlayCommand::SetThreshold(otsu));
            }
        }
        if let Some(youden) = layer.youden {
            let button = button(format!("Youden's {:.2}", youden.get()), theme::DONE);
            let hint = "Largest sensitivity plus specificity on the model's validation slides";
            let button = ui.add_enabled(layer.threshold != youden, button);
            if button.on_hover_text(hint).clicked() {
                commands.push(OverlayCommand::SetThreshold(youden));
            }
        }
    });
}

/// What exceeds *t*, from the figures that a job prepared.
fn figures_ui(
    ui: &mut Ui,
    overlay: &OverlayState,
    layer: &Layer,
    mpp: Option<Mpp>,
    commands: &mut Commands,
) {
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        let Some(readout) = &layer.readout else {
            ui.label(RichText::new("Counting…").color(theme::TEXT_WEAK));
            return;
        };
        let lesions = readout.lesions.at(layer.threshold);
        let what = if layer.kind.is_of_lesions() { "Lesion area at t" } else { "Area at t" };
        ui.label(RichText::new(what).color(theme::TEXT_WEAK).small());
        let area = Area::from_level0_px(lesions.area_level0_px, mpp).to_string();
        ui.horizontal(|ui| {
            ui.label(RichText::new(area).size(18.0).color(theme::TEXT_STRONG));
            if let Some(share) = readout.tissue.at(layer.threshold) {
                ui.label(format!("{:.1} % of the tissue", 100.0 * share));
            }
        });
        let largest = Area::from_level0_px(lesions.largest_level0_px, mpp);
        if !layer.kind.is_of_lesions() {
            ui.label(format!("{} parts, the largest {largest}", lesions.n_lesions));
            return;
        }
        ui.horizontal(|ui| {
            let stop = overlay.tour().and_then(|tour| Some((tour.at + 1, tour.stop()?)));
            ui.label(match (stop, lesions.n_lesions) {
                (Some((number, stop)), n) => {
                    format!("lesion {number} of {n}, score {:.2}", stop.score)
                }
                (None, 0) => "no lesion".to_owned(),
                (None, 1) => "1 lesion".to_owned(),
                (None, n) => format!("{n} lesions, the largest {largest}"),
            });
            if 0 < lesions.n_lesions {
                tour_ui(ui, commands);
            }
        });
    });
}

/// The way from lesion to lesion.
fn tour_ui(ui: &mut Ui, commands: &mut Commands) {
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        for (text, name, command) in [
            (">", "Next lesion", LesionCommand::Next),
            ("<", "Previous lesion", LesionCommand::Previous),
        ] {
            let button = ui.small_button(text);
            button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
            if button.on_hover_text(format!("{name}, keys N and Shift+N")).clicked() {
                commands.push(command);
            }
        }
    });
}

/// Opacity, colours, fill or contour.
fn look_ui(ui: &mut Ui, layer: &Layer, commands: &mut Commands) {
    let LayerLook { mut opacity, colormap, style, .. } = layer.look;
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = 130.0;
        let slider = Slider::new(&mut opacity, 0.0..=1.0).fixed_decimals(2).text("Opacity");
        if ui.add(slider).changed() {
            commands.push(OverlayCommand::SetOpacity(opacity));
        }
    });
    ui.horizontal(|ui| {
        for (other, name) in STYLES {
            if ui.selectable_label(style == other, name).clicked() {
                commands.push(OverlayCommand::SetStyle(other));
            }
        }
        let title = COLORMAPS.iter().find(|(other, _)| *other == colormap).map_or("", |it| it.1);
        let combo = ComboBox::from_id_salt("colormap").selected_text(title).show_ui(ui, |ui| {
            for (other, name) in COLORMAPS {
                if ui.selectable_label(colormap == other, name).clicked() {
                    commands.push(OverlayCommand::SetColormap(other));
                }
            }
        });
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Color scale"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::layer::LayerKind;
    use crate::state::tour::Tour;
    use egui::Role;
    use egui_kittest::{Harness, kittest::Queryable as _};
    use std::sync::Arc;

    fn overlay() -> OverlayState {
        samples::overlay(false)
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
        assert_eq!(overlay.layer().unwrap().threshold, BinaryThreshold::clamped(0.4));
    }

    #[test]
    fn the_area_is_metric_where_the_slide_is_calibrated() {
        let overlay = overlay();
        let mut commands = Commands::default();
        let mpp = Mpp::new(0.5, 0.5);
        let layer = overlay.layer().unwrap();
        let lesions = layer.readout.as_ref().unwrap().lesions.at(layer.threshold);
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
        harness.get_by_label("Otsu's 0.60").click();
        harness.run();
        drop(harness);
        let moved = OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.6));
        assert_eq!(commands.take(), [Command::Overlay(moved)]);
    }

    #[test]
    fn youdens_t_is_offered_where_the_model_has_it() {
        let mut overlay = overlay();
        overlay.change(|layer| layer.youden = Some(BinaryThreshold::clamped(0.3)));
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Youden's 0.30").click();
        harness.run();
        drop(harness);
        let moved = OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.3));
        assert_eq!(commands.take(), [Command::Overlay(moved)]);
    }

    #[test]
    fn every_layer_can_be_chosen_by_its_name_and_hidden() {
        let overlay = overlay();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Layer").click();
        harness.run();
        harness.get_by_label("Tissue");
        harness.get_by_label("Refined mask").click();
        harness.run();
        harness.get_by_label("Shown").click();
        harness.run();
        drop(harness);
        let expected =
            [OverlayCommand::Choose(LayerKind::Refined), OverlayCommand::SetShown(false)];
        assert_eq!(commands.take(), expected.map(Command::Overlay));
    }

    #[test]
    fn lesions_are_gone_through_one_by_one() {
        let mut overlay = overlay();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Next lesion").click();
        harness.run();
        harness.get_by_label("Previous lesion").click();
        harness.run();
        drop(harness);
        let expected = [LesionCommand::Next, LesionCommand::Previous].map(Command::Lesion);
        assert_eq!(commands.take(), expected);
        let layer = overlay.layer().unwrap();
        let tour = Tour::new(Arc::clone(&layer.heatmap), layer.threshold);
        overlay.take_tour(tour);
        let harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("lesion 1 of 1, score 1.00");
    }

    #[test]
    fn a_layer_that_is_still_counted_says_so() {
        let mut overlay = overlay();
        overlay.chosen = LayerKind::Refined;
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| overlay_panel_ui(ui, &overlay, None, &mut commands));
        harness.get_by_label("Counting…");
        harness.get_by_label("Color bar: Lesion probability of stage 2");
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
