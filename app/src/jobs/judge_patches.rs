//! Ranks the patches of the open slide, once; the panel's slider only cuts the ranking.

use std::sync::Arc;

use model::analysis::AnalyzeError;
use model::wise::places::{PlaceConfig, judge};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::informative::Ranked;
use crate::state::jobs::JobKind;

pub(super) fn start(state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let generation = state.view.generation;
    let title = "Looking for informative patches".to_owned();
    runner.start(state, JobKind::JudgePatches, "judge-patches", title, move |progress, cancel| {
        let failed = |error: &dyn std::fmt::Display| {
            JobError::Failed(format!("The patches cannot be judged: {error}"))
        };
        let patches = judge(&slide, &PlaceConfig::default(), (progress, cancel)).map_err(
            |error| match error {
                AnalyzeError::Cancelled(_) => JobError::Cancelled,
                error => failed(&error),
            },
        )?;
        let overlay = patches.overlay().map_err(|error| failed(&error))?;
        let ranked = Ranked { patches: Arc::new(patches), overlay: Arc::new(overlay) };
        Ok(Outcome::PatchesJudged { generation, ranked })
    });
}
