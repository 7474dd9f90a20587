//! Training on threads that yield to the window: what it says goes to the panel, what it reaches into its run folder.

use std::path::Path;
use std::sync::Arc;

use domain::coords::Level0Px;
use domain::progress::{CancelToken, PauseToken, Progress};
use model::camseg::{CamsegJob, train_camseg};
use model::device::DeviceChoice;
use model::registry::ModelEntry;
use model::threads::yielding;
use model::train::{
    EpochLook, Stage, TrainControl, TrainError, TrainEvent, TrainJob, TrainReport, Watched,
    WrittenRun, train,
};
use model::wise::{PretrainJob, pretrain};
use slide::Slide;

use super::check_folder::{beginning, chosen_model};
use super::examine::examined;
use super::runner::{Runner, Teller};
use super::{JobError, JobEvent, Outcome, TrainingOutcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::TrainingNews;
use crate::state::training::plan::{Aim, Plan};
use look::Painter;

/// Trains the stages of the plan one after the other; a resumed one goes on where it was broken off.
pub(super) fn start(plan: Plan, is_resumed: bool, state: &mut State, runner: &mut Runner) {
    let title = format!("Training on {}", plan.folder.display());
    let (teller, pause) = (runner.teller(), state.training.pause.clone());
    let watched = state.slide.clone().map(|slide| (slide, state.view.camera.center));
    runner.start(state, JobKind::Train, "train", title, move |progress, cancel| {
        let work = Work {
            plan: &plan,
            is_resumed,
            watched,
            teller: &teller,
            progress,
            cancel,
            pause: &pause,
        };
        yielding(|| work.run())
    });
}

struct Work<'a> {
    plan: &'a Plan,
    is_resumed: bool,
    /// The open slide, and where it is looked at.
    watched: Option<(Arc<Slide>, Level0Px)>,
    teller: &'a Teller,
    progress: &'a dyn Progress,
    cancel: &'a CancelToken,
    pause: &'a PauseToken,
}

impl Work<'_> {
    fn run(&self) -> Result<Outcome, JobError> {
        let mut model = chosen_model(self.plan).map_err(|error| self.failed(&error))?;
        let mut last = None;
        for stage in self.plan.aim.stages() {
            let reached = match stage {
                Stage::Fmamil => self.heatmaps(),
                Stage::Camseg => self.masks(model.as_ref()),
                Stage::Pretraining => self.encoder(),
            };
            let report = reached.map_err(|error| self.ended(&error, last.is_none()))?;
            if self.plan.aim == Aim::Both {
                let trained = ModelEntry::open(&report.model_dir);
                model = Some(trained.map_err(|error| self.failed(&error))?);
            }
            last = Some((report, *stage));
        }
        let (report, stage) = last.ok_or_else(|| self.failed(&"there was nothing to train"))?;
        let written = WrittenRun::read(&self.plan.dir_of(stage)).ok();
        let examined = written.as_ref().and_then(examined);
        Ok(TrainingOutcome::Trained {
            report,
            examined,
            encoder: written.and_then(|it| it.encoder),
        }
        .into())
    }

    fn heatmaps(&self) -> Result<TrainReport, TrainError> {
        let run_dir = self.plan.dir_of(Stage::Fmamil);
        let config = beginning(self.plan).and_then(|it| self.plan.stage_1(&it));
        let config = config.map_err(TrainError::Config)?;
        let n_epochs = config.epochs;
        let is_begun = self.begins(Stage::Fmamil, &run_dir, n_epochs);
        let painter = self.watched.as_ref().map(|(slide, _)| Painter::new(slide));
        let tell = |look: Result<EpochLook, String>| {
            if let Some(painter) = &painter {
                let looked = look.map(|look| painter.looked(&look));
                self.tell(TrainingNews::Looked(looked));
            }
        };
        let watched = self.watched.as_ref().map(|(slide, around)| Watched {
            slide,
            around: *around,
            tell: &tell,
        });
        let job = TrainJob {
            folder: &self.plan.folder,
            run_dir: &run_dir,
            config: (!is_begun).then_some(config),
            device: DeviceChoice::Auto,
            resume: self.is_resumed,
            watched,
        };
        train(&job, &mut |event| self.say(event), self.control())
    }

    fn masks(&self, stage_1: Option<&ModelEntry>) -> Result<TrainReport, TrainError> {
        let nothing = || TrainError::Config("choose a model to refine".to_owned());
        let model = stage_1.ok_or_else(nothing)?;
        let run_dir = self.plan.dir_of(Stage::Camseg);
        let config = self.plan.stage_2().map_err(TrainError::Config)?;
        let is_begun = self.begins(Stage::Camseg, &run_dir, config.epochs);
        let masks = self.plan.masks();
        let job = CamsegJob {
            folder: &self.plan.folder,
            masks: masks.as_deref(),
            model,
            run_dir: &run_dir,
            config: (!is_begun).then_some(config),
            device: DeviceChoice::Auto,
            resume: self.is_resumed,
        };
        train_camseg(&job, &mut |event| self.say(event), self.control())
    }

    fn encoder(&self) -> Result<TrainReport, TrainError> {
        let run_dir = self.plan.dir_of(Stage::Pretraining);
        let config = self.plan.pretraining().map_err(TrainError::Config)?;
        let is_begun = self.begins(Stage::Pretraining, &run_dir, config.epochs);
        let job = PretrainJob {
            folder: &self.plan.folder,
            run_dir: &run_dir,
            config: (!is_begun).then_some(config),
            device: DeviceChoice::Auto,
            resume: self.is_resumed,
        };
        pretrain(&job, &mut |event| self.say(event), self.control())
    }

    fn control(&self) -> TrainControl<'_> {
        TrainControl { progress: self.progress, cancel: self.cancel, pause: self.pause }
    }

    /// Shows the stage, with what its folder tells if it goes on. Whether it does.
    fn begins(&self, stage: Stage, run_dir: &Path, n_epochs: usize) -> bool {
        let written = self.is_resumed.then(|| WrittenRun::read(run_dir).ok()).flatten();
        let is_begun = written.is_some();
        let (n_epochs, so_far) =
            written.map_or((n_epochs, Vec::new()), |run| (run.epochs, run.events));
        let device = DeviceChoice::Auto.status().map_or("CPU", |status| status.name);
        let dir = run_dir.to_owned();
        let news = TrainingNews::Begins { stage, dir, n_epochs, device, so_far };
        self.tell(news);
        is_begun
    }

    /// Steps are left to the progress bar: there may be hundreds a second.
    fn say(&self, event: &TrainEvent) {
        if !matches!(event, TrainEvent::Step { .. }) {
            self.tell(TrainingNews::Said(event.clone()));
        }
    }

    fn tell(&self, news: TrainingNews) {
        self.teller.say(JobEvent::Training(Box::new(news)));
    }

    /// A training that ends before it has begun leaves nothing that could go on.
    fn ended(&self, error: &TrainError, is_first_stage: bool) -> JobError {
        if matches!(error, TrainError::Cancelled(_)) {
            return JobError::Cancelled;
        }
        let is_of_another = matches!(error, TrainError::Resume(_));
        let is_begun = || WrittenRun::read(&self.plan.run_dir).is_ok();
        if is_first_stage && !self.is_resumed && (is_of_another || !is_begun()) {
            self.tell(TrainingNews::Refused);
        }
        self.failed(error)
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> JobError {
        let run = self.plan.run_dir.display();
        JobError::Failed(format!("The training did not finish: {error} ({run})"))
    }
}

mod look;
#[cfg(test)]
mod tests;
