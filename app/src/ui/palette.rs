//! Every command by its name: type a part of it, press Enter.

use egui::{RichText, ScrollArea, TextEdit, Ui};

use super::{dialogs, is_entered, theme};
use crate::command::entries::{Entry, entries};
use crate::command::{Commands, WindowCommand};
use crate::state::State;

const LIST_PT: f32 = 320.0;

/// Draws the content of the dialog.
pub(crate) fn palette_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_width(420.0);
    let mut typed = state.dialogs.palette_text.clone();
    let label = ui.label(RichText::new("Command").color(theme::TEXT_WEAK));
    let field = TextEdit::singleline(&mut typed).desired_width(f32::INFINITY);
    let field = ui.add(field.hint_text("A part of its name")).labelled_by(label.id);
    let is_entered = is_entered(ui, &field);
    dialogs::focus_first(ui, &field);
    if field.changed() {
        commands.push(WindowCommand::SetPaletteText(typed.clone()));
    }
    let found: Vec<_> = found(&typed, entries(state.session.key_set)).collect();
    if let (true, Some(first)) = (is_entered, found.first()) {
        run(first, commands);
    }
    if found.is_empty() {
        ui.label(RichText::new("No command has such a name.").color(theme::TEXT_WEAK));
    }
    ScrollArea::vertical().max_height(LIST_PT).auto_shrink([false, false]).show(ui, |ui| {
        for (index, entry) in found.iter().enumerate() {
            entry_ui(ui, entry, index == 0, commands);
        }
    });
}

/// The first is what Enter runs.
fn entry_ui(ui: &mut Ui, entry: &Entry, is_first: bool, commands: &mut Commands) {
    let shortcut = entry.keys.first().map_or("", |shortcut| shortcut.label);
    let menu = RichText::new(entry.menu.title()).small().color(theme::TEXT_WEAK);
    ui.horizontal(|ui| {
        ui.add_sized([60.0, 0.0], egui::Label::new(menu));
        let button = egui::Button::selectable(is_first, entry.text).shortcut_text(shortcut);
        if ui.add(button.min_size(egui::vec2(ui.available_width(), 0.0))).clicked() {
            run(entry, commands);
        }
    });
}

/// The dialog closes first: the command may open another.
fn run(entry: &Entry, commands: &mut Commands) {
    commands.push(WindowCommand::CloseDialog);
    commands.push(entry.command.clone());
}

/// Commands whose names hold every word that is typed; those that begin with the first word go first.
fn found<'a>(typed: &str, entries: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
    let typed = typed.to_lowercase();
    let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
    let mut found: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let name = format!("{} {}", entry.menu.title(), entry.text).to_lowercase();
            words.iter().all(|word| name.contains(word))
        })
        .collect();
    found.sort_by_key(|entry| !entry.text.to_lowercase().starts_with(typed.trim()));
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, OverlayCommand, ReviewCommand};
    use crate::state::session::KeySet;
    use egui::Key;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_command_is_found_by_parts_of_its_name() {
        let names = |typed| {
            let found = found(typed, entries(KeySet::QuPath));
            found.map(|entry| entry.text).collect::<Vec<_>>()
        };
        assert_eq!(names("model own"), ["Set t to the model's own"]);
        assert_eq!(names("undo"), ["Undo"]);
        assert!(names("zzz").is_empty());
        assert_eq!(names("").len(), entries(KeySet::QuPath).len());
        assert_eq!(names("merge")[0], "Merge the selected");
    }

    #[test]
    fn enter_runs_the_first_one_and_a_click_any() {
        let mut state = State::default();
        state.dialogs.palette_text = "set t".to_owned();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| palette_ui(ui, &state, &mut commands));
        harness.run();
        harness.key_press(Key::Enter);
        harness.run();
        drop(harness);
        let close = Command::Window(WindowCommand::CloseDialog);
        let expected = [close.clone(), OverlayCommand::ResetThreshold.into()];
        assert_eq!(commands.take(), expected);

        state.dialogs.palette_text = "redo".to_owned();
        let mut harness = Harness::new_ui(|ui| palette_ui(ui, &state, &mut commands));
        harness.get_by_label_contains("Redo").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [close, ReviewCommand::Redo.into()]);
    }
}
