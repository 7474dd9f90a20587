//! Choosing and running a model, and looking after the list of them.

use std::path::PathBuf;

use model::registry::InstallNote;

use crate::command::{Effect, preview, stop};
use crate::jobs::change_models::ModelChange;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::models::TransferField;

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
    /// Open the window with all models.
    ShowList,
    HideList,
    /// Ask before this one is deleted, or no longer.
    AskToDelete(Option<String>),
    /// Delete by name.
    Delete(String),
    /// Go back to the version before, by name.
    RollBack(String),
    SetTransferText(TransferField, String),
    /// Ask the system for a folder.
    PickFolder(TransferField),
    /// Copy this one into the folder that is typed.
    Export(String),
    /// Bring in the folder that is typed.
    Import {
        replaces: bool,
    },
}

/// Changes the choice; running, stopping and files are effects.
pub(super) fn apply(state: &mut State, command: ModelCommand) -> Vec<Effect> {
    let models = &mut state.models;
    match command {
        ModelCommand::Reload => return vec![Effect::ListModels],
        ModelCommand::Select(name) => {
            models.selected = Some(name);
            // A training that begins with this model cuts images as the model does.
            if state.training.plan.needs_model() {
                return preview(state);
            }
        }
        ModelCommand::Run => return run(state),
        ModelCommand::Cancel => return stop(state, JobKind::Analyze),
        ModelCommand::ShowList => models.is_list_open = true,
        ModelCommand::HideList => {
            models.is_list_open = false;
            models.asked_to_delete = None;
        }
        ModelCommand::AskToDelete(name) => models.asked_to_delete = name,
        ModelCommand::Delete(name) => {
            models.asked_to_delete = None;
            return vec![Effect::ChangeModels(ModelChange::Delete(name))];
        }
        ModelCommand::RollBack(name) => {
            return vec![Effect::ChangeModels(ModelChange::RollBack(name))];
        }
        ModelCommand::SetTransferText(which, text) => models.transfer.set(which, text),
        ModelCommand::PickFolder(which) => return vec![Effect::PickModelFolder(which)],
        ModelCommand::Export(name) => return export(state, &name),
        ModelCommand::Import { replaces } => return import(state, replaces),
    }
    Vec::new()
}

fn export(state: &State, name: &str) -> Vec<Effect> {
    let into = state.models.transfer.export.trim();
    let entry = state.models.named(name).filter(|_| !into.is_empty());
    let change = entry.map(|it| ModelChange::Export(Box::new(it.clone()), PathBuf::from(into)));
    change.map(Effect::ChangeModels).into_iter().collect()
}

fn import(state: &State, replaces: bool) -> Vec<Effect> {
    let transfer = &state.models.transfer;
    let dir = transfer.import.trim();
    if dir.is_empty() {
        return Vec::new();
    }
    let name = transfer.import_name.trim().to_owned();
    let note = InstallNote { name, replaces, ..InstallNote::default() };
    vec![Effect::ChangeModels(ModelChange::Import(PathBuf::from(dir), Box::new(note)))]
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
    fn a_folder_that_is_typed_is_imported_under_the_name_that_is_typed() {
        let mut state = samples::state();
        assert!(apply(&mut state, ModelCommand::Import { replaces: false }).is_empty());
        let set = |which, text: &str| ModelCommand::SetTransferText(which, text.to_owned());
        apply(&mut state, set(TransferField::Import, " /in/model "));
        apply(&mut state, set(TransferField::ImportName, "mine"));
        let effects = apply(&mut state, ModelCommand::Import { replaces: true });
        let [Effect::ChangeModels(ModelChange::Import(dir, note))] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(dir, &PathBuf::from("/in/model"));
        assert_eq!((note.name.as_str(), note.replaces), ("mine", true));
    }

    #[test]
    fn an_export_needs_a_place_and_a_deletion_ends_its_question() {
        let mut state = samples::state();
        assert!(apply(&mut state, ModelCommand::Export("a".to_owned())).is_empty());
        let set = ModelCommand::SetTransferText(TransferField::Export, "/out".to_owned());
        apply(&mut state, set);
        let effects = apply(&mut state, ModelCommand::Export("a".to_owned()));
        assert!(
            matches!(&effects[..], [Effect::ChangeModels(ModelChange::Export(entry, _))] if entry.manifest.name == "a")
        );
        apply(&mut state, ModelCommand::AskToDelete(Some("b".to_owned())));
        let effects = apply(&mut state, ModelCommand::Delete("b".to_owned()));
        assert!(matches!(&effects[..], [Effect::ChangeModels(ModelChange::Delete(_))]));
        assert_eq!(state.models.asked_to_delete, None);
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
