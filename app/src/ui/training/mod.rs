//! The training panel: a plan first, then the run. A window of its own beside the slide, which stays in use.

mod aim_step;
mod curves;
mod encoder;
mod folder_step;
mod keep;
mod keep_encoder;
mod looks;
mod options;
mod plan_step;
mod preview;
mod reconstructions;
pub(crate) mod report;
mod result;
mod run_page;

use domain::RESEARCH_USE_ONLY;
use egui::{Response, RichText, TextEdit, Ui, Window};

use super::{is_entered, theme, weak};
use crate::command::{Commands, TrainingCommand};
use crate::state::State;
use crate::state::jobs::JobKind;

/// Width of the panel at first.
const WIDTH_PT: f32 = 600.0;
/// Height of the panel at first.
const HEIGHT_PT: f32 = 620.0;

/// Draws the panel if it is open.
pub(crate) fn training_ui(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let mut is_open = state.training.is_open;
    Window::new("Train a model")
        .open(&mut is_open)
        .default_pos([40.0, 60.0])
        .default_size([WIDTH_PT, HEIGHT_PT])
        .max_size(ctx.content_rect().size() - egui::vec2(24.0, 64.0))
        .show(ctx, |ui| {
            // Each page begins at its top.
            let page = (state.training.run.is_some(), state.session.training.is_some());
            let scroll = egui::ScrollArea::vertical().id_salt(page).auto_shrink([false, false]);
            scroll.show(ui, |ui| content_ui(ui, state, commands));
        });
    if state.training.is_open && !is_open {
        commands.push(TrainingCommand::Hide);
    }
}

fn content_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.label(RichText::new(RESEARCH_USE_ONLY).color(theme::WARNING).small());
    let training = &state.training;
    if !training.is_under_way() {
        unfinished_ui(ui, state, commands);
    }
    match &training.run {
        Some(run) => run_page::run_page_ui(ui, run, state, commands),
        None => {
            aim_step::aim_step_ui(ui, &training.plan, commands);
            ui.separator();
            folder_step::folder_step_ui(ui, state, commands);
            ui.separator();
            plan_step::plan_step_ui(ui, state, commands);
            ui.separator();
            open_run_ui(ui, &training.open_text, commands);
        }
    }
}

/// Offers the training that this or an earlier window left unfinished.
fn unfinished_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let Some(plan) = &state.session.training else { return };
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new("A training is not finished").strong().color(theme::TEXT_STRONG));
        weak(ui, &format!("On {}", plan.folder.display()));
        weak(ui, &format!("Run folder {}", plan.run_dir.display()));
        ui.horizontal(|ui| {
            if ui.add(theme::primary_button("Go on with it")).clicked() {
                commands.push(TrainingCommand::Resume);
            }
            let forget = ui.button("Do not offer it again");
            if forget.on_hover_text("The run folder stays and can be opened below").clicked() {
                commands.push(TrainingCommand::Forget);
            }
        });
    });
}

fn open_run_ui(ui: &mut Ui, text: &str, commands: &mut Commands) {
    super::section_title(ui, "Or look at a run");
    let hint = "Run folder, of this window or of slidelight-cli train or pretrain";
    let (field, typed) = path_row_ui(ui, "Run", text, hint, |ui| {
        if ui.button("Choose run…").clicked() {
            commands.push(TrainingCommand::PickRun);
        }
        if ui.button("Open run").clicked() {
            commands.push(TrainingCommand::OpenRun);
        }
    });
    if field.changed() {
        commands.push(TrainingCommand::SetOpenText(typed));
    }
    if is_entered(ui, &field) {
        commands.push(TrainingCommand::OpenRun);
    }
}

/// A row with a name, a field for a path, and buttons at its right, given from right to left. Answers with the field
/// and what is typed in it.
fn path_row_ui(
    ui: &mut Ui,
    name: &str,
    text: &str,
    hint: &str,
    buttons_ui: impl FnOnce(&mut Ui),
) -> (Response, String) {
    let mut typed = text.to_owned();
    let row = ui.horizontal(|ui| {
        let label = ui.label(name);
        let right = egui::Layout::right_to_left(egui::Align::Center);
        let rest = ui.with_layout(right, |ui| {
            buttons_ui(ui);
            let field = TextEdit::singleline(&mut typed).desired_width(f32::INFINITY);
            ui.add(field.hint_text(hint)).labelled_by(label.id)
        });
        rest.inner
    });
    (row.inner, typed)
}

/// Where a job of a kind is, as a bar with words.
fn job_ui(ui: &mut Ui, state: &State, kind: JobKind) {
    if let Some(job) = state.jobs.of_kind(kind) {
        ui.add(egui::ProgressBar::new(job.fraction().unwrap_or(0.0)).desired_height(8.0));
        let pace = super::model_panel::pace(job, std::time::Instant::now());
        weak(ui, &format!("{} · {pace}", job.stage));
    }
}

#[cfg(test)]
mod tests;
