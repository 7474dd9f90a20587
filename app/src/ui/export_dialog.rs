//! What to export, for which program, counted from where, and into which folder.

use egui::{Label, RichText, TextEdit, Ui};
use slide::export::{ExportFormat, FrameChoice, Reader};

use super::dialogs::focus_first;
use super::theme;
use crate::command::{Commands, FileCommand, as_command, can_export};
use crate::state::State;

/// The programs in the left column; the others stand in the right one.
const LEFT: [Reader; 3] = [Reader::QuPath, Reader::Asap, Reader::ImageScope];

pub(crate) fn export_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_width(760.0);
    ui.heading("Export");
    ui.label(what(state));
    ui.add_space(4.0);
    formats_ui(ui, state, commands);
    ui.add_space(4.0);
    frame_ui(ui, state, commands);
    ui.add_space(4.0);
    folder_ui(ui, &state.dialogs.export_folder, commands);
    ui.add_space(4.0);
    actions_ui(ui, state, commands);
    let note = "Files are named after the slide and the layer, and read back before they are kept. An earlier export \
                of the same slide is replaced; files of another slide never are.";
    ui.add(Label::new(RichText::new(note).small().color(theme::TEXT_WEAK)).wrap());
}

/// Where outlines, tables and reports come from, and where masks and heatmaps do.
fn what(state: &State) -> String {
    let layer = state.overlay.layer().filter(|layer| layer.kind.is_of_lesions());
    let map = layer.map(|it| format!("{}, cut at t = {:.3}", it.kind.title(), it.threshold.get()));
    let review = &state.review.review;
    let kept = (!review.annotations().is_empty()).then(|| match review.exported().len() {
        1 => "1 annotation as it stands".to_owned(),
        n => format!("{n} annotations as they stand"),
    });
    match (kept, map) {
        (Some(kept), Some(map)) => format!("Outlines and table: {kept}. Mask and heatmap: {map}"),
        (kept, map) => kept.or(map).unwrap_or_default(),
    }
}

fn formats_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.columns(2, |columns| {
        for reader in Reader::ALL {
            let column = usize::from(!LEFT.contains(&reader));
            if let Some(ui) = columns.get_mut(column) {
                reader_ui(ui, reader, state, commands);
            }
        }
    });
}

/// A box for each kind of file under the name of the program that it is for.
fn reader_ui(ui: &mut Ui, reader: Reader, state: &State, commands: &mut Commands) {
    ui.label(RichText::new(reader.title()).strong().color(theme::TEXT_STRONG));
    for format in ExportFormat::ALL.into_iter().filter(|format| format.reader() == reader) {
        let is_possible = can_export(state, format);
        let mut is_chosen = is_possible && state.dialogs.export_formats.contains(&format);
        let checkbox = egui::Checkbox::new(&mut is_chosen, format.title());
        if ui.add_enabled(is_possible, checkbox).changed() {
            commands.push(FileCommand::ToggleExportFormat(format));
        }
    }
    ui.add_space(4.0);
}

/// Where coordinates begin: a question only on slides that state which part was scanned.
fn frame_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let facts = state.view.facts.as_ref();
    let has_bounds = facts.is_some_and(|it| it.properties.contains_key("openslide.bounds-x"));
    if !has_bounds {
        return;
    }
    ui.horizontal(|ui| {
        ui.label("Outlines are counted from");
        for choice in FrameChoice::ALL {
            let is_chosen = state.dialogs.export_frame == choice;
            if ui.radio(is_chosen, choice.title()).clicked() {
                commands.push(FileCommand::SetExportFrame(choice));
            }
        }
    });
}

fn folder_ui(ui: &mut Ui, folder: &str, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let label = ui.label("Folder");
        let mut typed = folder.to_owned();
        let width = ui.available_width() - 100.0;
        let field = ui.add(TextEdit::singleline(&mut typed).desired_width(width));
        if field.labelled_by(label.id).changed() {
            commands.push(FileCommand::SetExportFolder(typed));
        }
        if ui.button("Choose…").clicked() {
            commands.push(FileCommand::PickExportFolder);
        }
    });
}

fn actions_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let has_formats = state.dialogs.export_formats.iter().any(|it| can_export(state, *it));
    let is_ready = has_formats && !state.dialogs.export_folder.trim().is_empty();
    ui.horizontal(|ui| {
        let export = ui.add_enabled(is_ready, theme::primary_button("Export"));
        focus_first(ui, &export);
        if export.clicked() {
            commands.push(FileCommand::Export);
        }
        let command = as_command(state).filter(|_| is_ready);
        let copy = ui.add_enabled(command.is_some(), egui::Button::new("Copy as command"));
        let copy = copy.on_hover_text("The same files by the command line, for scripts");
        if let Some(command) = command.filter(|_| copy.clicked()) {
            ui.ctx().copy_text(command);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn asked(has_bounds: bool, click: &str) -> Vec<Command> {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state.dialogs.export_folder = "/out".to_owned();
        if has_bounds {
            let mut facts = samples::facts();
            facts.properties.insert("openslide.bounds-x".to_owned(), "7".to_owned());
            state.view.facts = Some(std::sync::Arc::new(facts));
        }
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| export_ui(ui, &state, &mut commands));
        harness.run();
        harness.get_by_label(click).click();
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn every_kind_of_file_can_be_chosen() {
        let outlines = "Outlines (GeoJSON)";
        let toggled = FileCommand::ToggleExportFormat(ExportFormat::GeoJson);
        assert_eq!(asked(false, outlines), [Command::File(toggled)]);
    }

    #[test]
    fn the_frame_is_asked_for_where_there_is_a_choice() {
        let chosen = FileCommand::SetExportFrame(FrameChoice::Level0);
        assert_eq!(asked(true, FrameChoice::Level0.title()), [Command::File(chosen)]);
    }
}
