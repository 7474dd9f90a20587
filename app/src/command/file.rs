//! Opening slides and writing results.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use slide::export::{ExportFormat, FrameChoice};
use slide::import::OriginChoice;

use crate::command::Effect;
use crate::state::State;
use crate::state::dialogs::Dialog;
use crate::state::jobs::JobKind;
use crate::state::view::Associated;

/// A wish about files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileCommand {
    /// Ask the system for a file.
    Pick,
    /// Ask the system for a folder with a DICOM series.
    PickFolder,
    Open(PathBuf),
    /// The slide that comes with the program.
    OpenDemo,
    /// What is typed into the path field.
    SetPathText(String),
    /// Open what is typed there.
    OpenTyped,
    ForgetRecent,
    /// Show the picture of this name that lies beside the slide.
    ShowAssociated(String),
    /// Ask the system for a file of annotations.
    PickAnnotations,
    /// What is typed as the file of annotations.
    SetImportText(String),
    /// Count its coordinates from here.
    SetImportOrigin(OriginChoice),
    /// Read the annotations of the file that is typed.
    Import,
    /// Take a file that was dropped: annotations are imported, all else is opened.
    Drop(PathBuf),
    /// Show the export dialog.
    ShowExport,
    SetExportFolder(String),
    PickExportFolder,
    /// Write this file or not.
    ToggleExportFormat(ExportFormat),
    /// Count outlines from here.
    SetExportFrame(FrameChoice),
    /// Write the files.
    Export,
}

/// Changes dialogs and lists; files are effects.
pub(super) fn apply(state: &mut State, command: FileCommand) -> Vec<Effect> {
    match command {
        FileCommand::Pick => return vec![Effect::PickSlide],
        FileCommand::PickFolder => return vec![Effect::PickSlideFolder],
        FileCommand::Open(path) => return open(state, path),
        FileCommand::OpenDemo => return vec![Effect::OpenDemo],
        FileCommand::SetPathText(text) => state.dialogs.path_text = text,
        FileCommand::OpenTyped => return open_typed(state),
        FileCommand::ForgetRecent => {
            state.session.recent.clear();
            return vec![Effect::SaveSession];
        }
        FileCommand::ShowAssociated(name) => {
            state.view.associated.insert(name.clone(), Associated::Reading);
            return vec![Effect::ReadAssociated(name)];
        }
        FileCommand::PickAnnotations => return vec![Effect::PickAnnotations],
        FileCommand::SetImportText(text) => state.dialogs.import_text = text,
        FileCommand::SetImportOrigin(origin) => state.dialogs.import_origin = origin,
        FileCommand::Import => {
            let typed = unquoted(&state.dialogs.import_text);
            return import(state, typed);
        }
        FileCommand::Drop(path) if is_of_annotations(&path) => {
            return import(state, path.display().to_string());
        }
        FileCommand::Drop(path) => return open(state, path),
        FileCommand::ShowExport => show_export(state),
        FileCommand::SetExportFolder(folder) => state.dialogs.export_folder = folder,
        FileCommand::PickExportFolder => return vec![Effect::PickExportFolder],
        FileCommand::ToggleExportFormat(format) => {
            if !state.dialogs.export_formats.remove(&format) {
                state.dialogs.export_formats.insert(format);
            }
        }
        FileCommand::SetExportFrame(frame) => state.dialogs.export_frame = frame,
        FileCommand::Export => return export(state),
    }
    Vec::new()
}

fn open(state: &mut State, path: PathBuf) -> Vec<Effect> {
    if state.dialogs.open == Dialog::OpenPath {
        state.dialogs.open = Dialog::None;
    }
    // The latest wish wins: an older opening that is still under way is no longer wanted.
    let older = state.jobs.of_kind(JobKind::OpenSlide).map(|job| Effect::CancelJob(job.id));
    older.into_iter().chain([Effect::OpenSlide(path)]).collect()
}

fn open_typed(state: &mut State) -> Vec<Effect> {
    let typed = unquoted(&state.dialogs.path_text);
    if typed.is_empty() {
        return Vec::new();
    }
    open(state, PathBuf::from(typed))
}

/// Quotes and blanks around a path come along when it is copied from elsewhere.
fn unquoted(typed: &str) -> String {
    typed.trim().trim_matches(['"', '\'']).to_owned()
}

/// Ends of the names of files of annotations.
pub(crate) const ANNOTATION_EXTENSIONS: [&str; 3] = ["geojson", "json", "xml"];

fn is_of_annotations(path: &Path) -> bool {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    end.is_some_and(|end| ANNOTATION_EXTENSIONS.contains(&end.as_str()))
}

fn import(state: &mut State, path: String) -> Vec<Effect> {
    if path.is_empty() {
        return Vec::new();
    }
    if !state.review.can_edit() {
        state
            .notices
            .error("Annotations can only be imported onto an open slide that can be changed");
        return Vec::new();
    }
    state.dialogs.open = Dialog::None;
    vec![Effect::Import(PathBuf::from(path), state.dialogs.import_origin)]
}

fn show_export(state: &mut State) {
    if !ExportFormat::ALL.into_iter().any(|format| can_export(state, format)) {
        state.notices.error(match state.overlay.layer() {
            None => "There is nothing to export yet: run a model or draw annotations first",
            Some(_) => "This layer is not one of lesions of the model: choose another to export",
        });
        return;
    }
    if state.dialogs.export_folder.is_empty() {
        state.dialogs.export_folder = beside_the_slide(state);
    }
    state.dialogs.open = Dialog::Export;
}

/// Whether there is what such a file holds: a layer of lesions, or annotations where they are enough.
pub(crate) fn can_export(state: &State, format: ExportFormat) -> bool {
    let has_map = state.overlay.layer().is_some_and(|layer| layer.kind.is_of_lesions());
    has_map || (format.is_of_annotations() && !state.review.review.annotations().is_empty())
}

fn beside_the_slide(state: &State) -> String {
    let path = state.view.facts.as_ref().map(|facts| facts.path.as_path());
    path.and_then(Path::parent).unwrap_or(Path::new("")).display().to_string()
}

fn export(state: &mut State) -> Vec<Effect> {
    let folder = state.dialogs.export_folder.trim();
    let chosen = state.dialogs.export_formats.iter().copied();
    let formats: BTreeSet<ExportFormat> = chosen.filter(|it| can_export(state, *it)).collect();
    if folder.is_empty() || formats.is_empty() {
        return Vec::new();
    }
    let folder = PathBuf::from(folder);
    state.dialogs.open = Dialog::None;
    vec![Effect::Export { folder, formats, frame: state.dialogs.export_frame }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use crate::state::jobs::{JobId, RunningJob};
    use crate::state::layer::LayerKind;
    use std::time::Instant;

    #[test]
    fn a_typed_path_is_opened_without_its_quotes() {
        let mut state = State::default();
        state.dialogs.open = Dialog::OpenPath;
        apply(&mut state, FileCommand::SetPathText("  \"/data/a b.svs\" ".to_owned()));
        let effects = apply(&mut state, FileCommand::OpenTyped);
        assert!(
            matches!(&effects[..], [Effect::OpenSlide(path)] if path == Path::new("/data/a b.svs"))
        );
        assert_eq!(state.dialogs.open, Dialog::None);
    }

    #[test]
    fn a_file_of_annotations_that_is_dropped_is_imported_and_a_slide_is_opened() {
        let mut state = samples::reviewed();
        let effects = apply(&mut state, FileCommand::Drop(PathBuf::from("/a/case.GeoJSON")));
        assert!(
            matches!(&effects[..], [Effect::Import(path, OriginChoice::Likely)] if path == Path::new("/a/case.GeoJSON"))
        );
        let effects = apply(&mut state, FileCommand::Drop(PathBuf::from("/a/case.svs")));
        assert!(matches!(&effects[..], [Effect::OpenSlide(_)]));
    }

    #[test]
    fn annotations_need_a_slide_that_can_be_changed() {
        let mut state = State::default();
        apply(&mut state, FileCommand::SetImportText("/a/case.xml".to_owned()));
        assert!(apply(&mut state, FileCommand::Import).is_empty());
        assert_eq!(state.notices.shown.len(), 1);
    }

    #[test]
    fn opening_another_slide_stops_the_opening_under_way() {
        let mut state = State::default();
        let job = RunningJob::new(JobId(1), JobKind::OpenSlide, String::new(), Instant::now());
        state.jobs.running.push(job);
        let effects = apply(&mut state, FileCommand::Open(PathBuf::from("b.svs")));
        assert!(matches!(&effects[..], [Effect::CancelJob(JobId(1)), Effect::OpenSlide(_)]));
    }

    #[test]
    fn export_needs_a_result_and_starts_beside_the_slide() {
        let mut state = samples::state();
        apply(&mut state, FileCommand::ShowExport);
        assert_eq!((state.dialogs.open, state.notices.shown.len()), (Dialog::None, 1));

        state.overlay = samples::overlay(false);
        apply(&mut state, FileCommand::ShowExport);
        assert_eq!(state.dialogs.open, Dialog::Export);
        let effects = apply(&mut state, FileCommand::Export);
        assert!(
            matches!(&effects[..], [Effect::Export { folder, .. }] if folder == Path::new("/slides"))
        );
    }

    #[test]
    fn tissue_is_not_exported_as_lesions() {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state.overlay.chosen = LayerKind::Tissue;
        apply(&mut state, FileCommand::ShowExport);
        assert_eq!((state.dialogs.open, state.notices.shown.len()), (Dialog::None, 1));
    }

    #[test]
    fn annotations_are_exported_without_a_result_in_formats_that_need_none() {
        let mut state = samples::reviewed();
        apply(&mut state, FileCommand::ShowExport);
        assert_eq!(state.dialogs.open, Dialog::Export);
        let effects = apply(&mut state, FileCommand::Export);
        let [Effect::Export { formats, .. }] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(*formats, BTreeSet::from([ExportFormat::GeoJson]));
    }

    #[test]
    fn an_export_of_nothing_is_not_started() {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        apply(&mut state, FileCommand::ShowExport);
        for format in ExportFormat::USUAL {
            apply(&mut state, FileCommand::ToggleExportFormat(format));
        }
        assert!(apply(&mut state, FileCommand::Export).is_empty());
    }
}
