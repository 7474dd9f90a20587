//! Choosing and running a model.

use crate::command::{Effect, stop};
use crate::state::State;
use crate::state::jobs::JobKind;

/// A wish about models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelCommand {
    /// Read the model folders again.
    Reload,
    /// Choose by name.
    Select(String),
    /// Run the chosen model on the open slide.
    Run,
    /// Stop the run.
    Cancel,
}

/// Changes the choice; running and stopping are effects.
pub(super) fn apply(state: &mut State, command: ModelCommand) -> Vec<Effect> {
    match command {
        ModelCommand::Reload => vec![Effect::ListModels],
        ModelCommand::Select(name) => {
            state.models.selected = Some(name);
            Vec::new()
        }
        ModelCommand::Run => run(state),
        ModelCommand::Cancel => stop(state, JobKind::Analyze),
    }
}

fn run(state: &mut State) -> Vec<Effect> {
    if state.jobs.of_kind(JobKind::Analyze).is_some() {
        return Vec::new();
    }
    if state.view.facts.is_none() {
        state.notices.error("Open a slide before running a model");
        return Vec::new();
    }
    match state.models.chosen() {
        Some(entry) => {
            let run = Effect::Analyze(Box::new(entry.clone()));
            // Whoever runs a model no longer needs the first words.
            state.dialogs.is_welcome_shown = false;
            vec![run]
        }
        None => {
            state.notices.error("There is no model to run");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use crate::state::jobs::{JobId, RunningJob};
    use std::time::Instant;

    #[test]
    fn run_asks_for_the_chosen_model() {
        let mut state = samples::state();
        apply(&mut state, ModelCommand::Select("b".to_owned()));
        let effects = apply(&mut state, ModelCommand::Run);
        assert!(matches!(&effects[..], [Effect::Analyze(entry)] if entry.manifest.name == "b"));
    }

    #[test]
    fn run_without_a_slide_or_a_model_says_so() {
        let mut state = State::default();
        assert!(apply(&mut state, ModelCommand::Run).is_empty());
        state.view = samples::state().view;
        assert!(apply(&mut state, ModelCommand::Run).is_empty());
        assert_eq!(state.notices.shown.len(), 2);
    }

    #[test]
    fn a_second_run_waits_for_the_first_and_cancel_stops_it() {
        let mut state = samples::state();
        let job = RunningJob::new(JobId(3), JobKind::Analyze, String::new(), Instant::now());
        state.jobs.running.push(job);
        assert!(apply(&mut state, ModelCommand::Run).is_empty());
        let effects = apply(&mut state, ModelCommand::Cancel);
        assert!(matches!(effects[..], [Effect::CancelJob(JobId(3))]));
        assert!(state.jobs.running[0].is_stopping);
    }
}
