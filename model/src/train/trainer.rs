//! The loop: epoch, step, validation, checkpoint, until it is done, exhausted or stopped; then perhaps once more from
//! other first weights.

use candle_core::Device;

use super::calibrate::{NO_BETTER_THAN_CHANCE, warning};
use super::dataset::Dataset;
use super::event::{StopReason, TrainEvent};
use super::learner::{Learner, LossSums};
use super::look::Field;
use super::run_folder::RunFolder;
use super::selection::{Scored, Selection};
use super::state::{Position, TrainState};
use super::validate::validate;
use super::{TrainConfig, TrainControl, TrainError};
use crate::memory::available_bytes;
use crate::mil;
use crate::pipeline::feature_space::FeatureSpace;
use crate::registry::weights::{Tensors, one_line};

/// Where events go besides the run folder.
pub(super) type OnEvent<'a> = &'a mut dyn FnMut(&TrainEvent);

/// What a finished loop reached.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) best: Scored,
    pub(super) n_epochs: usize,
    pub(super) stopped: StopReason,
}

impl Outcome {
    /// A warning about a model whose calls, as the network makes them, are of no use.
    pub(super) fn doubt(&self) -> Option<TrainEvent> {
        self.best.scores.tells_nothing().then(|| warning(NO_BETTER_THAN_CHANCE))
    }
}

/// What a training learns, from what, and where.
pub(super) struct Setup<'a> {
    pub(super) config: &'a TrainConfig,
    pub(super) dataset: &'a Dataset,
    pub(super) space: &'a FeatureSpace,
    /// What is looked at after every epoch.
    pub(super) field: Option<Field<'a>>,
    /// About the labelled folder.
    pub(super) warnings: Vec<String>,
    /// Names what is learned from.
    pub(super) data: String,
    /// First weights, if not drawn.
    pub(super) start: Option<Tensors>,
    pub(super) device: Device,
}

/// A training under way.
pub(super) struct Trainer<'a> {
    setup: &'a Setup<'a>,
    folder: &'a mut RunFolder,
    on_event: OnEvent<'a>,
    control: &'a TrainControl<'a>,
    learner: Learner<'a>,
    /// Counted from 1.
    attempt: usize,
    /// Epochs of the attempt that are done.
    epoch: usize,
    /// Epochs of all attempts that are done.
    n_epochs: usize,
    selection: Selection,
}

pub(super) fn compute_error(error: candle_core::Error) -> TrainError {
    TrainError::Compute(one_line(&error))
}

impl<'a> Trainer<'a> {
    /// A training at its beginning, or where the run folder's state says.
    pub(super) fn new(
        setup: &'a Setup<'a>,
        folder: &'a mut RunFolder,
        on_event: OnEvent<'a>,
        control: &'a TrainControl<'a>,
    ) -> Result<Self, TrainError> {
        let state = folder.state()?;
        if let Some(state) = &state
            && state.position.data != setup.data
        {
            let problem = "the labelled folder has changed since the run began";
            return Err(TrainError::Resume(problem.to_owned()));
        }
        let attempt = state.as_ref().map_or(1, |it| it.position.attempt);
        let mut trainer = Self {
            learner: learner(setup, attempt)?,
            setup,
            folder,
            on_event,
            control,
            attempt,
            epoch: 0,
            n_epochs: 0,
            selection: Selection::default(),
        };
        match state {
            Some(state) => trainer.go_back_to(state)?,
            None => trainer.begin()?,
        }
        trainer.look_before()?;
        Ok(trainer)
    }

    /// Tells what the model that training goes on from says of the watched slide.
    fn look_before(&self) -> Result<(), TrainError> {
        let Setup { config, field, start, device, .. } = self.setup;
        if let (Some(field), Some(start)) = (field, start) {
            let network = mil::build(&config.model.network, start.clone(), device);
            field
                .look(0, network.map_err(compute_error)?.as_ref(), device)
                .map_err(compute_error)?;
        }
        Ok(())
    }

    fn go_back_to(&mut self, state: TrainState) -> Result<(), TrainError> {
        let TrainState { position, tensors } = state;
        self.learner
            .restore(&tensors, position.step, position.random_words)
            .map_err(|error| TrainError::Resume(one_line(&error)))?;
        self.folder.forget_events_after(position.events_bytes)?;
        self.epoch = position.epoch;
        self.n_epochs = position.n_epochs;
        self.selection = position.selection;
        self.emit(TrainEvent::Resumed { epoch: self.epoch + 1, attempt: self.attempt })
    }

    /// Trains to the end and leaves the best averaged weights in the run folder.
    pub(super) fn run(&mut self) -> Result<Outcome, TrainError> {
        let stopped = loop {
            let stopped = self.run_attempt()?;
            let config = &self.setup.config.restart;
            if config.most < self.attempt || !self.selection.is_unfaithful(config.faithfulness) {
                break stopped;
            }
            self.restart()?;
        };
        let best = self.selection.best();
        let best = best.ok_or_else(|| TrainError::Compute("no epoch was run".to_owned()))?;
        self.emit(TrainEvent::Stopped { reason: stopped })?;
        Ok(Outcome { best, n_epochs: self.n_epochs, stopped })
    }

    fn run_attempt(&mut self) -> Result<StopReason, TrainError> {
        let config = self.setup.config;
        while self.epoch < config.epochs {
            if self.selection.is_exhausted(self.epoch, config.patience_epochs) {
                return Ok(StopReason::EarlyStop);
            }
            let learned = self.run_epoch(self.epoch + 1);
            if matches!(learned, Err(TrainError::Cancelled(_))) {
                self.emit(TrainEvent::Stopped { reason: StopReason::Cancelled })?;
            }
            let learned = learned?;
            self.emit(learned)?;
            self.epoch += 1;
            self.n_epochs += 1;
            self.finish_epoch()?;
        }
        Ok(StopReason::Finished)
    }

    fn restart(&mut self) -> Result<(), TrainError> {
        self.attempt += 1;
        self.epoch = 0;
        self.selection.begin_attempt();
        self.learner = learner(self.setup, self.attempt)?;
        let seed = seed_of(self.setup.config, self.attempt);
        self.emit(TrainEvent::Restarted { attempt: self.attempt, seed })
    }

    fn begin(&mut self) -> Result<(), TrainError> {
        for text in &self.setup.warnings {
            self.emit(TrainEvent::Warning { text: text.clone() })?;
        }
        self.emit(TrainEvent::Started {
            n_train: self.setup.dataset.train.len(),
            n_val: self.setup.dataset.val.len(),
            epochs: self.setup.config.epochs,
            n_parameters: self.learner.n_parameters(),
        })
    }

    fn emit(&mut self, event: TrainEvent) -> Result<(), TrainError> {
        (self.on_event)(&event);
        self.folder.log(&event)
    }

    /// One pass over the training bags.
    fn run_epoch(&mut self, epoch: usize) -> Result<TrainEvent, TrainError> {
        let TrainControl { progress, cancel, pause } = *self.control;
        progress.stage("Training");
        let Setup { dataset, space, config, .. } = self.setup;
        let order = self.learner.order(&dataset.train);
        let n_steps = order.len();
        let mut sums = LossSums::default();
        for (i, group) in order.iter().enumerate() {
            cancel.check()?;
            pause.wait(cancel)?;
            let done = (epoch - 1) * n_steps + i;
            progress.report(done as u64, (config.epochs * n_steps) as u64);
            let learning_rate = self.learner.rate(n_steps);
            let loss = self
                .learner
                .learn(&dataset.train, group, space, learning_rate, &mut sums)
                .map_err(compute_error)?;
            if let Some(text) = self.learner.take_shortage() {
                self.emit(TrainEvent::Warning { text })?;
            }
            self.emit(TrainEvent::Step { epoch, step: i + 1, n_steps, loss, learning_rate })?;
        }
        let mean = |sum: f64| sum / sums.n.max(1) as f64;
        Ok(TrainEvent::Epoch {
            epoch,
            loss: mean(sums.total),
            bag_loss: mean(sums.bag),
            instance_loss: mean(sums.instance),
        })
    }

    /// Scores the averaged weights and writes the epoch's checkpoint. The state is written last: until then the run
    /// goes on from the epoch before, and writes these files again.
    fn finish_epoch(&mut self) -> Result<(), TrainError> {
        let Setup { config, dataset, space, field, device, data, .. } = self.setup;
        let epoch = self.epoch;
        let weights = self.learner.averaged().map_err(compute_error)?;
        let network =
            mil::build(&config.model.network, weights.clone(), device).map_err(compute_error)?;
        let scores =
            validate(network.as_ref(), &dataset.val, space, device).map_err(compute_error)?;
        tracing::debug!(?scores, epoch, "validated");
        for (name, value) in scores.named() {
            self.emit(TrainEvent::Metric { epoch, name: name.to_owned(), value })?;
        }
        if let Some(field) = field {
            field.look(epoch, network.as_ref(), device).map_err(compute_error)?;
        }
        let is_best = self.selection.is_best(Scored { attempt: self.attempt, epoch, scores });
        self.folder.checkpoint(epoch, &weights, is_best)?;
        self.emit(TrainEvent::Checkpoint { epoch, is_best })?;
        let position = Position {
            data: data.clone(),
            attempt: self.attempt,
            epoch,
            n_epochs: self.n_epochs,
            step: self.learner.step,
            random_words: self.learner.random_words(),
            selection: self.selection.clone(),
            events_bytes: self.folder.events_bytes()?,
        };
        let tensors = self.learner.tensors().map_err(compute_error)?;
        self.folder.write_state(&TrainState { position, tensors })
    }
}

/// First weights and randomness of an attempt.
fn learner<'a>(setup: &'a Setup<'a>, attempt: usize) -> Result<Learner<'a>, TrainError> {
    let seed = seed_of(setup.config, attempt);
    let learner = Learner::new(setup.config, seed, setup.start.as_ref(), &setup.device);
    let largest = setup.dataset.train.iter().map(|bag| bag.grid.patches()).max().unwrap_or(0);
    Ok(learner.map_err(compute_error)?.within(largest, available_bytes()))
}

/// Attempts of one training and trainings of neighbouring seeds do not share seeds.
fn seed_of(config: &TrainConfig, attempt: usize) -> u64 {
    config.seed.wrapping_add(1_000_003 * (attempt as u64 - 1))
}
