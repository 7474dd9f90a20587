//! The chosen layer beside another one.

use egui::{ComboBox, RichText, Ui};

use crate::command::{Commands, OverlayCommand};
use crate::state::comparison::ComparisonWay;
use crate::state::overlay::OverlayState;
use crate::ui::theme;

/// Where the line stands at first.
const MIDDLE: f32 = 0.5;

/// Draws the ways to compare and, in one of them, the layer to compare with.
pub(super) fn compare_ui(ui: &mut Ui, overlay: &OverlayState, commands: &mut Commands) {
    if overlay.layers.len() < 2 {
        return;
    }
    let way = overlay.comparison.map(|comparison| comparison.way);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Compare (V)").color(theme::TEXT_WEAK));
        let is_swiping = matches!(way, Some(ComparisonWay::Swipe(_)));
        for (text, is_chosen, wanted) in [
            ("Off", way.is_none(), None),
            ("Swipe", is_swiping, Some(ComparisonWay::Swipe(MIDDLE))),
            ("Blink", way == Some(ComparisonWay::Blink), Some(ComparisonWay::Blink)),
            (
                "Side by side",
                way == Some(ComparisonWay::SideBySide),
                Some(ComparisonWay::SideBySide),
            ),
        ] {
            if ui.selectable_label(is_chosen, text).clicked() {
                commands.push(OverlayCommand::Compare(wanted));
            }
        }
    });
    let Some(comparison) = overlay.comparison else { return };
    ui.horizontal(|ui| {
        let combo = ComboBox::from_id_salt("compare-with").width(ui.available_width() - 70.0);
        let combo = combo.selected_text(comparison.with.title()).show_ui(ui, |ui| {
            let others = overlay.layers.iter().rev().filter(|it| it.kind != overlay.chosen);
            for other in others {
                let is_chosen = other.kind == comparison.with;
                if ui.selectable_label(is_chosen, other.kind.title()).clicked() {
                    commands.push(OverlayCommand::CompareWith(other.kind));
                }
            }
        });
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Compare with"));
        if ui.button("Swap").on_hover_text("Shift+V").clicked() {
            commands.push(OverlayCommand::Swap);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::comparison::Comparison;
    use crate::state::layer::LayerKind;
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn asked(overlay: &OverlayState, labels: &[&str]) -> Vec<Command> {
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| compare_ui(ui, overlay, &mut commands));
        for label in labels {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        commands.take()
    }

    #[test]
    fn the_way_and_the_other_layer_are_chosen_by_their_names() {
        let mut overlay = samples::overlay(false);
        let ways = [ComparisonWay::Swipe(0.5), ComparisonWay::Blink, ComparisonWay::SideBySide];
        let expected = ways.map(|way| Command::Overlay(OverlayCommand::Compare(Some(way))));
        assert_eq!(asked(&overlay, &["Swipe", "Blink", "Side by side"]), expected);
        overlay.comparison = Some(Comparison::new(LayerKind::Refined, ComparisonWay::Blink));
        let expected = [OverlayCommand::CompareWith(LayerKind::Tissue), OverlayCommand::Swap];
        let asked = asked(&overlay, &["Compare with", "Tissue", "Swap"]);
        assert_eq!(asked, expected.map(Command::Overlay));
    }
}
