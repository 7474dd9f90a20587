//! Annotations from a file of another program: which file, and where it counts from.

use egui::{RichText, TextEdit, Ui};
use slide::import::OriginChoice;

use super::{dialogs, is_entered, theme};
use crate::command::{Commands, FileCommand};
use crate::state::State;

const ORIGINS: [(OriginChoice, &str); 3] = [
    (OriginChoice::Likely, "As the file says, or as is likely"),
    (OriginChoice::Slide, "The corner of the slide"),
    (OriginChoice::ScannedPart, "The corner of the scanned part"),
];

/// Draws the content of the dialog.
pub(crate) fn import_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_width(520.0);
    ui.heading("Import annotations");
    ui.label("QuPath GeoJSON, ASAP XML or ImageScope XML. What is on the slide stays; one undo takes the import back.");
    file_ui(ui, &state.dialogs.import_text, commands);
    ui.add_space(4.0);
    ui.label("Coordinates are counted from");
    for (origin, text) in ORIGINS {
        if ui.radio(state.dialogs.import_origin == origin, text).clicked() {
            commands.push(FileCommand::SetImportOrigin(origin));
        }
    }
    ui.add_space(4.0);
    let is_ready = !state.dialogs.import_text.trim().is_empty() && state.review.can_edit();
    if ui.add_enabled(is_ready, theme::primary_button("Import")).clicked() {
        commands.push(FileCommand::Import);
    }
    if !state.review.can_edit() {
        let text = "Open a slide first.";
        ui.label(RichText::new(text).color(theme::WARNING));
    }
}

fn file_ui(ui: &mut Ui, text: &str, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = ui.label("File");
        let mut typed = text.to_owned();
        let width = ui.available_width() - 90.0;
        let field = TextEdit::singleline(&mut typed).desired_width(width);
        let field = ui.add(field.hint_text("Path of a file")).labelled_by(label.id);
        let is_entered = is_entered(ui, &field);
        dialogs::focus_first(ui, &field);
        if field.changed() {
            commands.push(FileCommand::SetImportText(typed));
        }
        if is_entered {
            commands.push(FileCommand::Import);
        }
        if ui.button("Choose…").clicked() {
            commands.push(FileCommand::PickAnnotations);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_file_is_typed_its_origin_chosen_and_read() {
        let mut state = samples::reviewed();
        state.dialogs.import_text = "/a/case.xml".to_owned();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| import_ui(ui, &state, &mut commands));
        for label in ["The corner of the scanned part", "Choose…", "Import"] {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        let expected = [
            FileCommand::SetImportOrigin(OriginChoice::ScannedPart),
            FileCommand::PickAnnotations,
            FileCommand::Import,
        ];
        assert_eq!(commands.take(), expected.map(Command::File));
    }

    #[test]
    fn without_a_slide_there_is_nothing_to_import_onto() {
        let mut state = State::default();
        state.dialogs.import_text = "/a/case.xml".to_owned();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| import_ui(ui, &state, &mut commands));
        harness.get_by_label("Open a slide first.");
        harness.get_by_label("Import").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), []);
    }
}
