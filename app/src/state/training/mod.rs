//! The training panel: a folder that was checked, a plan, a run.

pub(crate) mod examined;
pub(crate) mod looks;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod reconstructions;
pub(crate) mod run_view;
#[cfg(test)]
pub(crate) mod samples;

use std::path::PathBuf;
use std::sync::Arc;

use domain::progress::PauseToken;
use model::data::check::FolderSurvey;
use model::encoder::own::EncoderNote;
use model::memory::MemoryUse;
use model::registry::InstallNote;
use model::train::{Pace, Stage, TrainEvent};
use model::wise::SourceSurvey;

use looks::Looked;
use plan::Plan;
use preview::{BagPreview, SeenImage};
use run_view::{RunView, Standing};

/// What a training says while it runs.
#[derive(Clone, Debug)]
pub(crate) enum TrainingNews {
    /// A stage begins, or goes on after what its folder tells.
    Begins {
        stage: Stage,
        dir: PathBuf,
        n_epochs: usize,
        device: &'static str,
        so_far: Vec<TrainEvent>,
    },
    Said(TrainEvent),
    /// What the network says of the open slide, or why it cannot.
    Looked(Result<Looked, String>),
    /// It never began: its run folder is taken, or what it is to learn from cannot be used.
    Refused,
}

/// The training panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrainingState {
    pub(crate) is_open: bool,
    /// Path of the folder that is learned from, as typed.
    pub(crate) folder_text: String,
    /// Path of the run folder to train into, as typed.
    pub(crate) run_text: String,
    /// Path of a run folder to look at, as typed.
    pub(crate) open_text: String,
    pub(crate) plan: Plan,
    /// What the check of `plan.folder` found, if it is to be a labelled one.
    pub(crate) survey: Option<Arc<FolderSurvey>>,
    /// The same, if slides are all that is needed.
    pub(crate) sources: Option<Arc<SourceSurvey>>,
    /// The images of `survey` as the network will see them.
    pub(crate) preview: BagPreview,
    /// How long trainings on them take.
    pub(crate) pace: Option<Pace>,
    /// The run that is shown instead of the plan.
    pub(crate) run: Option<RunView>,
    /// Memory of the program, as the training that runs said last.
    pub(crate) memory: Option<MemoryUse>,
    /// Holds the run between two steps.
    pub(crate) pause: PauseToken,
    /// How the finished model calls itself.
    pub(crate) note: InstallNote,
    /// How the finished encoder calls itself.
    pub(crate) encoder_note: EncoderNote,
    /// Name of the model or encoder that the run became.
    pub(crate) promoted: Option<String>,
}

impl TrainingState {
    /// Whether a training could begin.
    pub(crate) fn can_start(&self) -> bool {
        let is_usable = if self.plan.aim.needs_labels() {
            self.survey.as_ref().is_some_and(|it| it.can_train(self.plan.how.leave_out))
        } else {
            self.sources.as_ref().is_some_and(|it| it.can_train())
        };
        is_usable && !self.run_text.trim().is_empty() && !self.is_under_way()
    }

    /// Whether the folder was looked at for what is planned.
    pub(crate) fn is_checked(&self) -> bool {
        if self.plan.aim.needs_labels() { self.survey.is_some() } else { self.sources.is_some() }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.run.as_ref().is_some_and(RunView::is_under_way)
    }

    /// Takes in what a training says.
    pub(crate) fn take(&mut self, news: TrainingNews) {
        match news {
            TrainingNews::Begins { stage, dir, n_epochs, device, so_far } => {
                let mut view = RunView::new(dir, stage, n_epochs, Standing::Running);
                view.device = Some(device);
                so_far.iter().for_each(|event| view.take(event));
                self.run = Some(view);
            }
            TrainingNews::Refused => self.run = None,
            TrainingNews::Looked(looked) => {
                if let Some(view) = &mut self.run {
                    view.looks.take(looked);
                }
            }
            TrainingNews::Said(event) => {
                if let Some(view) = &mut self.run {
                    view.take(&event);
                }
            }
        }
    }

    /// Shows a page of the preview, unless another folder or page was asked for meanwhile.
    pub(crate) fn take_preview(
        &mut self,
        survey: &Arc<FolderSurvey>,
        page: usize,
        seen: Vec<SeenImage>,
    ) {
        if self.is_shown(survey) && self.preview.page == page {
            self.preview.seen = seen;
        }
    }

    /// Knows how long trainings take, unless another folder was checked or another encoder chosen meanwhile.
    pub(crate) fn take_pace(
        &mut self,
        survey: &Arc<FolderSurvey>,
        encoder: Option<&str>,
        pace: Option<Pace>,
    ) {
        if self.is_shown(survey) && self.plan.chosen_encoder() == encoder {
            self.pace = pace;
        }
    }

    fn is_shown(&self, survey: &Arc<FolderSurvey>) -> bool {
        self.survey.as_ref().is_some_and(|it| Arc::ptr_eq(it, survey))
    }

    /// The training ended before its time.
    pub(crate) fn stopped(&mut self) {
        if let Some(view) = self.run.as_mut().filter(|view| view.is_under_way()) {
            view.standing = Standing::Stopped;
        }
    }
}
