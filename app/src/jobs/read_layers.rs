//! Figures of the layers that have none yet, so that their sliders are as quick as the CAM's.

use std::sync::Arc;

use super::Outcome;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::Readout;

pub(super) fn start(state: &mut State, runner: &mut Runner) {
    let unread = state.overlay.layers.iter().filter(|layer| layer.readout.is_none());
    let heatmaps: Vec<_> = unread.map(|layer| Arc::clone(&layer.heatmap)).collect();
    let Some(result) = state.overlay.result.clone() else { return };
    if heatmaps.is_empty() {
        return;
    }
    let kind = JobKind::Silent;
    runner.start(state, kind, "read-layers", String::new(), move |_progress, cancel| {
        let mut readouts = Vec::new();
        for heatmap in heatmaps {
            cancel.check()?;
            let readout = Arc::new(Readout::of(&heatmap, &result.tissue));
            readouts.push((heatmap, readout));
        }
        Ok(Outcome::LayersRead(readouts))
    });
}
