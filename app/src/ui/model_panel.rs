//! Choosing a model, knowing what it is, running it.

use std::time::Instant;

use egui::{ComboBox, ProgressBar, RichText, Ui};
use model::registry::{Manifest, ModelEntry};

use super::{readable, theme};
use crate::command::{Commands, ModelCommand};
use crate::state::State;
use crate::state::jobs::{JobKind, RunningJob};

/// Draws the panel.
pub(crate) fn model_panel_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    super::section_title(ui, "Model");
    match state.models.entries.as_deref() {
        None => {
            ui.label(RichText::new("Reading the model folders…").color(theme::TEXT_WEAK));
        }
        Some([]) => no_model_ui(ui, commands),
        Some(entries) => {
            let chosen = state.models.chosen();
            choice_ui(ui, entries, chosen, commands);
            if let Some(entry) = chosen {
                about_model_ui(ui, &entry.manifest, state.overlay.result.is_some());
            }
            run_ui(ui, state, commands);
        }
    }
    for problem in &state.models.problems {
        ui.label(RichText::new(problem).color(theme::WARNING));
    }
}

fn no_model_ui(ui: &mut Ui, commands: &mut Commands) {
    ui.label(RichText::new("No model was found.").color(theme::WARNING));
    ui.label("A model is a folder with manifest, config and weights in assets/models.");
    if ui.button("Look again").clicked() {
        commands.push(ModelCommand::Reload);
    }
}

fn choice_ui(
    ui: &mut Ui,
    entries: &[ModelEntry],
    chosen: Option<&ModelEntry>,
    commands: &mut Commands,
) {
    let title = chosen.map_or("Choose a model", |entry| entry.manifest.title.as_str());
    let width = ui.available_width();
    let combo = ComboBox::from_id_salt("model").width(width).selected_text(title).truncate();
    let response = combo.show_ui(ui, |ui| {
        for entry in entries {
            let is_chosen = chosen.is_some_and(|it| it.manifest.name == entry.manifest.name);
            if ui.selectable_label(is_chosen, &entry.manifest.title).clicked() {
                commands.push(ModelCommand::Select(entry.manifest.name.clone()));
            }
        }
    });
    response
        .response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Model to run"));
}

/// What a user must know before a run; folded away by itself once there is a result to look at.
fn about_model_ui(ui: &mut Ui, manifest: &Manifest, has_result: bool) {
    egui::CollapsingHeader::new("About this model")
        .id_salt(("about-model", has_result))
        .default_open(!has_result)
        .show(ui, |ui| {
            paragraph_ui(ui, &format!("Trained on: {}", manifest.trained_on));
            metrics_ui(ui, manifest);
            let (mpp, threshold) = (manifest.mpp, manifest.recommended_threshold);
            paragraph_ui(ui, &format!("Works at {mpp} µm/px; recommended t = {threshold:.2}"));
            if let Some(calibration) = manifest.calibration {
                let n = calibration.n_images;
                paragraph_ui(ui, &format!("Probabilities are fitted to {n} validation images"));
            }
            paragraph_ui(ui, &format!("Licence: {}", manifest.licence));
            if !manifest.note.is_empty() {
                paragraph_ui(ui, &format!("Note: {}", manifest.note));
            }
            super::model_list::provenance_ui(ui, manifest);
        });
}

fn paragraph_ui(ui: &mut Ui, text: &str) {
    ui.add(egui::Label::new(RichText::new(text).color(theme::TEXT_WEAK).small()).wrap());
}

fn metrics_ui(ui: &mut Ui, manifest: &Manifest) {
    let grid = egui::Grid::new("metrics").num_columns(2).spacing([14.0, 2.0]).min_row_height(0.0);
    grid.show(ui, |ui| {
        for (name, value) in &manifest.metrics {
            ui.label(RichText::new(name.replace('_', " ")).color(theme::TEXT_WEAK).small());
            ui.label(RichText::new(format!("{value:.3}")).small());
            ui.end_row();
        }
    });
}

fn run_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    if let Some(job) = state.jobs.of_kind(JobKind::Analyze) {
        progress_ui(ui, job, commands);
        return;
    }
    let can_run = state.view.facts.is_some() && state.models.chosen().is_some();
    let size = egui::vec2(ui.available_width(), 32.0);
    let button = theme::primary_button("Run the model  (R)").min_size(size);
    if ui.add_enabled(can_run, button).clicked() {
        commands.push(ModelCommand::Run);
    }
}

fn progress_ui(ui: &mut Ui, job: &RunningJob, commands: &mut Commands) {
    theme::card().show(ui, |ui| {
        ui.label(RichText::new(job.stage).color(theme::TEXT_STRONG));
        ui.add(ProgressBar::new(job.fraction().unwrap_or(0.0)).desired_height(10.0));
        ui.horizontal(|ui| {
            ui.label(RichText::new(pace(job, Instant::now())).color(theme::TEXT_WEAK).small());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let text = if job.is_stopping { "Stopping…" } else { "Cancel" };
                if ui.add_enabled(!job.is_stopping, egui::Button::new(text)).clicked() {
                    commands.push(ModelCommand::Cancel);
                }
            });
        });
    });
}

/// `12 of 96 · 5 s · about 35 s left`.
pub(super) fn pace(job: &RunningJob, now: Instant) -> String {
    let mut parts = Vec::new();
    if 0 < job.total {
        parts.push(format!("{} of {}", job.done, job.total));
    }
    parts.push(readable(now.duration_since(job.started)));
    if let Some(left) = job.stage_left(now) {
        parts.push(format!("about {} left", readable(left)));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::jobs::JobId;
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn shown(state: &State, click: &str) -> Vec<Command> {
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| model_panel_ui(ui, state, &mut commands));
        harness.get_by_label(click).click();
        harness.run();
        drop(harness);
        commands.take()
    }

    #[test]
    fn the_run_button_asks_for_a_run() {
        let asked = shown(&samples::state(), "Run the model  (R)");
        assert_eq!(asked, [Command::Model(ModelCommand::Run)]);
    }

    #[test]
    fn a_running_model_can_be_cancelled() {
        let mut state = samples::state();
        let job = RunningJob::new(JobId(1), JobKind::Analyze, String::new(), Instant::now());
        state.jobs.running.push(job);
        assert_eq!(shown(&state, "Cancel"), [Command::Model(ModelCommand::Cancel)]);
    }

    #[test]
    fn an_empty_list_says_so() {
        let mut state = State::default();
        state.models.set_entries(Vec::new());
        assert_eq!(shown(&state, "Look again"), [Command::Model(ModelCommand::Reload)]);
    }

    #[test]
    fn pace_says_how_far_how_long_and_how_long_still() {
        let start = Instant::now();
        let mut job = RunningJob::new(JobId(1), JobKind::Analyze, String::new(), start);
        (job.done, job.total) = (12, 96);
        let text = pace(&job, start + std::time::Duration::from_secs(5));
        assert_eq!(text, "12 of 96 · 5 s · about 35 s left");
    }
}
