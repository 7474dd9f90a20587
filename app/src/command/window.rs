//! Dialogs, messages and the window itself.

use crate::command::Effect;
use crate::state::State;
use crate::state::dialogs::Dialog;
use crate::state::jobs::JobId;
use crate::state::session::{Backdrop, KeySet};

/// A wish about the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WindowCommand {
    Show(Dialog),
    CloseDialog,
    CloseWelcome,
    DismissNotice(u64),
    CancelJob(JobId),
    /// Read keys as the users of this viewer press them.
    SetKeySet(KeySet),
    SetBackdrop(Backdrop),
    /// What is typed into the list of commands.
    SetPaletteText(String),
    Quit,
}

/// Changes what lies over the window.
pub(super) fn apply(state: &mut State, command: WindowCommand) -> Vec<Effect> {
    match command {
        WindowCommand::Show(dialog) => {
            state.dialogs.open = dialog;
            state.dialogs.palette_text.clear();
        }
        WindowCommand::CloseDialog => state.dialogs.open = Dialog::None,
        WindowCommand::CloseWelcome => state.dialogs.is_welcome_shown = false,
        WindowCommand::DismissNotice(id) => state.notices.dismiss(id),
        WindowCommand::CancelJob(id) => {
            state.jobs.mark_stopping(id);
            return vec![Effect::CancelJob(id)];
        }
        WindowCommand::SetKeySet(set) => {
            state.session.key_set = set;
            return vec![Effect::SaveSession];
        }
        WindowCommand::SetBackdrop(backdrop) => {
            state.session.backdrop = backdrop;
            return vec![Effect::SaveSession];
        }
        WindowCommand::SetPaletteText(text) => state.dialogs.palette_text = text,
        WindowCommand::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::session::Session;

    #[test]
    fn a_dialog_replaces_the_one_before_and_closes() {
        let mut state = State::default();
        apply(&mut state, WindowCommand::Show(Dialog::About));
        apply(&mut state, WindowCommand::Show(Dialog::Shortcuts));
        assert_eq!(state.dialogs.open, Dialog::Shortcuts);
        apply(&mut state, WindowCommand::CloseDialog);
        assert_eq!(state.dialogs.open, Dialog::None);
    }

    #[test]
    fn keys_and_backdrop_are_chosen_for_good() {
        let mut state = State::default();
        let effects = apply(&mut state, WindowCommand::SetKeySet(KeySet::Asap));
        assert!(matches!(effects[..], [Effect::SaveSession]));
        let effects = apply(&mut state, WindowCommand::SetBackdrop(Backdrop::White));
        assert!(matches!(effects[..], [Effect::SaveSession]));
        let Session { key_set, backdrop, .. } = state.session;
        assert_eq!((key_set, backdrop), (KeySet::Asap, Backdrop::White));
    }
}
