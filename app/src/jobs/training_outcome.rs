//! What jobs around a training bring.

use std::path::PathBuf;
use std::sync::Arc;

use model::data::check::FolderSurvey;
use model::encoder::own::EncoderNote;
use model::registry::ModelEntry;
use model::train::{Pace, TrainReport, WrittenRun};
use model::wise::SourceSurvey;

use super::Outcome;
use crate::state::picture::Picture;
use crate::state::training::examined::Examined;
use crate::state::training::preview::SeenImage;

/// What a finished job around a training brings.
#[derive(Debug)]
pub(crate) enum TrainingOutcome {
    /// What a check of a labelled folder found, and a free run folder.
    FolderChecked {
        folder: PathBuf,
        survey: FolderSurvey,
        run_dir: Option<PathBuf>,
    },
    /// The same of a folder of slides, whatever their labels.
    SourcesChecked {
        folder: PathBuf,
        sources: SourceSurvey,
        run_dir: Option<PathBuf>,
    },
    /// A page of the preview of a checked folder.
    PreviewRead {
        survey: Arc<FolderSurvey>,
        page: usize,
        seen: Vec<SeenImage>,
    },
    /// How long trainings on a checked folder take with an encoder, if that could be measured.
    PaceMeasured {
        survey: Arc<FolderSurvey>,
        encoder: Option<String>,
        pace: Option<Pace>,
    },
    Trained {
        report: TrainReport,
        examined: Option<Arc<Examined>>,
        /// What an encoder that was learned says about itself.
        encoder: Option<EncoderNote>,
    },
    /// The picture of an epoch of a run, or why it cannot be read.
    ReconstructionRead {
        run_dir: PathBuf,
        epoch: usize,
        picture: Result<Arc<Picture>, String>,
    },
    RunOpened {
        dir: PathBuf,
        run: WrittenRun,
        examined: Option<Arc<Examined>>,
    },
    /// The model that a run became.
    Promoted(ModelEntry),
    /// Name of the encoder that a run became.
    EncoderKept(String),
}

impl From<TrainingOutcome> for Outcome {
    fn from(outcome: TrainingOutcome) -> Self {
        Self::Training(Box::new(outcome))
    }
}
