//! The menu, derived from the list of named commands.

use egui::{Button, Ui};

use crate::command::entries::{Entry, Menu, entries};
use crate::command::{Commands, FileCommand};
use crate::state::State;

/// Draws the bar.
pub(crate) fn menu_bar_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    egui::MenuBar::new().ui(ui, |ui| {
        for menu in Menu::ALL {
            ui.menu_button(menu.title(), |ui| {
                ui.set_min_width(230.0);
                for entry in
                    entries(state.session.key_set).iter().filter(|entry| entry.menu == menu)
                {
                    entry_ui(ui, entry, commands);
                }
                if menu == Menu::File {
                    recent_ui(ui, state, commands);
                }
            });
        }
    });
}

fn entry_ui(ui: &mut Ui, entry: &Entry, commands: &mut Commands) {
    let mut button = Button::new(entry.text);
    if let Some(shortcut) = entry.keys.first() {
        button = button.shortcut_text(shortcut.label);
    }
    if ui.add(button).clicked() {
        commands.push(entry.command.clone());
        ui.close();
    }
}

fn recent_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    if state.session.recent.is_empty() {
        return;
    }
    ui.separator();
    for path in &state.session.recent {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let response = ui.button(name.as_ref()).on_hover_text(path.display().to_string());
        if response.clicked() {
            commands.push(FileCommand::Open(path.clone()));
            ui.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, ViewCommand, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};
    use std::path::PathBuf;

    fn asked(menu: &str, item: &str) -> Vec<Command> {
        let mut state = samples::state();
        state.session.remember(&PathBuf::from("/slides/earlier.svs"));
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| menu_bar_ui(ui, &state, &mut commands));
        harness.get_by_label(menu).click();
        harness.run();
        harness.get_by_label_contains(item).click();
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn a_menu_item_asks_for_its_command() {
        assert_eq!(asked("View", "Fit the slide"), [Command::View(ViewCommand::Fit)]);
    }

    #[test]
    fn a_recent_slide_is_opened_by_its_name() {
        let path = PathBuf::from("/slides/earlier.svs");
        assert_eq!(asked("File", "earlier.svs"), [Command::File(FileCommand::Open(path))]);
    }
}
