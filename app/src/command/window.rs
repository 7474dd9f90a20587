//! Dialogs, messages and the window itself.

use crate::command::Effect;
use crate::state::State;
use crate::state::dialogs::Dialog;
use crate::state::jobs::JobId;

/// A wish about the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WindowCommand {
    Show(Dialog),
    CloseDialog,
    CloseWelcome,
    DismissNotice(u64),
    CancelJob(JobId),
    Quit,
}

/// Changes what lies over the window.
pub(super) fn apply(state: &mut State, command: WindowCommand) -> Vec<Effect> {
    match command {
        WindowCommand::Show(dialog) => state.dialogs.open = dialog,
        WindowCommand::CloseDialog => state.dialogs.open = Dialog::None,
        WindowCommand::CloseWelcome => state.dialogs.is_welcome_shown = false,
        WindowCommand::DismissNotice(id) => state.notices.dismiss(id),
        WindowCommand::CancelJob(id) => {
            if let Some(job) = state.jobs.get_mut(id) {
                job.is_stopping = true;
            }
            return vec![Effect::CancelJob(id)];
        }
        WindowCommand::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_replaces_the_one_before_and_closes() {
        let mut state = State::default();
        apply(&mut state, WindowCommand::Show(Dialog::About));
        apply(&mut state, WindowCommand::Show(Dialog::Shortcuts));
        assert_eq!(state.dialogs.open, Dialog::Shortcuts);
        apply(&mut state, WindowCommand::CloseDialog);
        assert_eq!(state.dialogs.open, Dialog::None);
    }
}
