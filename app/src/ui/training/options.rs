//! Every option with what it does and what the paper used.

use egui::{ComboBox, DragValue, RichText, Ui};
use model::train::Stage;
use model::train::options::{OptionKind, TrainOption};
use serde_json::{Value, json};

use super::weak;
use crate::command::{Commands, TrainingCommand};
use crate::state::training::plan::Plan;
use crate::ui::theme;

/// Options that are worth a look every time.
const CHIEF: [(Stage, &str); 4] = [
    (Stage::Pretraining, "tiles.choice"),
    (Stage::Pretraining, "tiles.share"),
    (Stage::Pretraining, "tiles.most"),
    (Stage::Pretraining, "epochs"),
];

/// The options that are in sight every time.
pub(super) fn chief_options_ui(ui: &mut Ui, plan: &Plan, commands: &mut Commands) {
    plan.aim.stages().iter().for_each(|stage| of_stage_ui(ui, *stage, true, plan, commands));
}

/// All the others.
pub(super) fn options_ui(ui: &mut Ui, plan: &Plan, commands: &mut Commands) {
    for stage in plan.aim.stages() {
        let title = match stage {
            Stage::Fmamil => "FMaMIL, from labels to heatmaps",
            Stage::Camseg => "Cam-seg, from heatmaps to masks",
            Stage::Pretraining => "WISE-MAE, from slides to an encoder",
        };
        ui.label(RichText::new(title).strong().color(theme::TEXT_STRONG));
        of_stage_ui(ui, *stage, false, plan, commands);
    }
}

fn of_stage_ui(ui: &mut Ui, stage: Stage, are_chief: bool, plan: &Plan, commands: &mut Commands) {
    for (option, value) in plan.options(stage) {
        if CHIEF.contains(&(stage, option.path)) == are_chief {
            let is_changed = plan.changes(stage).contains_key(option.path);
            option_ui(ui, (stage, option), &value, is_changed, commands);
        }
    }
}

fn option_ui(
    ui: &mut Ui,
    (stage, option): (Stage, &'static TrainOption),
    value: &Value,
    is_changed: bool,
    commands: &mut Commands,
) {
    ui.horizontal(|ui| {
        if let Some(set) = control_ui(ui, option, value) {
            commands.push(TrainingCommand::SetOption(stage, option.path, set));
        }
        if let Some(paper) = option.paper {
            ui.label(RichText::new(format!("paper: {paper}")).small().color(theme::TEXT_WEAK));
        }
        let reset = egui::Button::new("Preset's").small();
        if is_changed && ui.add(reset).on_hover_text("Take the preset's value again").clicked() {
            commands.push(TrainingCommand::ResetOption(stage, option.path));
        }
    });
    weak(ui, option.says);
}

/// The control of an option, named by its title. Answers with what it was set to.
fn control_ui(ui: &mut Ui, option: &TrainOption, value: &Value) -> Option<Value> {
    match option.kind {
        OptionKind::Switch => {
            let mut is_on = value.as_bool().unwrap_or_default();
            ui.checkbox(&mut is_on, option.title).changed().then(|| json!(is_on))
        }
        OptionKind::Choice(words) => choice_ui(ui, option.title, words, value),
        OptionKind::Count { least, most } => {
            let mut count = value.as_u64().unwrap_or(least);
            let drag = DragValue::new(&mut count).range(least..=most);
            let label = ui.label(option.title);
            ui.add(drag).labelled_by(label.id).changed().then(|| json!(count))
        }
        OptionKind::Number { least, most } => {
            let mut number = value.as_f64().unwrap_or(least);
            let drag = DragValue::new(&mut number)
                .range(least..=most)
                .speed((most - least) / 500.0)
                .max_decimals(8);
            let label = ui.label(option.title);
            ui.add(drag).labelled_by(label.id).changed().then(|| json!(number))
        }
    }
}

fn choice_ui(
    ui: &mut Ui,
    title: &str,
    words: &[(&'static str, &'static str)],
    value: &Value,
) -> Option<Value> {
    let chosen = words.iter().find(|(word, _)| value == word).map_or("", |(_, name)| *name);
    let mut set = None;
    let label = ui.label(title);
    let combo = ComboBox::from_id_salt(title).selected_text(chosen).show_ui(ui, |ui| {
        for (word, name) in words {
            if ui.selectable_label(value == word, *name).clicked() {
                set = Some(json!(word));
            }
        }
    });
    combo.response.labelled_by(label.id);
    set
}
