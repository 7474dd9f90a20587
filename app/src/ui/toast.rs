//! Short messages over the bottom right of the canvas.

use egui::{Align2, Area, Id, RichText};

use super::theme;
use crate::command::{Commands, WindowCommand};
use crate::state::notices::{Notice, NoticeKind, Notices};

/// Draws the messages above `bottom_right`, the latest lowest.
pub(crate) fn toasts_ui(
    ctx: &egui::Context,
    bottom_right: egui::Pos2,
    notices: &Notices,
    commands: &mut Commands,
) {
    if notices.shown.is_empty() {
        return;
    }
    Area::new(Id::unique("toasts"))
        .order(egui::Order::Foreground)
        .pivot(Align2::RIGHT_BOTTOM)
        .fixed_pos(bottom_right + egui::vec2(-12.0, -12.0))
        .show(ctx, |ui| {
            ui.set_max_width(440.0);
            for notice in &notices.shown {
                toast_ui(ui, notice, commands);
            }
        });
}

fn toast_ui(ui: &mut egui::Ui, notice: &Notice, commands: &mut Commands) {
    let (color, title) = match notice.kind {
        NoticeKind::Done => (theme::DONE, "Done"),
        NoticeKind::Error => (theme::ERROR, "Could not be done"),
    };
    let frame = theme::card().stroke(egui::Stroke::new(1.5, color));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).color(color).strong());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.small_button("Close").clicked() {
                    commands.push(WindowCommand::DismissNotice(notice.id));
                }
            });
        });
        ui.add(egui::Label::new(RichText::new(&notice.text).color(theme::TEXT_STRONG)).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn an_error_is_readable_and_can_be_closed() {
        let mut notices = Notices::default();
        notices.error("No space left on device: /out/mask.png");
        let mut commands = Commands::default();
        let corner = egui::pos2(780.0, 580.0);
        let mut harness =
            Harness::new_ui(|ui| toasts_ui(ui.ctx(), corner, &notices, &mut commands));
        harness.run();
        harness.get_by_label("No space left on device: /out/mask.png");
        harness.get_by_label("Close").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::Window(WindowCommand::DismissNotice(1))]);
    }
}
