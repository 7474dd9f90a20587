//! Looking at two layers in turn or side by side.

use std::time::{Duration, Instant};

use super::layer::LayerKind;

/// How long each layer is seen while they blink.
const BLINK: Duration = Duration::from_millis(700);

/// How the chosen layer and another one are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ComparisonWay {
    /// The chosen layer left of a line, the other right of it; at this share of the canvas.
    Swipe(f32),
    /// The one and the other by turns.
    Blink,
    /// Each on a canvas of its own, over the same part of the slide.
    SideBySide,
}

/// A comparison with the chosen layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) with: LayerKind,
    pub(crate) way: ComparisonWay,
    /// While they blink: the other one is seen, and since when one of them is.
    pub(crate) is_other_seen: bool,
    since: Instant,
}

impl Comparison {
    pub(crate) fn new(with: LayerKind, way: ComparisonWay) -> Self {
        Self { with, way, is_other_seen: false, since: Instant::now() }
    }

    /// Turns to the other layer when it is time. Answers how long until the next turn.
    pub(crate) fn blink(&mut self, now: Instant) -> Option<Duration> {
        if self.way != ComparisonWay::Blink {
            return None;
        }
        let seen = now.saturating_duration_since(self.since);
        if BLINK <= seen {
            self.is_other_seen = !self.is_other_seen;
            self.since = now;
            return Some(BLINK);
        }
        Some(BLINK - seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_layers_blink_by_turns_and_others_stand_still() {
        let mut blinking = Comparison::new(LayerKind::Refined, ComparisonWay::Blink);
        let start = blinking.since;
        assert_eq!(blinking.blink(start + Duration::from_millis(300)), Some(BLINK * 4 / 7));
        assert!(!blinking.is_other_seen);
        assert_eq!(blinking.blink(start + BLINK), Some(BLINK));
        assert!(blinking.is_other_seen);
        let mut still = Comparison::new(LayerKind::Refined, ComparisonWay::SideBySide);
        assert_eq!(still.blink(start + 9 * BLINK), None);
    }
}
