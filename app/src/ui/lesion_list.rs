//! The panel of the annotations: tools, the list by falling score, and the one that is selected.

use domain::annotation::{Annotation, Shape, Verdict};
use domain::scale::{Area, Mpp};
use egui::{
    Color32, ComboBox, DragValue, Rect, RichText, ScrollArea, Sense, Slider, Ui, pos2, vec2,
};
use review::ReviewStatus;
use review::journal::Standing;

use super::theme;
use crate::command::entries::key_label;
use crate::command::{Commands, ReviewCommand};
use crate::state::review::{Keeping, ReviewState, Tool};
use crate::state::session::KeySet;

mod bookmarks;
mod classes;
mod selected;

/// Height of the list.
const LIST_PT: f32 = 230.0;

/// Of one line with its thumbnail, without the space below it.
const ROW_PT: f32 = 36.0;

/// Of one line of the list of changes.
const CHANGE_PT: f32 = 24.0;

const STATUSES: [(ReviewStatus, &str); 3] = [
    (ReviewStatus::Unseen, "Not begun"),
    (ReviewStatus::InProgress, "In progress"),
    (ReviewStatus::Reviewed, "Reviewed"),
];

/// Draws the panel.
pub(crate) fn lesion_list_ui(
    ui: &mut Ui,
    review: &ReviewState,
    mpp: Option<Mpp>,
    keys: KeySet,
    commands: &mut Commands,
) {
    title_ui(ui, review, commands);
    if let Keeping::Off(reason) = &review.keeping {
        let text = RichText::new(format!("Only to look at: {reason}")).color(theme::WARNING);
        ui.add(egui::Label::new(text.small()).wrap());
    }
    ui.add_enabled_ui(review.can_edit(), |ui| {
        tools_ui(ui, review, keys, commands);
        classes::classes_ui(ui, review, commands);
        commit_ui(ui, review, mpp, commands);
    });
    list_ui(ui, review, mpp, commands);
    ui.add_enabled_ui(review.can_edit(), |ui| {
        selected::selected_ui(ui, review, mpp, keys, commands);
        steps_ui(ui, review, commands);
        bookmarks::bookmarks_ui(ui, review, commands);
    });
    changes_ui(ui, review);
}

fn title_ui(ui: &mut Ui, review: &ReviewState, commands: &mut Commands) {
    ui.horizontal(|ui| {
        super::section_title(ui, "Annotations");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let mut is_shown = review.is_shown;
            if ui.checkbox(&mut is_shown, "Show  (Shift+H)").changed() {
                commands.push(ReviewCommand::SetShown(is_shown));
            }
        });
    });
    ui.horizontal(|ui| {
        let status = review.review.status();
        let title = STATUSES.iter().find(|(other, _)| *other == status).map_or("", |it| it.1);
        let combo = ComboBox::from_id_salt("status").selected_text(title).show_ui(ui, |ui| {
            for (other, name) in STATUSES {
                if ui.selectable_label(status == other, name).clicked() {
                    commands.push(ReviewCommand::SetStatus(other));
                }
            }
        });
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Review status"));
        let (text, color) = match &review.keeping {
            Keeping::On(Standing::Kept) => ("all changes saved", theme::TEXT_WEAK),
            Keeping::On(Standing::Pending) => ("saving…", theme::TEXT_WEAK),
            Keeping::On(Standing::Failing(_)) => ("NOT SAVED", theme::ERROR),
            Keeping::Loading => ("reading…", theme::TEXT_WEAK),
            Keeping::Off(_) => ("read-only", theme::WARNING),
        };
        ui.label(RichText::new(text).small().color(color));
    });
}

fn tools_ui(ui: &mut Ui, review: &ReviewState, keys: KeySet, commands: &mut Commands) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for tool in Tool::ALL {
            let key = key_label(keys, ReviewCommand::SetTool(tool));
            let button = ui.selectable_label(review.tool == tool, tool.title());
            if button.on_hover_text(format!("{}, key {key}", tool.hint())).clicked() {
                commands.push(ReviewCommand::SetTool(tool));
            }
        }
    });
    if review.tool.is_round() {
        let mut radius_pt = review.brush_pt;
        ui.spacing_mut().slider_width = 130.0;
        let slider = Slider::new(&mut radius_pt, 2.0..=200.0).logarithmic(true);
        if ui.add(slider.fixed_decimals(0).text("Brush radius  (, and .)")).changed() {
            commands.push(ReviewCommand::SetBrush(radius_pt));
        }
    }
}

fn commit_ui(ui: &mut Ui, review: &ReviewState, mpp: Option<Mpp>, commands: &mut Commands) {
    let (length_unit, area_unit) = if mpp.is_some() { ("µm", "µm²") } else { ("px", "px²") };
    let size = vec2(ui.available_width(), 28.0);
    let button = theme::primary_button("Annotate the lesions at t  (Enter)").min_size(size);
    if ui.add(button).clicked() {
        commands.push(ReviewCommand::Commit);
    }
    ui.horizontal(|ui| {
        let (mut min_area, mut tolerance) = (review.min_area, review.tolerance);
        let label = ui.label("from");
        let value = DragValue::new(&mut min_area).range(0.0..=1e8).speed(50.0).max_decimals(0);
        if ui.add(value.suffix(format!(" {area_unit}"))).labelled_by(label.id).changed() {
            commands.push(ReviewCommand::SetMinArea(min_area));
        }
        let label = ui.label("straightened by");
        let value = DragValue::new(&mut tolerance).range(0.0..=100.0).speed(0.1).max_decimals(1);
        if ui.add(value.suffix(format!(" {length_unit}"))).labelled_by(label.id).changed() {
            commands.push(ReviewCommand::SetTolerance(tolerance));
        }
    });
}

fn list_ui(ui: &mut Ui, review: &ReviewState, mpp: Option<Mpp>, commands: &mut Commands) {
    let listed = review.listed();
    if listed.is_empty() {
        let text = "None yet: set t and press Enter, or draw with the brush.";
        ui.label(RichText::new(text).color(theme::TEXT_WEAK));
        return;
    }
    ui.label(RichText::new(counts(review)).small().color(theme::TEXT_WEAK));
    let scroll = ScrollArea::vertical().id_salt("annotations").max_height(LIST_PT);
    scroll.auto_shrink([false, true]).show_rows(ui, ROW_PT, listed.len(), |ui, rows| {
        let seen = listed.get(rows.clone()).unwrap_or_default();
        if !review.unseen(seen.iter().copied()).is_empty() {
            commands.push(ReviewCommand::Illustrate(seen.to_vec()));
        }
        for index in rows {
            let annotation = listed.get(index).and_then(|id| review.review.get(*id));
            if let Some(annotation) = annotation {
                row_ui(ui, index, annotation, review, mpp, commands);
            }
        }
    });
}

/// `12 annotations, 3 accepted, 1 rejected`.
fn counts(review: &ReviewState) -> String {
    let annotations = review.review.annotations();
    let n = |verdict| annotations.iter().filter(|it| it.verdict == verdict).count();
    let (accepted, rejected) = (n(Verdict::Accepted), n(Verdict::Rejected));
    format!("{} in all, {accepted} accepted, {rejected} rejected", annotations.len())
}

fn row_ui(
    ui: &mut Ui,
    index: usize,
    annotation: &Annotation,
    review: &ReviewState,
    mpp: Option<Mpp>,
    commands: &mut Commands,
) {
    ui.horizontal(|ui| {
        ui.spacing_mut().button_padding.y = 2.0;
        let (dot, _) = ui.allocate_exact_size(vec2(12.0, ROW_PT), Sense::hover());
        let [r, g, b] = annotation.class.color;
        ui.painter().circle_filled(dot.center(), 5.0, Color32::from_rgb(r, g, b));
        let (place, _) = ui.allocate_exact_size(vec2(ROW_PT, ROW_PT), Sense::hover());
        if let Some(picture) = review.thumbnail(annotation.id) {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            let texture = picture.texture(ui.ctx()).id();
            ui.painter().image(texture, place, whole, Color32::WHITE);
        }
        let is_selected = review.selected.contains(&annotation.id);
        let mut text = RichText::new(title(index, annotation, mpp));
        if annotation.verdict == Verdict::Rejected {
            text = text.strikethrough().color(theme::TEXT_WEAK);
        }
        let row = egui::Button::selectable(is_selected, text).truncate();
        if ui.add(row).clicked() {
            commands.push(ReviewCommand::Look(annotation.id));
        }
    });
}

/// `3  Lesion  0.94  0.125 mm²  accepted`; its name, where it has one, in place of its class.
fn title(index: usize, annotation: &Annotation, mpp: Option<Mpp>) -> String {
    let name = if annotation.name.is_empty() { &annotation.class.name } else { &annotation.name };
    let score = annotation.score.map(|score| format!("  {score:.2}")).unwrap_or_default();
    let verdict = match annotation.verdict {
        Verdict::Proposed => "",
        Verdict::Accepted => "  accepted",
        Verdict::Rejected => "  rejected",
    };
    format!("{}  {name}{score}  {}{verdict}", index + 1, size_text(&annotation.shape, mpp))
}

/// The area of an outline, the length of a line.
fn size_text(shape: &Shape, mpp: Option<Mpp>) -> String {
    match shape {
        Shape::Area(_) => Area::from_level0_px(shape.area_level0_px(), mpp).to_string(),
        Shape::Line(line) => super::length_text(line, mpp),
    }
}

fn steps_ui(ui: &mut Ui, review: &ReviewState, commands: &mut Commands) {
    ui.horizontal(|ui| {
        let undo = egui::Button::new("Undo  (Ctrl+Z)");
        if ui.add_enabled(review.review.can_undo(), undo).clicked() {
            commands.push(ReviewCommand::Undo);
        }
        let redo = egui::Button::new("Redo  (Ctrl+Y)");
        if ui.add_enabled(review.review.can_redo(), redo).clicked() {
            commands.push(ReviewCommand::Redo);
        }
    });
}

/// Who changed what and when, the latest first.
fn changes_ui(ui: &mut Ui, review: &ReviewState) {
    let changes = review.review.changes();
    if changes.is_empty() {
        return;
    }
    egui::CollapsingHeader::new("Who changed what").show(ui, |ui| {
        let scroll = ScrollArea::vertical().id_salt("changes").max_height(LIST_PT);
        scroll.show_rows(ui, CHANGE_PT, changes.len(), |ui, rows| {
            for change in changes.iter().rev().skip(rows.start).take(rows.len()) {
                let text = format!("{}  {}  {}", change.at, change.by, change.what);
                ui.label(RichText::new(text).small().color(theme::TEXT_WEAK));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    /// What clicking on these asks for, one after the other, with these annotations selected.
    fn asked(n_selected: usize, labels: &[&str]) -> Vec<Command> {
        let mut state = samples::reviewed();
        let selected = state.review.listed()[..n_selected].iter().copied().collect();
        state.review.select(selected);
        let (review, mpp) = (&state.review, Mpp::new(0.5, 0.5));
        let mut commands = Commands::default();
        let mut harness = Harness::builder()
            .with_size(vec2(330.0, 900.0))
            .build_ui(|ui| lesion_list_ui(ui, review, mpp, KeySet::QuPath, &mut commands));
        for label in labels {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        let is_of_a_hand =
            |it: &Command| !matches!(it, Command::Review(ReviewCommand::Illustrate(_)));
        commands.take().into_iter().filter(is_of_a_hand).collect()
    }

    #[test]
    fn a_tool_a_class_and_a_commit_are_each_one_click() {
        let labels = ["Erase", "Uncertain", "Annotate the lesions at t  (Enter)"];
        let expected = [
            ReviewCommand::SetTool(Tool::Erase),
            ReviewCommand::SetClass(2),
            ReviewCommand::Commit,
        ];
        assert_eq!(asked(0, &labels), expected.map(Command::Review));
    }

    #[test]
    fn the_list_goes_by_score_and_a_click_looks_at_the_lesion() {
        let id = samples::reviewed().review.listed().len();
        assert_eq!(id, 2);
        let commands = asked(0, &["2  Lesion  0.40  2500 µm²  accepted"]);
        assert!(matches!(commands[..], [Command::Review(ReviewCommand::Look(_))]));
    }

    #[test]
    fn what_is_selected_is_judged_merged_and_deleted_by_buttons() {
        let expected = [
            ReviewCommand::Judge(Verdict::Accepted),
            ReviewCommand::Judge(Verdict::Rejected),
            ReviewCommand::Merge,
            ReviewCommand::Delete,
        ];
        assert_eq!(
            asked(2, &["Accept", "Reject", "Merge", "Delete"]),
            expected.map(Command::Review)
        );
    }

    #[test]
    fn the_status_is_chosen_from_a_list() {
        let expected = ReviewCommand::SetStatus(ReviewStatus::Reviewed);
        assert_eq!(asked(0, &["Review status", "Reviewed"]), [Command::Review(expected)]);
    }

    #[test]
    fn steps_are_taken_back_by_a_button() {
        assert_eq!(asked(0, &["Undo  (Ctrl+Z)"]), [Command::Review(ReviewCommand::Undo)]);
    }

    #[test]
    fn a_slide_that_is_open_elsewhere_can_only_be_looked_at() {
        let mut state = samples::reviewed();
        state.review.keeping = Keeping::Off("another window has it".to_owned());
        let mut commands = Commands::default();
        let mut harness = Harness::builder().with_size(vec2(330.0, 900.0)).build_ui(|ui| {
            lesion_list_ui(ui, &state.review, None, KeySet::QuPath, &mut commands);
        });
        harness.get_by_label("Only to look at: another window has it");
        harness.get_by_label("Brush").click();
        harness.run();
        drop(harness);
        let asked = commands.take();
        let is_look = |it: &Command| matches!(it, Command::Review(ReviewCommand::Illustrate(_)));
        assert!(asked.iter().all(is_look), "{asked:?}");
    }
}
