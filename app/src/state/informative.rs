//! Where the open slide is worth a look: patches that a job has ranked, cut where a slider stands.

use std::sync::Arc;

use domain::heatmap::Heatmap;
use domain::mask::BinaryThreshold;
use model::wise::places::InformativePatches;
use render::frame::{Colormap, OverlayFrame, OverlayStyle};

/// Strong enough to see, weak enough to see through.
const OPACITY: f32 = 0.35;

/// The ranked patches of a slide, and the same as an overlay.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) patches: Arc<InformativePatches>,
    pub(crate) overlay: Arc<Heatmap>,
}

/// What the panel of informative patches shows. Share and switches stay from slide to slide.
#[derive(Clone, Debug)]
pub(crate) struct InformativeState {
    /// Of the open slide, once a job has looked at it.
    pub(crate) ranked: Option<Ranked>,
    /// How many of the patches of tissue are chosen, percent, `1..=100`.
    pub(crate) percent: u8,
    pub(crate) is_shown: bool,
    /// Whether a model looks at the chosen patches alone.
    pub(crate) limits_runs: bool,
}

impl Default for InformativeState {
    fn default() -> Self {
        Self { ranked: None, percent: 20, is_shown: true, limits_runs: false }
    }
}

impl InformativeState {
    /// As a share, `0.0..=1.0`.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.percent) / 100.0
    }

    /// The share that a run is limited to, if it is.
    pub(crate) fn preselect(&self) -> Option<f64> {
        (self.limits_runs && self.ranked.is_some()).then(|| self.share())
    }

    /// The chosen patches as the renderer takes them. Another share is another cut of the same overlay.
    pub(crate) fn frame(&self) -> Option<OverlayFrame> {
        let ranked = self.ranked.as_ref().filter(|_| self.is_shown)?;
        Some(OverlayFrame {
            heatmap: Arc::clone(&ranked.overlay),
            threshold: BinaryThreshold::clamped(ranked.patches.cut(self.share())),
            opacity: OPACITY,
            colormap: Colormap::Blue,
            style: OverlayStyle::FillAndContour,
            columns: (0.0, 1.0),
        })
    }
}
