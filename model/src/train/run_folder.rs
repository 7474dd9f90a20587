//! The folder of one training. Every file is written aside and renamed; events are appended line by line.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::event::TrainEvent;
use super::state::TrainState;
use super::{TrainError, TrainReport, write_error};
use crate::data::folder::Split;
use crate::registry::weights::{self, Tensors, one_line};

/// Files of a run that its beginning and end are told by.
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const REPORT: &str = "report.json";
pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const SPLIT: &str = "split.json";
/// Pictures of a run's progress.
pub(crate) const PICTURES: &str = "pictures";
const STATE: &str = "state.safetensors";
/// Held by the program that trains; the system lets go of it when that program ends, whatever way.
const LOCK: &str = ".lock";
/// What half-written files are called.
const HALF_WRITTEN: &str = ".half-written-";

/// Checkpoints kept besides the best.
const N_KEPT: usize = 3;

/// What a folder holds of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A run that did not come to its end.
    Unfinished,
    /// A run with its report.
    Finished,
}

/// What a training that is asked for has to do.
#[derive(Debug)]
pub(crate) enum Opening<T> {
    /// Nothing: this is the report of the run.
    Finished(TrainReport),
    /// To begin or to go on, with these settings.
    ToRun(Found, T),
}

/// An open run folder.
#[derive(Debug)]
pub(crate) struct RunFolder {
    dir: PathBuf,
    events: File,
    /// `None` where the file system knows no locks.
    _lock: Option<File>,
}

impl RunFolder {
    /// Looks without changing anything. The configuration is written first, the report last.
    pub(crate) fn look(dir: &Path) -> Found {
        if dir.join(REPORT).is_file() {
            Found::Finished
        } else if dir.join(CONFIG).is_file() {
            Found::Unfinished
        } else {
            Found::Nothing
        }
    }

    /// Reads a JSON file of a run.
    pub(crate) fn read_json<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<T, TrainError> {
        let problem = |error: &dyn std::fmt::Display| {
            TrainError::Resume(format!("{name} of the run cannot be read: {}", one_line(error)))
        };
        let text = std::fs::read(dir.join(name)).map_err(|error| problem(&error))?;
        serde_json::from_slice(&text).map_err(|error| problem(&error))
    }

    /// Opens the folder, which is made if missing; what is half written from an earlier try is removed.
    pub(crate) fn open(dir: &Path) -> Result<Self, TrainError> {
        let checkpoints = dir.join("checkpoints");
        std::fs::create_dir_all(&checkpoints).map_err(|error| write_error(&error))?;
        let lock = lock(dir)?;
        for folder in [dir, &checkpoints, &dir.join("model"), &dir.join(PICTURES)] {
            remove_half_written(folder);
        }
        let events = File::options().create(true).append(true).open(dir.join(EVENTS));
        let events = events.map_err(|error| write_error(&error))?;
        Ok(Self { dir: dir.to_owned(), events, _lock: lock })
    }

    /// What a training that is asked for finds in `dir`. `otherwise` are the settings of one that names none; `problem` says
    /// what is out of range.
    pub(crate) fn opening<T: DeserializeOwned + PartialEq>(
        dir: &Path,
        resume: bool,
        asked: Option<T>,
        otherwise: fn() -> T,
        problem: fn(&T) -> Option<String>,
    ) -> Result<Opening<T>, TrainError> {
        let found = Self::look(dir);
        if found == Found::Finished && resume {
            return Self::read_json(dir, REPORT).map(Opening::Finished);
        }
        let config = Self::settings(dir, found, resume, asked, otherwise)?;
        match problem(&config) {
            Some(problem) => Err(TrainError::Config(problem)),
            None => Ok(Opening::ToRun(found, config)),
        }
    }

    /// The settings of the run, which a continued one does not change.
    fn settings<T: DeserializeOwned + PartialEq>(
        dir: &Path,
        found: Found,
        resume: bool,
        asked: Option<T>,
        otherwise: impl FnOnce() -> T,
    ) -> Result<T, TrainError> {
        if found == Found::Nothing {
            return Ok(asked.unwrap_or_else(otherwise));
        }
        if !resume {
            let problem = match found {
                Found::Finished => "the folder already holds a finished run; choose another one",
                _ => "the folder holds an unfinished run; continue it, or choose another one",
            };
            return Err(TrainError::Resume(problem.to_owned()));
        }
        let recorded: T = Self::read_json(dir, CONFIG)?;
        match asked {
            Some(asked) if asked != recorded => {
                Err(TrainError::Resume("it was begun with other settings".to_owned()))
            }
            _ => Ok(recorded),
        }
    }

    /// Opens the folder; a run that begins says there what it learns, and from what.
    pub(crate) fn begin(
        dir: &Path,
        found: Found,
        config: &impl Serialize,
        split_by_file: &BTreeMap<&str, Split>,
    ) -> Result<Self, TrainError> {
        let run = Self::open(dir)?;
        if found == Found::Nothing {
            run.write_json(SPLIT, split_by_file)?;
            run.write_json(CONFIG, config)?;
        }
        Ok(run)
    }

    /// Where it lies.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends an event.
    pub(crate) fn log(&mut self, event: &TrainEvent) -> Result<(), TrainError> {
        let mut line = serde_json::to_string(event).map_err(|error| write_error(&error))?;
        line.push('\n');
        self.events.write_all(line.as_bytes()).map_err(|error| write_error(&error))
    }

    /// Length of the events so far, which are on disk then.
    pub(crate) fn events_bytes(&self) -> Result<u64, TrainError> {
        self.events.sync_data().map_err(|error| write_error(&error))?;
        self.events.metadata().map(|it| it.len()).map_err(|error| write_error(&error))
    }

    /// Cuts the events behind the first `bytes` bytes.
    pub(crate) fn forget_events_after(&self, bytes: u64) -> Result<(), TrainError> {
        self.events.set_len(bytes).map_err(|error| write_error(&error))
    }

    /// Keeps where the training stands.
    pub(crate) fn write_state(&self, state: &TrainState) -> Result<(), TrainError> {
        write_file(&self.dir.join(STATE), &state.to_bytes()?)
    }

    /// Where the training stands; nowhere before its first epoch, whose events are forgotten.
    pub(crate) fn state(&self) -> Result<Option<TrainState>, TrainError> {
        match std::fs::read(self.dir.join(STATE)) {
            Ok(bytes) => TrainState::from_bytes(&bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.forget_events_after(0).map(|()| None)
            }
            Err(error) => Err(TrainError::Resume(one_line(&error))),
        }
    }

    /// The state is of no more use.
    pub(crate) fn forget_state(&self) -> Result<(), TrainError> {
        remove_if_there(&self.dir.join(STATE))
    }

    /// Writes a JSON file.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        write_json(&self.dir.join(name), value)
    }

    /// Writes the checkpoint of an epoch and forgets old ones.
    pub(crate) fn checkpoint(
        &self,
        epoch: usize,
        weights: &Tensors,
        is_best: bool,
    ) -> Result<(), TrainError> {
        let bytes = weights::to_bytes(weights).map_err(|error| write_error(&error))?;
        write_file(&self.checkpoint_path(epoch), &bytes)?;
        if is_best {
            write_file(&self.dir.join("best.safetensors"), &bytes)?;
        }
        if let Some(old) = epoch.checked_sub(N_KEPT).filter(|old| 0 < *old) {
            remove_if_there(&self.checkpoint_path(old))?;
        }
        Ok(())
    }

    /// The weights of the best epoch so far.
    pub(crate) fn best(&self) -> Result<Tensors, TrainError> {
        weights::read(&self.dir.join("best.safetensors"), None)
            .map_err(|error| TrainError::Compute(error.to_string()))
    }

    /// Where the finished model goes.
    pub(crate) fn model_dir(&self) -> PathBuf {
        self.dir.join("model")
    }

    fn checkpoint_path(&self, epoch: usize) -> PathBuf {
        self.dir.join("checkpoints").join(format!("{epoch:03}.safetensors"))
    }
}

/// Writes pretty JSON aside and renames it.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| write_error(&error))?;
    text.push('\n');
    write_file(path, text.as_bytes())
}

/// Writes a file aside and renames it, once its content is on disk: after a crash there is the old file or this one.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(folder);
    let mut file = file.map_err(|error| write_error(&error))?;
    file.write_all(bytes).map_err(|error| write_error(&error))?;
    file.as_file().sync_data().map_err(|error| write_error(&error))?;
    file.persist(path).map_err(|error| write_error(&error.error))?;
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), TrainError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(write_error(&error)),
        _ => Ok(()),
    }
}

/// Keeps every other program from training in this folder at the same time.
fn lock(dir: &Path) -> Result<Option<File>, TrainError> {
    let file = File::options().create(true).append(true).open(dir.join(LOCK));
    let file = file.map_err(|error| write_error(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(TrainError::Resume(
            "another program is training in this folder right now; stop it, or choose another folder"
                .to_owned(),
        )),
        Err(TryLockError::Error(error)) => {
            tracing::warn!("the run folder cannot be locked: {error}");
            Ok(None)
        }
    }
}

/// Removes files that a killed run was writing. One that cannot be removed does no harm.
fn remove_half_written(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(HALF_WRITTEN)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!("a half-written file stays: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Tensor};

    fn weights(value: f64) -> Tensors {
        let tensor = Tensor::full(value as f32, 1, &Device::Cpu).unwrap();
        [("w".to_owned(), tensor.to_dtype(DType::F32).unwrap())].into()
    }

    #[test]
    fn the_best_checkpoint_stays_when_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunFolder::open(dir.path()).unwrap();
        for epoch in 1..=6 {
            run.checkpoint(epoch, &weights(epoch as f64), epoch == 2).unwrap();
        }
        let best: Vec<f32> = run.best().unwrap()["w"].to_vec1().unwrap();
        assert_eq!(best, [2.0]);
        let n = std::fs::read_dir(dir.path().join("checkpoints")).unwrap().count();
        assert_eq!(n, N_KEPT);
    }

    #[test]
    fn two_programs_do_not_train_in_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = RunFolder::open(dir.path()).unwrap();
        let error = RunFolder::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("another program is training in this folder"), "{error}");
        drop(first);
        RunFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn a_folder_says_how_far_its_run_came() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(RunFolder::look(dir.path()), Found::Nothing);
        let run = RunFolder::open(dir.path()).unwrap();
        assert_eq!(RunFolder::look(dir.path()), Found::Nothing);
        run.write_json(CONFIG, &1).unwrap();
        assert_eq!(RunFolder::look(dir.path()), Found::Unfinished);
        run.write_json(REPORT, &1).unwrap();
        assert_eq!(RunFolder::look(dir.path()), Found::Finished);
    }

    #[test]
    fn half_written_files_go_and_events_are_cut_where_the_state_says() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".half-written-x"), b"").unwrap();
        let mut run = RunFolder::open(dir.path()).unwrap();
        assert!(!dir.path().join(".half-written-x").exists());
        let event = |epoch| TrainEvent::Checkpoint { epoch, is_best: true };
        run.log(&event(1)).unwrap();
        let kept = run.events_bytes().unwrap();
        run.log(&event(2)).unwrap();
        run.forget_events_after(kept).unwrap();
        run.log(&event(3)).unwrap();
        let lines = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
        let epochs: Vec<TrainEvent> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(epochs, [event(1), event(3)]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_one_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = RunFolder::open(&file.path().join("run")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the run folder: "), "{error}");
        assert!(!error.contains('\n'));
    }
}
