//! Dialogs over the window, one at a time; Escape or a click beside them closes.

use egui::text::CCursorRange;
use egui::text_edit::TextEditState;
use egui::{Id, Modal, Response, Ui};

use super::{
    about, export_dialog, import_dialog, palette, send_dialog, shortcut_sheet, start_page,
};
use crate::command::{Commands, WindowCommand};
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
            Dialog::Export => export_dialog::export_ui(ui, state, commands),
            Dialog::Send => send_dialog::send_ui(ui, state, commands),
            Dialog::Import => import_dialog::import_ui(ui, state, commands),
            Dialog::Palette => palette::palette_ui(ui, state, commands),
            Dialog::Shortcuts => {
                shortcut_sheet::shortcut_sheet_ui(ui, state.session.key_set, commands);
            }
            Dialog::About => about::about_ui(ui),
            Dialog::QuitWhileTraining => quit_while_training_ui(ui, commands),
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
pub(super) fn focus_first(ui: &Ui, control: &Response) -> bool {
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

fn quit_while_training_ui(ui: &mut Ui, commands: &mut Commands) {
    ui.set_width(420.0);
    ui.heading("A training is under way");
    ui.label(
        "It stops with the window. What was learned up to the last epoch is kept, and the training \
         is offered again at the next start.",
    );
    ui.add_space(4.0);
    if ui.button("Quit and go on later").clicked() {
        commands.push(WindowCommand::Quit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, FileCommand, samples};
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
        let dialogs = [
            Dialog::OpenPath,
            Dialog::Import,
            Dialog::Export,
            Dialog::Send,
            Dialog::Palette,
            Dialog::Shortcuts,
            Dialog::About,
            Dialog::QuitWhileTraining,
        ];
        for dialog in dialogs {
            let expected = [Command::Window(WindowCommand::CloseDialog)];
            assert_eq!(asked(dialog, "Close"), expected, "{dialog:?}");
        }
    }

    #[test]
    fn whoever_quits_while_it_trains_is_asked() {
        let expected = [Command::Window(WindowCommand::Quit)];
        assert_eq!(asked(Dialog::QuitWhileTraining, "Quit and go on later"), expected);
    }

    #[test]
    fn the_export_dialog_exports() {
        assert_eq!(asked(Dialog::Export, "Export"), [Command::File(FileCommand::Export)]);
    }
}
