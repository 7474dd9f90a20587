//! Places to come back to.

use egui::{CollapsingHeader, Ui};

use crate::command::{Commands, ReviewCommand};
use crate::state::review::ReviewState;

/// Draws the list, closed until someone opens it.
pub(super) fn bookmarks_ui(ui: &mut Ui, review: &ReviewState, commands: &mut Commands) {
    let bookmarks = review.review.bookmarks();
    let title = format!("Bookmarks ({})", bookmarks.len());
    CollapsingHeader::new(title).id_salt("bookmarks").show(ui, |ui| {
        for (index, bookmark) in bookmarks.iter().enumerate() {
            ui.horizontal(|ui| {
                if ui.link(&bookmark.name).clicked() {
                    commands.push(ReviewCommand::GoToBookmark(index));
                }
                let remove = ui.small_button("Remove");
                let named = format!("Remove the bookmark {}", index + 1);
                remove.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &named));
                if remove.clicked() {
                    commands.push(ReviewCommand::RemoveBookmark(index));
                }
            });
        }
        if ui.button("Bookmark this place  (Ctrl+B)").clicked() {
            commands.push(ReviewCommand::AddBookmark);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, apply, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_bookmark_is_made_gone_to_and_removed() {
        let mut state = samples::reviewed();
        apply(&mut state, ReviewCommand::AddBookmark.into());
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| bookmarks_ui(ui, &state.review, &mut commands));
        let labels =
            ["3.9x at x 2000, y 1000", "Remove the bookmark 1", "Bookmark this place  (Ctrl+B)"];
        harness.get_by_label("Bookmarks (1)").click();
        harness.run();
        for label in labels {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        let expected = [
            ReviewCommand::GoToBookmark(0),
            ReviewCommand::RemoveBookmark(0),
            ReviewCommand::AddBookmark,
        ];
        assert_eq!(commands.take(), expected.map(Command::Review));
    }
}
