//! Keys for hands that know another viewer: what a set binds in another way than the first one does.

use domain::annotation::Verdict;
use egui::Key;

use super::entries::{Shortcut, key, shift};
use super::{Command, ReviewCommand, ViewCommand};
use crate::state::review::Tool;
use crate::state::session::KeySet;

/// The keys of a command in `set`; `None` where they are those of the first set.
pub(super) fn keys_in(set: KeySet, command: &Command) -> Option<Vec<Shortcut>> {
    match set {
        KeySet::QuPath => None,
        KeySet::ImageScope => image_scope(command),
        KeySet::Asap => asap(command),
    }
}

/// Tools on the function keys.
fn image_scope(command: &Command) -> Option<Vec<Shortcut>> {
    let Command::Review(ReviewCommand::SetTool(tool)) = command else { return None };
    let keys = match tool {
        Tool::Brush => [key(Key::F2, "F2"), key(Key::B, "B")],
        Tool::Erase => [key(Key::F3, "F3"), key(Key::E, "E")],
        Tool::Polygon => [key(Key::F4, "F4"), key(Key::P, "P")],
        Tool::Line => [key(Key::F5, "F5"), key(Key::L, "L")],
        Tool::Move | Tool::Cut => return None,
    };
    Some(keys.to_vec())
}

/// X pans, M measures, S draws a smooth outline; the slide is moved by the arrow keys alone.
fn asap(command: &Command) -> Option<Vec<Shortcut>> {
    let keys = match command {
        Command::Review(ReviewCommand::SetTool(Tool::Move)) => vec![key(Key::X, "X")],
        Command::Review(ReviewCommand::SetTool(Tool::Line)) => vec![key(Key::M, "M")],
        Command::Review(ReviewCommand::SetTool(Tool::Brush)) => {
            vec![key(Key::S, "S"), key(Key::B, "B")]
        }
        Command::Review(ReviewCommand::Judge(Verdict::Rejected)) => vec![shift(Key::X, "Shift+X")],
        Command::View(ViewCommand::Step { right, down }) => match (right, down) {
            (..=-1, _) => vec![key(Key::ArrowLeft, "Left")],
            (1.., _) => vec![key(Key::ArrowRight, "Right")],
            (_, ..=-1) => vec![key(Key::ArrowUp, "Up")],
            _ => vec![key(Key::ArrowDown, "Down")],
        },
        _ => return None,
    };
    Some(keys)
}
