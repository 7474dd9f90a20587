//! The heatmap: what a model found, and how it lies over the slide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::heatmap::Heatmap;
use domain::lesion_curve::LesionCurve;
use domain::mask::{BinaryMask, BinaryThreshold};
use model::analysis::TrainingFit;
use render::frame::{Colormap, OverlayFrame, OverlayStyle};

/// Strong enough to see, weak enough to see through.
pub(crate) const DEFAULT_OPACITY: f32 = 0.45;

/// As many as the histogram has bars.
pub(crate) const HISTOGRAM_BINS: u16 = 100;

/// A finished run, ready to be cut at any *t*.
#[derive(Clone, Debug)]
pub(crate) struct SlideResult {
    /// As typed on a command line.
    pub(crate) model_name: String,
    pub(crate) model_title: String,
    /// The model's best *t*, for the marker on the slider.
    pub(crate) recommended: BinaryThreshold,
    /// Of the positive class, for the whole slide.
    pub(crate) probability: f64,
    pub(crate) heatmap: Arc<Heatmap>,
    /// Area, number and largest of the lesions for every *t*, prepared by the job.
    pub(crate) lesions: LesionCurve,
    /// How often the heatmap takes which value above 0, in [`HISTOGRAM_BINS`] equal parts.
    pub(crate) histogram: Vec<u64>,
    /// *t* that parts high from low values by Otsu's rule, if there are both.
    pub(crate) otsu: Option<BinaryThreshold>,
    pub(crate) tissue: BinaryMask,
    /// That of `tissue`, counted once.
    pub(crate) tissue_area_level0_px: f64,
    pub(crate) training_fit: TrainingFit,
    /// Probability that is kept when only the patches under the map are kept.
    pub(crate) faithfulness: Option<f64>,
    pub(crate) timings: Vec<(&'static str, Duration)>,
    pub(crate) provenance: BTreeMap<String, String>,
}

impl SlideResult {
    /// Whether the model calls the slide positive.
    pub(crate) fn is_positive(&self) -> bool {
        0.5 < self.probability
    }

    /// Lesion area at `threshold` as a share of the tissue, `0.0..=1.0`; `None` without tissue.
    pub(crate) fn tissue_share(&self, threshold: BinaryThreshold) -> Option<f64> {
        let lesion = self.lesions.at(threshold).area_level0_px;
        (0.0 < self.tissue_area_level0_px)
            .then(|| (lesion / self.tissue_area_level0_px).clamp(0.0, 1.0))
    }
}

/// How the heatmap lies over the slide.
#[derive(Clone, Debug)]
pub(crate) struct OverlayState {
    pub(crate) result: Option<Arc<SlideResult>>,
    pub(crate) is_visible: bool,
    /// Hidden for as long as a key is held.
    pub(crate) is_peeking: bool,
    /// Below or at it the overlay is fully clear.
    pub(crate) threshold: BinaryThreshold,
    /// `0.0..=1.0`.
    pub(crate) opacity: f32,
    pub(crate) colormap: Colormap,
    pub(crate) style: OverlayStyle,
}

impl Default for OverlayState {
    fn default() -> Self {
        Self {
            result: None,
            is_visible: true,
            is_peeking: false,
            threshold: BinaryThreshold::HALF,
            opacity: DEFAULT_OPACITY,
            colormap: Colormap::default(),
            style: OverlayStyle::default(),
        }
    }
}

impl OverlayState {
    /// What to draw, if anything.
    pub(crate) fn frame(&self) -> Option<OverlayFrame> {
        let result = self.result.as_ref().filter(|_| self.is_visible && !self.is_peeking)?;
        Some(OverlayFrame {
            heatmap: Arc::clone(&result.heatmap),
            threshold: self.threshold,
            opacity: self.opacity,
            colormap: self.colormap,
            style: self.style,
        })
    }
}
