//! Over the canvas while a list of images is gone through: which image it is, and the ways on and back.

use egui::{RichText, Ui};

use super::theme;
use crate::command::{Commands, QueueCommand, entries};
use crate::state::image_queue::{ImageQueue, Origin};
use crate::state::session::KeySet;

/// Draws the bar.
pub(crate) fn queue_bar_ui(ui: &mut Ui, queue: &ImageQueue, keys: KeySet, commands: &mut Commands) {
    theme::card().corner_radius(0).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_wrapped(|ui| {
            let (n, of) = (queue.at + 1, queue.list.stops.len());
            let title = format!("{} · {n} of {of}", queue.list.title);
            ui.label(RichText::new(title).color(theme::TEXT_STRONG).strong());
            if let Some(stop) = queue.stop() {
                ui.label(&stop.words);
            }
            let back = match queue.origin {
                Origin::Report => "Back to the report",
                Origin::Comparison => "Back to the comparison",
            };
            for (text, command) in [
                ("Image before", QueueCommand::Step(false)),
                ("Next image", QueueCommand::Step(true)),
                (back, QueueCommand::Back),
                ("Leave the list", QueueCommand::Leave),
            ] {
                let key = entries::key_label(keys, command);
                let button = ui.button(text);
                let button = if key.is_empty() { button } else { button.on_hover_text(key) };
                if button.clicked() {
                    commands.push(command);
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::state::training::samples;
    use egui_kittest::{Harness, kittest::Queryable as _};
    use std::sync::Arc;

    fn asked(click: &str) -> Vec<Command> {
        let examined = samples::examined_run().examined.unwrap();
        let queue = ImageQueue::new(Arc::clone(&examined.lists[0]), Origin::Report, 0);
        let mut commands = Commands::default();
        let mut harness =
            Harness::new_ui(|ui| queue_bar_ui(ui, &queue, KeySet::QuPath, &mut commands));
        harness.get_by_label("Most wrong labels · 1 of 2");
        harness.get_by_label("1.png: labelled negative, probability 0.90");
        harness.get_by_label(click).click();
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn the_bar_leads_on_and_back() {
        for (text, command) in [
            ("Next image", QueueCommand::Step(true)),
            ("Image before", QueueCommand::Step(false)),
            ("Back to the report", QueueCommand::Back),
            ("Leave the list", QueueCommand::Leave),
        ] {
            assert_eq!(asked(text), [Command::Queue(command)]);
        }
    }
}
