//! What is known of the selected annotation, and what can be done with it.

use domain::annotation::{Annotation, Source, Verdict};
use domain::scale::Mpp;
use egui::{RichText, TextEdit, Ui};

use super::size_text;
use crate::command::entries::key_label;
use crate::command::{Commands, ReviewCommand};
use crate::state::review::{Draft, ReviewState};
use crate::state::session::KeySet;
use crate::ui::theme;

/// Draws the card; without a selection there is none.
pub(super) fn selected_ui(
    ui: &mut Ui,
    review: &ReviewState,
    mpp: Option<Mpp>,
    keys: KeySet,
    commands: &mut Commands,
) {
    if review.selected.is_empty() {
        return;
    }
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        match (review.only_selected(), &review.draft) {
            (Some(annotation), Some(draft)) => {
                facts_ui(ui, annotation, mpp);
                draft_ui(ui, draft, commands);
            }
            _ => {
                ui.label(format!("{} annotations are selected", review.selected.len()));
            }
        }
        buttons_ui(ui, review, keys, commands);
    });
}

fn facts_ui(ui: &mut Ui, annotation: &Annotation, mpp: Option<Mpp>) {
    let size = RichText::new(size_text(&annotation.shape, mpp)).size(16.0);
    ui.label(size.color(theme::TEXT_STRONG));
    let origin = match &annotation.source {
        Source::Model { model, layer, threshold } => {
            format!("{layer} of {model} at t = {:.3}", threshold.get())
        }
        Source::Drawn => "drawn by hand".to_owned(),
        Source::Imported(format) => format!("imported from {format}"),
    };
    ui.label(RichText::new(origin).small().color(theme::TEXT_WEAK));
}

/// Name and comment, kept when the field is left.
fn draft_ui(ui: &mut Ui, draft: &Draft, commands: &mut Commands) {
    let (mut name, mut comment) = (draft.name.clone(), draft.comment.clone());
    let mut is_left = false;
    for (title, text) in [("Name", &mut name), ("Comment", &mut comment)] {
        ui.horizontal(|ui| {
            let label = ui.label(title);
            let field = TextEdit::singleline(text).desired_width(ui.available_width());
            is_left |= ui.add(field).labelled_by(label.id).lost_focus();
        });
    }
    if name != draft.name || comment != draft.comment {
        commands.push(ReviewCommand::SetDraft(name, comment));
    }
    if is_left {
        commands.push(ReviewCommand::KeepDraft);
    }
}

fn buttons_ui(ui: &mut Ui, review: &ReviewState, keys: KeySet, commands: &mut Commands) {
    ui.horizontal(|ui| {
        for (text, command, is_enabled) in [
            ("Accept", ReviewCommand::Judge(Verdict::Accepted), true),
            ("Reject", ReviewCommand::Judge(Verdict::Rejected), true),
            ("Merge", ReviewCommand::Merge, 2 <= review.selected.len()),
            ("Delete", ReviewCommand::Delete, true),
        ] {
            let key = key_label(keys, command.clone());
            let button = ui.add_enabled(is_enabled, egui::Button::new(text));
            if button.on_hover_text(format!("key {key}")).clicked() {
                commands.push(command);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_comment_is_typed_and_kept_when_its_field_is_left() {
        let mut state = samples::reviewed();
        let id = state.review.listed()[0];
        state.review.select([id].into());
        let show = |ui: &mut Ui, state: &mut crate::state::State| {
            let mut commands = Commands::default();
            selected_ui(ui, &state.review, None, KeySet::QuPath, &mut commands);
            for command in commands.take() {
                crate::command::apply(state, command);
            }
        };
        let mut harness = Harness::new_ui_state(show, state);
        let field = harness.get_by_role_and_label(egui::Role::TextInput, "Comment");
        field.focus();
        harness.run();
        let field = harness.get_by_role_and_label(egui::Role::TextInput, "Comment");
        field.type_text("near the margin");
        harness.run();
        let kept =
            |state: &crate::state::State| state.review.review.get(id).unwrap().comment.clone();
        assert_eq!(kept(harness.state()), "", "it is still being typed");
        harness.get_by_role_and_label(egui::Role::TextInput, "Name").focus();
        harness.run();
        assert_eq!(kept(harness.state()), "near the margin");
        let last = harness.state().review.review.changes().last().unwrap();
        assert_eq!(last.what, "commented 1 annotation");
    }

    #[test]
    fn nothing_selected_is_nothing_shown() {
        let state = samples::reviewed();
        let mut commands = Commands::default();
        let harness = Harness::new_ui(|ui| {
            selected_ui(ui, &state.review, None, KeySet::QuPath, &mut commands);
        });
        assert!(harness.query_by_label("Accept").is_none());
        drop(harness);
        assert_eq!(commands.take(), Vec::<Command>::new());
    }
}
