//! Dialogs over the window, one at a time; Escape or a click beside them closes.

use std::collections::BTreeSet;

use egui::text::CCursorRange;
use egui::text_edit::TextEditState;
use egui::{Id, Label, Modal, Response, RichText, TextEdit, Ui};
use slide::export::{ExportFormat, Reader};

use super::{about, shortcut_sheet, start_page, theme};
use crate::command::{Commands, FileCommand, WindowCommand};
use crate::state::State;
use crate::state::dialogs::{Dialog, Dialogs};

/// Draws the open dialog, if any.
pub(crate) fn dialogs_ui(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let dialog = state.dialogs.open;
    if dialog == Dialog::None {
        return;
    }
    let modal = Modal::new(Id::unique("dialog")).show(ctx, |ui| {
        match dialog {
            Dialog::None => {}
            Dialog::OpenPath => open_path_ui(ui, &state.dialogs, commands),
            Dialog::Export => export_ui(ui, state, commands),
            Dialog::Shortcuts => shortcut_sheet::shortcut_sheet_ui(ui),
            Dialog::About => about::about_ui(ui),
        }
        ui.add_space(8.0);
        let close = ui.button("Close");
        if matches!(dialog, Dialog::Shortcuts | Dialog::About) {
            focus_first(ui, &close);
        }
        if close.clicked() {
            commands.push(WindowCommand::CloseDialog);
        }
    });
    if modal.should_close() {
        commands.push(WindowCommand::CloseDialog);
    }
}

/// Gives a dialog's main control the keyboard unless something has it, so that one can type or
/// press Enter at once. Answers whether it did.
fn focus_first(ui: &Ui, control: &Response) -> bool {
    let is_free = ui.memory(|memory| memory.focused().is_none());
    if is_free {
        control.request_focus();
    }
    is_free
}

fn open_path_ui(ui: &mut Ui, dialogs: &Dialogs, commands: &mut Commands) {
    ui.set_width(520.0);
    ui.heading("Open a slide by its path");
    let field = start_page::path_field_ui(ui, &dialogs.path_text, commands);
    if focus_first(ui, &field) {
        // A path that failed can be mended, or typed over at once.
        let mut edit = TextEditState::load(ui.ctx(), field.id).unwrap_or_default();
        let all = CCursorRange::select_all_str(&dialogs.path_text);
        edit.cursor.set_char_range(Some(all));
        edit.store(ui.ctx(), field.id);
    }
}

fn export_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_width(520.0);
    ui.heading("Export");
    if let Some(layer) = state.overlay.layer() {
        ui.label(format!("{}, cut at t = {:.3}", layer.kind.title(), layer.threshold.get()));
    }
    formats_ui(ui, &state.dialogs.export_formats, commands);
    ui.add_space(4.0);
    folder_ui(ui, &state.dialogs.export_folder, commands);
    ui.add_space(4.0);
    let is_ready =
        !state.dialogs.export_folder.trim().is_empty() && !state.dialogs.export_formats.is_empty();
    let export = ui.add_enabled(is_ready, theme::primary_button("Export"));
    focus_first(ui, &export);
    if export.clicked() {
        commands.push(FileCommand::Export);
    }
    let note = "Files are named after the slide and the layer. An earlier export of the same slide is replaced; \
                files of another slide never are.";
    ui.add(Label::new(RichText::new(note).small().color(theme::TEXT_WEAK)).wrap());
}

/// A column of boxes under the name of the program that the files are for.
fn formats_ui(ui: &mut Ui, chosen: &BTreeSet<ExportFormat>, commands: &mut Commands) {
    for reader in Reader::ALL {
        ui.label(RichText::new(reader.title()).color(theme::TEXT_WEAK));
        for format in ExportFormat::ALL.into_iter().filter(|format| format.reader() == reader) {
            let mut is_chosen = chosen.contains(&format);
            if ui.checkbox(&mut is_chosen, format.title()).changed() {
                commands.push(FileCommand::ToggleExportFormat(format));
            }
        }
    }
}

fn folder_ui(ui: &mut Ui, folder: &str, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = ui.label("Folder");
        let mut typed = folder.to_owned();
        let width = ui.available_width() - 100.0;
        let field = ui.add(TextEdit::singleline(&mut typed).desired_width(width));
        if field.labelled_by(label.id).changed() {
            commands.push(FileCommand::SetExportFolder(typed));
        }
        if ui.button("Choose…").clicked() {
            commands.push(FileCommand::PickExportFolder);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn asked(dialog: Dialog, click: &str) -> Vec<Command> {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state.dialogs.open = dialog;
        state.dialogs.export_folder = "/out".to_owned();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| dialogs_ui(ui.ctx(), &state, &mut commands));
        harness.run();
        harness.get_by_role_and_label(egui::Role::Button, click).click();
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn every_dialog_can_be_closed() {
        for dialog in [Dialog::OpenPath, Dialog::Export, Dialog::Shortcuts, Dialog::About] {
            let expected = [Command::Window(WindowCommand::CloseDialog)];
            assert_eq!(asked(dialog, "Close"), expected, "{dialog:?}");
        }
    }

    #[test]
    fn the_export_dialog_exports() {
        assert_eq!(asked(Dialog::Export, "Export"), [Command::File(FileCommand::Export)]);
    }
}
