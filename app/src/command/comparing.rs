//! Comparing two models on the same labelled images.

use std::path::{Path, PathBuf};

use model::train::Stage;

use crate::command::{Effect, stop};
use crate::state::State;
use crate::state::comparing::Rival;
use crate::state::jobs::JobKind;

/// A wish about comparing models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ComparingCommand {
    Show,
    Hide,
    SetFolderText(String),
    PickFolder,
    /// Choose the first model (0) or the second (1).
    Choose(usize, Rival),
    Compare,
    Stop,
}

/// What is compared, by folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// The labelled folder.
    pub(crate) folder: PathBuf,
    /// Both model folders.
    pub(crate) models: [PathBuf; 2],
    /// The run whose validation images are measured, instead of the folder's own split.
    pub(crate) run: Option<PathBuf>,
}

/// Changes the window; measuring is an effect.
pub(super) fn apply(state: &mut State, command: ComparingCommand) -> Vec<Effect> {
    let comparing = &mut state.comparing;
    match command {
        ComparingCommand::Show => show(state),
        ComparingCommand::Hide => comparing.is_open = false,
        ComparingCommand::SetFolderText(text) => comparing.folder_text = text,
        ComparingCommand::PickFolder => return vec![Effect::PickComparedFolder],
        ComparingCommand::Choose(which, rival) => {
            if let Some(place) = comparing.rivals.get_mut(which) {
                *place = Some(rival);
            }
        }
        ComparingCommand::Compare => return compare(state),
        ComparingCommand::Stop => return stop(state, JobKind::Compare),
    }
    Vec::new()
}

/// Opens the window with what lies near: the finished run against the chosen model, on the run's images.
fn show(state: &mut State) {
    let run = finished_run(state).map(Path::to_path_buf);
    let chosen = state.models.selected.clone().map(Rival::Listed);
    let folder = state.training.run.as_ref().and_then(|run| run.examined.as_ref());
    let folder = folder.map(|it| it.measured.folder.display().to_string());
    let comparing = &mut state.comparing;
    comparing.is_open = true;
    if comparing.folder_text.is_empty() {
        comparing.folder_text = folder.unwrap_or_else(|| state.training.folder_text.clone());
    }
    let [first, second] = &mut comparing.rivals;
    *first = first.take().or(chosen);
    *second = second.take().or(run.map(Rival::Run));
}

/// The folder of the run in the training panel, once it has a model.
pub(crate) fn finished_run(state: &State) -> Option<&Path> {
    let run = state.training.run.as_ref().filter(|run| run.stage != Stage::Pretraining)?;
    run.report().map(|_| run.dir.as_path())
}

/// What would be compared now; `None` while something is missing.
pub(crate) fn chosen_match(state: &State) -> Option<Match> {
    let folder = state.comparing.folder()?;
    let dir = |rival: &Option<Rival>| match rival.as_ref()? {
        Rival::Listed(name) => Some(state.models.named(name)?.dir.clone()),
        Rival::Run(dir) => Some(dir.join("model")),
    };
    let [first, second] = &state.comparing.rivals;
    let examined = state.training.run.as_ref().and_then(|run| run.examined.as_ref());
    let is_of_run = examined.is_some_and(|it| it.measured.folder == folder);
    let run = finished_run(state).filter(|_| is_of_run).map(Path::to_path_buf);
    Some(Match { models: [dir(first)?, dir(second)?], folder, run })
}

fn compare(state: &mut State) -> Vec<Effect> {
    if state.jobs.of_kind(JobKind::Compare).is_some() {
        return Vec::new();
    }
    match chosen_match(state) {
        Some(wanted) => {
            state.comparing.found = None;
            vec![Effect::Compare(Box::new(wanted))]
        }
        None => {
            state.notices.error("Choose two models and a labelled folder to compare them on");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples as sample_states;
    use crate::state::training::samples;

    #[test]
    fn a_finished_run_is_compared_with_the_chosen_model_on_its_own_images() {
        let mut state = sample_states::state();
        state.training = samples::training();
        state.training.run = Some(samples::examined_run());
        apply(&mut state, ComparingCommand::Show);
        let effects = apply(&mut state, ComparingCommand::Compare);
        let [Effect::Compare(wanted)] = &effects[..] else { panic!("{effects:?}") };
        let expected = Match {
            folder: "/data".into(),
            models: ["/models/a".into(), "/runs/data-1/model".into()],
            run: Some("/runs/data-1".into()),
        };
        assert_eq!(**wanted, expected);
        let other = ComparingCommand::SetFolderText("/other".to_owned());
        apply(&mut state, other);
        assert_eq!(chosen_match(&state).unwrap().run, None, "the run's images are elsewhere");
    }

    #[test]
    fn two_models_and_a_folder_are_needed() {
        let mut state = sample_states::state();
        apply(&mut state, ComparingCommand::Show);
        assert!(apply(&mut state, ComparingCommand::Compare).is_empty());
        assert_eq!(state.notices.shown.len(), 1);
        apply(&mut state, ComparingCommand::Choose(1, Rival::Listed("b".to_owned())));
        apply(&mut state, ComparingCommand::SetFolderText("/data".to_owned()));
        let effects = apply(&mut state, ComparingCommand::Compare);
        assert!(
            matches!(&effects[..], [Effect::Compare(it)] if it.models[1] == Path::new("/models/b"))
        );
    }
}
