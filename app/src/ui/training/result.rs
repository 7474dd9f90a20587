//! What a finished run reached, and making it a model of the list.

use egui::{Grid, RichText, TextEdit, Ui};
use model::train::{StopReason, TrainReport};

use super::weak;
use crate::command::{Commands, TrainingCommand};
use crate::state::training::TrainingState;
use crate::ui::{section_title, theme};

/// Share of the probability that maps keep, below which the result warns.
const FAITHFUL: f64 = 0.2;

/// Figures of a report and what they are called.
const FIGURES: [(&str, &str); 6] = [
    ("val_auc", "AUC"),
    ("val_accuracy", "Accuracy"),
    ("val_faithfulness", "Faithfulness of the maps"),
    ("val_loss", "Loss"),
    ("val_label_miou", "mIoU with the heatmaps"),
    ("val_label_iou", "IoU with the heatmaps"),
];

pub(super) fn result_ui(
    ui: &mut Ui,
    report: &TrainReport,
    training: &TrainingState,
    commands: &mut Commands,
) {
    section_title(ui, "Result");
    let why = match report.stopped {
        StopReason::Finished => "all epochs were run",
        StopReason::EarlyStop => "it ended early, since nothing improved any more",
        StopReason::Cancelled => "it was stopped",
    };
    let (best, n) = (report.best_epoch, report.n_epochs);
    weak(ui, &format!("The model is from epoch {best} of {n}; {why}."));
    Grid::new("result").num_columns(2).spacing([18.0, 3.0]).show(ui, |ui| {
        for (metric, name) in FIGURES {
            if let Some(value) = figure(report, metric) {
                ui.label(RichText::new(name).color(theme::TEXT_WEAK));
                ui.label(value);
                ui.end_row();
            }
        }
    });
    weak(
        ui,
        "Measured on the validation images, which also chose the epoch: images that took no part may do worse.",
    );
    faithfulness_ui(ui, report);
    promote_ui(ui, training, commands);
}

/// Labels can be learned without their places.
fn faithfulness_ui(ui: &mut Ui, report: &TrainReport) {
    if report.metrics.get("val_faithfulness").is_some_and(|it| *it < FAITHFUL) {
        theme::warning_card().show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.label(
                "The maps are hardly faithful: what they mark does not carry the prediction. Labels were learned, places \
                 perhaps not. Look at the heatmaps with care, or train longer and with more images.",
            );
        });
    }
}

/// `0.912 (95 % interval 0.850 to 0.960)`.
fn figure(report: &TrainReport, metric: &str) -> Option<String> {
    let value = report.metrics.get(metric)?;
    let bound = |end: &str| report.metrics.get(&format!("{metric}_{end}"));
    Some(match (bound("low"), bound("high")) {
        (Some(low), Some(high)) if low < high => {
            format!("{value:.3} (95 % interval {low:.3} to {high:.3})")
        }
        (Some(_), Some(_)) => format!("{value:.3} (too few images to tell an interval)"),
        _ => format!("{value:.3}"),
    })
}

fn promote_ui(ui: &mut Ui, training: &TrainingState, commands: &mut Commands) {
    section_title(ui, "Keep it as a model");
    if let Some(name) = &training.promoted {
        let text = format!("{name} is in the list of models and chosen: run it on the open slide.");
        ui.label(RichText::new(text).color(theme::DONE));
        return;
    }
    let note = &training.note;
    for (label, text, hint, command) in [
        (
            "Name",
            &note.name,
            "letters, digits, - and _",
            TrainingCommand::SetName as fn(String) -> _,
        ),
        ("Title", &note.title, "as the list shows it", TrainingCommand::SetTitle),
        ("Trained on", &note.trained_on, "organ, stain, source", TrainingCommand::SetTrainedOn),
    ] {
        ui.horizontal(|ui| {
            let label = ui.add_sized([80.0, 20.0], egui::Label::new(label));
            let mut typed = text.clone();
            let field =
                TextEdit::singleline(&mut typed).desired_width(f32::INFINITY).hint_text(hint);
            if ui.add(field).labelled_by(label.id).changed() {
                commands.push(command(typed));
            }
        });
    }
    let button = theme::primary_button("Add to the models");
    if ui.add_enabled(!note.name.trim().is_empty(), button).clicked() {
        commands.push(TrainingCommand::Promote);
    }
}
