//! How long a training will take, measured on one window and one step before it begins.

use std::time::{Duration, Instant};

use candle_core::Device;
use domain::progress::{CancelToken, Progress};

use super::dataset::{Bag, Source};
use super::learner::{Learner, LossSums};
use super::trainer::compute_error;
use super::{TrainConfig, TrainError, encoder_for, statistics};
use crate::data::check::FolderSurvey;
use crate::data::folder::Split;
use crate::train::dataset::Dataset;

/// What this machine needs for the parts of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// For the features of one window.
    window: Duration,
    /// Windows of an image.
    n_windows: usize,
    /// For learning from one bag.
    bag: Duration,
}

impl Pace {
    /// Describes one window of the first training image and learns from it twice.
    ///
    /// # Errors
    /// If the configuration or the image cannot be used, or the work was cancelled.
    pub fn measure(
        config: &TrainConfig,
        folder: &FolderSurvey,
        (progress, cancel): (&dyn Progress, &CancelToken),
    ) -> Result<Self, TrainError> {
        progress.stage("Measuring the pace");
        let mut images = folder.images.iter().zip(&folder.splits);
        let Some((image, _)) = images.find(|(_, split)| **split == Split::Train) else {
            return Err(TrainError::Folder(vec!["no image is learned from".to_owned()]));
        };
        let encoder = encoder_for(config)?;
        let source =
            Source { encoder: encoder.as_ref(), config, store: None, image: 0, n_copies: 0 };
        let started = Instant::now();
        let problem = |why: &dyn std::fmt::Display| {
            TrainError::Folder(vec![format!("{}: {why}", image.file)])
        };
        let (bags, n_windows) =
            source.first_bags(image, 1, cancel).map_err(|error| problem(&error))?;
        let window = started.elapsed();
        cancel.check()?;
        let first = bags.first().ok_or_else(|| problem(&"it holds no window"))?;
        Ok(Self { window, n_windows, bag: time_of_a_bag(config, first, encoder.feature_dim())? })
    }

    /// The features and the epochs of a training with these settings, if nothing is known from an earlier one and all
    /// epochs are run.
    pub fn estimate(&self, config: &TrainConfig, folder: &FolderSurvey) -> [Duration; 2] {
        let n = |split| folder.count(split, true) + folder.count(split, false);
        let n_train = (n(Split::Train) * self.n_windows) as f64;
        let n_val = (n(Split::Val) * self.n_windows) as f64;
        let copies = 1.0 + f64::from(config.augment.color_copies);
        let features = self.window.mul_f64(n_train * copies + n_val);
        // Looking costs about a third of learning.
        let epoch = self.bag.mul_f64(n_train + n_val / 3.0);
        [features, epoch.mul_f64(config.epochs as f64)]
    }
}

/// The second of two steps on a batch of the same bag, per bag.
fn time_of_a_bag(config: &TrainConfig, bag: &Bag, dim: usize) -> Result<Duration, TrainError> {
    let dataset = Dataset { train: vec![bag.clone(); config.batch], val: Vec::new() };
    let space = statistics::feature_space(&dataset, dim);
    let mut learner =
        Learner::new(config, config.seed, None, &Device::Cpu).map_err(compute_error)?;
    let group = [(0..config.batch).collect::<Vec<usize>>()];
    let mut step = Duration::ZERO;
    for _ in 0..2 {
        let started = Instant::now();
        let mut sums = LossSums::default();
        learner.learn(&dataset.train, &group, &space, 0.0, &mut sums).map_err(compute_error)?;
        step = started.elapsed();
    }
    Ok(step.div_f64(config.batch as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::folder::LabelledImage;

    #[test]
    fn copies_cost_features_and_epochs_cost_learning() {
        let image = |i: usize| LabelledImage {
            path: "a".into(),
            file: format!("{i}"),
            is_positive: i.is_multiple_of(2),
            patient: format!("{i}"),
            split: None,
        };
        let folder = FolderSurvey {
            findings: Vec::new(),
            images: (0..8).map(image).collect(),
            splits: [[Split::Train; 4], [Split::Val; 4]].concat(),
            n_corrected: 0,
            fingerprint: String::new(),
        };
        let secs = Duration::from_secs;
        let pace = Pace { window: secs(2), n_windows: 3, bag: secs(3) };
        let mut config = TrainConfig::shipped();
        (config.epochs, config.augment.color_copies) = (10, 2);
        let [features, learning] = pace.estimate(&config, &folder);
        assert_eq!(features, secs(2 * (4 * 3 * 3 + 4 * 3)));
        assert_eq!(learning, secs(10 * (12 * 3 + 12)));
    }
}
