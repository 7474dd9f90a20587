//! Step 3: from what training begins, how long it takes, and into which folder.

use std::time::Duration;

use egui::{RichText, Ui};
use model::train::{Preset, Stage};

use super::{encoder, options, path_row_ui, weak};
use crate::command::{Commands, EncoderCommand, TrainingCommand, chosen_plan, train_as_command};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::TrainingState;
use crate::state::training::plan::{Aim, Beginning, Plan};
use crate::ui::{section_title, theme};

pub(super) fn plan_step_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let plan = &state.training.plan;
    section_title(ui, "3  The training");
    beginning_ui(ui, state, commands);
    if plan.aim == Aim::Encoder {
        encoder::note_ui(ui, &plan.own_encoder, &state.models, |note| {
            commands.push(EncoderCommand::Describe(note));
        });
    }
    corrected_ui(ui, &state.training, commands);
    preset_ui(ui, &state.training, commands);
    options::chief_options_ui(ui, plan, commands);
    egui::CollapsingHeader::new("Advanced").id_salt("advanced").show(ui, |ui| {
        options::options_ui(ui, plan, commands);
    });
    let hint = "Folder for this training; proposed by the check";
    let (field, typed) = path_row_ui(ui, "Run folder", &state.training.run_text, hint, |_| {});
    if field.changed() {
        commands.push(TrainingCommand::SetRunText(typed));
    }
    start_ui(ui, state, commands);
}

/// A fresh start with an encoder, or the model that is chosen in the viewer.
fn beginning_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let plan = &state.training.plan;
    let chosen = state.models.chosen().map(|entry| entry.manifest.title.as_str());
    if plan.aim.stages().contains(&Stage::Fmamil) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Start");
            for (is_fine_tuning, text) in [(false, "fresh"), (true, "from the chosen model")] {
                if ui.radio(plan.is_fine_tuning == is_fine_tuning, text).clicked() {
                    commands.push(TrainingCommand::SetFineTuning(is_fine_tuning));
                }
            }
        });
        if !plan.is_fine_tuning {
            encoder::choice_ui(ui, plan, &state.models, commands);
        }
    }
    if plan.needs_model() {
        match chosen {
            Some(title) => weak(ui, &format!("The chosen model: {title}")),
            None => {
                let text = "No model is chosen: choose one in the panel Model.";
                ui.label(RichText::new(text).color(theme::WARNING));
            }
        }
    }
}

/// Masks that were sent from the review, where there are some.
fn corrected_ui(ui: &mut Ui, training: &TrainingState, commands: &mut Commands) {
    let n = training.survey.as_ref().map_or(0, |survey| survey.n_corrected);
    if n == 0 || !training.plan.aim.stages().contains(&Stage::Camseg) {
        return;
    }
    let mut is_used = !training.plan.ignores_corrected;
    let text =
        format!("Cam-seg learns from the corrected masks of this folder ({n}) where there is one");
    if ui.checkbox(&mut is_used, text).changed() {
        commands.push(TrainingCommand::SetCorrected(is_used));
    }
}

fn preset_ui(ui: &mut Ui, training: &TrainingState, commands: &mut Commands) {
    let chosen = training.plan.preset;
    ui.horizontal(|ui| {
        ui.label("How long");
        for preset in Preset::ALL {
            let [features, learning] = estimate(training, preset).unwrap_or_default();
            let total = features + learning;
            let about = if total.is_zero() { String::new() } else { format!(", {}", rough(total)) };
            let text = format!("{}{about}", preset.title());
            if ui.radio(preset == chosen, text).clicked() {
                commands.push(TrainingCommand::SetPreset(preset));
            }
        }
    });
    let is_encoder = training.plan.aim == Aim::Encoder;
    weak(ui, if is_encoder { chosen.says_of_pretraining() } else { chosen.says() });
    let text = match estimate(training, chosen) {
        Some([features, learning]) => format!(
            "Measured on one image here: {} to describe the images, less where that was done before, then {} of \
             learning{}. It may end earlier, and you can pause or stop at any time.",
            rough(features),
            rough(learning),
            if training.plan.aim == Aim::Both { "; Cam-seg comes on top" } else { "" },
        ),
        None => "How long that takes depends on the images and on this machine: it is shown once training has begun, and \
                 you can pause or stop at any time."
            .to_owned(),
    };
    weak(ui, &text);
}

/// Time for the features and for the epochs with a preset, once the pace was measured.
fn estimate(training: &TrainingState, preset: Preset) -> Option<[Duration; 2]> {
    let survey = training.survey.as_deref()?;
    let plan = Plan { preset, ..training.plan.clone() };
    let is_stage_1 = plan.aim.stages().contains(&Stage::Fmamil);
    // The pace knows the encoder; epochs and copies are the preset's.
    let config = plan.stage_1(&Beginning::Usual).ok().filter(|_| is_stage_1)?;
    Some(training.pace?.estimate(&config, survey))
}

/// `about 40 s`, `about 3 min`, `about 2.5 h`.
fn rough(duration: Duration) -> String {
    let secs = duration.as_secs_f64();
    match secs {
        ..90.0 => format!("about {:.0} s", (secs / 5.0).ceil().max(1.0) * 5.0),
        ..5400.0 => format!("about {:.0} min", (secs / 60.0).ceil()),
        _ => format!("about {:.1} h", secs / 3600.0),
    }
}

fn start_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let training = &state.training;
    let plan: Plan = chosen_plan(state);
    let has_model = !plan.needs_model() || plan.model.is_some();
    let is_busy = state.jobs.of_kind(JobKind::Train).is_some();
    ui.horizontal(|ui| {
        let button = theme::primary_button("Start training");
        if ui.add_enabled(training.can_start() && has_model && !is_busy, button).clicked() {
            commands.push(TrainingCommand::Start);
        }
        let copy = ui.add_enabled(training.can_start(), egui::Button::new("Copy as command"));
        if copy.on_hover_text("The same training for a terminal").clicked() {
            ui.ctx().copy_text(train_as_command(&plan));
        }
    });
    if let Some(why_not) = why_not(state) {
        weak(ui, why_not);
    }
}

/// What has to be done before training can start.
fn why_not(state: &State) -> Option<&'static str> {
    let training = &state.training;
    if !training.plan.aim.needs_labels() {
        return match training.sources.as_deref() {
            None => Some("Check a folder of slides first."),
            Some(sources) if !sources.can_train() => Some("Mend the folder and check it again."),
            Some(_) if training.run_text.trim().is_empty() => Some("Name a run folder."),
            Some(_) => None,
        };
    }
    match training.survey.as_deref() {
        None => Some("Check a labelled folder first."),
        Some(survey) if !survey.can_train(true) => Some("Mend the folder and check it again."),
        Some(survey) if !survey.can_train(training.plan.how.leave_out) => Some(
            "Say that what cannot be used may be left out, or mend the folder and check it again.",
        ),
        Some(_) if training.run_text.trim().is_empty() => Some("Name a run folder."),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_rounded_as_far_as_they_are_known() {
        let texts =
            [0.3, 42.0, 89.0, 91.0, 5401.0].map(|secs| rough(Duration::from_secs_f64(secs)));
        assert_eq!(texts, ["about 5 s", "about 45 s", "about 90 s", "about 2 min", "about 1.5 h"]);
    }
}
