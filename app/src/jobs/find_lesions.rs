//! Tracing the lesions of the chosen layer at its *t*, to look at one after the other.

use std::sync::Arc;

use super::Outcome;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::tour::Tour;

pub(super) fn start(state: &mut State, runner: &mut Runner) {
    let Some(layer) = state.overlay.layer() else { return };
    let (heatmap, threshold) = (Arc::clone(&layer.heatmap), layer.threshold);
    let title = "Finding lesions".to_owned();
    let kind = JobKind::FindLesions;
    runner.start(state, kind, "find-lesions", title, move |progress, cancel| {
        progress.stage("Tracing");
        cancel.check()?;
        Ok(Outcome::LesionsFound(Tour::new(heatmap, threshold)))
    });
}
