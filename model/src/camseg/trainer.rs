//! The loop of stage 2: epochs on the heatmaps as they are, then on labels that the network refines.
//!
//! No true mask takes part, so no epoch can be chosen by one: the last is kept.

use std::collections::BTreeMap;

use candle_core::Device;

use super::CamsegConfig;
use super::dataset::Dataset;
use super::learner::{Learner, LossSums};
use crate::eval::pixels::Counts;
use crate::registry::weights::one_line;
use crate::train::run_folder::RunFolder;
use crate::train::{Position, StopReason, TrainControl, TrainError, TrainEvent, TrainState};

/// What a finished loop reached.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) n_epochs: usize,
    /// Figures of the last look at the validation tiles.
    pub(super) metrics: BTreeMap<String, f64>,
}

/// What a training learns, and from what.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub(super) config: &'a CamsegConfig,
    pub(super) dataset: &'a Dataset,
    /// About the labelled folder.
    pub(super) warnings: Vec<String>,
    /// Names what is learned from.
    pub(super) data: String,
    pub(super) device: Device,
}

/// A training under way.
pub(super) struct Trainer<'a> {
    setup: &'a Setup<'a>,
    folder: &'a mut RunFolder,
    on_event: &'a mut dyn FnMut(&TrainEvent),
    control: TrainControl<'a>,
    learner: Learner<'a>,
    /// Epochs that are done.
    epoch: usize,
    /// Of the last look at the validation tiles, if there was one.
    metrics: BTreeMap<String, f64>,
}

fn compute_error(error: candle_core::Error) -> TrainError {
    TrainError::Compute(one_line(&error))
}

impl<'a> Trainer<'a> {
    /// A training at its beginning, or where the run folder's state says.
    pub(super) fn new(
        setup: &'a Setup<'a>,
        folder: &'a mut RunFolder,
        on_event: &'a mut dyn FnMut(&TrainEvent),
        control: TrainControl<'a>,
    ) -> Result<Self, TrainError> {
        let state = folder.state()?;
        let learner = Learner::new(setup.config, &setup.device).map_err(compute_error)?;
        let metrics = BTreeMap::new();
        let mut trainer = Self { setup, folder, on_event, control, learner, epoch: 0, metrics };
        match state {
            Some(state) => trainer.go_back_to(state)?,
            None => trainer.begin()?,
        }
        Ok(trainer)
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

    fn go_back_to(
        &mut self,
        TrainState { position, tensors }: TrainState,
    ) -> Result<(), TrainError> {
        if position.data != self.setup.data {
            let problem = "the labelled folder, the masks or the model of stage 1 have changed since the run began";
            return Err(TrainError::Resume(problem.to_owned()));
        }
        self.learner
            .restore(&tensors, position.step, position.random_words)
            .map_err(|error| TrainError::Resume(one_line(&error)))?;
        self.folder.forget_events_after(position.events_bytes)?;
        self.epoch = position.epoch;
        self.emit(TrainEvent::Resumed { epoch: self.epoch + 1, attempt: 1 })
    }

    /// Trains to the end and leaves the last weights in the run folder.
    pub(super) fn run(mut self) -> Result<Outcome, TrainError> {
        let n_epochs = self.setup.config.epochs;
        while self.epoch < n_epochs {
            let learned = self.run_epoch(self.epoch + 1);
            if matches!(learned, Err(TrainError::Cancelled(_))) {
                self.emit(TrainEvent::Stopped { reason: StopReason::Cancelled })?;
            }
            let learned = learned?;
            self.emit(learned)?;
            self.epoch += 1;
            self.finish_epoch()?;
        }
        if self.metrics.is_empty() {
            self.metrics = self.validate()?;
        }
        self.emit(TrainEvent::Stopped { reason: StopReason::Finished })?;
        Ok(Outcome { n_epochs, metrics: self.metrics })
    }

    fn emit(&mut self, event: TrainEvent) -> Result<(), TrainError> {
        (self.on_event)(&event);
        self.folder.log(&event)
    }

    /// One pass over the training tiles.
    fn run_epoch(&mut self, epoch: usize) -> Result<TrainEvent, TrainError> {
        let TrainControl { progress, cancel, pause } = self.control;
        progress.stage("Training");
        let Setup { config, dataset, .. } = self.setup;
        let order = self.learner.order(&dataset.train);
        let n_steps = order.len();
        let mut sums = LossSums::default();
        for (i, indices) in order.iter().enumerate() {
            pause.wait(cancel)?;
            cancel.check()?;
            let done = (epoch - 1) * n_steps + i;
            progress.report(done as u64, (config.epochs * n_steps) as u64);
            let learning_rate = self.learner.rate(n_steps);
            let how = (config.stage(epoch), learning_rate);
            let loss = self
                .learner
                .learn(&dataset.train, indices, how, &mut sums)
                .map_err(compute_error)?;
            self.emit(TrainEvent::Step { epoch, step: i + 1, n_steps, loss, learning_rate })?;
        }
        let mean = |sum: f64| sum / sums.n.max(1) as f64;
        Ok(TrainEvent::SegmentationEpoch {
            epoch,
            loss: mean(sums.total),
            soft_loss: mean(sums.soft),
            hard_loss: mean(sums.hard),
            consistency_loss: mean(sums.consistency),
            changed_share: mean(sums.changed),
        })
    }

    /// Looks at the validation tiles where it is time and writes the epoch's checkpoint. The state is written last: until
    /// then the run goes on from the epoch before, and writes these files again.
    fn finish_epoch(&mut self) -> Result<(), TrainError> {
        let (epoch, config) = (self.epoch, self.setup.config);
        let is_last = epoch == config.epochs;
        if is_last || epoch.is_multiple_of(config.validate_every) {
            self.metrics = self.validate()?;
            for (name, value) in self.metrics.clone() {
                self.emit(TrainEvent::Metric { epoch, name, value })?;
            }
        }
        let weights = self.learner.weights().map_err(compute_error)?;
        self.folder.checkpoint(epoch, &weights, is_last)?;
        self.emit(TrainEvent::Checkpoint { epoch, is_best: is_last })?;
        let position = Position {
            data: self.setup.data.clone(),
            attempt: 1,
            epoch,
            n_epochs: epoch,
            step: self.learner.step,
            random_words: self.learner.random_words(),
            events_bytes: self.folder.events_bytes()?,
            ..Position::default()
        };
        let tensors = self.learner.tensors().map_err(compute_error)?;
        self.folder.write_state(&TrainState { position, tensors })
    }

    /// How well the network agrees with the masks cut from the validation heatmaps.
    fn validate(&self) -> Result<BTreeMap<String, f64>, TrainError> {
        let threshold = self.setup.config.loss.mask_threshold as f32;
        let mut counts = Counts::default();
        for tile in &self.setup.dataset.val {
            self.control.cancel.check()?;
            let lesion = self.learner.lesion(tile).map_err(compute_error)?;
            let label: Vec<bool> = tile.label.iter().map(|it| threshold < it.to_f32()).collect();
            counts.add(Counts::of(lesion.into_iter(), &label));
        }
        let scores = counts.scores();
        let named = [("val_label_miou", scores.miou), ("val_label_iou", scores.iou)];
        Ok(named.map(|(name, value)| (name.to_owned(), value)).into())
    }
}
