//! Where the pointer is, how large things are, and what this program is not for.

use domain::RESEARCH_USE_ONLY;
use domain::coords::Level0Px;
use domain::scale::Mpp;
use egui::{Align, DragValue, Layout, RichText, Ui};
use model::device::DeviceChoice;

use super::theme;
use crate::canvas::magnification;
use crate::command::{Commands, ViewCommand};
use crate::state::State;
use crate::state::review::{ReviewState, Tool};
use crate::state::view::SlideFacts;
use crate::ui::length_text;

/// Magnifications to choose from, as objectives have them.
const OBJECTIVES: [f64; 6] = [1.25, 2.5, 5.0, 10.0, 20.0, 40.0];

/// Draws the bar; `n_damaged` tiles in view cannot be shown as they should.
pub(crate) fn status_bar_ui(ui: &mut Ui, state: &State, n_damaged: usize, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(RESEARCH_USE_ONLY).small().color(theme::WARNING));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let view = &state.view;
            if let Some(facts) = &view.facts {
                magnification_ui(ui, facts, view.level0_per_device_px(), commands);
                let turn = view.camera.turn.get();
                if turn != 0.0 {
                    ui.label(format!("turned {turn:.0}°")).on_hover_text("0 turns it back");
                }
                ui.separator();
                let position = view.position().map(|at| position_text(at, facts.mpp));
                ui.label(position.unwrap_or_default());
                if let Some(text) = tool_text(&state.review, facts.mpp) {
                    ui.separator();
                    ui.label(text);
                }
            }
            if view.facts.is_some() {
                ui.label(RichText::new(view.color_state()).small().color(theme::TEXT_WEAK));
            }
            if 0 < n_damaged {
                let text = format!("{n_damaged} damaged tiles in view");
                ui.label(RichText::new(text).color(theme::WARNING));
            }
            if let Ok(device) = DeviceChoice::Auto.status() {
                let text = RichText::new(device.name).small().color(theme::TEXT_WEAK);
                ui.label(text).on_hover_text("Where models are computed");
            }
            if state.adapter.is_software {
                let hint = format!("No graphics processor: drawn by {}", state.adapter.name);
                let text = RichText::new("software drawing").small().color(theme::TEXT_WEAK);
                ui.label(text).on_hover_text(hint);
            }
        });
    });
}

/// The magnification, and on a click others to choose from or to type.
fn magnification_ui(
    ui: &mut Ui,
    facts: &SlideFacts,
    level0_per_device_px: f64,
    commands: &mut Commands,
) {
    let menu = ui.menu_button(magnification(facts, level0_per_device_px), |ui| {
        let (native, unit) = facts.native_magnification();
        ui.horizontal(|ui| {
            let label = ui.label("Magnify to");
            let mut wanted = native / level0_per_device_px;
            let field = DragValue::new(&mut wanted).range(0.01..=1000.0).suffix(unit);
            if ui.add(field.max_decimals(2)).labelled_by(label.id).changed() {
                commands.push(ViewCommand::Magnify(wanted));
            }
        });
        let choices = if unit == "x" { OBJECTIVES } else { OBJECTIVES.map(|it| 2.5 * it) };
        for wanted in choices {
            if ui.button(format!("{wanted}{unit}")).clicked() {
                commands.push(ViewCommand::Magnify(wanted));
                ui.close();
            }
        }
    });
    menu.response.on_hover_text("Magnification: click to choose or type another");
}

/// What the tool in the hand measures, or what to do with it.
fn tool_text(review: &ReviewState, mpp: Option<Mpp>) -> Option<String> {
    match review.tool {
        Tool::Move => None,
        Tool::Line if 2 <= review.way.len() => Some(length_text(&review.way, mpp)),
        tool => Some(tool.hint().to_owned()),
    }
}

/// `x 1024, y 768 px (511.0, 383.2 µm)`.
fn position_text(at: Level0Px, mpp: Option<Mpp>) -> String {
    let pixels = format!("x {:.0}, y {:.0} px", at.x.floor(), at.y.floor());
    match mpp {
        None => pixels,
        Some(mpp) => format!("{pixels} ({:.1}, {:.1} µm)", at.x * mpp.x(), at.y * mpp.y()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use domain::coords::ScreenPt;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_bar_shows_purpose_position_and_magnification() {
        let mut state = samples::state();
        state.view.pointer = Some(ScreenPt { x: 400.0, y: 300.0 });
        state.view.camera.turn = domain::coords::Turn::degrees(30.0);
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| status_bar_ui(ui, &state, 0, &mut commands));
        harness.get_by_label(RESEARCH_USE_ONLY);
        harness.get_by_label("x 2000, y 1000 px (1000.0, 500.0 µm)");
        harness.get_by_label("3.9x");
        harness.get_by_label("turned 30°");
        harness.get_by_label("CPU");
        harness.get_by_label("colors as scanned: no profile");
    }

    #[test]
    fn a_magnification_is_chosen_from_the_bar() {
        let state = samples::state();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| status_bar_ui(ui, &state, 0, &mut commands));
        harness.get_by_label("3.9x").click();
        harness.run();
        harness.get_by_label("10x").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::View(ViewCommand::Magnify(10.0))]);
    }

    #[test]
    fn a_slide_without_a_scale_shows_pixels_only() {
        let at = Level0Px { x: 12.7, y: 3.2 };
        assert_eq!(position_text(at, None), "x 12, y 3 px");
    }
}
