//! The planned training as lines for a terminal.

use model::train::Stage;
use serde_json::Value;

use crate::command::as_command::quoted;
use crate::state::training::plan::{Aim, Plan};

/// `slidelight-cli train …` or `slidelight-cli pretrain …`, one line a stage.
pub(crate) fn train_as_command(plan: &Plan) -> String {
    let lines: Vec<String> = plan.aim.stages().iter().map(|stage| line(plan, *stage)).collect();
    lines.join(" && \\\n  ")
}

fn line(plan: &Plan, stage: Stage) -> String {
    let path = |path: &std::path::Path| quoted(&path.display().to_string());
    let subcommand = if stage == Stage::Pretraining { "pretrain" } else { "train" };
    let mut words: Vec<String> = ["slidelight-cli", subcommand].map(str::to_owned).into();
    words.extend([path(&plan.folder), "--out".to_owned(), path(&plan.dir_of(stage))]);
    let chosen = plan.model.as_deref().map(quoted).filter(|_| plan.needs_model());
    match stage {
        Stage::Fmamil => {
            words.extend(chosen.into_iter().flat_map(|it| ["--start-from".to_owned(), it]));
            let encoder = plan.chosen_encoder().map(quoted);
            words.extend(encoder.into_iter().flat_map(|it| ["--encoder".to_owned(), it]));
        }
        Stage::Pretraining => {}
        Stage::Camseg => {
            words.extend(["--stage".to_owned(), "camseg".to_owned()]);
            let trained = || path(&plan.dir_of(Stage::Fmamil).join("model"));
            let model = if plan.aim == Aim::Both { Some(trained()) } else { chosen };
            words.extend(model.into_iter().flat_map(|it| ["--model".to_owned(), it]));
            let masks = plan.masks().map(|masks| path(&masks));
            words.extend(masks.into_iter().flat_map(|it| ["--masks".to_owned(), it]));
        }
    }
    words.extend(["--preset".to_owned(), plan.preset.word().to_owned()]);
    for (name, value) in plan.settings(stage) {
        words.extend(["--set".to_owned(), quoted(&format!("{name}={}", typed(value)))]);
    }
    words.join(" ")
}

/// As it is read back: text that would be taken for something else is quoted.
fn typed(value: Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(&text).is_err() => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::train::Preset;
    use serde_json::json;

    #[test]
    fn the_command_names_folder_run_preset_and_what_was_changed() {
        let mut plan = Plan {
            folder: "/data/my folder".into(),
            run_dir: "/runs/a-1".into(),
            preset: Preset::Balanced,
            ..Plan::default()
        };
        plan.how.leave_out = true;
        plan.changes_mut(Stage::Fmamil).insert("epochs".to_owned(), json!(9));
        assert_eq!(
            train_as_command(&plan),
            "slidelight-cli train '/data/my folder' --out /runs/a-1 --preset balanced \
             --set 'folder.leave_out=true' --set 'epochs=9'"
        );
    }

    #[test]
    fn the_encoder_that_is_chosen_is_named_where_stage_1_begins_afresh() {
        let encoder = Some("mine".to_owned());
        let mut plan =
            Plan { folder: "/d".into(), run_dir: "/r".into(), encoder, ..Plan::default() };
        let expected = "slidelight-cli train /d --out /r --encoder mine --preset quick";
        assert_eq!(train_as_command(&plan), expected);
        plan.aim = Aim::Masks;
        assert!(!train_as_command(&plan).contains("mine"));
    }

    #[test]
    fn a_pre_training_is_a_line_of_its_own_and_text_stays_text() {
        let mut plan = Plan {
            folder: "/slides".into(),
            run_dir: "/r".into(),
            aim: Aim::Encoder,
            preset: Preset::Balanced,
            encoder: Some("of stage 1".to_owned()),
            ..Plan::default()
        };
        plan.own_encoder.name = "42".to_owned();
        plan.own_encoder.trained_on = "colon, H&E".to_owned();
        plan.set(Stage::Pretraining, "tiles.choice", json!("random"));
        assert_eq!(
            train_as_command(&plan),
            "slidelight-cli pretrain /slides --out /r --preset balanced \
             --set 'description.name=\"42\"' --set 'description.trained_on=colon, H&E' \
             --set 'tiles.choice=random'"
        );
    }

    #[test]
    fn both_stages_are_two_lines_and_the_second_takes_the_model_of_the_first() {
        let plan = Plan {
            folder: "/d".into(),
            run_dir: "/r".into(),
            aim: Aim::Both,
            model: Some("a".to_owned()),
            is_fine_tuning: true,
            ..Plan::default()
        };
        assert_eq!(
            train_as_command(&plan),
            "slidelight-cli train /d --out /r --start-from a --preset quick && \\\n  \
             slidelight-cli train /d --out /r/stage-2 --stage camseg --model /r/model \
             --masks /d/corrected --preset quick"
        );
    }
}
