//! The one list of named commands: menu, key sheet, command list and shortcuts all derive from it.

use std::sync::LazyLock;

use domain::annotation::Verdict;
use egui::{Key, Modifiers};

use super::{
    Command, ComparingCommand, FileCommand, InformativeCommand, LesionCommand, ModelCommand,
    OverlayCommand, QueueCommand, ReviewCommand, SendingCommand, TrainingCommand, ViewCommand,
    WindowCommand, key_set,
};
use crate::state::dialogs::Dialog;
use crate::state::review::Tool;
use crate::state::session::{Backdrop, KeySet};

/// Magnification of one press of `+`.
const ZOOM_STEP: f64 = 1.5;

/// Where a command is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Menu {
    File,
    View,
    Model,
    Train,
    Heatmap,
    Review,
    Help,
}

impl Menu {
    pub(crate) const ALL: [Self; 7] =
        [Self::File, Self::View, Self::Model, Self::Train, Self::Heatmap, Self::Review, Self::Help];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::View => "View",
            Self::Model => "Model",
            Self::Train => "Train",
            Self::Heatmap => "Heatmap",
            Self::Review => "Review",
            Self::Help => "Help",
        }
    }
}

/// A command with its name and keys.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) command: Command,
    pub(crate) text: &'static str,
    pub(crate) menu: Menu,
    /// Any of these; the first is shown in the menu.
    pub(crate) keys: Vec<Shortcut>,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortcut {
    pub(crate) modifiers: Modifiers,
    pub(crate) key: Key,
    /// As printed in menus and on the key sheet.
    pub(crate) label: &'static str,
}

pub(super) const fn key(key: Key, label: &'static str) -> Shortcut {
    Shortcut { modifiers: Modifiers::NONE, key, label }
}

pub(super) const fn shift(key: Key, label: &'static str) -> Shortcut {
    Shortcut { modifiers: Modifiers::SHIFT, key, label }
}

const fn ctrl(key: Key, label: &'static str) -> Shortcut {
    Shortcut { modifiers: Modifiers::COMMAND, key, label }
}

const fn ctrl_shift(key: Key, label: &'static str) -> Shortcut {
    Shortcut { modifiers: Modifiers::COMMAND.plus(Modifiers::SHIFT), key, label }
}

/// One list for each set of keys, in the order of [`KeySet::ALL`].
static ENTRIES: LazyLock<[Vec<Entry>; 3]> = LazyLock::new(|| KeySet::ALL.map(listed));

/// All named commands with the keys of a set, in menu order.
pub(crate) fn entries(set: KeySet) -> &'static [Entry] {
    let mut lists = KeySet::ALL.into_iter().zip(ENTRIES.iter());
    lists.find(|(other, _)| *other == set).map_or(&[], |(_, list)| list)
}

/// The first key of a command in a set, as it is printed; empty if it has none.
pub(crate) fn key_label(set: KeySet, command: impl Into<Command>) -> &'static str {
    let command = command.into();
    let entry = entries(set).iter().find(|entry| entry.command == command);
    entry.and_then(|entry| entry.keys.first()).map_or("", |shortcut| shortcut.label)
}

fn listed(set: KeySet) -> Vec<Entry> {
    let mut entries = [file(), view(), model(), train(), heatmap(), review(), help()].concat();
    for entry in &mut entries {
        if let Some(keys) = key_set::keys_in(set, &entry.command) {
            entry.keys = keys;
        }
    }
    entries
}

fn entry(menu: Menu, text: &'static str, command: impl Into<Command>, keys: &[Shortcut]) -> Entry {
    Entry { command: command.into(), text, menu, keys: keys.to_vec() }
}

fn file() -> Vec<Entry> {
    let item = |text, command: Command, keys: &[Shortcut]| entry(Menu::File, text, command, keys);
    vec![
        item("Open slide…", FileCommand::Pick.into(), &[ctrl(Key::O, "Ctrl+O")]),
        item("Open DICOM folder…", FileCommand::PickFolder.into(), &[]),
        item(
            "Open by path…",
            WindowCommand::Show(Dialog::OpenPath).into(),
            &[ctrl(Key::L, "Ctrl+L")],
        ),
        item("Open the demo slide", FileCommand::OpenDemo.into(), &[]),
        item(
            "Import annotations…",
            WindowCommand::Show(Dialog::Import).into(),
            &[ctrl(Key::I, "Ctrl+I")],
        ),
        item("Export…", FileCommand::ShowExport.into(), &[ctrl(Key::E, "Ctrl+E")]),
        item("Clear recent slides", FileCommand::ForgetRecent.into(), &[]),
        item("Quit", WindowCommand::Quit.into(), &[ctrl(Key::Q, "Ctrl+Q")]),
    ]
}

fn view() -> Vec<Entry> {
    let item =
        |text, command, keys: &[Shortcut]| entry(Menu::View, text, Command::View(command), keys);
    let window = |text, command: WindowCommand| entry(Menu::View, text, command, &[]);
    let step = |right, down| ViewCommand::Step { right, down };
    vec![
        item("Fit the slide", ViewCommand::Fit, &[key(Key::F, "F"), key(Key::Home, "Home")]),
        item("One to one", ViewCommand::OneToOne, &[key(Key::Num1, "1")]),
        item(
            "Zoom in",
            ViewCommand::Zoom(ZOOM_STEP),
            &[key(Key::Plus, "+"), key(Key::Equals, "=")],
        ),
        item("Zoom out", ViewCommand::Zoom(1.0 / ZOOM_STEP), &[key(Key::Minus, "-")]),
        item(
            "Correct colors or show them as scanned",
            ViewCommand::ToggleColorCorrection,
            &[key(Key::I, "I")],
        ),
        item("Magnify to 2.5x", ViewCommand::Magnify(2.5), &[key(Key::Num2, "2")]),
        item("Magnify to 5x", ViewCommand::Magnify(5.0), &[key(Key::Num3, "3")]),
        item("Magnify to 10x", ViewCommand::Magnify(10.0), &[key(Key::Num4, "4")]),
        item("Magnify to 20x", ViewCommand::Magnify(20.0), &[key(Key::Num5, "5")]),
        item("Magnify to 40x", ViewCommand::Magnify(40.0), &[key(Key::Num6, "6")]),
        item("Move left", step(-1, 0), &[key(Key::ArrowLeft, "Left"), key(Key::A, "A")]),
        item("Move right", step(1, 0), &[key(Key::ArrowRight, "Right"), key(Key::D, "D")]),
        item("Move up", step(0, -1), &[key(Key::ArrowUp, "Up"), key(Key::W, "W")]),
        item("Move down", step(0, 1), &[key(Key::ArrowDown, "Down"), key(Key::S, "S")]),
        item("Turn clockwise by 90°", ViewCommand::Turn(90.0), &[shift(Key::R, "Shift+R")]),
        item(
            "Turn right by 15°",
            ViewCommand::Turn(15.0),
            &[shift(Key::ArrowRight, "Shift+Right")],
        ),
        item("Turn left by 15°", ViewCommand::Turn(-15.0), &[shift(Key::ArrowLeft, "Shift+Left")]),
        item("Turn back upright", ViewCommand::Upright, &[key(Key::Num0, "0")]),
        window("Dark behind the slide", WindowCommand::SetBackdrop(Backdrop::Dark)),
        window("Gray behind the slide", WindowCommand::SetBackdrop(Backdrop::Gray)),
        window("White behind the slide", WindowCommand::SetBackdrop(Backdrop::White)),
    ]
}

fn model() -> Vec<Entry> {
    let item =
        |text, command, keys: &[Shortcut]| entry(Menu::Model, text, Command::Model(command), keys);
    let patches = |text, command: InformativeCommand, keys: &[Shortcut]| {
        entry(Menu::Model, text, command, keys)
    };
    vec![
        item("Run the model", ModelCommand::Run, &[key(Key::R, "R")]),
        item("Stop the run", ModelCommand::Cancel, &[]),
        patches("Find or show the informative patches", InformativeCommand::ToggleShown, &[]),
        patches("Choose more informative patches", InformativeCommand::StepPercent(5), &[]),
        patches("Choose fewer informative patches", InformativeCommand::StepPercent(-5), &[]),
        entry(
            Menu::Model,
            "Compare two models…",
            ComparingCommand::Show,
            &[ctrl_shift(Key::M, "Ctrl+Shift+M")],
        ),
        item(
            "Models: keep, delete, export, import…",
            ModelCommand::ShowList,
            &[ctrl(Key::M, "Ctrl+M")],
        ),
        item("Read the model folders again", ModelCommand::Reload, &[]),
    ]
}

fn train() -> Vec<Entry> {
    let item = |text, command, keys: &[Shortcut]| {
        entry(Menu::Train, text, Command::Training(command), keys)
    };
    let queue =
        |text, command: QueueCommand, keys: &[Shortcut]| entry(Menu::Train, text, command, keys);
    vec![
        item("Train a model…", TrainingCommand::Show, &[ctrl(Key::T, "Ctrl+T")]),
        item("Pause the training", TrainingCommand::SetPaused(true), &[]),
        item("Go on with the training", TrainingCommand::SetPaused(false), &[]),
        item("Stop the training", TrainingCommand::Stop, &[]),
        queue(
            "Next image of the list",
            QueueCommand::Step(true),
            &[ctrl(Key::PageDown, "Ctrl+PgDn")],
        ),
        queue(
            "Image of the list before",
            QueueCommand::Step(false),
            &[ctrl(Key::PageUp, "Ctrl+PgUp")],
        ),
        queue(
            "Back to the panel of the list",
            QueueCommand::Back,
            &[ctrl_shift(Key::T, "Ctrl+Shift+T")],
        ),
    ]
}

fn heatmap() -> Vec<Entry> {
    let item = |text, command, keys: &[Shortcut]| {
        entry(Menu::Heatmap, text, Command::Overlay(command), keys)
    };
    let lesion =
        |text, command: LesionCommand, keys: &[Shortcut]| entry(Menu::Heatmap, text, command, keys);
    vec![
        item("Show or hide all layers", OverlayCommand::ToggleVisible, &[key(Key::H, "H")]),
        item("Choose the next layer", OverlayCommand::ChooseNext, &[shift(Key::L, "Shift+L")]),
        lesion("Go to the next lesion", LesionCommand::Next, &[key(Key::N, "N")]),
        lesion("Go to the lesion before", LesionCommand::Previous, &[shift(Key::N, "Shift+N")]),
        item("Compare two layers: next way", OverlayCommand::NextComparison, &[key(Key::V, "V")]),
        item("Swap the two layers", OverlayCommand::Swap, &[shift(Key::V, "Shift+V")]),
        item("Fill, contour, both", OverlayCommand::NextStyle, &[key(Key::C, "C")]),
        item(
            "Raise t by 0.05",
            OverlayCommand::StepThreshold(5),
            &[shift(Key::CloseBracket, "Shift+]"), key(Key::CloseCurlyBracket, "}")],
        ),
        item("Raise t by 0.01", OverlayCommand::StepThreshold(1), &[key(Key::CloseBracket, "]")]),
        item("Lower t by 0.01", OverlayCommand::StepThreshold(-1), &[key(Key::OpenBracket, "[")]),
        item(
            "Lower t by 0.05",
            OverlayCommand::StepThreshold(-5),
            &[shift(Key::OpenBracket, "Shift+["), key(Key::OpenCurlyBracket, "{")],
        ),
        item("Set t to the model's own", OverlayCommand::ResetThreshold, &[key(Key::T, "T")]),
    ]
}

fn review() -> Vec<Entry> {
    let item = |text, command, keys: &[Shortcut]| {
        entry(Menu::Review, text, Command::Review(command), keys)
    };
    vec![
        item(
            "Make annotations of the lesions at t",
            ReviewCommand::Commit,
            &[key(Key::Enter, "Enter")],
        ),
        item("Undo", ReviewCommand::Undo, &[ctrl(Key::Z, "Ctrl+Z")]),
        item(
            "Redo",
            ReviewCommand::Redo,
            &[ctrl_shift(Key::Z, "Ctrl+Shift+Z"), ctrl(Key::Y, "Ctrl+Y")],
        ),
        item("Next annotation", ReviewCommand::LookNext(true), &[key(Key::PageDown, "PgDn")]),
        item("Annotation before", ReviewCommand::LookNext(false), &[key(Key::PageUp, "PgUp")]),
        item("Accept", ReviewCommand::Judge(Verdict::Accepted), &[key(Key::Y, "Y")]),
        item("Reject", ReviewCommand::Judge(Verdict::Rejected), &[key(Key::X, "X")]),
        item("First class", ReviewCommand::SetClass(0), &[ctrl(Key::Num1, "Ctrl+1")]),
        item("Second class", ReviewCommand::SetClass(1), &[ctrl(Key::Num2, "Ctrl+2")]),
        item("Third class", ReviewCommand::SetClass(2), &[ctrl(Key::Num3, "Ctrl+3")]),
        item("Fourth class", ReviewCommand::SetClass(3), &[ctrl(Key::Num4, "Ctrl+4")]),
        item("Merge the selected", ReviewCommand::Merge, &[key(Key::J, "J")]),
        item(
            "Delete the selected",
            ReviewCommand::Delete,
            &[key(Key::Delete, "Del"), key(Key::Backspace, "Backspace")],
        ),
        item(
            "Show or hide the panel of annotations",
            ReviewCommand::TogglePanel,
            &[key(Key::G, "G")],
        ),
        entry(Menu::Review, "Send to a training folder…", SendingCommand::Show, &[]),
        item("Bookmark this place", ReviewCommand::AddBookmark, &[ctrl(Key::B, "Ctrl+B")]),
        item("Show or hide annotations", ReviewCommand::ToggleShown, &[shift(Key::H, "Shift+H")]),
    ]
    .into_iter()
    .chain(tools())
    .collect()
}

fn tools() -> Vec<Entry> {
    let item = |text, command, keys: &[Shortcut]| {
        entry(Menu::Review, text, Command::Review(command), keys)
    };
    vec![
        item("Tool: move", ReviewCommand::SetTool(Tool::Move), &[key(Key::M, "M")]),
        item("Tool: brush", ReviewCommand::SetTool(Tool::Brush), &[key(Key::B, "B")]),
        item("Tool: erase", ReviewCommand::SetTool(Tool::Erase), &[key(Key::E, "E")]),
        item("Tool: polygon", ReviewCommand::SetTool(Tool::Polygon), &[key(Key::P, "P")]),
        item("Tool: line", ReviewCommand::SetTool(Tool::Line), &[key(Key::L, "L")]),
        item("Tool: cut", ReviewCommand::SetTool(Tool::Cut), &[key(Key::K, "K")]),
        item("Smaller brush", ReviewCommand::StepBrush(false), &[key(Key::Comma, ",")]),
        item("Larger brush", ReviewCommand::StepBrush(true), &[key(Key::Period, ".")]),
        item("Drop what was begun", ReviewCommand::Escape, &[key(Key::Escape, "Esc")]),
    ]
}

fn help() -> Vec<Entry> {
    let item = |text, dialog, keys: &[Shortcut]| {
        entry(Menu::Help, text, WindowCommand::Show(dialog), keys)
    };
    vec![
        item("List of commands…", Dialog::Palette, &[ctrl(Key::K, "Ctrl+K")]),
        item("Keys", Dialog::Shortcuts, &[key(Key::Questionmark, "?"), key(Key::F1, "F1")]),
        item("About Slidelight", Dialog::About, &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key_in_any_set() {
        for set in KeySet::ALL {
            let mut seen = Vec::new();
            for shortcut in entries(set).iter().flat_map(|entry| &entry.keys) {
                let pressed = (shortcut.modifiers, shortcut.key);
                assert!(!seen.contains(&pressed), "{set:?}: {} is taken twice", shortcut.label);
                seen.push(pressed);
            }
        }
    }

    #[test]
    fn no_two_commands_share_a_name() {
        let mut names: Vec<_> = entries(KeySet::QuPath).iter().map(|entry| entry.text).collect();
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
    }

    #[test]
    fn a_set_binds_the_keys_that_its_users_know() {
        let measure = || ReviewCommand::SetTool(Tool::Line);
        let keys = KeySet::ALL.map(|set| key_label(set, measure()));
        assert_eq!(keys, ["L", "F5", "M"]);
        assert_eq!(key_label(KeySet::Asap, ReviewCommand::Judge(Verdict::Rejected)), "Shift+X");
    }
}
