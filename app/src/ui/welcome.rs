//! The first words over the demo slide at the first start.

use domain::RESEARCH_USE_ONLY;
use egui::{Align2, Area, Id, RichText};

use super::theme;
use crate::command::{Commands, WindowCommand};

/// Draws the card below `top_center`.
pub(crate) fn welcome_ui(ctx: &egui::Context, top_center: egui::Pos2, commands: &mut Commands) {
    let place = Area::new(Id::unique("welcome")).pivot(Align2::CENTER_TOP);
    place.fixed_pos(top_center + egui::vec2(0.0, 16.0)).show(ctx, |ui| {
        ui.set_max_width(430.0);
        theme::card().stroke(egui::Stroke::new(1.0, theme::ACCENT)).show(ui, |ui| {
            let title = RichText::new("Welcome to Slidelight").size(18.0);
            ui.label(title.color(theme::TEXT_STRONG));
            ui.label(RichText::new(RESEARCH_USE_ONLY).color(theme::WARNING).strong());
            ui.label("This is the demo slide. Run the model with R, drag the threshold t, export.");
            ui.label("Open your own slide with Ctrl+O, or drop it here. All keys: ?");
            ui.add_space(2.0);
            if ui.add(theme::primary_button("Got it")).clicked() {
                commands.push(WindowCommand::CloseWelcome);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_card_says_what_the_program_is_not_for_and_goes_when_asked() {
        let mut commands = Commands::default();
        let place = egui::pos2(400.0, 0.0);
        let mut harness = Harness::new_ui(|ui| welcome_ui(ui.ctx(), place, &mut commands));
        harness.run();
        harness.get_by_label(RESEARCH_USE_ONLY);
        harness.get_by_label("Got it").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::Window(WindowCommand::CloseWelcome)]);
    }
}
