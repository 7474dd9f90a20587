//! The system's own file dialogs, on a thread of their own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Outcome;
use super::runner::Runner;
use crate::command::ANNOTATION_EXTENSIONS;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::models::TransferField;

/// No hand closes a dialog this fast: the system has none, and says so only by its silence.
const TOO_FAST_FOR_A_HAND: Duration = Duration::from_millis(400);

/// Ends of the names of files that can be opened; "All files" is always offered too.
const SLIDE_EXTENSIONS: [&str; 19] = [
    "svs", "tif", "tiff", "btf", "qptiff", "ndpi", "scn", "bif", "dcm", "mrxs", "vms", "vmu",
    "czi", "svslide", "png", "jpg", "jpeg", "bmp", "webp",
];

/// The answer of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Picked {
    Path(PathBuf),
    /// The user closed it.
    Nothing,
    /// It could not be shown.
    NoDialog,
}

pub(super) fn start_slide(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "pick-slide", String::new(), |_progress, _cancel| {
        let dialog = rfd::FileDialog::new()
            .set_title("Open slide")
            .add_filter("Slides and images", &SLIDE_EXTENSIONS)
            .add_filter("All files", &["*"]);
        Ok(Outcome::SlidePicked(ask(|| dialog.pick_file())))
    });
}

/// A folder that is opened as a slide: a DICOM series.
pub(super) fn start_slide_folder(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "pick-slide", String::new(), |_progress, _cancel| {
        let dialog = rfd::FileDialog::new().set_title("Open the folder of a DICOM series");
        Ok(Outcome::SlidePicked(ask(|| dialog.pick_folder())))
    });
}

/// A file of annotations.
pub(super) fn start_annotations(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "pick-file", String::new(), |_progress, _cancel| {
        let dialog = rfd::FileDialog::new()
            .set_title("Import annotations")
            .add_filter("Annotations", &ANNOTATION_EXTENSIONS)
            .add_filter("All files", &["*"]);
        Ok(Outcome::AnnotationsPicked(ask(|| dialog.pick_file())))
    });
}

pub(super) fn start_folder(state: &mut State, runner: &mut Runner) {
    let start = PathBuf::from(&state.dialogs.export_folder);
    runner.start(
        state,
        JobKind::Silent,
        "pick-folder",
        String::new(),
        move |_progress, _cancel| {
            let dialog = rfd::FileDialog::new().set_title("Export to").set_directory(start);
            Ok(Outcome::FolderPicked(ask(|| dialog.pick_folder())))
        },
    );
}

pub(super) fn start_training_folder(state: &mut State, runner: &mut Runner) {
    start_labelled_folder(Outcome::TrainingFolderPicked, state, runner);
}

pub(super) fn start_folder_to_send_to(state: &mut State, runner: &mut Runner) {
    start_labelled_folder(Outcome::FolderToSendToPicked, state, runner);
}

fn start_labelled_folder(outcome: fn(Picked) -> Outcome, state: &mut State, runner: &mut Runner) {
    runner.start(
        state,
        JobKind::Silent,
        "pick-folder",
        String::new(),
        move |_progress, _cancel| {
            let dialog = rfd::FileDialog::new().set_title("Folder with labelled images");
            Ok(outcome(ask(|| dialog.pick_folder())))
        },
    );
}

pub(super) fn start_model_folder(which: TransferField, state: &mut State, runner: &mut Runner) {
    let name = "pick-folder";
    runner.start(state, JobKind::Silent, name, String::new(), move |_progress, _cancel| {
        let dialog = rfd::FileDialog::new().set_title("Folder of models");
        Ok(Outcome::ModelFolderPicked(which, ask(|| dialog.pick_folder())))
    });
}

pub(super) fn start_compared_folder(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "pick-folder", String::new(), |_progress, _cancel| {
        let dialog = rfd::FileDialog::new().set_title("Folder with labelled images");
        Ok(Outcome::ComparedFolderPicked(ask(|| dialog.pick_folder())))
    });
}

pub(super) fn start_run(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "pick-folder", String::new(), |_progress, _cancel| {
        let dialog = rfd::FileDialog::new().set_title("Run folder of a training");
        Ok(Outcome::RunPicked(ask(|| dialog.pick_folder())))
    });
}

fn ask(show: impl FnOnce() -> Option<PathBuf>) -> Picked {
    let shown = Instant::now();
    match show() {
        Some(path) => Picked::Path(path),
        None if shown.elapsed() < TOO_FAST_FOR_A_HAND => Picked::NoDialog,
        None => Picked::Nothing,
    }
}
