//! The folder of one training. Every file is written aside and renamed; events are appended line by line.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::event::TrainEvent;
use super::{TrainError, write_error};
use crate::registry::weights::{self, Tensors};

/// Checkpoints kept besides the best.
const N_KEPT: usize = 3;

/// An open run folder.
#[derive(Debug)]
pub(crate) struct RunFolder {
    dir: PathBuf,
    events: File,
}

impl RunFolder {
    /// Creates the folder; one that already holds a run is refused.
    pub(crate) fn create(dir: &Path) -> Result<Self, TrainError> {
        let events = dir.join("events.jsonl");
        if events.exists() {
            let problem = "it already holds a run; choose another folder".to_owned();
            return Err(TrainError::Write(problem));
        }
        std::fs::create_dir_all(dir.join("checkpoints")).map_err(|error| write_error(&error))?;
        let events = File::create(events).map_err(|error| write_error(&error))?;
        Ok(Self { dir: dir.to_owned(), events })
    }

    /// Appends an event.
    pub(crate) fn log(&mut self, event: &TrainEvent) -> Result<(), TrainError> {
        let line = serde_json::to_string(event).map_err(|error| write_error(&error))?;
        writeln!(self.events, "{line}").map_err(|error| write_error(&error))
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
            std::fs::remove_file(self.checkpoint_path(old)).map_err(|error| write_error(&error))?;
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

/// Writes a file aside and renames it.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| write_error(&error))?;
    file.write_all(bytes).map_err(|error| write_error(&error))?;
    file.persist(path).map_err(|error| write_error(&error.error))?;
    Ok(())
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
        let run = RunFolder::create(dir.path()).unwrap();
        for epoch in 1..=6 {
            run.checkpoint(epoch, &weights(epoch as f64), epoch == 2).unwrap();
        }
        let best: Vec<f32> = run.best().unwrap()["w"].to_vec1().unwrap();
        assert_eq!(best, [2.0]);
        let n = std::fs::read_dir(dir.path().join("checkpoints")).unwrap().count();
        assert_eq!(n, N_KEPT);
    }

    #[test]
    fn a_folder_with_a_run_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        RunFolder::create(dir.path()).unwrap();
        let error = RunFolder::create(dir.path()).unwrap_err().to_string();
        assert!(error.contains("already holds a run"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_one_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = RunFolder::create(&file.path().join("run")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the run folder: "), "{error}");
        assert!(!error.contains('\n'));
    }
}
