//! The most informative patches of the open slide: found by a job, cut by a slider.

use crate::command::Effect;
use crate::state::State;
use crate::state::jobs::JobKind;

/// A wish about informative patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InformativeCommand {
    /// Rank the patches of the open slide.
    Find,
    /// Choose so many percent of them.
    SetPercent(u8),
    /// Choose so many percent more, or less.
    StepPercent(i8),
    SetShown(bool),
    ToggleShown,
    /// Let models look at the chosen patches alone, or everywhere.
    LimitRuns(bool),
}

/// Changes what is shown; only finding them is an effect.
pub(super) fn apply(state: &mut State, command: InformativeCommand) -> Vec<Effect> {
    let informative = &mut state.informative;
    match command {
        InformativeCommand::Find => return find(state),
        InformativeCommand::SetPercent(percent) => informative.percent = percent.clamp(1, 100),
        InformativeCommand::StepPercent(step) => {
            informative.percent = informative.percent.saturating_add_signed(step).clamp(1, 100);
        }
        InformativeCommand::SetShown(is_shown) => informative.is_shown = is_shown,
        InformativeCommand::ToggleShown if informative.ranked.is_none() => return find(state),
        InformativeCommand::ToggleShown => informative.is_shown = !informative.is_shown,
        InformativeCommand::LimitRuns(limits) => informative.limits_runs = limits,
    }
    Vec::new()
}

fn find(state: &mut State) -> Vec<Effect> {
    if state.view.facts.is_none() {
        state.notices.error("Open a slide before looking for informative patches");
        return Vec::new();
    }
    if state.jobs.of_kind(JobKind::JudgePatches).is_some() {
        return Vec::new();
    }
    state.informative.is_shown = true;
    vec![Effect::JudgePatches]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::jobs::{JobEvent, Outcome, inbox};
    use crate::state::jobs::{JobId, RunningJob};
    use std::time::Instant;

    fn done(state: &mut State, command: InformativeCommand) -> Vec<Effect> {
        crate::command::apply(state, Command::Informative(command))
    }

    #[test]
    fn patches_are_looked_for_once_and_on_a_slide_alone() {
        let mut state = State::default();
        assert!(done(&mut state, InformativeCommand::Find).is_empty());
        assert_eq!(state.notices.shown.len(), 1);
        let mut state = samples::state();
        let effects = done(&mut state, InformativeCommand::ToggleShown);
        assert!(matches!(effects[..], [Effect::JudgePatches]));
        let now = Instant::now();
        let job = RunningJob::new(JobId(3), JobKind::JudgePatches, String::new(), now);
        state.jobs.running.push(job);
        assert!(done(&mut state, InformativeCommand::Find).is_empty());
    }

    #[test]
    fn moving_the_share_starts_no_work_and_stops_at_the_ends() {
        let mut state = samples::state();
        for (step, expected) in [(5, 25), (-30, 1), (127, 100)] {
            if step == 127 {
                state.informative.percent = 99;
            }
            assert!(done(&mut state, InformativeCommand::StepPercent(step)).is_empty());
            assert_eq!(state.informative.percent, expected);
        }
    }

    #[test]
    fn patches_of_a_slide_that_is_gone_are_dropped() {
        let mut state = samples::state();
        for (age, is_taken) in [(1, false), (0, true)] {
            let generation = state.view.generation - age;
            let outcome = Outcome::PatchesJudged { generation, ranked: samples::ranked() };
            inbox::receive(&mut state, JobEvent::Done(JobId(1), Box::new(outcome)));
            assert_eq!(state.informative.ranked.is_some(), is_taken);
        }
    }

    #[test]
    fn runs_are_limited_where_patches_are_known() {
        let mut state = samples::state();
        done(&mut state, InformativeCommand::LimitRuns(true));
        assert_eq!(state.informative.preselect(), None);
        state.informative.ranked = Some(samples::ranked());
        assert_eq!(state.informative.preselect(), Some(0.2));
        let shown = state.informative.frame().unwrap();
        assert!(done(&mut state, InformativeCommand::SetPercent(60)).is_empty());
        let wider = state.informative.frame().unwrap();
        assert!(wider.threshold.get() < shown.threshold.get());
        assert!(std::sync::Arc::ptr_eq(&wider.heatmap, &shown.heatmap), "the same overlay");
        done(&mut state, InformativeCommand::ToggleShown);
        assert!(state.informative.frame().is_none());
    }
}
