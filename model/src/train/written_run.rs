//! A run folder as it lies on the disk, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::event::{TrainEvent, TrainReport};
use super::run_folder::{CONFIG, EVENTS, Found, REPORT, RunFolder, SPLIT};
use super::validation::VALIDATION;
use super::{TrainConfig, TrainError};
use crate::camseg::CamsegConfig;
use crate::data::folder::Split;
use crate::encoder::own::EncoderNote;
use crate::eval::{Measurement, Metric, ThresholdRule};
use crate::registry::{InstallNote, YOUDEN};
use crate::wise::PretrainConfig;

/// Which network a run trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Stage 1: from labels to heatmaps.
    Fmamil,
    /// Stage 2: from heatmaps to sharper masks.
    Camseg,
    /// An encoder, from slides without labels.
    Pretraining,
}

/// What a run folder tells.
#[derive(Clone, Debug)]
pub struct WrittenRun {
    /// What is trained.
    pub stage: Stage,
    /// What the encoder of a pre-training says about itself.
    pub encoder: Option<EncoderNote>,
    /// Epochs planned.
    pub epochs: usize,
    /// What it has said so far.
    pub events: Vec<TrainEvent>,
    /// What it reached, once it is finished.
    pub report: Option<TrainReport>,
    /// Its model on the validation images; runs of earlier versions have none.
    pub validation: Option<Measurement>,
}

impl WrittenRun {
    /// Reads the run in `dir`, which may be under way. A last line that is half written is left out.
    ///
    /// # Errors
    /// If `dir` holds no run, or one that cannot be read.
    pub fn read(dir: &Path) -> Result<Self, TrainError> {
        let found = RunFolder::look(dir);
        if found == Found::Nothing {
            return Err(TrainError::Resume(format!(
                "expected a run folder with {CONFIG}, found none"
            )));
        }
        let Settings { stage, epochs, encoder } = Settings::read(dir)?;
        let report = match found {
            Found::Finished => Some(TrainReport {
                // The folder may have been moved since.
                model_dir: dir.join("model"),
                ..RunFolder::read_json(dir, REPORT)?
            }),
            _ => None,
        };
        let validation = report.as_ref().and_then(|_| validation(dir));
        Ok(Self { stage, encoder, epochs, events: events(dir)?, report, validation })
    }
}

impl WrittenRun {
    /// What the list of models should say of its model, apart from names: *t* and figures of the validation images.
    pub fn proposal(&self) -> InstallNote {
        let mut note = InstallNote::default();
        let Some(measured) = &self.validation else { return note };
        let n = measured.images.len();
        note.threshold = measured.recommended_threshold().map(|it| {
            let how = match it.rule {
                ThresholdRule::Otsu => {
                    format!("Otsu's t of the maps of {n} validation images; no mask was seen")
                }
                _ => format!("largest mIoU on the masks of {n} validation images"),
            };
            (it.threshold, how)
        });
        let chief = [("val_miou", Metric::Miou), ("val_dice", Metric::Dice)];
        let figures =
            chief.into_iter().filter_map(|(name, it)| Some((name, measured.figure(it)?.value)));
        note.figures = figures.map(|(name, value)| (name.to_owned(), value)).collect();
        let mut rules = measured.suggested_thresholds.iter();
        let youden = rules.find(|it| it.rule == ThresholdRule::Youden);
        if let Some(youden) = youden.filter(|_| self.stage == Stage::Fmamil) {
            note.figures.insert(YOUDEN.to_owned(), f64::from(youden.threshold));
        }
        note
    }
}

/// The measurement of a finished run; one that cannot be read is as good as none.
fn validation(dir: &Path) -> Option<Measurement> {
    let path = dir.join(VALIDATION);
    let read = path.is_file().then(|| Measurement::read(&path))?;
    read.inspect_err(|problem| tracing::warn!("{VALIDATION} of a run: {problem}")).ok()
}

/// Names of the images that chose the best epoch of the run in `dir`.
///
/// # Errors
/// If `dir` does not say.
pub fn validation_files(dir: &Path) -> Result<BTreeSet<String>, TrainError> {
    let splits: BTreeMap<String, Split> = RunFolder::read_json(dir, SPLIT)?;
    Ok(splits.into_iter().filter(|(_, it)| *it == Split::Val).map(|(file, _)| file).collect())
}

/// The first of `NAME-1`, `NAME-2`, … in `folder` that is not there yet.
pub fn free_run_folder(folder: &Path, name: &str) -> PathBuf {
    let numbered = |i: u32| folder.join(format!("{name}-{i}"));
    (1..=u32::MAX).map(numbered).find(|dir| !dir.exists()).unwrap_or_else(|| numbered(0))
}

/// What a configuration says about its run.
struct Settings {
    stage: Stage,
    epochs: usize,
    encoder: Option<EncoderNote>,
}

impl Settings {
    /// Which network a configuration is for is told by its fields.
    fn read(dir: &Path) -> Result<Self, TrainError> {
        let fmamil = RunFolder::read_json(dir, CONFIG).map(|it: TrainConfig| Self {
            stage: Stage::Fmamil,
            epochs: it.epochs,
            encoder: None,
        });
        let camseg = || {
            let config: CamsegConfig = RunFolder::read_json(dir, CONFIG).ok()?;
            Some(Self { stage: Stage::Camseg, epochs: config.epochs, encoder: None })
        };
        let pretraining = || {
            let config: PretrainConfig = RunFolder::read_json(dir, CONFIG).ok()?;
            let encoder = Some(config.description);
            Some(Self { stage: Stage::Pretraining, epochs: config.epochs, encoder })
        };
        fmamil.or_else(|error| camseg().or_else(pretraining).ok_or(error))
    }
}

fn events(dir: &Path) -> Result<Vec<TrainEvent>, TrainError> {
    let unreadable = |error: std::io::Error| {
        TrainError::Resume(format!("{EVENTS} of the run cannot be read: {error}"))
    };
    let file = match std::fs::File::open(dir.join(EVENTS)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut events = Vec::new();
    for line in BufReader::new(file).lines() {
        match serde_json::from_str(&line.map_err(unreadable)?) {
            Ok(event) => events.push(event),
            Err(_) => break,
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::run_folder::write_json;
    use serde_json::json;

    #[test]
    fn what_a_run_trains_is_told_by_its_configuration() {
        let dir = tempfile::tempdir().unwrap();
        assert!(WrittenRun::read(dir.path()).is_err());
        write_json(&dir.path().join(CONFIG), &CamsegConfig::paper()).unwrap();
        assert_eq!(WrittenRun::read(dir.path()).unwrap().stage, Stage::Camseg);
        write_json(&dir.path().join(CONFIG), &PretrainConfig::small()).unwrap();
        let run = WrittenRun::read(dir.path()).unwrap();
        assert_eq!((run.stage, run.epochs), (Stage::Pretraining, 400));
        assert_eq!(run.encoder, Some(EncoderNote::default()));
        write_json(&dir.path().join(CONFIG), &json!({ "epochs": 3 })).unwrap();
        assert!(WrittenRun::read(dir.path()).is_err());
        write_json(&dir.path().join(CONFIG), &TrainConfig::shipped()).unwrap();
        let lines = "{\"event\":\"warning\",\"text\":\"a\"}\n{\"event\":\"wa";
        std::fs::write(dir.path().join(EVENTS), lines).unwrap();
        let run = WrittenRun::read(dir.path()).unwrap();
        assert_eq!((run.stage, run.epochs, run.events.len()), (Stage::Fmamil, 12, 1));
        assert!(run.report.is_none());
    }

    #[test]
    fn run_folders_are_numbered() {
        let dir = tempfile::tempdir().unwrap();
        let first = free_run_folder(dir.path(), "biopsies");
        std::fs::create_dir(&first).unwrap();
        assert_eq!(first, dir.path().join("biopsies-1"));
        assert_eq!(free_run_folder(dir.path(), "biopsies"), dir.path().join("biopsies-2"));
    }
}
