//! The panel of the most informative patches: reads state, pushes commands, owns nothing.

use egui::{CollapsingHeader, RichText, Slider, Ui};

use super::theme;
use crate::command::{Commands, InformativeCommand};
use crate::state::State;
use crate::state::informative::{InformativeState, Ranked};
use crate::state::jobs::JobKind;

/// Draws the panel, closed until someone opens it.
pub(crate) fn informative_panel_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let title = RichText::new("Informative patches").strong().size(15.0);
    CollapsingHeader::new(title).show(ui, |ui| match &state.informative.ranked {
        None => find_ui(ui, state, commands),
        Some(ranked) => ranked_ui(ui, &state.informative, ranked, commands),
    });
}

fn find_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let text =
        "Ranks the patches of tissue by how much fine structure they hold. It takes no model.";
    ui.label(RichText::new(text).color(theme::TEXT_WEAK));
    let is_looking = state.jobs.of_kind(JobKind::JudgePatches).is_some();
    let button = ui.add_enabled(!is_looking, theme::primary_button("Find informative patches"));
    if button.clicked() {
        commands.push(InformativeCommand::Find);
    }
}

fn ranked_ui(
    ui: &mut Ui,
    informative: &InformativeState,
    ranked: &Ranked,
    commands: &mut Commands,
) {
    let InformativeState { mut percent, mut is_shown, mut limits_runs, .. } = *informative;
    let patches = &ranked.patches;
    let n = patches.n_candidates();
    if n == 0 {
        ui.label(RichText::new("There is no tissue on this slide.").color(theme::TEXT_WEAK));
        return;
    }
    if ui.checkbox(&mut is_shown, "Show on the slide").changed() {
        commands.push(InformativeCommand::SetShown(is_shown));
    }
    let label = ui.label("Patches with the most fine structure");
    ui.spacing_mut().slider_width = ui.available_width() - 66.0;
    let slider = Slider::new(&mut percent, 1..=100).suffix(" %");
    if ui.add(slider).labelled_by(label.id).changed() {
        commands.push(InformativeCommand::SetPercent(percent));
    }
    let chosen = patches.n_chosen(informative.share());
    ui.label(format!("{chosen} of {n} patches of tissue"));
    if ui.checkbox(&mut limits_runs, "Run models on these patches only").changed() {
        commands.push(InformativeCommand::LimitRuns(limits_runs));
    }
    let note = if limits_runs {
        "A run is quicker so, and marks nothing elsewhere."
    } else {
        "Much structure does not mean disease: folds, ink and debris have some too."
    };
    ui.label(RichText::new(note).color(theme::TEXT_WEAK));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui::Role;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn patches_are_found_by_a_button() {
        let state = samples::state();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| find_ui(ui, &state, &mut commands));
        harness.get_by_label("Find informative patches").click();
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::Informative(InformativeCommand::Find)]);
    }

    #[test]
    fn the_slider_has_a_name_and_says_how_many_patches_it_takes() {
        let informative =
            InformativeState { ranked: Some(samples::ranked()), ..InformativeState::default() };
        let ranked = informative.ranked.clone().unwrap();
        let n = ranked.patches.n_candidates();
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| ranked_ui(ui, &informative, &ranked, &mut commands));
        let chosen = ranked.patches.n_chosen(0.2);
        harness.get_by_label(&format!("{chosen} of {n} patches of tissue"));
        let slider =
            harness.get_by_role_and_label(Role::Slider, "Patches with the most fine structure");
        slider.set_value_accesskit(60.0);
        harness.run();
        harness.get_by_label("Run models on these patches only").click();
        harness.run();
        drop(harness);
        let expected = [InformativeCommand::SetPercent(60), InformativeCommand::LimitRuns(true)];
        let asked = commands.take();
        for command in expected.map(Command::Informative) {
            assert!(asked.contains(&command), "{asked:?}");
        }
    }
}
