//! Figures with their intervals, from what a model said about single images (MODELS section 9).

use serde::{Deserialize, Serialize};

use super::labels::{POSITIVE, accuracy, auc};
use super::pixels::{Counts, pooled};
use super::resampling::Resampling;

/// What a model said about one labelled image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageScore {
    /// Its name as the folder says it, `/` between folders.
    pub file: String,
    /// Whose it is.
    pub patient: String,
    /// Its label.
    pub is_positive: bool,
    /// Of the positive class.
    pub probability: f64,
    /// The mask at the measurement's *t* against the true one, where that is known.
    pub pixels: Option<Counts>,
}

impl ImageScore {
    /// How far the probability is from the label, `0.0..=1.0`.
    pub fn wrongness(&self) -> f64 {
        (f64::from(u8::from(self.is_positive)) - self.probability).abs()
    }

    /// Whether the model calls it positive.
    pub fn is_called_positive(&self) -> bool {
        POSITIVE <= self.probability
    }

    /// Overlap with the true mask, of images that have a lesion.
    pub fn iou(&self) -> Option<f64> {
        let counts = self.pixels.filter(|it| 0 < it.tp + it.fn_)?;
        Some(counts.scores().iou)
    }
}

/// A figure of a set of images; all lie in `0.0..=1.0`, and more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Of probabilities against labels.
    Auc,
    /// Share of right labels at one half.
    Accuracy,
    /// Share of positives that are called so.
    Sensitivity,
    /// Share of negatives that are called so.
    Specificity,
    /// Mean overlap of the lesion and of the background, pixels of all images together.
    Miou,
    /// Of the lesion, pixels of all images together.
    Dice,
    /// Share of marked pixels that are lesion.
    PixelPrecision,
    /// Share of lesion pixels that are marked.
    PixelRecall,
}

impl Metric {
    /// All, those of labels first.
    pub const ALL: [Self; 8] = [
        Self::Auc,
        Self::Accuracy,
        Self::Sensitivity,
        Self::Specificity,
        Self::Miou,
        Self::Dice,
        Self::PixelPrecision,
        Self::PixelRecall,
    ];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Auc => "AUC",
            Self::Accuracy => "Accuracy",
            Self::Sensitivity => "Sensitivity",
            Self::Specificity => "Specificity",
            Self::Miou => "mIoU",
            Self::Dice => "Dice",
            Self::PixelPrecision => "Precision of pixels",
            Self::PixelRecall => "Recall of pixels",
        }
    }

    /// The figure of some of the images; `None` where a class or every mask is missing.
    pub(crate) fn of(self, images: &[ImageScore], set: &[usize]) -> Option<f64> {
        let of_label = |label: bool| {
            let called = set.iter().map(|i| &images[*i]).filter(|it| it.is_positive == label);
            let (n, right) = called.fold((0_u32, 0_u32), |(n, right), it| {
                (n + 1, right + u32::from(it.is_called_positive() == label))
            });
            (0 < n).then(|| f64::from(right) / f64::from(n))
        };
        match self {
            Self::Auc | Self::Accuracy => {
                let p: Vec<f64> = set.iter().map(|i| images[*i].probability).collect();
                let truth: Vec<bool> = set.iter().map(|i| images[*i].is_positive).collect();
                match self {
                    Self::Auc => auc(&p, &truth),
                    _ => (!p.is_empty()).then(|| accuracy(&p, &truth)),
                }
            }
            Self::Sensitivity => of_label(true),
            Self::Specificity => of_label(false),
            Self::Miou | Self::Dice | Self::PixelPrecision | Self::PixelRecall => {
                let counts: Vec<Counts> = set.iter().filter_map(|i| images[*i].pixels).collect();
                let sum = pooled(&counts);
                let scores = (0 < sum.tp + sum.fn_).then(|| sum.scores())?;
                Some(match self {
                    Self::Miou => scores.miou,
                    Self::Dice => scores.dice,
                    Self::PixelPrecision => scores.precision,
                    _ => scores.recall,
                })
            }
        }
    }
}

/// A figure with the bounds of its 95 % bootstrap interval over patients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Which one.
    pub metric: Metric,
    /// On the images as they are.
    pub value: f64,
    /// `None` if it cannot be told.
    pub interval: Option<[f64; 2]>,
}

/// Every figure that the images have.
pub(crate) fn figures(images: &[ImageScore]) -> Vec<Figure> {
    let resampling = by_patient(images);
    let all: Vec<usize> = (0..images.len()).collect();
    let figure = |metric: Metric| {
        let value = metric.of(images, &all)?;
        Some(Figure { metric, value, interval: resampling.interval(|set| metric.of(images, set)) })
    };
    Metric::ALL.into_iter().filter_map(figure).collect()
}

/// Draws patients of these images.
pub(crate) fn by_patient(images: &[ImageScore]) -> Resampling {
    Resampling::of_patients(images.iter().map(|it| it.patient.as_str()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::eval::labels::auc_interval;

    /// An image of a patient of its own.
    pub(crate) fn image(i: usize, is_positive: bool, probability: f64) -> ImageScore {
        ImageScore {
            file: format!("{i}.png"),
            patient: format!("P{i}"),
            is_positive,
            probability,
            pixels: None,
        }
    }

    fn named(figures: &[Figure], metric: Metric) -> Option<Figure> {
        figures.iter().copied().find(|it| it.metric == metric)
    }

    #[test]
    fn figures_of_labels_are_those_of_the_events_where_every_image_is_a_patient() {
        let images: Vec<ImageScore> = (0..40)
            .map(|i| image(i, i % 2 == 0, if i % 3 == 0 { 0.3 } else { 0.6 } + (i as f64) * 0.002))
            .collect();
        let (p, truth): (Vec<f64>, Vec<bool>) =
            images.iter().map(|it| (it.probability, it.is_positive)).unzip();
        let found = figures(&images);
        let expected = Figure {
            metric: Metric::Auc,
            value: auc(&p, &truth).unwrap(),
            interval: auc_interval(&p, &truth),
        };
        assert_eq!(named(&found, Metric::Auc), Some(expected));
        assert_eq!(named(&found, Metric::Accuracy).unwrap().value, accuracy(&p, &truth));
        assert_eq!(named(&found, Metric::Miou), None, "there is no mask");
    }

    #[test]
    fn sensitivity_is_of_positives_and_specificity_of_negatives() {
        let images =
            [image(0, true, 0.9), image(1, true, 0.2), image(2, false, 0.5), image(3, false, 0.1)];
        let found = figures(&images);
        assert_eq!(named(&found, Metric::Sensitivity).unwrap().value, 0.5);
        assert_eq!(named(&found, Metric::Specificity).unwrap().value, 0.5, "one half is positive");
        assert_eq!(named(&figures(&images[..2]), Metric::Specificity), None);
    }

    #[test]
    fn pixels_of_all_images_count_together() {
        let with = |i, counts| ImageScore { pixels: Some(counts), ..image(i, true, 0.9) };
        let images = [
            with(0, Counts { tp: 60, fp: 20, fn_: 20, tn: 100 }),
            with(1, Counts { tp: 0, fp: 0, fn_: 20, tn: 180 }),
            image(2, false, 0.1),
        ];
        let found = figures(&images);
        assert_eq!(named(&found, Metric::Dice).unwrap().value, 120.0 / 180.0);
        assert_eq!(named(&found, Metric::PixelRecall).unwrap().value, 0.6);
        assert!((images[0].iou().unwrap() - 0.6).abs() < 1e-12);
        assert_eq!(images[2].iou(), None);
    }
}
