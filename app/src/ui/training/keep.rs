//! Making the model of a finished run one of the list.

use std::collections::BTreeMap;

use egui::{DragValue, RichText, TextEdit, Ui};
use model::registry::{InstallNote, Kept};

use super::weak;
use crate::command::{Commands, TrainingCommand};
use crate::state::training::TrainingState;
use crate::ui::{field_name, section_title, theme};

/// Width of the names of fields.
const NAMES_PT: f32 = 80.0;

pub(super) fn keep_ui(
    ui: &mut Ui,
    training: &TrainingState,
    kept: &BTreeMap<String, Kept>,
    commands: &mut Commands,
) {
    section_title(ui, "Keep it as a model");
    if let Some(name) = &training.promoted {
        let text = format!("{name} is in the list of models and chosen: run it on the open slide.");
        ui.label(RichText::new(text).color(theme::DONE));
        return;
    }
    let note = &training.note;
    fields_ui(ui, note, commands);
    threshold_ui(ui, note, commands);
    let is_taken = kept.contains_key(note.name.trim());
    if is_taken {
        let text = "You have a model of this name. Replaced, it stays as the version before.";
        ui.label(RichText::new(text).color(theme::WARNING));
        let mut replaces = note.replaces;
        if ui.checkbox(&mut replaces, "Replace it").changed() {
            commands.push(TrainingCommand::SetReplacing(replaces));
        }
    }
    let can_keep = !note.name.trim().is_empty() && (!is_taken || note.replaces);
    if ui.add_enabled(can_keep, theme::primary_button("Add to the models")).clicked() {
        commands.push(TrainingCommand::Promote);
    }
}

fn fields_ui(ui: &mut Ui, note: &InstallNote, commands: &mut Commands) {
    for (label, text, hint, command) in [
        (
            "Name",
            &note.name,
            "letters, digits, - and _",
            TrainingCommand::SetName as fn(String) -> _,
        ),
        ("Title", &note.title, "as the list shows it", TrainingCommand::SetTitle),
        ("Trained on", &note.trained_on, "organ, stain, source", TrainingCommand::SetTrainedOn),
        ("Note", &note.note, "what you want to remember", TrainingCommand::SetNote),
    ] {
        ui.horizontal(|ui| {
            let label = field_name(ui, label, NAMES_PT);
            let mut typed = text.clone();
            let field =
                TextEdit::singleline(&mut typed).desired_width(f32::INFINITY).hint_text(hint);
            if ui.add(field).labelled_by(label.id).changed() {
                commands.push(command(typed));
            }
        });
    }
}

/// Where the slider begins with this model, and why there.
fn threshold_ui(ui: &mut Ui, note: &InstallNote, commands: &mut Commands) {
    let Some((t, how)) = &note.threshold else {
        weak(
            ui,
            "The slider begins at the t of the training's settings: these images propose none.",
        );
        return;
    };
    ui.horizontal(|ui| {
        let label = field_name(ui, "Begins at t", NAMES_PT);
        let mut chosen = *t;
        let value = DragValue::new(&mut chosen).speed(0.005).range(0.0..=1.0).fixed_decimals(2);
        if ui.add(value).labelled_by(label.id).changed() {
            commands.push(TrainingCommand::SetThreshold(chosen));
        }
        weak(ui, how);
    });
}
