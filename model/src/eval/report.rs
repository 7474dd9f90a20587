//! The figures of one evaluation, as `report.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Figure, ImageScore};

/// Figures of whole images; positive where `p >= 0.5`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Mann-Whitney with mid-ranks; `None` if a class is missing.
    pub auc: Option<f64>,
    /// Bounds of its 95 % bootstrap interval over images.
    #[serde(default)]
    pub auc_interval: Option<[f64; 2]>,
    /// Share of images with the right label.
    pub accuracy: f64,
    /// Of the positive class.
    pub f1: f64,
    /// Share of positives found.
    pub sensitivity: f64,
    /// The probability whose cut has the largest sensitivity + specificity - 1; `None` if a class is missing.
    pub youden_probability: Option<f64>,
    /// Share of negatives left alone.
    pub specificity: f64,
}

/// Figures of pixels, `0.0..=1.0`; 0/0 counts as 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PixelScores {
    /// Of the lesion.
    pub iou: f64,
    /// Of the background.
    pub iou_background: f64,
    /// Mean of both.
    pub miou: f64,
    /// Of the lesion.
    pub dice: f64,
    /// Share of marked pixels that are lesion.
    pub precision: f64,
    /// Share of lesion pixels that are marked.
    pub recall: f64,
    /// Share of background pixels that are not marked.
    pub specificity: f64,
    /// Share of pixels that are right.
    pub pixel_accuracy: f64,
}

/// One set of masks against the truth, averaged three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    /// Counts summed over all images, negatives included: the headline.
    pub pooled: PixelScores,
    /// Counts summed over images with a lesion only.
    pub pooled_positives: PixelScores,
    /// Mean over images.
    pub per_image: PixelScores,
    /// Mean over images with a lesion.
    pub per_image_positives: PixelScores,
}

/// Pooled figures at one *t*.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdScores {
    /// The cut-off.
    pub threshold: f32,
    /// Over all images, negatives included.
    pub pooled: PixelScores,
}

/// A rule that proposes a *t*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdRule {
    /// Largest mean overlap of lesion and background; needs masks.
    Miou,
    /// Largest pixel sensitivity + specificity - 1; needs masks.
    Youden,
    /// Parts the values of the maps of images predicted positive into two groups; needs no mask and no label.
    Otsu,
    /// The largest *t* that still finds 90 % of the lesion pixels; needs masks.
    Sensitivity90,
}

/// A proposed *t* and, where masks were given, the figures there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuggestedThreshold {
    /// What proposes it.
    pub rule: ThresholdRule,
    /// The cut-off.
    pub threshold: f32,
    /// Over all measured images, negatives included.
    pub pooled: Option<PixelScores>,
}

/// Something simple that a model must beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What it does, in words.
    pub name: String,
    /// Its figures on labels, where it has an opinion.
    pub classification: Option<Classification>,
    /// Its figures on pixels, where masks were given.
    pub segmentation: Option<Segmentation>,
}

/// Everything measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// Which rows were measured: `test`, `val` or `all`.
    pub split: String,
    /// Images measured.
    pub n_images: usize,
    /// Those labelled positive.
    pub n_positive: usize,
    /// Figures on labels.
    pub classification: Classification,
    /// The *t* that `segmentation` was cut at: the model's recommended one unless another was asked for.
    pub threshold: f32,
    /// Figures on pixels at that *t*, where masks were given.
    pub segmentation: Option<Segmentation>,
    /// The *t* of the highest pooled `miou` on these very images: an upper bound, not a result.
    pub best_threshold: Option<ThresholdScores>,
    /// Pooled figures over a ladder of *t*.
    pub thresholds: Vec<ThresholdScores>,
    /// Proposals for *t* from these images; to be judged on others.
    #[serde(default)]
    pub suggested_thresholds: Vec<SuggestedThreshold>,
    /// Figures of all images together, each with its interval over patients.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// What was said about each image, its pixels at `threshold`.
    #[serde(default)]
    pub images: Vec<ImageScore>,
    /// Mean probability kept when only the patches under the map keep their features (MODELS section 6.6).
    pub faithfulness: Option<f64>,
    /// Simple methods measured by the same code.
    pub baselines: Vec<Baseline>,
    /// Model name, weights hash, software version, device.
    pub provenance: BTreeMap<String, String>,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}
