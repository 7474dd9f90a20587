//! What the open slide says about itself.

use domain::scale::Mpp;
use egui::{RichText, Ui};

use super::theme;
use crate::command::{Commands, FileCommand, ViewCommand};
use crate::state::view::{Associated, ColorProfile, SlideFacts, ViewState};

/// Draws the panel; without a slide there is none.
pub(crate) fn slide_panel_ui(ui: &mut Ui, view: &ViewState, commands: &mut Commands) {
    let Some(facts) = &view.facts else { return };
    super::section_title(ui, "Slide");
    let name = egui::Label::new(RichText::new(facts.name()).color(theme::TEXT_STRONG)).truncate();
    ui.add(name).on_hover_text(facts.path.display().to_string());
    egui::Grid::new("slide-facts").num_columns(2).spacing([14.0, 3.0]).show(ui, |ui| {
        row(ui, "Size", &format!("{} x {} px", facts.size.width, facts.size.height));
        row(ui, "Calibration", &calibration(facts.mpp));
        let power = facts.objective_power.map(|power| format!("{power}x"));
        row(ui, "Objective", &power.unwrap_or_else(|| "not stated".to_owned()));
    });
    colors_ui(ui, &facts.color_profile, view.is_color_corrected, commands);
    associated_ui(ui, view, facts, commands);
    egui::CollapsingHeader::new("All properties").show(ui, |ui| properties_ui(ui, facts));
}

/// Pictures that lie beside the slide, hidden until someone asks: a label may name a patient.
fn associated_ui(ui: &mut Ui, view: &ViewState, facts: &SlideFacts, commands: &mut Commands) {
    if facts.associated.is_empty() {
        return;
    }
    let header = egui::CollapsingHeader::new("Label and macro");
    let header = header.show(ui, |ui| {
        for name in &facts.associated {
            ui.label(RichText::new(name).small().color(theme::TEXT_WEAK));
            match view.associated.get(name) {
                None => commands.push(FileCommand::ShowAssociated(name.clone())),
                Some(Associated::Reading) => {
                    ui.label("Reading…");
                }
                Some(Associated::Failed(reason)) => {
                    let text = RichText::new(reason).color(theme::WARNING).small();
                    ui.add(egui::Label::new(text).wrap());
                }
                Some(Associated::Read(picture)) => {
                    let width = ui.available_width();
                    let image = egui::Image::new(picture.texture(ui.ctx())).max_width(width);
                    ui.add(image.max_height(width).alt_text(format!("Picture: {name}")));
                }
            }
        }
    });
    header.header_response.on_hover_text("A label may name the patient");
}

/// Whether colors can be corrected, and the switch.
fn colors_ui(ui: &mut Ui, profile: &ColorProfile, is_corrected: bool, commands: &mut Commands) {
    match profile {
        ColorProfile::Missing => {}
        ColorProfile::Usable(_) => {
            let mut is_corrected = is_corrected;
            let text = "Correct colors with the scanner's profile  (I)";
            if ui.checkbox(&mut is_corrected, text).changed() {
                commands.push(ViewCommand::ToggleColorCorrection);
            }
        }
        ColorProfile::Unusable(reason) => {
            let text = format!("Colors are shown as scanned: {reason}");
            ui.add(egui::Label::new(RichText::new(text).color(theme::WARNING).small()).wrap());
        }
    }
}

fn calibration(mpp: Option<Mpp>) -> String {
    match mpp {
        None => "none: lengths are in px".to_owned(),
        Some(mpp) if (mpp.x() - mpp.y()).abs() < 1e-6 => format!("{:.4} µm/px", mpp.x()),
        Some(mpp) => format!("{:.4} x {:.4} µm/px", mpp.x(), mpp.y()),
    }
}

fn row(ui: &mut Ui, name: &str, value: &str) {
    ui.label(RichText::new(name).color(theme::TEXT_WEAK));
    ui.label(value);
    ui.end_row();
}

fn properties_ui(ui: &mut Ui, facts: &SlideFacts) {
    ui.label(format!("Format: {}", facts.format));
    for (index, level) in facts.levels.iter().enumerate() {
        let origin = if level.is_virtual { ", computed" } else { "" };
        let (size, downsample) = (level.size, level.downsample.get());
        let text = format!("{} x {} px, 1:{downsample:.2}{origin}", size.width, size.height);
        ui.label(format!("Level {index}: {text}"));
    }
    for (name, value) in &facts.properties {
        let text = RichText::new(format!("{name} = {value}")).small().color(theme::TEXT_WEAK);
        ui.add(egui::Label::new(text).wrap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_panel_names_the_slide_its_size_and_its_scale() {
        let state = samples::state();
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| slide_panel_ui(ui, &state.view, &mut commands));
        for text in ["sample.svs", "4000 x 2000 px", "0.5000 µm/px", "20x"] {
            harness.get_by_label(text);
        }
    }

    #[test]
    fn the_profile_of_the_scanner_can_be_switched_off_where_there_is_one() {
        let mut state = samples::state();
        let mut facts = samples::facts();
        facts.color_profile = samples::color_profile();
        state.view.open(facts);
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| slide_panel_ui(ui, &state.view, &mut commands));
        harness.get_by_label_contains("Correct colors with the scanner's profile").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::View(ViewCommand::ToggleColorCorrection)]);
    }

    #[test]
    fn a_label_is_read_only_when_someone_asks_for_it() {
        let mut state = samples::state();
        let show = |ui: &mut Ui, state: &mut crate::state::State| {
            let mut commands = Commands::default();
            slide_panel_ui(ui, &state.view, &mut commands);
            for command in commands.take() {
                crate::command::apply(state, command);
            }
        };
        state.view.associated.clear();
        let mut harness = Harness::new_ui_state(show, state);
        harness.run();
        assert!(harness.state().view.associated.is_empty());
        harness.get_by_label("Label and macro").click();
        harness.run();
        assert_eq!(harness.state().view.associated.len(), 2);
        let pixels = domain::pixels::Pixels::filled(
            domain::coords::PixelSize { width: 4, height: 4 },
            [255; 4],
        );
        let picture = std::sync::Arc::new(crate::state::picture::Picture::new(pixels));
        let associated = &mut harness.state_mut().view.associated;
        associated.insert("label".to_owned(), Associated::Read(picture));
        associated.insert("thumbnail".to_owned(), Associated::Failed("it is damaged".to_owned()));
        harness.run();
        harness.get_by_label("Picture: label");
        harness.get_by_label("it is damaged");
    }

    #[test]
    fn a_profile_that_cannot_be_used_is_named() {
        let mut state = samples::state();
        let mut facts = samples::facts();
        facts.color_profile = ColorProfile::Unusable("it is of ink".to_owned());
        state.view.open(facts);
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| slide_panel_ui(ui, &state.view, &mut commands));
        harness.get_by_label("Colors are shown as scanned: it is of ink");
    }

    #[test]
    fn unequal_pixel_sides_are_both_named() {
        assert_eq!(calibration(Mpp::new(0.25, 0.5)), "0.2500 x 0.5000 µm/px");
        assert_eq!(calibration(None), "none: lengths are in px");
    }
}
