//! What a person decides before a training.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::camseg::CamsegConfig;
use model::data::corrected;
use model::data::folder::FolderUse;
use model::registry::{ModelEntry, RegistryError};
use model::train::options::{TrainOption, only, value_at};
use model::train::{Preset, Stage, TrainConfig, options};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How settings end that say which network there is; the others of its part are that network's.
const KIND: &str = "kind";

/// Which networks are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    /// Stage 1.
    #[default]
    Heatmaps,
    /// Stage 1, then stage 2 on its heatmaps.
    Both,
    /// Stage 2 on the heatmaps of the chosen model.
    Masks,
}

impl Aim {
    pub(crate) const ALL: [Self; 3] = [Self::Heatmaps, Self::Both, Self::Masks];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Heatmaps => "Heatmaps (FMaMIL)",
            Self::Both => "Heatmaps, then sharper masks (FMaMIL, then Cam-seg)",
            Self::Masks => "Sharper masks for the chosen model (Cam-seg)",
        }
    }

    pub(crate) fn stages(self) -> &'static [Stage] {
        match self {
            Self::Heatmaps => &[Stage::Fmamil],
            Self::Both => &[Stage::Fmamil, Stage::Camseg],
            Self::Masks => &[Stage::Camseg],
        }
    }
}

/// Everything that decides a training. Kept in the session while the training is unfinished.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Plan {
    /// The labelled folder.
    pub(crate) folder: PathBuf,
    /// The run folder; that of stage 2 lies in it if both stages are trained.
    pub(crate) run_dir: PathBuf,
    pub(crate) aim: Aim,
    /// Whether stage 1 goes on from the model, instead of from first weights that are drawn.
    pub(crate) is_fine_tuning: bool,
    /// Name of the model that is fine-tuned or refined.
    pub(crate) model: Option<String>,
    pub(crate) preset: Preset,
    pub(crate) how: FolderUse,
    /// Whether stage 2 takes heatmaps even of images that have a corrected mask.
    pub(crate) ignores_corrected: bool,
    /// Decides the split and everything random.
    pub(crate) seed: u64,
    /// Options of stage 1 that differ from the preset's, by their place in the configuration.
    pub(crate) changes_of_stage_1: BTreeMap<String, Value>,
    /// The same of stage 2.
    pub(crate) changes_of_stage_2: BTreeMap<String, Value>,
}

impl Plan {
    /// Whether a model has to be chosen for it.
    pub(crate) fn needs_model(&self) -> bool {
        match self.aim {
            Aim::Masks => true,
            Aim::Heatmaps | Aim::Both => self.is_fine_tuning,
        }
    }

    /// Where the run of a stage lies.
    pub(crate) fn dir_of(&self, stage: Stage) -> PathBuf {
        match (self.aim, stage) {
            (Aim::Both, Stage::Camseg) => self.run_dir.join("stage-2"),
            _ => self.run_dir.clone(),
        }
    }

    /// The folder of corrected masks, if stage 2 learns from them.
    pub(crate) fn masks(&self) -> Option<PathBuf> {
        (!self.ignores_corrected).then(|| corrected::folder_in(&self.folder))
    }

    pub(crate) fn changes(&self, stage: Stage) -> &BTreeMap<String, Value> {
        match stage {
            Stage::Fmamil => &self.changes_of_stage_1,
            Stage::Camseg => &self.changes_of_stage_2,
        }
    }

    pub(crate) fn changes_mut(&mut self, stage: Stage) -> &mut BTreeMap<String, Value> {
        match stage {
            Stage::Fmamil => &mut self.changes_of_stage_1,
            Stage::Camseg => &mut self.changes_of_stage_2,
        }
    }

    /// Sets an option; those of another network are forgotten with it.
    pub(crate) fn set(&mut self, stage: Stage, path: &str, value: Value) {
        let changes = self.changes_mut(stage);
        if let Some(part) = path.strip_suffix(KIND) {
            changes.retain(|other, _| !other.starts_with(part));
        }
        changes.insert(path.to_owned(), value);
    }

    /// Takes the preset's value of an option again.
    pub(crate) fn reset(&mut self, stage: Stage, path: &str) {
        let changes = self.changes_mut(stage);
        match path.strip_suffix(KIND) {
            Some(part) => changes.retain(|other, _| !other.starts_with(part)),
            None => drop(changes.remove(path)),
        }
    }

    /// Every setting that differs from the preset's, in the order in which they are set.
    pub(crate) fn settings(&self, stage: Stage) -> Vec<(String, Value)> {
        let usual = FolderUse::default();
        let mut settings = Vec::new();
        let mut set = |path: &str, is_changed: bool, value: Value| {
            settings.extend(is_changed.then(|| (path.to_owned(), value)));
        };
        set("seed", self.seed != 0, json!(self.seed));
        set("folder.leave_out", self.how.leave_out, json!(true));
        set("folder.val_share", self.how.val_share != usual.val_share, json!(self.how.val_share));
        // What another network is decides which settings it has.
        let (kinds, others): (Vec<_>, Vec<_>) =
            self.changes(stage).clone().into_iter().partition(|(path, _)| path.ends_with(KIND));
        settings.into_iter().chain(kinds).chain(others).collect()
    }

    /// The configuration of stage 1; `model` is what it goes on from.
    pub(crate) fn stage_1(&self, model: Option<&ModelEntry>) -> Result<TrainConfig, String> {
        let usual = TrainConfig::of(self.preset);
        let base = match model {
            Some(model) => {
                usual.starting_from(model).map_err(|error: RegistryError| error.to_string())?
            }
            None => usual,
        };
        self.settings(Stage::Fmamil).into_iter().try_fold(base, |base, (path, value)| {
            base.changed(only(&path, value)).map_err(|error| error.to_string())
        })
    }

    /// The configuration of stage 2.
    pub(crate) fn stage_2(&self) -> Result<CamsegConfig, String> {
        let base = CamsegConfig::of(self.preset);
        self.settings(Stage::Camseg).into_iter().try_fold(base, |base, (path, value)| {
            base.changed(only(&path, value)).map_err(|error| error.to_string())
        })
    }

    /// The options of a stage, each with its value in this plan.
    pub(crate) fn options(&self, stage: Stage) -> Vec<(&'static TrainOption, Value)> {
        let (options, usual) = match stage {
            Stage::Fmamil => {
                let usual = TrainConfig::of(self.preset);
                let usual = if self.is_fine_tuning { usual.with_shorter_steps() } else { usual };
                (&options::STAGE_1[..], serde_json::to_value(usual))
            }
            Stage::Camseg => {
                let usual = CamsegConfig::of(self.preset);
                (&options::STAGE_2[..], serde_json::to_value(self.stage_2().unwrap_or(usual)))
            }
        };
        let usual = usual.unwrap_or_default();
        let value = |option: &TrainOption| {
            let changed = self.changes(stage).get(option.path);
            changed.or_else(|| value_at(&usual, option.path)).cloned()
        };
        options.iter().filter_map(|option| Some((option, value(option)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_in_the_settings_and_a_preset_keeps_the_rest() {
        let mut plan = Plan { preset: Preset::Quick, seed: 3, ..Plan::default() };
        plan.how.leave_out = true;
        plan.changes_mut(Stage::Fmamil).insert("learning_rate.peak".to_owned(), json!(0.01));
        let config = plan.stage_1(None).unwrap();
        assert_eq!((config.seed, config.learning_rate.peak), (3, 0.01));
        assert!(config.folder.leave_out);
        assert_eq!(config.epochs, TrainConfig::of(Preset::Quick).epochs);
        assert_eq!(plan.stage_2().unwrap().seed, 3);
    }

    #[test]
    fn options_show_the_preset_until_they_are_changed() {
        let mut plan = Plan { preset: Preset::Thorough, ..Plan::default() };
        let epochs = |plan: &Plan| plan.options(Stage::Fmamil)[0].1.clone();
        assert_eq!(epochs(&plan), json!(TrainConfig::of(Preset::Thorough).epochs));
        plan.changes_mut(Stage::Fmamil).insert("epochs".to_owned(), json!(7));
        assert_eq!(epochs(&plan), json!(7));
    }

    #[test]
    fn another_network_of_stage_2_has_its_own_options_and_forgets_those_of_the_first() {
        let mut plan = Plan { aim: Aim::Masks, ..Plan::default() };
        let paths = |plan: &Plan| -> Vec<&str> {
            let options = plan.options(Stage::Camseg).into_iter();
            options.map(|it| it.0.path).filter(|it| it.starts_with("network")).collect()
        };
        plan.set(Stage::Camseg, "network.base", json!(8));
        assert_eq!(paths(&plan), ["network.kind", "network.base"]);
        plan.set(Stage::Camseg, "network.kind", json!("vmaml"));
        plan.set(Stage::Camseg, "network.dim", json!(16));
        assert_eq!(paths(&plan), ["network.kind", "network.dim"]);
        let config = serde_json::to_value(plan.stage_2().unwrap()).unwrap();
        assert_eq!(value_at(&config, "network.dim"), Some(&json!(16)));
        let first = &plan.settings(Stage::Camseg)[0].0;
        assert_eq!(first, "network.kind", "a command sets it first");
        plan.reset(Stage::Camseg, "network.kind");
        assert_eq!(paths(&plan), ["network.kind", "network.base"]);
        assert!(plan.stage_2().is_ok());
    }

    #[test]
    fn a_plan_survives_the_session_file() {
        let plan = Plan { folder: "/a".into(), aim: Aim::Both, seed: 2, ..Plan::default() };
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}
