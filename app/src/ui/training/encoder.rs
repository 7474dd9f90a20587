//! Which encoder describes patches, and what one's own says about itself.

use egui::{ComboBox, RichText, TextEdit, Ui};
use model::encoder::EncoderEntry;
use model::encoder::own::EncoderNote;

use super::weak;
use crate::command::{Commands, EncoderCommand};
use crate::state::models::ModelsState;
use crate::state::training::plan::{Beginning, Plan};
use crate::ui::{field_name, theme};

/// Width of the names of fields.
const NAMES_PT: f32 = 80.0;

/// The encoders that are installed, shipped ones first, and what the chosen one has learned from.
pub(super) fn choice_ui(ui: &mut Ui, plan: &Plan, models: &ModelsState, commands: &mut Commands) {
    let usual = plan.usual_encoder();
    let name = plan.chosen_encoder().unwrap_or(&usual);
    let chosen = models.encoder(name);
    ui.horizontal(|ui| {
        let label = ui.label("Encoder");
        let shown = chosen.map_or_else(|| name.to_owned(), title);
        let combo = ComboBox::from_id_salt("encoder").selected_text(shown).width(320.0);
        let response = combo.show_ui(ui, |ui| {
            for encoder in &models.encoders {
                let item = ui.selectable_label(encoder.name == name, title(encoder));
                if item.on_hover_text(about(encoder)).clicked() {
                    commands.push(EncoderCommand::Choose(encoder.name.clone()));
                }
            }
        });
        response.response.labelled_by(label.id);
    });
    match chosen {
        Some(encoder) => {
            weak(ui, &about(encoder));
            let config = plan.stage_1(&Beginning::Encoder(encoder.clone()));
            if let Some(doubt) = config.ok().and_then(|it| encoder.doubt(&it.model.bag)) {
                ui.label(RichText::new(format!("{doubt}.")).color(theme::WARNING));
            }
        }
        None if models.encoders.is_empty() => weak(ui, "The list of encoders is being read."),
        None => {
            let text = format!("There is no encoder called {name} any more: choose another one.");
            ui.label(RichText::new(text).color(theme::WARNING));
        }
    }
}

/// `Encoder of biopsies (biopsies-encoder)`; titles of one's own may be the same.
fn title(encoder: &EncoderEntry) -> String {
    match encoder.is_shipped {
        true => encoder.title.clone(),
        false => format!("{} ({})", encoder.title, encoder.name),
    }
}

/// What it has learned from, and how much it says.
fn about(EncoderEntry { trained_on, feature_dim, .. }: &EncoderEntry) -> String {
    let trained_on = trained_on.trim_end_matches('.');
    format!("Trained on {trained_on}. {feature_dim} values per patch.")
}

/// Fields for what an encoder says about itself; a name that cannot be or is taken is told.
pub(super) fn note_ui(
    ui: &mut Ui,
    note: &EncoderNote,
    models: &ModelsState,
    mut change: impl FnMut(EncoderNote),
) {
    type Field = fn(&mut EncoderNote) -> &mut String;
    let fields: [(&str, Field, &str); 4] = [
        ("Name", |it| &mut it.name, "letters, digits, - _ and ."),
        ("Title", |it| &mut it.title, "as the list shows it"),
        ("Trained on", |it| &mut it.trained_on, "organ, stain, magnification, source"),
        ("Licence", |it| &mut it.licence, "of the slides, and so of the encoder"),
    ];
    for (label, field, hint) in fields {
        ui.horizontal(|ui| {
            let label = field_name(ui, label, NAMES_PT);
            let mut changed = note.clone();
            let edit = TextEdit::singleline(field(&mut changed)).desired_width(f32::INFINITY);
            if ui.add(edit.hint_text(hint)).labelled_by(label.id).changed() {
                change(changed);
            }
        });
    }
    if let Some(why) = why_not(note, models) {
        ui.add(egui::Label::new(RichText::new(why).color(theme::WARNING)).wrap());
    }
}

/// Why an encoder cannot be added under this name.
pub(super) fn why_not(note: &EncoderNote, models: &ModelsState) -> Option<String> {
    let taken =
        || format!("There is an encoder called {} already: choose another name.", note.name);
    let problem = note.problem().map(|problem| format!("Name: {problem}"));
    problem.or_else(|| models.encoder(&note.name).map(|_| taken()))
}
