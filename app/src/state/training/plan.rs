//! What a person decides before a training.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::camseg::CamsegConfig;
use model::data::corrected;
use model::data::folder::FolderUse;
use model::encoder::EncoderEntry;
use model::encoder::own::EncoderNote;
use model::registry::{ModelEntry, RegistryError};
use model::train::options::{TrainOption, only, value_at};
use model::train::{Preset, Stage, TrainConfig, options};
use model::wise::PretrainConfig;
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
    /// A pre-training, which needs no labels.
    Encoder,
}

impl Aim {
    pub(crate) const ALL: [Self; 4] = [Self::Heatmaps, Self::Both, Self::Masks, Self::Encoder];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Heatmaps => "Heatmaps (FMaMIL)",
            Self::Both => "Heatmaps, then sharper masks (FMaMIL, then Cam-seg)",
            Self::Masks => "Sharper masks for the chosen model (Cam-seg)",
            Self::Encoder => "An encoder from my own slides (WISE-MAE)",
        }
    }

    pub(crate) fn stages(self) -> &'static [Stage] {
        match self {
            Self::Heatmaps => &[Stage::Fmamil],
            Self::Both => &[Stage::Fmamil, Stage::Camseg],
            Self::Masks => &[Stage::Camseg],
            Self::Encoder => &[Stage::Pretraining],
        }
    }

    /// Whether its folder has to be a labelled one.
    pub(crate) fn needs_labels(self) -> bool {
        self != Self::Encoder
    }
}

/// What stage 1 goes on from.
#[derive(Clone, Debug)]
pub(crate) enum Beginning {
    /// First weights that are drawn, and the preset's encoder.
    Usual,
    /// First weights that are drawn, for what this encoder says.
    Encoder(EncoderEntry),
    /// This model, which brings its encoder.
    Model(Box<ModelEntry>),
}

/// Everything that decides a training. Kept in the session while the training is unfinished.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Plan {
    /// What is learned from: a labelled folder, or one of slides.
    pub(crate) folder: PathBuf,
    /// The run folder; that of stage 2 lies in it if both stages are trained.
    pub(crate) run_dir: PathBuf,
    pub(crate) aim: Aim,
    /// Whether stage 1 goes on from the model, instead of from first weights that are drawn.
    pub(crate) is_fine_tuning: bool,
    /// Name of the model that is fine-tuned or refined.
    pub(crate) model: Option<String>,
    /// Name of the encoder that describes patches for a fresh start, if it is not the preset's.
    pub(crate) encoder: Option<String>,
    /// What a pre-training's encoder is to say about itself.
    pub(crate) own_encoder: EncoderNote,
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
    /// The same of a pre-training.
    pub(crate) changes_of_pretraining: BTreeMap<String, Value>,
}

impl Plan {
    /// Whether a model has to be chosen for it.
    pub(crate) fn needs_model(&self) -> bool {
        match self.aim {
            Aim::Masks => true,
            Aim::Heatmaps | Aim::Both => self.is_fine_tuning,
            Aim::Encoder => false,
        }
    }

    /// The encoder that was chosen, where there is a choice.
    pub(crate) fn chosen_encoder(&self) -> Option<&str> {
        let is_fresh = self.aim.stages().contains(&Stage::Fmamil) && !self.is_fine_tuning;
        self.encoder.as_deref().filter(|_| is_fresh)
    }

    /// The encoder of a fresh start for which none was chosen.
    pub(crate) fn usual_encoder(&self) -> String {
        TrainConfig::of(self.preset).model.encoder.name
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
            Stage::Pretraining => &self.changes_of_pretraining,
        }
    }

    pub(crate) fn changes_mut(&mut self, stage: Stage) -> &mut BTreeMap<String, Value> {
        match stage {
            Stage::Fmamil => &mut self.changes_of_stage_1,
            Stage::Camseg => &mut self.changes_of_stage_2,
            Stage::Pretraining => &mut self.changes_of_pretraining,
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
        let seed = (self.seed != 0).then(|| ("seed", json!(self.seed)));
        let of_folder = match stage {
            Stage::Fmamil | Stage::Camseg => self.settings_of_labels(),
            Stage::Pretraining => self.settings_of_encoder(),
        };
        let settings = seed.into_iter().chain(of_folder);
        let settings = settings.map(|(path, value)| (path.to_owned(), value));
        // What another network is decides which settings it has.
        let (kinds, others): (Vec<_>, Vec<_>) =
            self.changes(stage).clone().into_iter().partition(|(path, _)| path.ends_with(KIND));
        settings.chain(kinds).chain(others).collect()
    }

    /// How a labelled folder is used, where that is not as usual.
    fn settings_of_labels(&self) -> Vec<(&'static str, Value)> {
        let FolderUse { leave_out, val_share } = self.how;
        let is_other_share = val_share != FolderUse::default().val_share;
        let left_out = leave_out.then_some(("folder.leave_out", json!(true)));
        let share = is_other_share.then(|| ("folder.val_share", json!(val_share)));
        left_out.into_iter().chain(share).collect()
    }

    /// What was written about an encoder that is learned.
    fn settings_of_encoder(&self) -> Vec<(&'static str, Value)> {
        let (own, usual) = (&self.own_encoder, EncoderNote::default());
        let said = [
            ("description.name", &own.name, usual.name),
            ("description.title", &own.title, usual.title),
            ("description.trained_on", &own.trained_on, usual.trained_on),
            ("description.licence", &own.licence, usual.licence),
        ];
        let changed = said.into_iter().filter(|(_, own, usual)| *own != usual);
        changed.map(|(path, own, _)| (path, json!(own))).collect()
    }

    /// The configuration of stage 1.
    pub(crate) fn stage_1(&self, beginning: &Beginning) -> Result<TrainConfig, String> {
        let usual = TrainConfig::of(self.preset);
        let base = match beginning {
            Beginning::Usual => usual,
            Beginning::Encoder(encoder) => usual.described_by(encoder),
            Beginning::Model(model) => {
                usual.starting_from(model).map_err(|error: RegistryError| error.to_string())?
            }
        };
        self.changed(Stage::Fmamil, base, TrainConfig::changed)
    }

    /// The configuration of stage 2.
    pub(crate) fn stage_2(&self) -> Result<CamsegConfig, String> {
        self.changed(Stage::Camseg, CamsegConfig::of(self.preset), CamsegConfig::changed)
    }

    /// The configuration of a pre-training.
    pub(crate) fn pretraining(&self) -> Result<PretrainConfig, String> {
        let base = PretrainConfig::of(self.preset);
        self.changed(Stage::Pretraining, base, PretrainConfig::changed)
    }

    /// `base` with what differs from it in this plan.
    fn changed<T>(
        &self,
        stage: Stage,
        base: T,
        change: fn(&T, Value) -> Result<T, serde_json::Error>,
    ) -> Result<T, String> {
        self.settings(stage).into_iter().try_fold(base, |base, (path, value)| {
            change(&base, only(&path, value)).map_err(|error| error.to_string())
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
            Stage::Pretraining => {
                let usual = PretrainConfig::of(self.preset);
                (&options::PRETRAINING[..], serde_json::to_value(usual))
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
    use crate::state::training::samples;
    use model::wise::Choice;

    #[test]
    fn what_was_changed_is_in_the_settings_and_a_preset_keeps_the_rest() {
        let mut plan = Plan { preset: Preset::Quick, seed: 3, ..Plan::default() };
        plan.how.leave_out = true;
        plan.changes_mut(Stage::Fmamil).insert("learning_rate.peak".to_owned(), json!(0.01));
        let config = plan.stage_1(&Beginning::Usual).unwrap();
        assert_eq!((config.seed, config.learning_rate.peak), (3, 0.01));
        assert!(config.folder.leave_out);
        assert_eq!(config.epochs, TrainConfig::of(Preset::Quick).epochs);
        assert_eq!(plan.stage_2().unwrap().seed, 3);
    }

    #[test]
    fn an_encoder_that_is_chosen_describes_patches_of_a_fresh_start_alone() {
        let mut plan = Plan { encoder: Some("mine".to_owned()), ..Plan::default() };
        assert_eq!(plan.chosen_encoder(), Some("mine"));
        let config = plan.stage_1(&Beginning::Encoder(samples::encoder("mine"))).unwrap();
        assert_eq!(
            (config.model.encoder.name.as_str(), config.model.encoder.input_px),
            ("mine", 96)
        );
        assert_eq!(config.model.network.feature_dim(), 192);
        plan.is_fine_tuning = true;
        assert_eq!(plan.chosen_encoder(), None, "the model brings its own");
        let plan = Plan { aim: Aim::Masks, is_fine_tuning: false, ..plan };
        assert_eq!(plan.chosen_encoder(), None);
    }

    #[test]
    fn a_pre_training_takes_its_options_and_what_is_said_about_its_encoder() {
        let mut plan = Plan { aim: Aim::Encoder, seed: 5, ..Plan::default() };
        plan.own_encoder.name = "biopsies".to_owned();
        plan.how.leave_out = true;
        plan.set(Stage::Pretraining, "tiles.choice", json!("random"));
        let config = plan.pretraining().unwrap();
        assert_eq!((config.seed, config.tiles.choice), (5, Choice::Random));
        assert_eq!(config.description.name, "biopsies");
        let paths: Vec<String> =
            plan.settings(Stage::Pretraining).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["seed", "description.name", "tiles.choice"], "no labels are spoken of");
        assert_eq!(plan.options(Stage::Pretraining)[0].1, json!("random"));
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
