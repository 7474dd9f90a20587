//! What a model found, and the layers in which it lies over the slide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::heatmap::Heatmap;
use domain::mask::{BinaryMask, BinaryThreshold};
use model::analysis::TrainingFit;
use render::frame::OverlayFrame;

use super::comparison::{Comparison, ComparisonWay};
use super::layer::{Layer, LayerKind, LayerLook, Readout};
use super::lens::BandFigures;
use super::tour::Tour;

/// A finished run, apart from its layers.
#[derive(Clone, Debug)]
pub(crate) struct SlideResult {
    /// As typed on a command line.
    pub(crate) model_name: String,
    pub(crate) model_title: String,
    /// Of the positive class, for the whole slide.
    pub(crate) probability: f64,
    pub(crate) tissue: BinaryMask,
    pub(crate) training_fit: TrainingFit,
    /// Probability that is kept when only the patches under the map are kept.
    pub(crate) faithfulness: Option<f64>,
    pub(crate) timings: Vec<(&'static str, Duration)>,
    pub(crate) provenance: BTreeMap<String, String>,
}

impl SlideResult {
    /// What tells models apart: name and weights.
    fn model(&self) -> (&str, Option<&String>) {
        (&self.model_name, self.provenance.get("weights_sha256"))
    }

    /// Whether the model calls the slide positive.
    pub(crate) fn is_positive(&self) -> bool {
        0.5 < self.probability
    }
}

/// The layers over the slide. One of them is chosen: the panel, the keys and exports act on it.
#[derive(Clone, Debug)]
pub(crate) struct OverlayState {
    pub(crate) result: Option<Arc<SlideResult>>,
    /// What the frequency lens has found of it.
    pub(crate) bands: Option<BandFigures>,
    /// The lowest first; empty without a result.
    pub(crate) layers: Vec<Layer>,
    pub(crate) chosen: LayerKind,
    /// Whether any layer is drawn at all.
    pub(crate) is_visible: bool,
    /// Hidden for as long as a key is held.
    pub(crate) is_peeking: bool,
    /// The chosen layer is compared with another one.
    pub(crate) comparison: Option<Comparison>,
    /// How layers that are gone were shown, for the next of their kind.
    remembered: Vec<(LayerKind, LayerLook)>,
    /// Lesions that were traced last.
    tour: Option<Tour>,
}

impl Default for OverlayState {
    fn default() -> Self {
        Self {
            result: None,
            bands: None,
            layers: Vec::new(),
            chosen: LayerKind::Cam,
            is_visible: true,
            is_peeking: false,
            comparison: None,
            remembered: Vec::new(),
            tour: None,
        }
    }
}

impl OverlayState {
    /// Takes a result and its layers, which are shown as the ones before them were. The map of another model that was run
    /// before is kept, to compare with.
    pub(crate) fn open(&mut self, result: Arc<SlideResult>, layers: Vec<Layer>) {
        let earlier = self.earlier_map(&result);
        self.clear();
        self.layers = earlier.into_iter().chain(layers).collect();
        for layer in &mut self.layers {
            if let Some((_, look)) = self.remembered.iter().find(|(kind, _)| *kind == layer.kind) {
                layer.look = *look;
            }
        }
        if self.layer().is_none() {
            self.chosen = LayerKind::Cam;
        }
        self.is_visible = true;
        self.result = Some(result);
    }

    fn earlier_map(&self, next: &SlideResult) -> Option<Layer> {
        // Models of two runs may share their name.
        let is_other = self.result.as_ref()?.model() != next.model();
        let kept = if is_other { LayerKind::Cam } else { LayerKind::Earlier };
        let Layer { heatmap, recommended, youden, readout, threshold, .. } =
            self.find(kept)?.clone();
        let layer = Layer::new(LayerKind::Earlier, heatmap, recommended);
        Some(Layer { youden, readout, threshold, ..layer })
    }

    /// Cuts layers where they were cut when the slide was last looked at, by their titles.
    pub(crate) fn restore_thresholds(&mut self, kept: &BTreeMap<String, BinaryThreshold>) {
        for layer in &mut self.layers {
            layer.threshold = kept.get(layer.kind.title()).copied().unwrap_or(layer.threshold);
        }
    }

    /// Lets go of the result.
    pub(crate) fn clear(&mut self) {
        for layer in self.layers.drain(..) {
            self.remembered.retain(|(kind, _)| *kind != layer.kind);
            self.remembered.push((layer.kind, layer.look));
        }
        self.result = None;
        self.comparison = None;
        self.bands = None;
        self.tour = None;
    }

    /// Takes what the frequency lens has found; its layers, none of them shown, come below the model's own map.
    pub(crate) fn take_bands(&mut self, figures: BandFigures, layers: Vec<Layer>) {
        self.layers.retain(|layer| layers.iter().all(|it| it.kind != layer.kind));
        let cam = self.layers.iter().position(|layer| layer.kind == LayerKind::Cam);
        let at = cam.unwrap_or(self.layers.len());
        self.layers.splice(at..at, layers);
        self.bands = Some(figures);
    }

    /// Shows `wanted` and none other of a group, and chooses it. It takes over the *t* of the one that was shown, for
    /// comparison.
    pub(crate) fn show_alone(
        &mut self,
        wanted: LayerKind,
        is_of_group: impl Fn(LayerKind) -> bool,
    ) {
        if self.find(wanted).is_none() {
            return;
        }
        let group = self.layers.iter_mut().filter(|layer| is_of_group(layer.kind));
        let mut before = None;
        for layer in group {
            if layer.look.is_shown {
                before = Some(layer.threshold);
            }
            layer.look.is_shown = layer.kind == wanted;
        }
        self.chosen = wanted;
        self.is_visible = true;
        self.change(|layer| layer.threshold = before.unwrap_or(layer.threshold));
    }

    /// Shows none of a group; what was chosen of it gives way to the CAM.
    pub(crate) fn hide(&mut self, is_of_group: impl Fn(LayerKind) -> bool) {
        for layer in self.layers.iter_mut().filter(|layer| is_of_group(layer.kind)) {
            layer.look.is_shown = false;
        }
        if is_of_group(self.chosen) {
            self.chosen = LayerKind::Cam;
        }
    }

    /// Whether a layer is there and shown.
    pub(crate) fn is_shown(&self, kind: LayerKind) -> bool {
        self.find(kind).is_some_and(|layer| layer.look.is_shown)
    }

    /// The chosen layer, if there is a result.
    pub(crate) fn layer(&self) -> Option<&Layer> {
        self.find(self.chosen)
    }

    /// Changes the chosen layer, if there is one.
    pub(crate) fn change(&mut self, to: impl FnOnce(&mut Layer)) {
        let chosen = self.chosen;
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.kind == chosen) {
            to(layer);
        }
    }

    /// Whether layers are drawn now.
    pub(crate) fn is_seen(&self) -> bool {
        self.is_visible && !self.is_peeking
    }

    /// The layer of a kind.
    pub(crate) fn find(&self, kind: LayerKind) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.kind == kind)
    }

    /// The chosen layer, the one that it is compared with, and how; while layers are drawn at all.
    pub(crate) fn compared(&self) -> Option<(&Layer, &Layer, &Comparison)> {
        let comparison = self.comparison.as_ref().filter(|_| self.is_seen())?;
        Some((self.layer()?, self.find(comparison.with)?, comparison))
    }

    /// What to draw, the lowest first: the layers that are shown, or the two that are compared.
    pub(crate) fn frames(&self) -> Vec<OverlayFrame> {
        let Some((chosen, other, comparison)) = self.compared() else {
            let shown = self.layers.iter().filter(|layer| self.is_seen() && layer.look.is_shown);
            return shown.map(Layer::frame).collect();
        };
        match comparison.way {
            ComparisonWay::Swipe(at) => vec![
                OverlayFrame { columns: (0.0, at), ..chosen.frame() },
                OverlayFrame { columns: (at, 1.0), ..other.frame() },
            ],
            ComparisonWay::Blink if comparison.is_other_seen => vec![other.frame()],
            ComparisonWay::Blink | ComparisonWay::SideBySide => vec![chosen.frame()],
        }
    }

    /// What to draw on a second canvas, if there is one.
    pub(crate) fn frames_beside(&self) -> Option<Vec<OverlayFrame>> {
        let (_, other, comparison) = self.compared()?;
        (comparison.way == ComparisonWay::SideBySide).then(|| vec![other.frame()])
    }

    /// The lesions of the chosen layer at its *t*, if they were traced.
    pub(crate) fn tour(&self) -> Option<&Tour> {
        let layer = self.layer()?;
        self.tour.as_ref().filter(|tour| tour.is_of(layer))
    }

    /// Takes lesions that were traced.
    pub(crate) fn take_tour(&mut self, tour: Tour) {
        self.tour = Some(tour);
    }

    /// To the next lesion or the one before.
    pub(crate) fn step_tour(&mut self, is_forward: bool) {
        if let Some(tour) = &mut self.tour {
            tour.step(is_forward);
        }
    }

    /// Takes in the figures of every layer that shows `heatmap`. A further reading, of which no *t* is known to be good, is
    /// cut at Otsu's unless someone moved it.
    pub(crate) fn take_readout(&mut self, heatmap: &Arc<Heatmap>, readout: &Arc<Readout>) {
        for layer in &mut self.layers {
            if Arc::ptr_eq(&layer.heatmap, heatmap) {
                layer.readout = Some(Arc::clone(readout));
                let is_untouched = layer.threshold == BinaryThreshold::default();
                if matches!(layer.kind, LayerKind::Further(_)) && is_untouched {
                    layer.threshold = readout.otsu.unwrap_or(layer.threshold);
                }
            }
        }
    }
}
