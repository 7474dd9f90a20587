//! Every model with what it is from, and what can be done about it. A window of its own beside the slide.

use egui::{Button, CollapsingHeader, RichText, TextEdit, Ui, Window};
use model::registry::{Kept, Manifest, ModelEntry, Provenance};

use super::{field_name, section_title, theme, weak};
use crate::command::{Commands, ModelCommand};
use crate::state::State;
use crate::state::models::{ModelsState, TransferField};

/// Width of the window at first.
const WIDTH_PT: f32 = 520.0;
/// Height of the window at first.
const HEIGHT_PT: f32 = 560.0;
/// Width of the names of fields.
const NAMES_PT: f32 = 70.0;
/// Digits of a fingerprint that tell two folders apart.
const FINGERPRINT_DIGITS: usize = 12;

/// Draws the window if it is open.
pub(crate) fn model_list_ui(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let mut is_open = state.models.is_list_open;
    Window::new("Models")
        .open(&mut is_open)
        .default_pos([60.0, 70.0])
        .default_size([WIDTH_PT, HEIGHT_PT])
        .max_size(ctx.content_rect().size() - egui::vec2(24.0, 64.0))
        .show(ctx, |ui| {
            let scroll = egui::ScrollArea::vertical().auto_shrink([false, false]);
            scroll.show(ui, |ui| content_ui(ui, &state.models, commands));
        });
    if state.models.is_list_open && !is_open {
        commands.push(ModelCommand::HideList);
    }
}

fn content_ui(ui: &mut Ui, models: &ModelsState, commands: &mut Commands) {
    transfer_ui(ui, models, commands);
    for entry in models.entries.iter().flatten() {
        theme::card().show(ui, |ui| {
            ui.set_width(ui.available_width());
            model_ui(ui, entry, models, commands);
        });
    }
    for problem in &models.problems {
        ui.label(RichText::new(problem).color(theme::WARNING));
    }
}

/// Folders that models come from and go to.
fn transfer_ui(ui: &mut Ui, models: &ModelsState, commands: &mut Commands) {
    section_title(ui, "Bring a model in");
    weak(
        ui,
        "A model folder that was exported here or elsewhere. It is opened and checked before it joins the list. \
         Under the name of a model of yours it can take that one's place.",
    );
    field_ui(ui, models, TransferField::Import, commands);
    field_ui(ui, models, TransferField::ImportName, commands);
    ui.horizontal(|ui| {
        let has_folder = !models.transfer.import.trim().is_empty();
        let is_taken = models.kept.contains_key(models.transfer.import_name.trim());
        let import = Button::new("Import the model");
        let import = ui.add_enabled(has_folder && !is_taken, import);
        let why_not = match is_taken {
            true => "You have a model of this name",
            false => "Name a model folder first",
        };
        if import.on_disabled_hover_text(why_not).clicked() {
            commands.push(ModelCommand::Import { replaces: false });
        }
        let replace = Button::new("Import and replace mine");
        if is_taken && ui.add_enabled(has_folder, replace).clicked() {
            commands.push(ModelCommand::Import { replaces: true });
        }
    });
    section_title(ui, "The models");
    field_ui(ui, models, TransferField::Export, commands);
}

fn field_ui(ui: &mut Ui, models: &ModelsState, which: TransferField, commands: &mut Commands) {
    let (name, hint) = match which {
        TransferField::Import => ("Folder", "Model folder to import"),
        TransferField::ImportName => ("Name", "its own, unless another is typed"),
        TransferField::Export => ("Export to", "Folder that exported models are put into"),
    };
    ui.horizontal(|ui| {
        let label = field_name(ui, name, NAMES_PT);
        let mut typed = models.transfer.text(which).to_owned();
        let right = egui::Layout::right_to_left(egui::Align::Center);
        ui.with_layout(right, |ui| {
            let is_folder = which != TransferField::ImportName;
            if is_folder && ui.button("Choose…").clicked() {
                commands.push(ModelCommand::PickFolder(which));
            }
            let field = TextEdit::singleline(&mut typed).desired_width(f32::INFINITY);
            if ui.add(field.hint_text(hint)).labelled_by(label.id).changed() {
                commands.push(ModelCommand::SetTransferText(which, typed));
            }
        });
    });
}

fn model_ui(ui: &mut Ui, entry: &ModelEntry, models: &ModelsState, commands: &mut Commands) {
    let manifest = &entry.manifest;
    let is_own = models.kept.contains_key(&manifest.name);
    let whose = if is_own { "yours" } else { "came with the program" };
    ui.label(RichText::new(&manifest.title).strong().color(theme::TEXT_STRONG));
    weak(ui, &format!("{} · {whose}", manifest.name));
    about_ui(ui, manifest);
    let is_asked = models.asked_to_delete.as_deref() == Some(manifest.name.as_str());
    let id = egui::Id::unique(("asked-to-delete", &manifest.name));
    let was_asked =
        ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<bool>(id), is_asked));
    ui.horizontal_wrapped(|ui| {
        if is_asked {
            ask_ui(ui, manifest, !was_asked, commands);
        } else {
            actions_ui(ui, manifest, models, commands);
        }
    });
}

/// What is done about a model.
fn actions_ui(ui: &mut Ui, manifest: &Manifest, models: &ModelsState, commands: &mut Commands) {
    let is_chosen = models.selected.as_deref() == Some(manifest.name.as_str());
    let text = if is_chosen { "Chosen" } else { "Choose" };
    if ui.add_enabled(!is_chosen, Button::new(text)).clicked() {
        commands.push(ModelCommand::Select(manifest.name.clone()));
    }
    let has_place = !models.transfer.export.trim().is_empty();
    let button = ui.add_enabled(has_place, Button::new("Export"));
    let button = button.on_disabled_hover_text("Name a folder to export to first, above");
    if button.on_hover_text("Copy it as a folder to the place above").clicked() {
        commands.push(ModelCommand::Export(manifest.name.clone()));
    }
    if let Some(kept) = models.kept.get(&manifest.name) {
        own_ui(ui, manifest, kept, commands);
    }
}

/// What is done about models of the user alone.
fn own_ui(ui: &mut Ui, manifest: &Manifest, kept: &Kept, commands: &mut Commands) {
    if let Some(earlier) = &kept.earlier {
        let when = earlier.manifest.provenance.as_ref().map_or("unknown", |it| it.date.as_str());
        let button = ui.button("Go back to the version before");
        let text = format!("Trained: {when}. The version of now becomes the one before.");
        if button.on_hover_text(text).clicked() {
            commands.push(ModelCommand::RollBack(manifest.name.clone()));
        }
    }
    if ui.button("Delete…").clicked() {
        commands.push(ModelCommand::AskToDelete(Some(manifest.name.clone())));
    }
}

/// Asks whether a model shall go, in the place of the buttons: there it is in sight. Enter keeps the model.
fn ask_ui(ui: &mut Ui, manifest: &Manifest, is_first: bool, commands: &mut Commands) {
    let delete = ui.button(format!("Delete {}", manifest.name));
    let delete = delete.on_hover_text("Its run folder stays");
    // The second click of a double click on the button that was here is no answer.
    if delete.clicked() && !delete.double_clicked() {
        commands.push(ModelCommand::Delete(manifest.name.clone()));
    }
    let keep = ui.button("Keep it");
    if is_first {
        keep.request_focus();
    }
    if keep.clicked() {
        commands.push(ModelCommand::AskToDelete(None));
    }
    let text = "It goes for good, with the version before it.";
    ui.label(RichText::new(text).color(theme::WARNING));
}

/// Where a model is from and what it recommends.
fn about_ui(ui: &mut Ui, manifest: &Manifest) {
    weak(ui, &format!("Trained on: {}", manifest.trained_on));
    if !manifest.note.is_empty() {
        weak(ui, &format!("Note: {}", manifest.note));
    }
    let (t, how) = (manifest.recommended_threshold, &manifest.threshold_note);
    weak(ui, &format!("Recommended t = {t:.2}: {how}"));
    provenance_ui(ui, manifest);
}

/// What a model was trained from, if it says so.
pub(super) fn provenance_ui(ui: &mut Ui, manifest: &Manifest) {
    let Some(provenance) = &manifest.provenance else { return };
    weak(ui, &in_words(provenance));
    let header = CollapsingHeader::new(RichText::new("Settings of the training").small());
    header.id_salt(("settings", &manifest.name)).show(ui, |ui| {
        let text = serde_json::to_string_pretty(&provenance.settings).unwrap_or_default();
        let text = RichText::new(text).small().monospace().color(theme::TEXT_WEAK);
        ui.add(egui::Label::new(text).wrap());
    });
}

/// `Trained 2026-11-22 08:10 UTC on 45 images (23 positive), its epoch chosen by 15 (8 positive), from colorectal-ebhi…`.
fn in_words(provenance: &Provenance) -> String {
    let Provenance { date, images, start_from, data, software, .. } = provenance;
    let [[learned, others], [chose, rest]] = [images.train, images.val];
    let from = start_from.as_ref().map_or(String::new(), |it| format!(", from {it}"));
    let data: String = data.chars().take(FINGERPRINT_DIGITS).collect();
    format!(
        "Trained {date} on {} images ({learned} positive), its epoch chosen by {} ({chose} positive){from}. \
         Fingerprint of the folder {data}, {software}.",
        learned + others,
        chose + rest
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::ui::testing;
    use egui_kittest::{Harness, kittest::Queryable as _};
    use model::registry::ImageCounts;

    fn asked(state: &State, click: &str) -> Vec<Command> {
        let models = &state.models;
        testing::asked([560.0, 1200.0], &[click], |ui, commands| content_ui(ui, models, commands))
    }

    /// Model `a` came with the program; `b` is the user's and replaced an earlier version.
    fn state() -> State {
        let mut state = samples::state();
        let mut entries = state.models.entries.clone().unwrap();
        entries[1].manifest.provenance = Some(Provenance {
            date: "2026-11-22 08:10 UTC".to_owned(),
            software: "Slidelight 0.1.0".to_owned(),
            data: "ab".repeat(32),
            images: ImageCounts { train: [23, 22], val: [8, 7] },
            start_from: Some("a".to_owned()),
            settings: serde_json::json!({ "epochs": 6 }),
        });
        entries[1].manifest.note = "second try".to_owned();
        state.models.kept = [("b".to_owned(), Kept { earlier: Some(entries[1].clone()) })].into();
        state.models.set_entries(entries);
        state
    }

    fn model(command: ModelCommand) -> Vec<Command> {
        vec![Command::Model(command)]
    }

    #[test]
    fn a_model_says_what_it_was_trained_from() {
        let state = state();
        let mut commands = Commands::default();
        let harness = Harness::builder()
            .with_size([560.0, 1200.0])
            .build_ui(|ui| content_ui(ui, &state.models, &mut commands));
        harness.get_by_label(
            "Trained 2026-11-22 08:10 UTC on 45 images (23 positive), its epoch chosen by 15 (8 positive), \
             from a. Fingerprint of the folder abababababab, Slidelight 0.1.0.",
        );
        harness.get_by_label("a · came with the program");
        harness.get_by_label("b · yours");
        harness.get_by_label("Note: second try");
    }

    #[test]
    fn only_the_users_models_can_be_deleted_and_only_after_a_question() {
        let mut state = state();
        let ask = model(ModelCommand::AskToDelete(Some("b".to_owned())));
        assert_eq!(asked(&state, "Delete…"), ask);
        state.models.asked_to_delete = Some("b".to_owned());
        assert_eq!(asked(&state, "Delete b"), model(ModelCommand::Delete("b".to_owned())));
        assert_eq!(asked(&state, "Keep it"), model(ModelCommand::AskToDelete(None)));
    }

    #[test]
    fn enter_keeps_the_model_that_was_asked_about() {
        let mut state = state();
        state.models.asked_to_delete = Some("b".to_owned());
        let mut commands = Commands::default();
        let mut harness = Harness::builder()
            .with_size([560.0, 1200.0])
            .build_ui(|ui| content_ui(ui, &state.models, &mut commands));
        harness.run_steps(2);
        harness.key_press(egui::Key::Enter);
        harness.run_steps(2);
        drop(harness);
        assert_eq!(commands.take(), model(ModelCommand::AskToDelete(None)));
    }

    #[test]
    fn a_model_goes_back_to_its_version_before() {
        let back = model(ModelCommand::RollBack("b".to_owned()));
        assert_eq!(asked(&state(), "Go back to the version before"), back);
    }

    #[test]
    fn models_go_out_and_come_in_as_folders() {
        let mut state = state();
        assert_eq!(asked(&state, "Export"), [], "no place is named");
        state.models.transfer.export = "/out".to_owned();
        assert_eq!(asked(&state, "Export"), model(ModelCommand::Export("b".to_owned())));
        state.models.transfer.import = "/in/model".to_owned();
        let import = model(ModelCommand::Import { replaces: false });
        assert_eq!(asked(&state, "Import the model"), import);
        state.models.transfer.import_name = "b".to_owned();
        let import = model(ModelCommand::Import { replaces: true });
        assert_eq!(asked(&state, "Import and replace mine"), import);
        assert_eq!(asked(&state, "Import the model"), [], "its name is taken");
    }
}
