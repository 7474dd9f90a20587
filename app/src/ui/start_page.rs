//! What is shown while no slide is open.

use domain::RESEARCH_USE_ONLY;
use egui::{Response, RichText, TextEdit, Ui};
use review::ReviewStatus;

use super::{is_entered, theme};
use crate::command::{Commands, FileCommand};
use crate::state::State;

/// Widest line of text.
const COLUMN_PT: f32 = 460.0;

/// Draws the page in the middle of `ui`.
pub(crate) fn start_page_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    egui::ScrollArea::vertical().show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.set_max_width(COLUMN_PT);
            ui.add_space((ui.available_height() * 0.16).max(16.0));
            ui.label(RichText::new("Slidelight").size(34.0).color(theme::TEXT_STRONG));
            ui.label("Open a slide, run a model on it, and move the threshold yourself.");
            ui.add_space(6.0);
            ui.label(RichText::new(RESEARCH_USE_ONLY).color(theme::WARNING).strong());
            ui.add_space(18.0);
            buttons_ui(ui, commands);
            ui.add_space(10.0);
            path_field_ui(ui, &state.dialogs.path_text, commands);
            ui.label(RichText::new("or drop a file onto this window").color(theme::TEXT_WEAK));
            recent_ui(ui, state, commands);
        });
    });
}

fn buttons_ui(ui: &mut Ui, commands: &mut Commands) {
    let size = egui::vec2(COLUMN_PT * 0.6, 34.0);
    if ui.add(theme::primary_button("Open slide…").min_size(size)).clicked() {
        commands.push(FileCommand::Pick);
    }
    if ui.add(egui::Button::new("Open the demo slide").min_size(size)).clicked() {
        commands.push(FileCommand::OpenDemo);
    }
}

/// A field for the path of a slide, which also serves where the system has no file dialog.
/// Answers with the field itself.
pub(crate) fn path_field_ui(ui: &mut Ui, text: &str, commands: &mut Commands) -> Response {
    ui.horizontal(|ui| {
        let label = ui.label("Path");
        let mut typed = text.to_owned();
        let width = ui.available_width() - 70.0;
        let hint = "Path of a slide";
        let field = TextEdit::singleline(&mut typed).desired_width(width).hint_text(hint);
        let response = ui.add(field).labelled_by(label.id);
        if response.changed() {
            commands.push(FileCommand::SetPathText(typed));
        }
        if ui.button("Open").clicked() || is_entered(ui, &response) {
            commands.push(FileCommand::OpenTyped);
        }
        response
    })
    .inner
}

fn recent_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    if state.session.recent.is_empty() {
        return;
    }
    ui.add_space(18.0);
    super::section_title(ui, "Recent slides");
    for path in &state.session.recent {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let status = state.session.reviews.get(path).copied().unwrap_or_default();
        ui.horizontal(|ui| {
            let response = ui.link(name.as_ref()).on_hover_text(path.display().to_string());
            if response.clicked() {
                commands.push(FileCommand::Open(path.clone()));
            }
            if let Some((text, color)) = review_mark(status) {
                ui.label(RichText::new(text).small().color(color));
            }
        });
    }
}

/// How far the review of a slide is, in the list of slides.
fn review_mark(status: ReviewStatus) -> Option<(&'static str, egui::Color32)> {
    match status {
        ReviewStatus::Unseen => None,
        ReviewStatus::InProgress => Some(("review in progress", theme::WARNING)),
        ReviewStatus::Reviewed => Some(("reviewed", theme::DONE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_start_page_warns_and_offers_a_slide() {
        let state = State::default();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| start_page_ui(ui, &state, &mut commands));
        harness.get_by_label(RESEARCH_USE_ONLY);
        harness.get_by_label("Open the demo slide").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::File(FileCommand::OpenDemo)]);
    }
}
