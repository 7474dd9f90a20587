//! The classes, each in its color: one is chosen, all can be changed.

use domain::annotation::AnnotationClass;
use egui::{CollapsingHeader, Color32, RichText, Sense, TextEdit, Ui, vec2};

use crate::command::{Commands, ReviewCommand};
use crate::state::review::ReviewState;

/// Side of a patch of color.
const SWATCH_PT: f32 = 20.0;

/// Draws the row of classes, the chosen one that of what is drawn next, and the editor beneath.
pub(super) fn classes_ui(ui: &mut Ui, review: &ReviewState, commands: &mut Commands) {
    ui.horizontal_wrapped(|ui| {
        for (index, class) in review.review.classes().iter().enumerate() {
            let is_chosen = review.class == index;
            let text = RichText::new(&class.name).color(readable(class.color));
            let button = ui.selectable_label(is_chosen, text);
            let hint =
                format!("Class of the selection and of what is drawn next, Ctrl+{}", index + 1);
            if button.on_hover_text(hint).clicked() {
                commands.push(ReviewCommand::SetClass(index));
            }
        }
    });
    CollapsingHeader::new("Change the classes").show(ui, |ui| {
        let can_remove = 1 < review.class_drafts.len();
        for (index, class) in review.class_drafts.iter().enumerate() {
            class_ui(ui, index, class, can_remove, commands);
        }
        if ui.button("Add a class").clicked() {
            commands.push(ReviewCommand::AddClass);
        }
    });
}

/// A class that can be renamed, recolored and taken away; kept when its field is left.
fn class_ui(
    ui: &mut Ui,
    index: usize,
    class: &AnnotationClass,
    can_remove: bool,
    commands: &mut Commands,
) {
    ui.horizontal(|ui| {
        let (swatch, response) = ui.allocate_exact_size(vec2(SWATCH_PT, SWATCH_PT), Sense::click());
        let named = format!("Color of {}", class.name);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &named));
        let [r, g, b] = class.color;
        ui.painter().rect_filled(swatch, 4.0, Color32::from_rgb(r, g, b));
        if response.on_hover_text("Click for the next color").clicked() {
            let next = AnnotationClass { color: next_color(class.color), ..class.clone() };
            commands.push(ReviewCommand::SetClassDraft(index, next));
            commands.push(ReviewCommand::KeepClasses);
        }
        let mut name = class.name.clone();
        let field = TextEdit::singleline(&mut name).desired_width(ui.available_width() - 90.0);
        let field = ui.add(field);
        let label = format!("Name of class {}", index + 1);
        field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, &label));
        if field.changed() {
            let renamed = AnnotationClass { name, ..class.clone() };
            commands.push(ReviewCommand::SetClassDraft(index, renamed));
        }
        if field.lost_focus() {
            commands.push(ReviewCommand::KeepClasses);
        }
        let remove = ui.add_enabled(can_remove, egui::Button::new("Remove"));
        let named = format!("Remove {}", class.name);
        remove.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, can_remove, &named));
        if remove.on_hover_text("Annotations of this class keep it").clicked() {
            commands.push(ReviewCommand::RemoveClass(index));
        }
    });
}

/// Round and round.
fn next_color(color: [u8; 3]) -> [u8; 3] {
    let colors = AnnotationClass::COLORS;
    let at = colors.iter().position(|other| *other == color).map_or(0, |at| at + 1);
    colors.get(at % colors.len()).copied().unwrap_or(color)
}

/// Class colors on the panel: lifted until they can be read.
fn readable([r, g, b]: [u8; 3]) -> Color32 {
    let lifted = |value: u8| value / 2 + 127;
    let is_dark = u16::from(r) + u16::from(g) + u16::from(b) < 380;
    if is_dark {
        Color32::from_rgb(lifted(r), lifted(g), lifted(b))
    } else {
        Color32::from_rgb(r, g, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{apply, samples};
    use crate::state::State;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_class_is_renamed_recolored_and_removed_by_its_controls() {
        let show = |ui: &mut Ui, state: &mut State| {
            let mut commands = Commands::default();
            classes_ui(ui, &state.review, &mut commands);
            for command in commands.take() {
                apply(state, command);
            }
        };
        let mut harness = Harness::new_ui_state(show, samples::reviewed());
        harness.get_by_label("Change the classes").click();
        harness.run();
        let name = |harness: &Harness<'_, State>| {
            harness.get_by_role_and_label(egui::Role::TextInput, "Name of class 2").focus();
        };
        name(&harness);
        harness.run();
        harness
            .get_by_role_and_label(egui::Role::TextInput, "Name of class 2")
            .type_text(" tissue");
        harness.run();
        harness.get_by_label("Color of Lesion").click();
        harness.run();
        harness.get_by_label("Remove Artifact").click();
        harness.run();
        let classes = harness.state().review.review.classes().to_vec();
        let names: Vec<_> = classes.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["Lesion", "Normal tissue", "Uncertain"]);
        assert_eq!(classes[0].color, AnnotationClass::COLORS[1]);
    }
}
