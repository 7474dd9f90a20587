//! Pre-training as a course: no label takes part, so no epoch can be chosen by one; the last is kept.

use std::path::Path;

use candle_core::Device;
use domain::progress::CancelToken;

use super::config::PretrainConfig;
use super::learner::Learner;
use super::picture::{picture_path, sheet};
use super::tiles::{Tile, Tiles};
use crate::registry::weights::Tensors;
use crate::train::course::{Figures, Lesson, compute_error};
use crate::train::run_folder::write_file;
use crate::train::{TrainError, TrainEvent, write_error};

/// A masked autoencoder and the tiles that it learns from.
#[derive(Debug)]
pub(super) struct Pretraining<'a> {
    config: &'a PretrainConfig,
    tiles: &'a Tiles,
    learner: Learner<'a>,
    /// Batches of the epoch.
    order: Vec<Vec<usize>>,
    /// Sum of the losses of its tiles.
    loss: f64,
}

impl<'a> Pretraining<'a> {
    /// With the first weights of the configuration's seed.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub(super) fn new(
        config: &'a PretrainConfig,
        tiles: &'a Tiles,
        device: &Device,
    ) -> candle_core::Result<Self> {
        let learner = Learner::new(config, device)?;
        Ok(Self { config, tiles, learner, order: Vec::new(), loss: 0.0 })
    }

    /// The tiles that pictures show: some that are only looked at, if there are any.
    fn pictured(&self) -> &[Tile] {
        let Tiles { train, val, .. } = self.tiles;
        let tiles = if val.is_empty() { train } else { val };
        &tiles[..self.config.pictured_tiles.min(tiles.len())]
    }
}

impl Lesson for Pretraining<'_> {
    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn counts(&self) -> [usize; 2] {
        [self.tiles.train.len(), self.tiles.val.len()]
    }

    fn n_parameters(&self) -> usize {
        self.learner.n_parameters()
    }

    fn begin_epoch(&mut self) -> usize {
        self.order = self.learner.order(self.tiles.train.len());
        self.loss = 0.0;
        self.order.len()
    }

    fn learn(&mut self, _epoch: usize, step: usize) -> candle_core::Result<(f64, f64)> {
        let rate = self.learner.rate(self.order.len());
        let indices = &self.order[step];
        let loss = self.learner.learn(&self.tiles.train, indices, rate)?;
        self.loss += loss * indices.len() as f64;
        Ok((loss, rate))
    }

    fn summary(&self, epoch: usize) -> TrainEvent {
        TrainEvent::PretrainingEpoch { epoch, loss: self.loss / self.tiles.train.len() as f64 }
    }

    fn is_examined_after(&self, epoch: usize) -> bool {
        epoch.is_multiple_of(self.config.validate_every)
    }

    /// The loss on whole tiles with the same masks every time.
    fn examine(&self, cancel: &CancelToken) -> Result<Figures, TrainError> {
        let mut sum = 0.0;
        for tiles in self.tiles.val.chunks(self.config.batch) {
            cancel.check()?;
            let seen = self.learner.look(tiles).map_err(compute_error)?;
            let loss = seen.guess.loss.to_scalar::<f32>().map_err(compute_error)?;
            sum += f64::from(loss) * tiles.len() as f64;
        }
        let n = self.tiles.val.len();
        let figure = (0 < n).then(|| ("val_loss".to_owned(), sum / n as f64));
        Ok(figure.into_iter().collect())
    }

    fn illustrate(&self, epoch: usize, run: &Path) -> Result<bool, TrainError> {
        let is_due = epoch.is_multiple_of(self.config.picture_every) || epoch == self.config.epochs;
        if !is_due || self.pictured().is_empty() {
            return Ok(false);
        }
        let seen = self.learner.look(self.pictured()).map_err(compute_error)?;
        let sheet = sheet(&seen, &self.config.network).map_err(compute_error)?;
        let png = slide::export::encode_png(&sheet).map_err(|error| write_error(&error))?;
        let path = picture_path(run, epoch);
        let folder = path.parent().unwrap_or(run);
        std::fs::create_dir_all(folder).map_err(|error| write_error(&error))?;
        write_file(&path, &png).map(|()| true)
    }

    fn weights(&self) -> candle_core::Result<Tensors> {
        self.learner.weights()
    }

    fn tensors(&self) -> candle_core::Result<Tensors> {
        self.learner.tensors()
    }

    fn position(&self) -> (usize, u64) {
        (self.learner.step, self.learner.random_words())
    }

    fn restore(
        &mut self,
        saved: &Tensors,
        (step, random_words): (usize, u64),
    ) -> candle_core::Result<()> {
        self.learner.restore(saved, step, random_words)
    }
}
