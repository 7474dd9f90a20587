//! A run: how far it is, its curves, and what it says.

use egui::{RichText, Ui};
use model::memory::MemoryUse;
use model::train::Stage;

use super::{curves, job_ui, looks, path_row_ui, reconstructions, result, weak};
use crate::command::{Commands, TrainingCommand};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::run_view::{RunView, Standing};
use crate::ui::{section_title, theme};

pub(super) fn run_page_ui(ui: &mut Ui, run: &RunView, state: &State, commands: &mut Commands) {
    section_title(
        ui,
        match run.stage {
            Stage::Fmamil => "FMaMIL: heatmaps from labels",
            Stage::Camseg => "Cam-seg: masks from heatmaps",
            Stage::Pretraining => "WISE-MAE: an encoder from slides",
        },
    );
    ui.label(RichText::new(standing(run)).color(theme::TEXT_STRONG));
    if run.is_under_way() {
        weak(ui, &memory(state.training.memory));
    }
    weak(ui, &format!("Run folder {}", run.dir.display()));
    job_ui(ui, state, JobKind::Train);
    actions_ui(ui, run, state, commands);
    if run.epochs.is_empty() && run.is_under_way() {
        weak(ui, before_curves(run.stage));
    } else {
        curves::curves_ui(ui, run);
    }
    looks::looks_ui(ui, &run.looks);
    reconstructions::reconstructions_ui(ui, &run.reconstructions, commands);
    if let Some(report) = run.report() {
        result::result_ui(ui, (run, report), state, commands);
    }
    log_ui(ui, run);
}

/// What is done before the first epoch.
fn before_curves(stage: Stage) -> &'static str {
    match stage {
        Stage::Fmamil | Stage::Camseg => {
            "Curves begin with the first epoch; before it, every image is described once by the encoder."
        }
        Stage::Pretraining => {
            "Curves begin with the first epoch; before it, patches are judged by their fine structure, and tiles are read from the chosen \
             ones."
        }
    }
}

/// `Epoch 3 of 6, attempt 2 · on CPU`.
fn standing(run: &RunView) -> String {
    let done = run.epochs.last().map_or(0, |it| it.epoch);
    let attempt =
        if 1 < run.attempt { format!(", attempt {}", run.attempt) } else { String::new() };
    let device = run.device.map_or(String::new(), |device| format!(" · on {device}"));
    let word = match &run.standing {
        Standing::Running => "",
        Standing::Paused => "Paused · ",
        Standing::Stopped => "Not finished · ",
        Standing::Finished(_) => "Finished · ",
    };
    format!("{word}{done} of {} epochs done{attempt}{device}", run.n_epochs)
}

/// `Memory 1.21 GB, at most 1.85 GB since the program was started`.
fn memory(used: Option<MemoryUse>) -> String {
    let Some(MemoryUse { now_bytes, peak_bytes }) = used else {
        return "Memory: not known on this system".to_owned();
    };
    let [now, peak] = [now_bytes, peak_bytes].map(|bytes| bytes as f64 / 1e9);
    format!("Memory {now:.2} GB, at most {peak:.2} GB since the program was started")
}

fn actions_ui(ui: &mut Ui, run: &RunView, state: &State, commands: &mut Commands) {
    let job = state.jobs.of_kind(JobKind::Train);
    let is_stopping = job.is_some_and(|job| job.is_stopping);
    let is_remembered = state.session.training.is_some();
    if run.standing == Standing::Stopped && !is_remembered {
        folder_of_run_ui(ui, state, commands);
    }
    ui.horizontal(|ui| match &run.standing {
        Standing::Running | Standing::Paused => {
            let is_paused = run.standing == Standing::Paused;
            let text = if is_paused { "Go on" } else { "Pause" };
            if ui.add_enabled(!is_stopping, egui::Button::new(text)).clicked() {
                commands.push(TrainingCommand::SetPaused(!is_paused));
            }
            let text = if is_stopping { "Stopping…" } else { "Stop" };
            let stop = ui.add_enabled(!is_stopping, egui::Button::new(text));
            if stop.on_hover_text("The run can go on later").clicked() {
                commands.push(TrainingCommand::Stop);
            }
        }
        Standing::Stopped | Standing::Finished(_) => {
            if ui.button("Another training").clicked() {
                commands.push(TrainingCommand::Plan);
            }
        }
    });
}

/// A run does not say where its images are: whoever opened it does.
fn folder_of_run_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let hint = "The folder that this run was begun with";
    let text = &state.training.folder_text;
    let (field, typed) = path_row_ui(ui, "Images", text, hint, |ui| {
        if ui.button("Go on with this run").clicked() {
            commands.push(TrainingCommand::Resume);
        }
    });
    if field.changed() {
        commands.push(TrainingCommand::SetFolderText(typed));
    }
}

fn log_ui(ui: &mut Ui, run: &RunView) {
    egui::CollapsingHeader::new("Log").default_open(false).show(ui, |ui| {
        for line in &run.log {
            ui.add(egui::Label::new(RichText::new(line).small().monospace()).wrap());
        }
    });
}
