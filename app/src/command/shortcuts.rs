//! Key presses to commands, unless someone is typing.

use egui::{Event, Key, Modifiers};

use super::entries::{Entry, Shortcut, entries};
use super::{Command, Commands, OverlayCommand};
use crate::state::State;
use crate::state::dialogs::Dialog;
use crate::state::review::Tool;
use crate::state::session::KeySet;

/// Hides all layers while it is held.
const PEEK_KEY: Key = Key::Space;

/// Pushes the commands of the keys pressed in this frame.
///
/// Nothing fires while a text field has the keyboard or a dialog is open; a slider that has the
/// keyboard keeps the arrow keys, and a button Enter.
pub(crate) fn read(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let is_quiet = ctx.text_edit_focused() || state.dialogs.open != Dialog::None;
    let is_widget_focused = ctx.egui_wants_keyboard_input();
    // A button that has the keyboard is pressed by this key; with a tool in the hand it moves the slide.
    let is_peeking = !is_quiet
        && !is_widget_focused
        && state.review.tool == Tool::Move
        && ctx.input(|it| it.key_down(PEEK_KEY));
    if is_peeking != state.overlay.is_peeking {
        commands.push(OverlayCommand::Peek(is_peeking));
    }
    if is_quiet {
        return;
    }
    // A click in the same frame may be about to give a text field the keyboard.
    let is_click = |event: &Event| matches!(event, Event::PointerButton { .. });
    ctx.input(|input| {
        if !input.events.iter().any(is_click) {
            let set = state.session.key_set;
            let asked = input.events.iter().filter_map(|it| asked_by(it, is_widget_focused, set));
            asked.for_each(|command| commands.push(command));
        }
    });
}

fn asked_by(event: &Event, is_widget_focused: bool, set: KeySet) -> Option<Command> {
    let Event::Key { key, physical_key, pressed: true, modifiers, .. } = event else {
        return None;
    };
    let is_the_widgets = matches!(
        key,
        Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp | Key::ArrowDown | Key::Enter | Key::Escape
    );
    if is_widget_focused && is_the_widgets {
        return None;
    }
    command_for(set, *modifiers, *key, *physical_key)
}

/// The command of a key press. A key with Shift of its own goes before the same key without.
fn command_for(
    set: KeySet,
    modifiers: Modifiers,
    key: Key,
    physical_key: Option<Key>,
) -> Option<Command> {
    let fits = |shortcut: &Shortcut| {
        let is_key =
            shortcut.key == key || (shortcut.modifiers.shift && Some(shortcut.key) == physical_key);
        is_key && modifiers.matches_logically(shortcut.modifiers)
    };
    let has = |entry: &&Entry, shifted: bool| {
        entry.keys.iter().any(|shortcut| shortcut.modifiers.shift == shifted && fits(shortcut))
    };
    let entries = entries(set);
    entries
        .iter()
        .find(|entry| has(entry, true))
        .or_else(|| entries.iter().find(|entry| has(entry, false)))
        .map(|entry| entry.command.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{FileCommand, ReviewCommand, ViewCommand};
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn pressed(modifiers: Modifiers, key: Key, physical: Key) -> Option<Command> {
        command_for(KeySet::QuPath, modifiers, key, Some(physical))
    }

    #[test]
    fn brackets_move_t_and_shift_moves_it_further() {
        let small = pressed(Modifiers::NONE, Key::CloseBracket, Key::CloseBracket);
        assert_eq!(small, Some(OverlayCommand::StepThreshold(1).into()));
        let large = pressed(Modifiers::SHIFT, Key::CloseCurlyBracket, Key::CloseBracket);
        assert_eq!(large, Some(OverlayCommand::StepThreshold(5).into()));
        let down = pressed(Modifiers::SHIFT, Key::OpenBracket, Key::OpenBracket);
        assert_eq!(down, Some(OverlayCommand::StepThreshold(-5).into()));
    }

    #[test]
    fn plain_letters_do_not_fire_with_ctrl() {
        assert_eq!(pressed(Modifiers::NONE, Key::F, Key::F), Some(ViewCommand::Fit.into()));
        assert_eq!(pressed(Modifiers::COMMAND, Key::F, Key::F), None);
        assert_eq!(pressed(Modifiers::COMMAND, Key::O, Key::O), Some(FileCommand::Pick.into()));
        assert_eq!(pressed(Modifiers::NONE, Key::O, Key::O), None);
    }

    #[test]
    fn another_set_of_keys_takes_effect_at_once() {
        let mut state = State::default();
        let mut commands = Commands::default();
        state.session.key_set = KeySet::Asap;
        let mut harness = Harness::new_ui(|ui| read(ui.ctx(), &state, &mut commands));
        harness.key_press(Key::M);
        harness.run_steps(2);
        drop(harness);
        assert_eq!(commands.take(), [ReviewCommand::SetTool(Tool::Line).into()]);
    }

    #[test]
    fn the_heatmap_is_hidden_only_while_the_key_is_held() {
        let read_and_apply = |ui: &mut egui::Ui, state: &mut State| {
            let mut commands = Commands::default();
            read(ui.ctx(), state, &mut commands);
            for command in commands.take() {
                assert!(crate::command::apply(state, command).is_empty());
            }
        };
        let mut harness = Harness::new_ui_state(read_and_apply, State::default());
        harness.key_down(PEEK_KEY);
        harness.run_steps(3);
        assert!(harness.state().overlay.is_peeking);
        harness.key_up(PEEK_KEY);
        harness.run_steps(1);
        assert!(!harness.state().overlay.is_peeking);
    }

    fn keys_fire_while_focused(focus_text: bool) -> bool {
        let state = State::default();
        let mut text = String::new();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| {
            read(ui.ctx(), &state, &mut commands);
            let label = ui.label("Text");
            ui.text_edit_singleline(&mut text).labelled_by(label.id);
        });
        if focus_text {
            harness.get_by_role_and_label(egui::Role::TextInput, "Text").focus();
            harness.run_steps(2);
        }
        harness.key_press(Key::R);
        harness.run_steps(2);
        drop(harness);
        !commands.take().is_empty()
    }

    #[test]
    fn keys_are_quiet_while_a_text_field_has_the_keyboard() {
        assert!(keys_fire_while_focused(false));
        assert!(!keys_fire_while_focused(true));
    }
}
