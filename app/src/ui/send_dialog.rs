//! Decided lesions into a labelled folder: which folder, which class, whose slide.

use egui::{ComboBox, RichText, TextEdit, Ui};

use super::{dialogs, is_entered, theme};
use crate::command::{Commands, SendingCommand, why_not_send};
use crate::state::State;

/// Draws the content of the dialog.
pub(crate) fn send_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_width(540.0);
    ui.heading("Send to a training folder");
    ui.label(
        "The accepted areas of one class become the corrected mask of this slide. Cam-seg learns from it instead of the \
         heatmap; training of heatmaps goes on using labels alone. A slide that the folder does not hold is copied there \
         and labelled positive.",
    );
    folder_ui(ui, state, commands);
    class_ui(ui, state, commands);
    patient_ui(ui, &state.dialogs.sending.patient, commands);
    ui.add_space(4.0);
    let why_not = why_not_send(state);
    let is_ready = why_not.is_none() && !state.dialogs.sending.folder.trim().is_empty();
    if ui.add_enabled(is_ready, theme::primary_button("Send")).clicked() {
        commands.push(SendingCommand::Send);
    }
    if let Some(why_not) = why_not {
        ui.label(RichText::new(format!("Not yet: {why_not}.")).color(theme::WARNING));
    }
}

fn folder_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = ui.label("Folder");
        let mut typed = state.dialogs.sending.folder.clone();
        let width = ui.available_width() - 100.0;
        let field = TextEdit::singleline(&mut typed).desired_width(width);
        let field = ui.add(field.hint_text("A labelled folder, or an empty one"));
        let field = field.labelled_by(label.id);
        let is_entered = is_entered(ui, &field);
        dialogs::focus_first(ui, &field);
        if field.changed() {
            commands.push(SendingCommand::SetFolder(typed));
        }
        if is_entered {
            commands.push(SendingCommand::Send);
        }
        if ui.button("Choose…").clicked() {
            commands.push(SendingCommand::PickFolder);
        }
    });
}

fn class_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let chosen = &state.dialogs.sending.class;
    ui.horizontal(|ui| {
        let label = ui.label("Lesions are the areas of class");
        let list = ComboBox::from_id_salt("class to send").selected_text(chosen);
        let list = list.show_ui(ui, |ui| {
            for class in state.review.review.classes() {
                if ui.selectable_label(class.name == *chosen, &class.name).clicked() {
                    commands.push(SendingCommand::SetClass(class.name.clone()));
                }
            }
        });
        list.response.labelled_by(label.id);
    });
}

fn patient_ui(ui: &mut Ui, patient: &str, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = ui.label("Patient");
        let mut typed = patient.to_owned();
        let field = TextEdit::singleline(&mut typed).desired_width(200.0);
        let field = ui.add(field.hint_text("A code, if you have one"));
        if field.labelled_by(label.id).changed() {
            commands.push(SendingCommand::SetPatient(typed));
        }
        let text = "keeps one patient's slides out of two splits";
        ui.label(RichText::new(text).small().color(theme::TEXT_WEAK));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, ReviewCommand, apply, samples};
    use crate::state::dialogs::Dialog;
    use domain::annotation::Verdict;
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn asked(verdict: Verdict, clicks: &[&str]) -> Vec<Command> {
        let mut state = samples::reviewed();
        state.dialogs.sending.folder = "/data".to_owned();
        apply(&mut state, SendingCommand::Show.into());
        assert_eq!(state.dialogs.open, Dialog::Send);
        state.review.select(state.review.review.annotations().iter().map(|it| it.id).collect());
        apply(&mut state, ReviewCommand::Judge(verdict).into());
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| send_ui(ui, &state, &mut commands));
        for label in clicks {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        commands.take()
    }

    #[test]
    fn accepted_lesions_are_sent_by_a_click() {
        assert_eq!(asked(Verdict::Accepted, &["Send"]), [SendingCommand::Send.into()]);
        assert_eq!(asked(Verdict::Accepted, &["Choose…"]), [SendingCommand::PickFolder.into()]);
    }

    #[test]
    fn the_class_is_chosen_from_the_list() {
        let clicks = ["Lesions are the areas of class", "Normal"];
        let expected = SendingCommand::SetClass("Normal".to_owned());
        assert_eq!(asked(Verdict::Accepted, &clicks), [expected.into()]);
    }

    #[test]
    fn undecided_lesions_are_not_sent() {
        assert_eq!(asked(Verdict::Proposed, &["Send"]), []);
    }
}
