//! Sending what was decided on the open slide into a labelled folder, as a corrected mask to learn from.

use domain::annotation::Shape;
use model::data::corrected;

use crate::command::Effect;
use crate::state::State;
use crate::state::dialogs::Dialog;

/// A wish about a corrected mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendingCommand {
    /// Show the dialog.
    Show,
    SetFolder(String),
    PickFolder,
    /// Take the areas of the class of this name.
    SetClass(String),
    SetPatient(String),
    Send,
}

pub(super) fn apply(state: &mut State, command: SendingCommand) -> Vec<Effect> {
    let sending = &mut state.dialogs.sending;
    match command {
        SendingCommand::Show => show(state),
        SendingCommand::SetFolder(folder) => sending.folder = folder,
        SendingCommand::PickFolder => return vec![Effect::PickFolderToSendTo],
        SendingCommand::SetClass(class) => sending.class = class,
        SendingCommand::SetPatient(patient) => sending.patient = patient,
        SendingCommand::Send => return send(state),
    }
    Vec::new()
}

fn show(state: &mut State) {
    let review = &state.review.review;
    if !review.annotations().iter().any(|it| matches!(it.shape, Shape::Area(_))) {
        state.notices.error("There is nothing to send yet: make annotations of lesions first");
        return;
    }
    let classes = review.classes();
    let sending = &mut state.dialogs.sending;
    if classes.iter().all(|it| it.name != sending.class) {
        sending.class = classes.first().map(|it| it.name.clone()).unwrap_or_default();
    }
    if sending.folder.is_empty() {
        sending.folder.clone_from(&state.training.folder_text);
    }
    sending.patient.clear();
    state.dialogs.open = Dialog::Send;
}

/// Why the chosen class cannot be sent.
pub(crate) fn why_not_send(state: &State) -> Option<String> {
    let annotations = state.review.review.annotations();
    corrected::problem(annotations, &state.dialogs.sending.class).map(|problem| problem.to_string())
}

fn send(state: &mut State) -> Vec<Effect> {
    if why_not_send(state).is_some() || state.dialogs.sending.folder.trim().is_empty() {
        return Vec::new();
    }
    state.dialogs.open = Dialog::None;
    vec![Effect::Send(Box::new(state.dialogs.sending.clone()))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ReviewCommand, samples};
    use domain::annotation::Verdict;

    #[test]
    fn without_areas_the_dialog_stays_closed() {
        let mut state = samples::state();
        apply(&mut state, SendingCommand::Show);
        assert_eq!((state.dialogs.open, state.notices.shown.len()), (Dialog::None, 1));
    }

    #[test]
    fn what_is_not_decided_is_not_sent_and_what_is_accepted_is() {
        let mut state = samples::reviewed();
        state.training.folder_text = "/data".to_owned();
        apply(&mut state, SendingCommand::Show);
        assert_eq!(state.dialogs.open, Dialog::Send);
        assert_eq!(state.dialogs.sending.folder, "/data");
        let ids = state.review.review.annotations().iter().map(|it| it.id).collect();
        state.review.select(ids);
        for (verdict, can_send) in
            [(Verdict::Proposed, false), (Verdict::Rejected, false), (Verdict::Accepted, true)]
        {
            crate::command::apply(&mut state, ReviewCommand::Judge(verdict).into());
            assert_eq!(why_not_send(&state).is_none(), can_send, "{verdict:?}");
            assert_eq!(apply(&mut state, SendingCommand::Send).is_empty(), !can_send);
        }
    }

    #[test]
    fn a_class_without_areas_says_so() {
        let mut state = samples::reviewed();
        apply(&mut state, SendingCommand::Show);
        apply(&mut state, SendingCommand::SetClass("Artifact".to_owned()));
        assert_eq!(why_not_send(&state).unwrap(), "no area of this class was accepted");
    }
}
