//! The loop of stage 2: epochs on the heatmaps as they are, then on labels that the network refines.
//!
//! No true mask takes part, so no epoch can be chosen by one: the last is kept.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use domain::progress::CancelToken;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::CamsegConfig;
use super::dataset::{Dataset, Tile};
use super::label::binarize;
use super::network::{SegmentationNetwork, variables};
use super::sgd::Sgd;
use crate::eval::pixels::Counts;
use crate::loss::camseg::{CamsegLoss, Stage, camseg_loss};
use crate::registry::weights::{Tensors, one_line};
use crate::train::run_folder::RunFolder;
use crate::train::{StopReason, TrainControl, TrainError, TrainEvent};

/// What a finished loop reached.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) n_epochs: usize,
    /// Figures of the last look at the validation tiles.
    pub(super) metrics: BTreeMap<String, f64>,
}

/// A network in training.
#[derive(Debug)]
pub(super) struct Trainer<'a> {
    config: &'a CamsegConfig,
    dataset: &'a Dataset,
    device: Device,
    vars: BTreeMap<String, Var>,
    network: Box<dyn SegmentationNetwork>,
    optimizer: Sgd,
    rng: ChaCha8Rng,
    step: usize,
}

/// Sums over the tiles of an epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    total: f64,
    soft: f64,
    hard: f64,
    consistency: f64,
    changed: f64,
    n: usize,
}

fn compute_error(error: candle_core::Error) -> TrainError {
    TrainError::Compute(one_line(&error))
}

impl<'a> Trainer<'a> {
    /// A network with the first weights of the configuration's seed.
    pub(super) fn new(
        config: &'a CamsegConfig,
        dataset: &'a Dataset,
        device: Device,
    ) -> Result<Self, TrainError> {
        let first = config.network.first_weights(config.seed).map_err(compute_error)?;
        let moved: candle_core::Result<Tensors> =
            first.into_iter().map(|(name, it)| Ok((name, it.to_device(&device)?))).collect();
        let vars = moved.and_then(|it| variables(&it)).map_err(compute_error)?;
        Ok(Self {
            config,
            dataset,
            device,
            network: config.network.build(&vars).map_err(compute_error)?,
            optimizer: Sgd::new(&vars, config.optimizer),
            vars,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            step: 0,
        })
    }

    /// Trains to the end and leaves the last weights in the run folder.
    pub(super) fn run(
        &mut self,
        folder: &mut RunFolder,
        warnings: &[String],
        on_event: &mut dyn FnMut(&TrainEvent),
        control: TrainControl<'_>,
    ) -> Result<Outcome, TrainError> {
        let mut emit = |folder: &mut RunFolder, event: TrainEvent| {
            on_event(&event);
            folder.log(&event)
        };
        for text in warnings.iter().cloned() {
            emit(folder, TrainEvent::Warning { text })?;
        }
        emit(folder, self.started())?;
        let mut metrics = BTreeMap::new();
        for epoch in 1..=self.config.epochs {
            let learned = self.epoch(epoch, &mut |event| emit(folder, event), control);
            if matches!(learned, Err(TrainError::Cancelled(_))) {
                emit(folder, TrainEvent::Stopped { reason: StopReason::Cancelled })?;
            }
            emit(folder, learned?)?;
            if epoch.is_multiple_of(self.config.validate_every) || epoch == self.config.epochs {
                metrics = self.validate(control.cancel)?;
                for (name, value) in metrics.clone() {
                    emit(folder, TrainEvent::Metric { epoch, name, value })?;
                }
            }
            folder.checkpoint(epoch, &self.weights()?, true)?;
            let is_best = epoch == self.config.epochs;
            emit(folder, TrainEvent::Checkpoint { epoch, is_best })?;
        }
        emit(folder, TrainEvent::Stopped { reason: StopReason::Finished })?;
        Ok(Outcome { n_epochs: self.config.epochs, metrics })
    }

    fn started(&self) -> TrainEvent {
        TrainEvent::Started {
            n_train: self.dataset.train.len(),
            n_val: self.dataset.val.len(),
            epochs: self.config.epochs,
            n_parameters: self.vars.values().map(|var| var.elem_count()).sum(),
        }
    }

    /// All weights, copied.
    fn weights(&self) -> Result<Tensors, TrainError> {
        let copy = |(name, var): (&String, &Var)| Ok((name.clone(), var.as_tensor().copy()?));
        self.vars.iter().map(copy).collect::<candle_core::Result<_>>().map_err(compute_error)
    }

    /// One pass over the training tiles.
    fn epoch(
        &mut self,
        epoch: usize,
        emit: &mut dyn FnMut(TrainEvent) -> Result<(), TrainError>,
        TrainControl { progress, cancel, pause }: TrainControl<'_>,
    ) -> Result<TrainEvent, TrainError> {
        progress.stage("Training");
        let order = order(&self.dataset.train, self.config.batch, &mut self.rng);
        let n_steps = order.len();
        let mut sums = Sums::default();
        for (i, indices) in order.iter().enumerate() {
            pause.wait(cancel)?;
            cancel.check()?;
            let done = (epoch - 1) * n_steps + i;
            progress.report(done as u64, (self.config.epochs * n_steps) as u64);
            let learning_rate =
                self.config.optimizer.rate_at(self.step, self.config.epochs * n_steps);
            let tiles: Vec<Tile> = indices.iter().map(|it| self.varied(*it)).collect();
            let loss = self
                .learn(&tiles, self.config.stage(epoch), learning_rate, &mut sums)
                .map_err(compute_error)?;
            emit(TrainEvent::Step { epoch, step: i + 1, n_steps, loss, learning_rate })?;
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

    fn varied(&mut self, index: usize) -> Tile {
        let orientation = if self.config.orient { self.rng.random_range(0..8) } else { 0 };
        self.dataset.train[index].oriented(orientation)
    }

    /// One optimizer step; the loss of the batch.
    fn learn(
        &mut self,
        tiles: &[Tile],
        stage: Stage,
        rate: f64,
        sums: &mut Sums,
    ) -> candle_core::Result<f64> {
        let (images, cam) = batch(tiles, &self.device)?;
        let logits = self.network.learn(&images)?; // [n, h, w]
        let loss = camseg_loss(&logits, &cam, stage, &self.config.loss)?;
        self.optimizer.step(&loss.total.backward()?, rate)?;
        self.step += 1;
        sums.add(&loss, &cam, self.config.loss.mask_threshold)?;
        Ok(f64::from(loss.total.to_scalar::<f32>()?))
    }

    /// How well the network agrees with the masks cut from the validation heatmaps.
    fn validate(&self, cancel: &CancelToken) -> Result<BTreeMap<String, f64>, TrainError> {
        let threshold = self.config.loss.mask_threshold as f32;
        let mut counts = Counts::default();
        for tile in &self.dataset.val {
            cancel.check()?;
            let (images, _) =
                batch(std::slice::from_ref(tile), &self.device).map_err(compute_error)?;
            let logits: Vec<f32> = self
                .network
                .apply(&images)
                .and_then(|it| it.flatten_all()?.to_vec1())
                .map_err(compute_error)?;
            let label: Vec<bool> = tile.label.iter().map(|it| threshold < it.to_f32()).collect();
            counts.add(Counts::of(logits.iter().map(|it| 0.0 < *it), &label));
        }
        let scores = counts.scores();
        let named = [("val_label_miou", scores.miou), ("val_label_iou", scores.iou)];
        Ok(named.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl Sums {
    fn add(&mut self, loss: &CamsegLoss, cam: &Tensor, threshold: f64) -> candle_core::Result<()> {
        let n = cam.dim(0)?;
        let value = |tensor: &Tensor| tensor.to_scalar::<f32>().map(|it| f64::from(it) * n as f64);
        self.total += value(&loss.total)?;
        self.soft += value(&loss.soft)?;
        self.hard += value(&loss.hard)?;
        self.consistency += value(&loss.consistency)?;
        let changed = (binarize(cam, threshold)? - &loss.mask)?.abs()?.mean_all()?;
        self.changed += value(&changed)?;
        self.n += n;
        Ok(())
    }
}

/// Indices of the tiles of one epoch: shuffled, in batches of one size.
fn order(tiles: &[Tile], batch: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut by_size: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (i, tile) in tiles.iter().enumerate() {
        by_size.entry((tile.rows, tile.columns)).or_default().push(i);
    }
    let mut batches = Vec::new();
    for mut indices in by_size.into_values() {
        indices.shuffle(rng);
        batches.extend(indices.chunks(batch).map(<[usize]>::to_vec));
    }
    batches.shuffle(rng);
    batches
}

/// Images `[n, h, w, 3]` in `-1.0..=1.0` and labels `[n, h, w]` of tiles of one size.
fn batch(tiles: &[Tile], device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
    let (rows, columns) = tiles.first().map_or((0, 0), |it| (it.rows, it.columns));
    let pixels: Vec<f32> = tiles.iter().flat_map(|it| normalized(&it.rgb)).collect();
    let labels: Vec<f32> = tiles.iter().flat_map(|it| &it.label).map(|it| it.to_f32()).collect();
    Ok((
        Tensor::from_vec(pixels, (tiles.len(), rows, columns, 3), device)?,
        Tensor::from_vec(labels, (tiles.len(), rows, columns), device)?,
    ))
}

/// Pixel values as a segmentation network sees them.
pub(super) fn normalized(rgb: &[u8]) -> impl Iterator<Item = f32> + '_ {
    rgb.iter().map(|it| f32::from(*it) / 127.5 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn tile(side: usize) -> Tile {
        let label = vec![f16::ZERO; side * side];
        Tile { rows: side, columns: side, rgb: vec![0; 3 * side * side], label }
    }

    #[test]
    fn batches_hold_every_tile_once_and_one_size_each() {
        let tiles: Vec<Tile> = [16, 32, 16, 16, 32].map(tile).into();
        let order = order(&tiles, 2, &mut ChaCha8Rng::seed_from_u64(1));
        let mut all: Vec<usize> = order.concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        for batch in order {
            assert!(batch.iter().all(|it| tiles[*it].rows == tiles[batch[0]].rows));
        }
    }

    #[test]
    fn pixel_values_run_from_minus_one_to_one() {
        assert_eq!(normalized(&[0, 255]).collect::<Vec<_>>(), [-1.0, 1.0]);
    }
}
