//! From lesion to lesion: what of a layer exceeds its *t*, the most certain first.

use std::sync::Arc;

use domain::contour::{Lesion, lesions};
use domain::coords::Level0Rect;
use domain::heatmap::Heatmap;
use domain::mask::BinaryThreshold;

use super::layer::Layer;

/// A lesion to look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stop {
    /// The smallest rectangle around it.
    pub(crate) bounds: Level0Rect,
    /// Largest value of the layer in it, `0.0..=1.0`.
    pub(crate) score: f32,
    pub(crate) area_level0_px: f64,
}

impl Stop {
    fn of(lesion: &Lesion) -> Self {
        let bounds = Level0Rect::around(&lesion.outline.outer).unwrap_or_default();
        Self { bounds, score: lesion.max, area_level0_px: lesion.area_level0_px }
    }
}

/// The lesions of one layer at one *t*, and the one that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Tour {
    heatmap: Arc<Heatmap>,
    threshold: BinaryThreshold,
    /// By falling score; of equal ones the largest first.
    pub(crate) stops: Vec<Stop>,
    /// Index of the stop that is looked at.
    pub(crate) at: usize,
}

impl Tour {
    /// Traces the lesions; takes up to some seconds, so not for the window's thread.
    pub(crate) fn new(heatmap: Arc<Heatmap>, threshold: BinaryThreshold) -> Self {
        let mut stops: Vec<Stop> = lesions(&heatmap, threshold, 0.0).iter().map(Stop::of).collect();
        stops.sort_by(|a, b| {
            let by_area = b.area_level0_px.total_cmp(&a.area_level0_px);
            b.score.total_cmp(&a.score).then(by_area)
        });
        Self { heatmap, threshold, stops, at: 0 }
    }

    /// Whether it is of this layer as it is cut now.
    pub(crate) fn is_of(&self, layer: &Layer) -> bool {
        Arc::ptr_eq(&self.heatmap, &layer.heatmap) && self.threshold == layer.threshold
    }

    /// The stop that is looked at; `None` if there is no lesion.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.stops.get(self.at).copied()
    }

    /// To the next stop or the one before, round and round.
    pub(crate) fn step(&mut self, is_forward: bool) {
        let n = self.stops.len().max(1);
        self.at = (self.at + if is_forward { 1 } else { n - 1 }) % n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::PixelSize;

    /// Two lesions at 0.5: a strong narrow one at the left, a weaker wide one at the right.
    fn heatmap() -> Arc<Heatmap> {
        let frame = Level0Rect { x: 0.0, y: 0.0, width: 60.0, height: 10.0 };
        let values = vec![0.0, 1.0, 0.0, 0.0, 0.8, 0.8];
        Arc::new(Heatmap::new(PixelSize { width: 6, height: 1 }, values, frame).unwrap())
    }

    #[test]
    fn the_most_certain_lesion_comes_first_and_the_tour_goes_round() {
        let mut tour = Tour::new(heatmap(), BinaryThreshold::HALF);
        let first = tour.stop().unwrap();
        assert_eq!(tour.stops.len(), 2);
        assert!(0.9 < first.score && tour.stops[1].score < 0.9);
        assert!(first.bounds.x < 20.0 && first.area_level0_px < tour.stops[1].area_level0_px);
        tour.step(true);
        assert_eq!(tour.at, 1);
        tour.step(true);
        assert_eq!(tour.at, 0);
        tour.step(false);
        assert_eq!(tour.at, 1);
    }

    #[test]
    fn nothing_above_t_is_a_tour_without_a_stop() {
        let mut tour = Tour::new(heatmap(), BinaryThreshold::clamped(1.0));
        tour.step(true);
        assert_eq!(tour.stop(), None);
    }
}
