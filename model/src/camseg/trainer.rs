//! Stage 2 as a course: epochs on the heatmaps as they are, then on labels that the network refines.
//!
//! No true mask takes part, so no epoch can be chosen by one: the last is kept.

use candle_core::Device;
use domain::progress::CancelToken;

use super::CamsegConfig;
use super::dataset::Dataset;
use super::learner::{Learner, Look, LossSums};
use crate::eval::pixels::Counts;
use crate::registry::weights::Tensors;
use crate::train::course::{Figures, Lesson, compute_error};
use crate::train::{TrainError, TrainEvent};

/// A segmentation network and the tiles that it learns from.
#[derive(Debug)]
pub(super) struct Segmentation<'a> {
    config: &'a CamsegConfig,
    dataset: &'a Dataset,
    learner: Learner<'a>,
    /// Batches of the epoch.
    order: Vec<Vec<usize>>,
    sums: LossSums,
}

impl<'a> Segmentation<'a> {
    /// With the first weights of the configuration's seed.
    ///
    /// # Errors
    /// If the network cannot be built.
    pub(super) fn new(
        config: &'a CamsegConfig,
        dataset: &'a Dataset,
        device: &Device,
    ) -> candle_core::Result<Self> {
        let learner = Learner::new(config, device)?;
        Ok(Self { config, dataset, learner, order: Vec::new(), sums: LossSums::default() })
    }
}

impl Lesson for Segmentation<'_> {
    fn epochs(&self) -> usize {
        self.config.epochs
    }

    fn counts(&self) -> [usize; 2] {
        [self.dataset.train.len(), self.dataset.val.len()]
    }

    fn n_parameters(&self) -> usize {
        self.learner.n_parameters()
    }

    fn begin_epoch(&mut self) -> usize {
        self.order = self.learner.order(&self.dataset.train);
        self.sums = LossSums::default();
        self.order.len()
    }

    fn learn(&mut self, epoch: usize, step: usize) -> candle_core::Result<(f64, f64)> {
        let rate = self.learner.rate(self.order.len());
        let how = (self.config.stage(epoch), rate);
        let tiles = &self.dataset.train;
        let loss = self.learner.learn(tiles, &self.order[step], how, &mut self.sums)?;
        Ok((loss, rate))
    }

    fn summary(&self, epoch: usize) -> TrainEvent {
        let sums = &self.sums;
        let mean = |sum: f64| sum / sums.n.max(1) as f64;
        TrainEvent::SegmentationEpoch {
            epoch,
            loss: mean(sums.total),
            soft_loss: mean(sums.soft),
            hard_loss: mean(sums.hard),
            consistency_loss: mean(sums.consistency),
            changed_share: mean(sums.changed),
        }
    }

    fn is_examined_after(&self, epoch: usize) -> bool {
        epoch.is_multiple_of(self.config.validate_every)
    }

    /// How well the network agrees with the masks cut from the validation heatmaps, and what its side masks count on average.
    fn examine(&self, cancel: &CancelToken) -> Result<Figures, TrainError> {
        let threshold = self.config.loss.mask_threshold as f32;
        let mut counts = Counts::default();
        let mut figures = Figures::new();
        for tile in &self.dataset.val {
            cancel.check()?;
            let Look { lesion, weights } = self.learner.look(tile).map_err(compute_error)?;
            for (scale, weight) in weights {
                let share = weight / self.dataset.val.len() as f64;
                *figures.entry(scale.weight_metric()).or_default() += share;
            }
            let label: Vec<bool> = tile.label.iter().map(|it| threshold < it.to_f32()).collect();
            counts.add(Counts::of(lesion.into_iter(), &label));
        }
        let scores = counts.scores();
        let agreement = [("val_label_miou", scores.miou), ("val_label_iou", scores.iou)];
        figures.extend(agreement.map(|(name, value)| (name.to_owned(), value)));
        Ok(figures)
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
