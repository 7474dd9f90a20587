//! The channels of a slide that is not in colors: which are shown, in which color, from which value to which.

use egui::{Color32, Layout, Rect, Role, Sense, Slider, Ui, WidgetInfo, remap, vec2};
use slide::Channel;

use super::{histogram, theme};
use crate::command::{ChannelCommand, Commands};
use crate::state::view::ViewState;

const HISTOGRAM_PT: f32 = 26.0;

/// Left of a slider, so that all begin in one line.
const LABEL_PT: f32 = 56.0;

/// Right of a slider, for its value.
const VALUE_PT: f32 = 76.0;

/// Ranges below this are of fractions.
const WHOLE_NUMBERS_FROM: f32 = 20.0;

/// Draws the panel; a slide in colors has none.
pub(crate) fn channel_panel_ui(ui: &mut Ui, view: &ViewState, commands: &mut Commands) {
    if view.channels.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        super::section_title(ui, "Channels");
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("Reset all").clicked() {
                commands.push(ChannelCommand::Reset);
            }
        });
    });
    for (index, channel) in view.channels.iter().enumerate() {
        title_ui(ui, index, channel, commands);
        if channel.is_shown {
            histogram_ui(ui, channel);
            window_ui(ui, index, channel, commands);
        }
    }
    ui.separator();
}

/// Name, color, and the way back to the first window.
fn title_ui(ui: &mut Ui, index: usize, channel: &Channel, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let mut is_shown = channel.is_shown;
        if ui.checkbox(&mut is_shown, &channel.name).changed() {
            commands.push(ChannelCommand::Show(index, is_shown));
        }
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            let auto = ui.small_button("Auto");
            named(&auto, Role::Button, "Auto", channel);
            if auto.clicked() {
                commands.push(ChannelCommand::Auto(index));
            }
            let mut color = channel.color;
            let button = ui.color_edit_button_srgb(&mut color);
            named(&button, Role::ColorWell, "Color of", channel);
            if button.changed() {
                commands.push(ChannelCommand::SetColor(index, color));
            }
        });
    });
}

fn named(response: &egui::Response, role: Role, what: &str, channel: &Channel) {
    response.widget_info(|| WidgetInfo::labeled(role, true, format!("{what} {}", channel.name)));
}

/// Values of the channel, those of its window in its color.
fn histogram_ui(ui: &mut Ui, channel: &Channel) {
    let size = vec2(ui.available_width(), HISTOGRAM_PT);
    let (place, response) = ui.allocate_exact_size(size, Sense::hover());
    named(&response, Role::Image, "Histogram of", channel);
    let [r, g, b] = channel.color;
    let share = |value: f32| {
        remap(value, channel.range.low..=channel.range.high, 0.0..=1.0).clamp(0.0, 1.0)
    };
    let (low, high) = (share(channel.window.low), share(channel.window.high));
    let color = |from: f32, to: f32| {
        let is_shown = low < to && from < high;
        if is_shown { Color32::from_rgb(r, g, b) } else { theme::CONTROL }
    };
    ui.painter().rect_filled(place, 2.0, theme::CANVAS);
    ui.painter().add(histogram::bars(place, &channel.histogram, color));
    let x = |share: f32| egui::lerp(place.x_range(), share);
    let window = Rect::from_x_y_ranges(x(low)..=x(high), place.y_range());
    let stroke = egui::Stroke::new(1.0, theme::TEXT_WEAK);
    ui.painter().rect_stroke(window, 0.0, stroke, egui::StrokeKind::Inside);
}

/// A slider for each end of the window.
fn window_ui(ui: &mut Ui, index: usize, channel: &Channel, commands: &mut Commands) {
    let range = channel.range.low..=channel.range.high;
    let decimals = if WHOLE_NUMBERS_FROM <= range.end() - range.start() { 0 } else { 3 };
    let slider = |ui: &mut Ui, what: &str, mut value: f32| {
        ui.horizontal(|ui| {
            let left = ui.cursor().left();
            ui.label(what);
            ui.add_space(left + LABEL_PT - ui.cursor().left());
            ui.spacing_mut().slider_width = ui.available_width() - VALUE_PT;
            let slider = Slider::new(&mut value, range.clone()).fixed_decimals(decimals);
            let response = ui.add(slider.clamping(egui::SliderClamping::Never));
            named(&response, Role::Slider, what, channel);
            response.changed().then_some(value)
        })
        .inner
    };
    if let Some(low) = slider(ui, "Black at", channel.window.low) {
        commands.push(ChannelCommand::SetLow(index, low));
    }
    if let Some(high) = slider(ui, "Full at", channel.window.high) {
        commands.push(ChannelCommand::SetHigh(index, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn asked(click: impl FnOnce(&mut Harness<'_>)) -> Vec<Command> {
        let view = samples::view_of_channels();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| channel_panel_ui(ui, &view, &mut commands));
        click(&mut harness);
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn every_channel_is_named_and_can_be_hidden_and_set_back() {
        let hidden = asked(|ui| ui.get_by_label("CD8").click());
        assert_eq!(hidden, [Command::Channel(ChannelCommand::Show(1, false))]);
        let auto = asked(|ui| ui.get_by_label("Auto DAPI").click());
        assert_eq!(auto, [Command::Channel(ChannelCommand::Auto(0))]);
        let reset = asked(|ui| ui.get_by_label("Reset all").click());
        assert_eq!(reset, [Command::Channel(ChannelCommand::Reset)]);
        asked(|ui| {
            ui.get_by_label("Color of CD8");
        });
    }

    #[test]
    fn the_ends_of_a_window_are_sliders_with_names() {
        let moved = asked(|ui| {
            let slider = ui.get_by_role_and_label(Role::Slider, "Black at DAPI");
            slider.set_value_accesskit(350.0);
        });
        assert!(moved.contains(&Command::Channel(ChannelCommand::SetLow(0, 350.0))), "{moved:?}");
        let moved = asked(|ui| {
            let slider = ui.get_by_role_and_label(Role::Slider, "Full at CD8");
            slider.set_value_accesskit(700.0);
        });
        assert!(moved.contains(&Command::Channel(ChannelCommand::SetHigh(1, 700.0))), "{moved:?}");
    }

    #[test]
    fn a_slide_in_colors_has_no_channels() {
        let view = samples::state().view;
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| channel_panel_ui(ui, &view, &mut commands));
        assert!(harness.query_by_label("Reset all").is_none());
    }
}
