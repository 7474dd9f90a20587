//! What a finished run reached.

use egui::{Grid, RichText, Ui};
use model::camseg::SideScale;
use model::train::{Stage, StopReason, TrainReport};

use super::keep::keep_ui;
use super::keep_encoder::keep_encoder_ui;
use super::report::report_ui;
use super::weak;
use crate::command::Commands;
use crate::state::State;
use crate::state::training::run_view::RunView;
use crate::ui::{section_title, theme};

/// Share of the probability that maps keep, below which the result warns.
const FAITHFUL: f64 = 0.2;

/// Said of runs whose folder has no measurement.
const NOT_EXAMINED: &str = "This run does not say how its model does on single images: it was trained by an earlier \
    version, or its validation.json cannot be read. Curves and lists of images are left out.";

/// Figures of a report and what they are called.
const FIGURES: [(&str, &str); 6] = [
    ("val_auc", "AUC"),
    ("val_accuracy", "Accuracy"),
    ("val_faithfulness", "Faithfulness of the maps"),
    ("val_loss", "Loss"),
    ("val_label_miou", "mIoU with the heatmaps"),
    ("val_label_iou", "IoU with the heatmaps"),
];

/// Said of an encoder of one's own.
const OF_ENCODERS: &str = "The error says how well hidden patches are guessed, not how well a model sees through the encoder: train \
    heatmaps with it and with a shipped one, and compare the two models.";

pub(super) fn result_ui(
    ui: &mut Ui,
    (run, report): (&RunView, &TrainReport),
    state: &State,
    commands: &mut Commands,
) {
    section_title(ui, "Result");
    if run.stage == Stage::Pretraining {
        weak(ui, &format!("The encoder is from the last of {} epochs.", report.n_epochs));
        if let Some(error) = figure(report, "val_loss") {
            ui.label(format!("Error of hidden patches in files that were only looked at: {error}"));
        }
        weak(ui, OF_ENCODERS);
        keep_encoder_ui(ui, &state.training, &state.models, commands);
        return;
    }
    let why = match report.stopped {
        StopReason::Finished => "all epochs were run",
        StopReason::EarlyStop => "it ended early, since nothing improved any more",
        StopReason::Cancelled => "it was stopped",
    };
    let (best, n) = (report.best_epoch, report.n_epochs);
    weak(ui, &format!("The model is from epoch {best} of {n}; {why}."));
    match &run.examined {
        Some(examined) => report_ui(ui, examined, commands),
        None => {
            figures_ui(ui, report);
            weak(ui, NOT_EXAMINED);
        }
    }
    weak(
        ui,
        "Measured on the validation images, which also chose the epoch: images that took no part may do worse.",
    );
    side_masks_ui(ui, report);
    faithfulness_ui(ui, report);
    keep_ui(ui, &state.training, &state.models.kept, commands);
}

/// The figures of the best epoch.
fn figures_ui(ui: &mut Ui, report: &TrainReport) {
    Grid::new("result").num_columns(2).spacing([18.0, 3.0]).show(ui, |ui| {
        for (metric, name) in FIGURES {
            if let Some(value) = figure(report, metric) {
                ui.label(RichText::new(name).color(theme::TEXT_WEAK));
                ui.label(value);
                ui.end_row();
            }
        }
    });
}

/// What the masks at coarser scales count, of a network that has them.
fn side_masks_ui(ui: &mut Ui, report: &TrainReport) {
    let weight = |scale: SideScale| {
        let weight = report.metrics.get(&scale.weight_metric())?;
        Some(format!("{:.0} % at 1/{} of the resolution", 100.0 * weight, scale.side_px()))
    };
    let weights: Vec<String> = SideScale::ALL.into_iter().filter_map(weight).collect();
    if !weights.is_empty() {
        weak(ui, &format!("Side masks count, on validation images: {}.", weights.join(", ")));
    }
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
