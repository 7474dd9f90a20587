//! Figures of pixels (MODELS section 9).

use serde::{Deserialize, Serialize};

use super::{PixelScores, Segmentation};

/// Pixels by what they are and what they were called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lesion that is marked.
    pub tp: u64,
    /// Background that is marked.
    pub fp: u64,
    /// Lesion that is not marked.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// Background that is not marked.
    pub tn: u64,
}

impl Counts {
    /// Of one mask against the truth, pixel by pixel.
    pub(crate) fn of(marked: impl Iterator<Item = bool>, truth: &[bool]) -> Self {
        let mut counts = Self::default();
        for (marked, truth) in marked.zip(truth) {
            match (marked, truth) {
                (true, true) => counts.tp += 1,
                (true, false) => counts.fp += 1,
                (false, true) => counts.fn_ += 1,
                (false, false) => counts.tn += 1,
            }
        }
        counts
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.tp += other.tp;
        self.fp += other.fp;
        self.fn_ += other.fn_;
        self.tn += other.tn;
    }

    /// The figures that follow from them.
    pub fn scores(self) -> PixelScores {
        let Self { tp, fp, fn_, tn } = self;
        // Nothing to find and nothing found is right.
        let ratio = |a: u64, b: u64| if b == 0 { 1.0 } else { a as f64 / b as f64 };
        let iou = ratio(tp, tp + fp + fn_);
        let iou_background = ratio(tn, tn + fp + fn_);
        PixelScores {
            iou,
            iou_background,
            miou: 0.5 * (iou + iou_background),
            dice: ratio(2 * tp, 2 * tp + fp + fn_),
            precision: ratio(tp, tp + fp),
            recall: ratio(tp, tp + fn_),
            specificity: ratio(tn, tn + fp),
            pixel_accuracy: ratio(tp + tn, tp + fp + fn_ + tn),
        }
    }
}

/// Averages the counts of many images; an image is positive if its truth holds a lesion.
pub(crate) fn segmentation(images: &[Counts]) -> Segmentation {
    let positives: Vec<Counts> = images.iter().copied().filter(|it| 0 < it.tp + it.fn_).collect();
    Segmentation {
        pooled: pooled(images).scores(),
        pooled_positives: pooled(&positives).scores(),
        per_image: mean(images),
        per_image_positives: mean(&positives),
    }
}

/// The sum of the counts of many images.
pub(crate) fn pooled(images: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    images.iter().for_each(|counts| sum.add(*counts));
    sum
}

fn mean(images: &[Counts]) -> PixelScores {
    let mut sum = PixelScores::default();
    let n = images.len().max(1) as f64;
    for scores in images.iter().map(|it| it.scores()) {
        for (sum, score) in sum.fields_mut().into_iter().zip(scores.fields()) {
            *sum += score / n;
        }
    }
    sum
}

impl PixelScores {
    fn fields(&self) -> [f64; 8] {
        let Self {
            iou,
            iou_background,
            miou,
            dice,
            precision,
            recall,
            specificity,
            pixel_accuracy,
        } = *self;
        [iou, iou_background, miou, dice, precision, recall, specificity, pixel_accuracy]
    }

    fn fields_mut(&mut self) -> [&mut f64; 8] {
        let Self {
            iou,
            iou_background,
            miou,
            dice,
            precision,
            recall,
            specificity,
            pixel_accuracy,
        } = self;
        [iou, iou_background, miou, dice, precision, recall, specificity, pixel_accuracy]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_find_and_nothing_found_is_right() {
        let scores = Counts::of([false; 4].into_iter(), &[false; 4]).scores();
        assert_eq!((scores.iou, scores.dice, scores.specificity), (1.0, 1.0, 1.0));
    }

    #[test]
    fn pooling_weighs_pixels_and_averaging_weighs_images() {
        let small = Counts { tp: 1, ..Counts::default() };
        let large = Counts { fn_: 9, ..Counts::default() };
        let all = segmentation(&[small, large]);
        assert!((all.pooled.iou - 0.1).abs() < 1e-12);
        assert!((all.per_image.iou - 0.5).abs() < 1e-12);
    }
}
