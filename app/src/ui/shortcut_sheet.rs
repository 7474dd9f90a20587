//! Every key, derived from the list of named commands.

use egui::{RichText, Ui};

use super::theme;
use crate::command::entries::{Entry, Menu, entries};
use crate::command::{Commands, WindowCommand};
use crate::state::session::KeySet;

/// What the pointer and a held key do; they have no entries of their own.
const POINTER: [(&str, &str); 7] = [
    ("Drag", "Move the slide"),
    ("Wheel, pinch", "Zoom at the pointer"),
    ("Double click", "Zoom in at the pointer"),
    ("Click, Shift-click", "Select an annotation, or one more"),
    ("Space-drag, middle drag", "Move the slide with a tool in the hand"),
    ("Click the overview", "Go there"),
    ("Hold Space", "Hide all layers"),
];

/// Wide enough for the longest of them.
const KEYS_PT: f32 = 150.0;

/// Draws the content of the dialog.
pub(crate) fn shortcut_sheet_ui(ui: &mut Ui, set: KeySet, commands: &mut Commands) {
    ui.heading("Keys and pointer");
    ui.horizontal(|ui| {
        ui.label("As in");
        for other in KeySet::ALL {
            if ui.selectable_label(other == set, other.title()).clicked() {
                commands.push(WindowCommand::SetKeySet(other));
            }
        }
    });
    // The window may be lower than the list is long; the button below stays in sight.
    let height = (ui.ctx().content_rect().height() - 150.0).max(200.0);
    let scroll = egui::ScrollArea::vertical().max_height(height);
    scroll.show(ui, |ui| columns_ui(ui, set));
}

fn columns_ui(ui: &mut Ui, set: KeySet) {
    ui.columns_const(|[left, right]| {
        for menu in [Menu::View, Menu::Review] {
            group_ui(left, menu, set);
        }
        for menu in [Menu::File, Menu::Model, Menu::Train, Menu::Heatmap, Menu::Help] {
            group_ui(right, menu, set);
        }
        super::section_title(right, "Pointer and held key");
        keys_grid("pointer").show(right, |ui| {
            for (keys, text) in POINTER {
                row_ui(ui, keys, text);
            }
        });
    });
}

fn group_ui(ui: &mut Ui, menu: Menu, set: KeySet) {
    super::section_title(ui, menu.title());
    keys_grid(menu.title()).show(ui, |ui| {
        let has_key = |entry: &&Entry| entry.menu == menu && !entry.keys.is_empty();
        for entry in entries(set).iter().filter(has_key) {
            let keys: Vec<_> = entry.keys.iter().map(|shortcut| shortcut.label).collect();
            row_ui(ui, &keys.join(", "), entry.text);
        }
    });
}

/// Keys in one column as wide in every group, what they do in the next.
fn keys_grid(id: &str) -> egui::Grid {
    egui::Grid::new(id).num_columns(2).min_col_width(KEYS_PT)
}

fn row_ui(ui: &mut Ui, keys: &str, text: &str) {
    ui.label(RichText::new(keys).monospace().color(theme::ACCENT));
    ui.label(text);
    ui.end_row();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn every_command_with_a_key_is_on_the_sheet() {
        let mut commands = Commands::default();
        let sheet = |ui: &mut Ui| shortcut_sheet_ui(ui, KeySet::Asap, &mut commands);
        let harness = Harness::new_ui(sheet);
        for entry in entries(KeySet::Asap).iter().filter(|entry| !entry.keys.is_empty()) {
            harness.get_by_label(entry.text);
        }
    }

    #[test]
    fn the_set_of_keys_is_chosen_on_the_sheet() {
        let mut commands = Commands::default();
        let sheet = |ui: &mut Ui| shortcut_sheet_ui(ui, KeySet::QuPath, &mut commands);
        let mut harness = Harness::new_ui(sheet);
        harness.get_by_label("ImageScope").click();
        harness.run();
        drop(harness);
        let expected = WindowCommand::SetKeySet(KeySet::ImageScope);
        assert_eq!(commands.take(), [Command::Window(expected)]);
    }
}
