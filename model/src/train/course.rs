//! The loop of a training whose last weights are kept, since no label can choose an epoch: stage 2 and pre-training.
//! Epoch, step, examination, checkpoint, until all epochs are done or it is stopped.

use std::collections::BTreeMap;
use std::path::Path;

use domain::progress::CancelToken;

use super::run_folder::RunFolder;
use super::{Position, StopReason, TrainControl, TrainError, TrainEvent, TrainState};
use crate::registry::weights::{Tensors, one_line};

/// Figures by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// A network and what it learns from.
pub(crate) trait Lesson {
    /// Epochs planned.
    fn epochs(&self) -> usize;

    /// Things that are learned from, and things that are only looked at.
    fn counts(&self) -> [usize; 2];

    /// Trainable numbers.
    fn n_parameters(&self) -> usize;

    /// Draws the steps of the next epoch; how many.
    fn begin_epoch(&mut self) -> usize;

    /// Takes a step, counted from 0, of an epoch, counted from 1: its loss and learning rate.
    fn learn(&mut self, epoch: usize, step: usize) -> candle_core::Result<(f64, f64)>;

    /// What the epoch has to say.
    fn summary(&self, epoch: usize) -> TrainEvent;

    /// Whether what is only looked at is looked at after this epoch, besides the last.
    fn is_examined_after(&self, epoch: usize) -> bool;

    /// Figures of what is only looked at.
    ///
    /// # Errors
    /// If the device fails or the work was cancelled.
    fn examine(&self, cancel: &CancelToken) -> Result<Figures, TrainError>;

    /// Leaves a picture of the epoch in the run folder, where one is due. Whether it did.
    ///
    /// # Errors
    /// If it cannot be made or written.
    fn illustrate(&self, _epoch: usize, _run: &Path) -> Result<bool, TrainError> {
        Ok(false)
    }

    /// All weights, copied to main memory.
    fn weights(&self) -> candle_core::Result<Tensors>;

    /// Everything that learning changes but step count and randomness.
    fn tensors(&self) -> candle_core::Result<Tensors>;

    /// Optimizer steps taken, and random words drawn.
    fn position(&self) -> (usize, u64);

    /// Goes back to where [`Self::tensors`] and [`Self::position`] were asked.
    fn restore(&mut self, saved: &Tensors, position: (usize, u64)) -> candle_core::Result<()>;
}

/// What a finished course reached.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) n_epochs: usize,
    /// Of the last examination.
    pub(crate) figures: Figures,
}

/// What names the things that are learned from, and what they are called.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    pub(crate) fingerprint: String,
    /// Says what must not change while a run is interrupted.
    pub(crate) title: &'static str,
    /// About the folder.
    pub(crate) warnings: Vec<String>,
}

/// A training under way.
pub(crate) struct Course<'a, L> {
    lesson: L,
    material: Material,
    folder: &'a mut RunFolder,
    on_event: &'a mut dyn FnMut(&TrainEvent),
    control: TrainControl<'a>,
    /// Epochs that are done.
    epoch: usize,
    /// Of the last examination, if there was one.
    figures: Figures,
}

pub(crate) fn compute_error(error: candle_core::Error) -> TrainError {
    TrainError::Compute(one_line(&error))
}

impl<'a, L: Lesson> Course<'a, L> {
    /// A training at its beginning, or where the run folder's state says.
    ///
    /// # Errors
    /// If the state cannot be gone on from.
    pub(crate) fn new(
        lesson: L,
        material: Material,
        folder: &'a mut RunFolder,
        on_event: &'a mut dyn FnMut(&TrainEvent),
        control: TrainControl<'a>,
    ) -> Result<Self, TrainError> {
        let state = folder.state()?;
        let figures = Figures::new();
        let mut course = Self { lesson, material, folder, on_event, control, epoch: 0, figures };
        match state {
            Some(state) => course.go_back_to(state)?,
            None => course.begin()?,
        }
        Ok(course)
    }

    fn begin(&mut self) -> Result<(), TrainError> {
        for text in self.material.warnings.clone() {
            self.emit(TrainEvent::Warning { text })?;
        }
        let [n_train, n_val] = self.lesson.counts();
        let (epochs, n_parameters) = (self.lesson.epochs(), self.lesson.n_parameters());
        self.emit(TrainEvent::Started { n_train, n_val, epochs, n_parameters })
    }

    fn go_back_to(
        &mut self,
        TrainState { position, tensors }: TrainState,
    ) -> Result<(), TrainError> {
        let Material { fingerprint, title, .. } = &self.material;
        if position.data != *fingerprint {
            return Err(TrainError::Resume(format!("{title} have changed since the run began")));
        }
        self.lesson
            .restore(&tensors, (position.step, position.random_words))
            .map_err(|error| TrainError::Resume(one_line(&error)))?;
        self.folder.forget_events_after(position.events_bytes)?;
        self.epoch = position.epoch;
        self.emit(TrainEvent::Resumed { epoch: self.epoch + 1, attempt: 1 })
    }

    /// Trains to the end and leaves the last weights in the run folder.
    ///
    /// # Errors
    /// If the device or the run folder fails, or the work was cancelled: then the run can be continued.
    pub(crate) fn run(mut self) -> Result<Outcome, TrainError> {
        let n_epochs = self.lesson.epochs();
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
        if self.figures.is_empty() {
            self.figures = self.lesson.examine(self.control.cancel)?;
        }
        self.emit(TrainEvent::Stopped { reason: StopReason::Finished })?;
        Ok(Outcome { n_epochs, figures: self.figures })
    }

    fn emit(&mut self, event: TrainEvent) -> Result<(), TrainError> {
        (self.on_event)(&event);
        self.folder.log(&event)
    }

    /// One pass over what is learned from.
    fn run_epoch(&mut self, epoch: usize) -> Result<TrainEvent, TrainError> {
        let TrainControl { progress, cancel, pause } = self.control;
        progress.stage("Training");
        let n_steps = self.lesson.begin_epoch();
        for step in 0..n_steps {
            pause.wait(cancel)?;
            cancel.check()?;
            let done = (epoch - 1) * n_steps + step;
            progress.report(done as u64, (self.lesson.epochs() * n_steps) as u64);
            let (loss, learning_rate) = self.lesson.learn(epoch, step).map_err(compute_error)?;
            self.emit(TrainEvent::Step { epoch, step: step + 1, n_steps, loss, learning_rate })?;
        }
        Ok(self.lesson.summary(epoch))
    }

    /// Examines where it is time and writes the epoch's checkpoint. The state is written last: until then the run goes on from the
    /// epoch before, and writes these files again.
    fn finish_epoch(&mut self) -> Result<(), TrainError> {
        let epoch = self.epoch;
        let is_last = epoch == self.lesson.epochs();
        if is_last || self.lesson.is_examined_after(epoch) {
            self.figures = self.lesson.examine(self.control.cancel)?;
            for (name, value) in self.figures.clone() {
                self.emit(TrainEvent::Metric { epoch, name, value })?;
            }
        }
        if self.lesson.illustrate(epoch, self.folder.dir())? {
            self.emit(TrainEvent::Pictured { epoch })?;
        }
        let weights = self.lesson.weights().map_err(compute_error)?;
        self.folder.checkpoint(epoch, &weights, is_last)?;
        self.emit(TrainEvent::Checkpoint { epoch, is_best: is_last })?;
        let (step, random_words) = self.lesson.position();
        let position = Position {
            data: self.material.fingerprint.clone(),
            attempt: 1,
            epoch,
            n_epochs: epoch,
            step,
            random_words,
            events_bytes: self.folder.events_bytes()?,
            ..Position::default()
        };
        let tensors = self.lesson.tensors().map_err(compute_error)?;
        self.folder.write_state(&TrainState { position, tensors })
    }
}
