//! Every change a user can ask for, as data; the only place that writes the state on their behalf.
//!
//! Panels push a [`Command`]; [`apply`] changes the [`State`] and answers with [`Effect`]s, the things
//! that need a thread, a file or the window itself. [`entries`] gives commands their names and keys.

mod as_command;
mod channel;
mod comparing;
pub(crate) mod entries;
mod file;
mod informative;
mod key_set;
pub(crate) mod lens;
pub(crate) mod lesion;
mod model;
mod overlay;
mod queue;
pub(crate) mod review;
mod sending;
pub(crate) mod shortcuts;
mod training;
mod view;
mod window;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::model::encoder::own::EncoderNote;
use ::model::registry::{InstallNote, ModelEntry};
use ::review::Entry;
use domain::annotation::AnnotationId;
use domain::coords::Level0Rect;
use domain::mask::BinaryThreshold;
use slide::export::{ExportFormat, FrameChoice};
use slide::import::OriginChoice;

pub(crate) use as_command::as_command;
pub(crate) use channel::ChannelCommand;
pub(crate) use comparing::{ComparingCommand, Match, chosen_match, finished_run};
pub(crate) use file::{ANNOTATION_EXTENSIONS, FileCommand, can_export};
pub(crate) use informative::InformativeCommand;
pub(crate) use lens::LensCommand;
pub(crate) use lesion::LesionCommand;
pub(crate) use model::ModelCommand;
pub(crate) use overlay::OverlayCommand;
pub(crate) use queue::QueueCommand;
pub(crate) use review::ReviewCommand;
pub(crate) use sending::{SendingCommand, why_not_send};
pub(crate) use training::{
    EncoderCommand, TrainingCommand, chosen_plan, measure_pace, missing_picture, preview,
    train_as_command,
};
pub(crate) use view::ViewCommand;
pub(crate) use window::WindowCommand;

use crate::jobs::change_models::ModelChange;
use crate::state::State;
use crate::state::jobs::{JobId, JobKind};
use crate::state::lens::{Field, Patch};
use crate::state::models::TransferField;
use crate::state::sending::Sending;
use crate::state::training::plan::Plan;

/// One change, by family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    View(ViewCommand),
    Channel(ChannelCommand),
    Overlay(OverlayCommand),
    Informative(InformativeCommand),
    Lens(LensCommand),
    Lesion(LesionCommand),
    Review(ReviewCommand),
    Sending(SendingCommand),
    Model(ModelCommand),
    Training(TrainingCommand),
    Queue(QueueCommand),
    Comparing(ComparingCommand),
    File(FileCommand),
    Window(WindowCommand),
}

/// What a change needs from the world outside the state.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    OpenSlide(PathBuf),
    OpenDemo,
    PickSlide,
    PickSlideFolder,
    PickExportFolder,
    /// Look at these places, for the list of annotations.
    ReadThumbnails(Vec<(AnnotationId, Level0Rect)>),
    /// Read the picture of this name that lies beside the slide.
    ReadAssociated(String),
    PickAnnotations,
    /// Read annotations of this file, whose coordinates count from here.
    Import(PathBuf, OriginChoice),
    ListModels,
    ChangeModels(ModelChange),
    PickComparedFolder,
    /// Measure two models on the same images.
    Compare(Box<Match>),
    PickModelFolder(TransferField),
    /// Run this model on the open slide.
    Analyze(Box<ModelEntry>),
    /// Rank the patches of the open slide.
    JudgePatches,
    /// Have this model, which the result is of, look at the open slide band by band.
    LookAtBands(Box<ModelEntry>),
    /// Take a field of the slide apart.
    SplitField(Box<Field>),
    /// Read this patch and its spectrum.
    ReadSpectrum(Patch),
    /// Trace the lesions of the chosen layer at its *t*.
    FindLesions,
    /// Read what was kept of the open slide.
    OpenJournal,
    /// Write an entry into the journal.
    Keep(Box<Entry>),
    /// Write down where a layer of this title is cut.
    KeepThreshold(&'static str, BinaryThreshold),
    /// Work out the geometry of the first change that waits, unless one is being worked out.
    Reshape,
    /// Prepare the figures of layers that have none.
    ReadLayers,
    /// Write the chosen layer at its *t* into a folder.
    Export {
        folder: PathBuf,
        formats: BTreeSet<ExportFormat>,
        frame: FrameChoice,
    },
    PickFolderToSendTo,
    /// Write what was decided into a labelled folder.
    Send(Box<Sending>),
    PickTrainingFolder,
    /// See whether this is a labelled folder.
    LookAtDropped(PathBuf),
    PickRun,
    /// Look at the plan's folder as a whole.
    CheckFolder(Box<Plan>),
    /// Read a page of the checked folder's images as the network will see them.
    PreviewBags(Box<Plan>),
    /// Measure how long trainings on the checked folder take.
    MeasurePace(Box<Plan>),
    /// Train, or go on with a training.
    Train {
        plan: Box<Plan>,
        is_resumed: bool,
    },
    /// Hold the training between two steps, or let it go on.
    PauseTraining(bool),
    /// Read a run folder.
    OpenRun(PathBuf),
    /// Make the model of a run one of the list.
    Promote {
        model_dir: PathBuf,
        note: Box<InstallNote>,
    },
    /// Read what an encoder in training made of hidden patches.
    ReadReconstruction {
        run_dir: PathBuf,
        epoch: usize,
    },
    /// Make the encoder of a run one of the list.
    KeepEncoder {
        model_dir: PathBuf,
        note: Box<EncoderNote>,
    },
    CancelJob(JobId),
    SaveSession,
    Quit,
}

/// What was asked for this frame, in order.
#[derive(Debug, Default)]
pub(crate) struct Commands(Vec<Command>);

impl Commands {
    /// Asks for one change.
    pub(crate) fn push(&mut self, command: impl Into<Command>) {
        self.0.push(command.into());
    }

    /// Hands over what was asked for and starts empty.
    pub(crate) fn take(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.0)
    }
}

/// Changes the state; never waits, reads or starts anything.
pub(crate) fn apply(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::View(command) => {
            view::apply(&mut state.view, command);
            Vec::new()
        }
        Command::Channel(command) => {
            channel::apply(&mut state.view, command);
            Vec::new()
        }
        Command::Overlay(command) => overlay::apply(&mut state.overlay, command),
        Command::Informative(command) => informative::apply(state, command),
        Command::Lens(command) => lens::apply(state, command),
        Command::Lesion(command) => lesion::apply(state, command),
        Command::Review(command) => review::apply(state, command),
        Command::Sending(command) => sending::apply(state, command),
        Command::Model(command) => model::apply(state, command),
        Command::Training(command) => training::apply(state, command),
        Command::Queue(command) => queue::apply(state, command),
        Command::Comparing(command) => comparing::apply(state, command),
        Command::File(command) => file::apply(state, command),
        Command::Window(command) => window::apply(state, command),
    }
}

/// Asks the latest job of a kind to stop, if there is one.
fn stop(state: &mut State, kind: JobKind) -> Vec<Effect> {
    let Some(id) = state.jobs.of_kind(kind).map(|job| job.id) else { return Vec::new() };
    state.jobs.mark_stopping(id);
    vec![Effect::CancelJob(id)]
}

impl From<ViewCommand> for Command {
    fn from(command: ViewCommand) -> Self {
        Self::View(command)
    }
}

impl From<ChannelCommand> for Command {
    fn from(command: ChannelCommand) -> Self {
        Self::Channel(command)
    }
}

impl From<OverlayCommand> for Command {
    fn from(command: OverlayCommand) -> Self {
        Self::Overlay(command)
    }
}

impl From<InformativeCommand> for Command {
    fn from(command: InformativeCommand) -> Self {
        Self::Informative(command)
    }
}

impl From<LensCommand> for Command {
    fn from(command: LensCommand) -> Self {
        Self::Lens(command)
    }
}

impl From<LesionCommand> for Command {
    fn from(command: LesionCommand) -> Self {
        Self::Lesion(command)
    }
}

impl From<ReviewCommand> for Command {
    fn from(command: ReviewCommand) -> Self {
        Self::Review(command)
    }
}

impl From<ModelCommand> for Command {
    fn from(command: ModelCommand) -> Self {
        Self::Model(command)
    }
}

impl From<SendingCommand> for Command {
    fn from(command: SendingCommand) -> Self {
        Self::Sending(command)
    }
}

impl From<TrainingCommand> for Command {
    fn from(command: TrainingCommand) -> Self {
        Self::Training(command)
    }
}

impl From<EncoderCommand> for Command {
    fn from(command: EncoderCommand) -> Self {
        Self::Training(TrainingCommand::Encoder(command))
    }
}

impl From<ComparingCommand> for Command {
    fn from(command: ComparingCommand) -> Self {
        Self::Comparing(command)
    }
}

impl From<QueueCommand> for Command {
    fn from(command: QueueCommand) -> Self {
        Self::Queue(command)
    }
}

impl From<FileCommand> for Command {
    fn from(command: FileCommand) -> Self {
        Self::File(command)
    }
}

impl From<WindowCommand> for Command {
    fn from(command: WindowCommand) -> Self {
        Self::Window(command)
    }
}

#[cfg(test)]
pub(crate) mod samples;
