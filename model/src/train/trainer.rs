//! The loop: epoch, step, validation, checkpoint, until it is done, exhausted or stopped.

use std::collections::BTreeMap;

use candle_core::{Device, Var};
use domain::progress::{CancelToken, Progress};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::adamw::AdamW;
use super::batches::{self, TrainBatch};
use super::dataset::Dataset;
use super::ema::Ema;
use super::event::{StopReason, TrainEvent};
use super::run_folder::RunFolder;
use super::schedule::learning_rate;
use super::selection::{Selection, ValScores};
use super::validate::validate;
use super::{TrainConfig, TrainError};
use crate::fmamil::Fmamil;
use crate::fmamil::init::initial_weights;
use crate::loss::mil::mil_loss;
use crate::pipeline::feature_space::FeatureSpace;
use crate::pipeline::loaded_model::build;
use crate::registry::weights::one_line;

/// Where events go besides the run folder.
pub(super) type OnEvent<'a> = &'a mut dyn FnMut(&TrainEvent);

/// What a finished loop reached.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) best_epoch: usize,
    pub(super) best: ValScores,
    pub(super) n_epochs: usize,
    pub(super) stopped: StopReason,
}

/// A network in training.
pub(super) struct Trainer<'a> {
    config: &'a TrainConfig,
    dataset: &'a Dataset,
    space: &'a FeatureSpace,
    device: Device,
    network: Fmamil,
    n_parameters: usize,
    optimizer: AdamW,
    average: Ema,
    rng: ChaCha8Rng,
    /// Steps taken.
    step: usize,
}

/// Sums over the bags of an epoch.
#[derive(Clone, Copy, Debug, Default)]
struct LossSums {
    total: f64,
    bag: f64,
    instance: f64,
    n: usize,
}

pub(super) fn compute_error(error: candle_core::Error) -> TrainError {
    TrainError::Compute(one_line(&error))
}

impl<'a> Trainer<'a> {
    /// A network with the first weights of the configuration's seed.
    pub(super) fn new(
        config: &'a TrainConfig,
        dataset: &'a Dataset,
        space: &'a FeatureSpace,
        device: Device,
    ) -> Result<Self, TrainError> {
        let mut vars: BTreeMap<String, Var> = BTreeMap::new();
        let first = initial_weights(&config.model.network, config.seed)
            .map_err(|error| TrainError::Config(one_line(&error)))?;
        for (name, tensor) in first {
            let tensor = tensor.to_device(&device).map_err(compute_error)?;
            vars.insert(name, Var::from_tensor(&tensor).map_err(compute_error)?);
        }
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let network =
            build(&config.model.network, tensors.collect(), &device).map_err(compute_error)?;
        Ok(Self {
            config,
            dataset,
            space,
            network,
            n_parameters: vars.values().map(|var| var.elem_count()).sum(),
            optimizer: AdamW::new(&vars, config.optimizer).map_err(compute_error)?,
            average: Ema::new(&vars).map_err(compute_error)?,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            step: 0,
            device,
        })
    }

    /// Trains to the end and leaves the best averaged weights in the run folder.
    pub(super) fn run(
        &mut self,
        folder: &mut RunFolder,
        on_event: OnEvent<'_>,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<Outcome, TrainError> {
        let mut emit = |folder: &mut RunFolder, event: TrainEvent| {
            on_event(&event);
            folder.log(&event)
        };
        emit(folder, self.started())?;
        let mut selection = Selection::default();
        let mut stopped = StopReason::Finished;
        let mut n_epochs = 0;
        for epoch in 1..=self.config.epochs {
            let learned = self.epoch(epoch, &mut |event| emit(folder, event), (progress, cancel));
            if matches!(learned, Err(TrainError::Cancelled(_))) {
                emit(folder, TrainEvent::Stopped { reason: StopReason::Cancelled })?;
            }
            emit(folder, learned?)?;
            n_epochs = epoch;
            let scores = self.validate(epoch, folder, &mut selection, &mut emit)?;
            tracing::debug!(?scores, epoch, "validated");
            if selection.is_exhausted(epoch, self.config.patience_epochs) {
                stopped = StopReason::EarlyStop;
                break;
            }
        }
        emit(folder, TrainEvent::Stopped { reason: stopped })?;
        let (best_epoch, best) = selection
            .best()
            .ok_or_else(|| TrainError::Compute("no epoch could be validated".to_owned()))?;
        Ok(Outcome { best_epoch, best, n_epochs, stopped })
    }

    fn started(&self) -> TrainEvent {
        TrainEvent::Started {
            n_train: self.dataset.train.len(),
            n_val: self.dataset.val.len(),
            epochs: self.config.epochs,
            n_parameters: self.n_parameters,
        }
    }

    /// One pass over the training bags.
    fn epoch(
        &mut self,
        epoch: usize,
        emit: &mut dyn FnMut(TrainEvent) -> Result<(), TrainError>,
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<TrainEvent, TrainError> {
        progress.stage("Training");
        let order = batches::order(&self.dataset.train, self.config.batch, &mut self.rng);
        let n_steps = order.len();
        let mut sums = LossSums::default();
        for (i, indices) in order.iter().enumerate() {
            cancel.check()?;
            let done = (epoch - 1) * n_steps + i;
            progress.report(done as u64, (self.config.epochs * n_steps) as u64);
            let rate = self.rate(n_steps);
            let batch = batches::gather(
                &self.dataset.train,
                indices,
                self.space,
                &self.config.augment,
                &mut self.rng,
            );
            let loss = self.learn(&batch, rate, &mut sums).map_err(compute_error)?;
            emit(TrainEvent::Step { epoch, step: i + 1, n_steps, loss, learning_rate: rate })?;
        }
        let mean = |sum: f64| sum / sums.n.max(1) as f64;
        Ok(TrainEvent::Epoch {
            epoch,
            loss: mean(sums.total),
            bag_loss: mean(sums.bag),
            instance_loss: mean(sums.instance),
        })
    }

    /// The learning rate of the next step; every epoch has as many steps.
    fn rate(&self, steps_per_epoch: usize) -> f64 {
        let schedule = &self.config.learning_rate;
        let n_warmup = schedule.warmup_epochs * steps_per_epoch;
        learning_rate(schedule, self.step, n_warmup, self.config.epochs * steps_per_epoch)
    }

    /// One optimizer step; the loss of the batch.
    fn learn(
        &mut self,
        batch: &TrainBatch,
        rate: f64,
        sums: &mut LossSums,
    ) -> candle_core::Result<f64> {
        let (features, mask) = batch.bags.tensors(&self.device)?;
        let tokens = self.network.tokens(&features, batch.bags.grid)?; // [n, P, D]
        let output = self.network.head(&tokens, &mask)?;
        let target = batch.target(&self.device)?; //                      [n, C]
        let loss = mil_loss(&output, &target, &mask, &self.config.loss)?;
        self.optimizer.step(&loss.total.backward()?, rate)?;
        self.average.update()?;
        self.step += 1;
        let n = batch.positive.len();
        let value = |tensor: &candle_core::Tensor| tensor.to_scalar::<f32>().map(f64::from);
        let total = value(&loss.total)?;
        sums.total += total * n as f64;
        sums.bag += value(&loss.bag)? * n as f64;
        sums.instance += value(&loss.instance)? * n as f64;
        sums.n += n;
        Ok(total)
    }

    /// Scores the averaged weights and writes them as a checkpoint.
    fn validate(
        &self,
        epoch: usize,
        folder: &mut RunFolder,
        selection: &mut Selection,
        emit: &mut dyn FnMut(&mut RunFolder, TrainEvent) -> Result<(), TrainError>,
    ) -> Result<ValScores, TrainError> {
        let weights = self.average.weights().map_err(compute_error)?;
        let network = build(&self.config.model.network, weights.clone(), &self.device)
            .map_err(compute_error)?;
        let scores = validate(&network, &self.dataset.val, self.space, &self.device)
            .map_err(compute_error)?;
        for (name, value) in scores.named() {
            emit(folder, TrainEvent::Metric { epoch, name: name.to_owned(), value })?;
        }
        let is_best = selection.is_best(epoch, scores);
        folder.checkpoint(epoch, &weights, is_best)?;
        emit(folder, TrainEvent::Checkpoint { epoch, is_best })?;
        Ok(scores)
    }
}
