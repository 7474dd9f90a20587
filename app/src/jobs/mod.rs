//! Performs effects: on threads with names, watched, stoppable, and unable to take the window down.

mod analyze;
pub(crate) mod change_models;
mod check_folder;
mod compare;
mod dropped;
mod examine;
mod export;
mod find_lesions;
mod import;
pub(crate) mod inbox;
pub(crate) mod journal;
mod judge_patches;
pub(crate) mod load_tile;
mod look_at_bands;
mod look_small;
mod open_slide;
mod part;
mod pick;
mod preview_bags;
mod read_layers;
mod read_reconstruction;
mod read_spectrum;
mod reshape;
pub(crate) mod runner;
mod send;
pub(crate) mod session_file;
pub(crate) mod split_field;
mod train;
mod training_outcome;
mod written_run;

use std::path::PathBuf;
use std::sync::Arc;

use domain::annotation::AnnotationId;
use domain::coords::Level0Rect;
use domain::heatmap::Heatmap;
use model::data::corrected::Sent;
use model::encoder::EncoderEntry;
use model::lens::radial_spectrum::RadialSpectrum;
use model::memory::MemoryUse;
use model::registry::Survey;
use review::Edit;
use slide::Slide;

use crate::command::Effect;
use crate::state::State;
use crate::state::comparing::Compared;
use crate::state::informative::Ranked;
use crate::state::jobs::{JobId, JobKind};
use crate::state::layer::{Layer, Readout};
use crate::state::lens::{BandFigures, SeenBands};
use crate::state::models::TransferField;
use crate::state::overlay::SlideResult;
use crate::state::picture::Picture;
use crate::state::tour::Tour;
use crate::state::training::TrainingNews;
use crate::state::view::SlideFacts;
use runner::Runner;
pub(crate) use training_outcome::TrainingOutcome;

/// What a job says to the window.
#[derive(Debug)]
pub(crate) enum JobEvent {
    /// A stage begins.
    Stage(JobId, &'static str),
    /// `done` of `total` items of the stage.
    Progress(JobId, u64, u64),
    /// What the training says.
    Training(Box<TrainingNews>),
    /// Memory of the program while it trains.
    Memory(MemoryUse),
    /// The last word of a job that worked.
    Done(JobId, Box<Outcome>),
    /// The last word of a job that was stopped.
    Cancelled(JobId),
    /// The last word of a job that failed; a whole sentence for the user.
    Failed(JobId, String),
}

/// What a finished job brings.
#[derive(Debug)]
pub(crate) enum Outcome {
    SlideOpened {
        slide: Arc<Slide>,
        facts: SlideFacts,
    },
    /// `generation` is that of the slide the model ran on.
    Analyzed {
        generation: u64,
        result: Arc<SlideResult>,
        layers: Vec<Layer>,
    },
    /// `generation` is that of the slide whose patches these are.
    PatchesJudged {
        generation: u64,
        ranked: Ranked,
    },
    /// What the model of `result` hears in which band.
    BandsSeen {
        result: Arc<SlideResult>,
        figures: BandFigures,
        layers: Vec<Layer>,
    },
    /// Thumbnails of annotations, each with the place that it shows.
    ThumbnailsSeen {
        generation: u64,
        seen: Vec<(AnnotationId, Level0Rect, Option<Arc<Picture>>)>,
    },
    /// A picture that lies beside the slide, or why it cannot be read.
    AssociatedRead {
        generation: u64,
        name: String,
        picture: Result<Arc<Picture>, String>,
    },
    /// The bands of the field that was asked for.
    FieldSplit(SeenBands),
    /// The spectrum of the patch under the pointer.
    SpectrumRead(RadialSpectrum),
    /// Figures of layers, each with the values it is of.
    LayersRead(Vec<(Arc<Heatmap>, Arc<Readout>)>),
    /// The lesions of a layer at the *t* it had when they were asked for.
    LesionsFound(Tour),
    /// `generation` is that of the slide whose journal it is.
    JournalOpened {
        generation: u64,
        kept: Box<journal::Kept>,
    },
    /// Edits of a step; `generation` is that of the slide that they are about.
    Reshaped {
        generation: u64,
        edits: Vec<Edit>,
        /// They make annotations of what a model found.
        is_commit: bool,
    },
    /// Annotations of a file; `generation` is that of the slide that they are placed on.
    Imported {
        generation: u64,
        imported: import::Imported,
    },
    /// Where the files were written, one path each.
    Exported(Vec<PathBuf>),
    /// The corrected mask that a labelled folder was given.
    Sent(Sent),
    ModelsListed {
        models: Survey,
        encoders: Vec<EncoderEntry>,
    },
    ComparedFolderPicked(pick::Picked),
    Compared(Arc<Compared>),
    /// What was done, and the model to choose, if any.
    ModelsChanged {
        words: String,
        chosen: Option<String>,
    },
    ModelFolderPicked(TransferField, pick::Picked),
    SlidePicked(pick::Picked),
    FolderPicked(pick::Picked),
    AnnotationsPicked(pick::Picked),
    FolderToSendToPicked(pick::Picked),
    TrainingFolderPicked(pick::Picked),
    /// What was dropped while a training is planned.
    DroppedSeen {
        path: PathBuf,
        is_labelled_folder: bool,
    },
    RunPicked(pick::Picked),
    /// Of a job around a training.
    Training(Box<TrainingOutcome>),
    SessionSaved,
}

/// Why a job ends early.
#[derive(Debug)]
pub(crate) enum JobError {
    Cancelled,
    /// A whole sentence for the user, the path at its end.
    Failed(String),
}

impl From<domain::progress::Cancelled> for JobError {
    fn from(_: domain::progress::Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Starts what `effect` asks for; returns at once.
pub(crate) fn perform(effect: Effect, state: &mut State, runner: &mut Runner) {
    match effect {
        Effect::OpenSlide(path) => open_slide::start(path, state, runner),
        Effect::OpenDemo => open_slide::start_demo(state, runner),
        Effect::PickSlide => pick::start_slide(state, runner),
        Effect::PickSlideFolder => pick::start_slide_folder(state, runner),
        Effect::PickExportFolder => pick::start_folder(state, runner),
        Effect::ReadThumbnails(wanted) => look_small::start_thumbnails(wanted, state, runner),
        Effect::ReadAssociated(name) => look_small::start_associated(name, state, runner),
        Effect::PickAnnotations => pick::start_annotations(state, runner),
        Effect::Import(path, origin) => import::start(path, origin, state, runner),
        Effect::ListModels => list_models(state, runner),
        Effect::PickComparedFolder => pick::start_compared_folder(state, runner),
        Effect::Compare(wanted) => compare::start(*wanted, state, runner),
        Effect::ChangeModels(change) => change_models::start(change, state, runner),
        Effect::PickModelFolder(which) => pick::start_model_folder(which, state, runner),
        Effect::Analyze(entry) => analyze::start(*entry, state, runner),
        Effect::JudgePatches => judge_patches::start(state, runner),
        Effect::LookAtBands(entry) => look_at_bands::start(*entry, state, runner),
        Effect::SplitField(field) => split_field::start(*field, state, runner),
        Effect::ReadSpectrum(patch) => read_spectrum::start(patch, state, runner),
        Effect::FindLesions => find_lesions::start(state, runner),
        Effect::OpenJournal => journal::start_open(state, runner),
        Effect::Keep(entry) => journal::hand_over(*entry, state),
        Effect::KeepThreshold(layer, threshold) => {
            journal::hand_over_threshold(layer, threshold, state);
        }
        Effect::Reshape => reshape::start(state, runner),
        Effect::ReadLayers => read_layers::start(state, runner),
        Effect::Export { folder, formats, frame } => {
            export::start(folder, (formats, frame), state, runner);
        }
        Effect::PickFolderToSendTo => pick::start_folder_to_send_to(state, runner),
        Effect::Send(sending) => send::start(*sending, state, runner),
        Effect::PickTrainingFolder => pick::start_training_folder(state, runner),
        Effect::LookAtDropped(path) => dropped::start(path, state, runner),
        Effect::PickRun => pick::start_run(state, runner),
        Effect::CheckFolder(plan) => check_folder::start(*plan, state, runner),
        Effect::PreviewBags(plan) => preview_bags::start(*plan, state, runner),
        Effect::MeasurePace(plan) => check_folder::start_pace(*plan, state, runner),
        Effect::Train { plan, is_resumed } => train::start(*plan, is_resumed, state, runner),
        Effect::PauseTraining(is_paused) => state.training.pause.set_paused(is_paused),
        Effect::OpenRun(dir) => written_run::start_open(dir, state, runner),
        Effect::Promote { model_dir, note } => {
            written_run::start_promote(model_dir, *note, state, runner);
        }
        Effect::ReadReconstruction { run_dir, epoch } => {
            read_reconstruction::start(run_dir, epoch, state, runner);
        }
        Effect::KeepEncoder { model_dir, note } => {
            written_run::start_keep_encoder(model_dir, *note, state, runner);
        }
        Effect::CancelJob(id) => runner.cancel(id),
        Effect::SaveSession => session_file::start_save(state, runner),
        Effect::Quit => runner.close_window(),
    }
}

fn list_models(state: &mut State, runner: &mut Runner) {
    runner.start(state, JobKind::Silent, "list-models", String::new(), |_progress, _cancel| {
        let encoders = model::encoder::list();
        Ok(Outcome::ModelsListed { models: model::registry::survey(), encoders })
    });
}
