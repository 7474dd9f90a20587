//! Work under way, over the bottom of the canvas, unless a window of its own shows it.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Id, ProgressBar, RichText};

use super::model_panel::pace;
use super::theme;
use crate::command::{Commands, WindowCommand};
use crate::state::State;
use crate::state::jobs::{JobKind, RunningJob};

/// Quicker jobs never show up.
const SHOWN_AFTER: Duration = Duration::from_millis(400);

/// Draws the tray above `bottom_left`; asks to be drawn again when a job becomes worth showing.
pub(crate) fn job_tray_ui(
    ctx: &egui::Context,
    bottom_left: egui::Pos2,
    state: &State,
    commands: &mut Commands,
) {
    let now = Instant::now();
    let age = |job: &RunningJob| now.saturating_duration_since(job.started);
    let (old, young): (Vec<_>, Vec<_>) = state
        .jobs
        .visible()
        .filter(|job| !is_shown_elsewhere(job.kind, state))
        .partition(|job| SHOWN_AFTER <= age(job));
    if !young.is_empty() {
        ctx.request_repaint_after(SHOWN_AFTER);
    }
    if old.is_empty() {
        return;
    }
    Area::new(Id::unique("job-tray"))
        .pivot(Align2::LEFT_BOTTOM)
        .fixed_pos(bottom_left + egui::vec2(12.0, -60.0))
        .show(ctx, |ui| {
            ui.set_max_width(340.0);
            for job in old {
                theme::card().show(ui, |ui| job_ui(ui, job, now, commands));
            }
        });
}

fn is_shown_elsewhere(kind: JobKind, state: &State) -> bool {
    match kind {
        JobKind::Analyze => true,
        JobKind::CheckFolder | JobKind::PreviewBags | JobKind::Train => state.training.is_open,
        JobKind::Compare => state.comparing.is_open,
        _ => false,
    }
}

fn job_ui(ui: &mut egui::Ui, job: &RunningJob, now: Instant, commands: &mut Commands) {
    ui.label(RichText::new(&job.title).color(theme::TEXT_STRONG));
    ui.add(ProgressBar::new(job.fraction().unwrap_or(0.0)).desired_height(8.0));
    ui.horizontal(|ui| {
        let text = format!("{} · {}", job.stage, pace(job, now));
        ui.label(RichText::new(text).small().color(theme::TEXT_WEAK));
        if ui.add_enabled(!job.is_stopping, egui::Button::new("Cancel").small()).clicked() {
            commands.push(WindowCommand::CancelJob(job.id));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::state::jobs::{JobId, JobTray};
    use egui_kittest::{Harness, kittest::Queryable as _};

    /// One job that has been running for `age`.
    fn running(kind: JobKind, age: Duration) -> State {
        let started = Instant::now().checked_sub(age).unwrap();
        let job = RunningJob::new(JobId(7), kind, "Job a".to_owned(), started);
        State { jobs: JobTray { running: vec![job] }, ..State::default() }
    }

    fn is_shown(state: &State) -> bool {
        let mut commands = Commands::default();
        let corner = egui::pos2(10.0, 500.0);
        let mut harness = Harness::new_ui(|ui| job_tray_ui(ui.ctx(), corner, state, &mut commands));
        harness.run_steps(2);
        harness.query_by_label("Job a").is_some()
    }

    #[test]
    fn a_long_job_is_named_and_can_be_cancelled() {
        let state = running(JobKind::Export, Duration::from_secs(3));
        let mut commands = Commands::default();
        let corner = egui::pos2(10.0, 500.0);
        let mut harness =
            Harness::new_ui(|ui| job_tray_ui(ui.ctx(), corner, &state, &mut commands));
        harness.run();
        harness.get_by_label("Job a");
        harness.get_by_label("Cancel").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::Window(WindowCommand::CancelJob(JobId(7)))]);
    }

    #[test]
    fn a_job_of_a_moment_is_not_shown() {
        assert!(!is_shown(&running(JobKind::Export, Duration::ZERO)));
    }

    #[test]
    fn what_an_open_window_shows_is_not_shown_twice() {
        let mut state = running(JobKind::Compare, Duration::from_secs(3));
        assert!(is_shown(&state));
        state.comparing.is_open = true;
        assert!(!is_shown(&state));
    }
}
