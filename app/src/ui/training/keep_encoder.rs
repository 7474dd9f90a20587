//! Making the encoder of a finished pre-training one of the list.

use egui::{RichText, Ui};

use super::encoder::{note_ui, why_not};
use super::weak;
use crate::command::{Commands, EncoderCommand};
use crate::state::models::ModelsState;
use crate::state::training::TrainingState;
use crate::ui::{section_title, theme};

pub(super) fn keep_encoder_ui(
    ui: &mut Ui,
    training: &TrainingState,
    models: &ModelsState,
    commands: &mut Commands,
) {
    section_title(ui, "Keep it as an encoder");
    if let Some(name) = &training.promoted {
        let text = format!(
            "{name} is in the list of encoders and chosen: Another training, Heatmaps, begins afresh with it."
        );
        ui.add(egui::Label::new(RichText::new(text).color(theme::DONE)).wrap());
        return;
    }
    let note = &training.encoder_note;
    note_ui(ui, note, models, |note| commands.push(EncoderCommand::DescribeFinished(note)));
    let can_keep = why_not(note, models).is_none();
    if ui.add_enabled(can_keep, theme::primary_button("Add to the encoders")).clicked() {
        commands.push(EncoderCommand::Keep);
    }
    weak(
        ui,
        "A model that is trained with it needs it wherever it runs: who takes the model to another machine takes the encoder's folder too.",
    );
}
