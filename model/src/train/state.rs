//! The state that an interrupted training goes on from: one file, written aside and renamed after every epoch.
//!
//! `state.safetensors` holds weights, both moments of the optimizer and the averaged weights; its metadata says where
//! the training stands. A training that goes on from it ends with the same figures as one that never stopped.

use std::collections::HashMap;

use candle_core::Device;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::selection::Selection;
use crate::registry::weights::{Tensors, one_line};

/// Key of the position among the file's metadata.
const POSITION: &str = "position";

/// Where a training stands after an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// What the training learns from; another folder cannot be continued with.
    pub(crate) data: String,
    /// Counted from 1.
    pub(crate) attempt: usize,
    /// The epoch that is done, counted from 1.
    pub(crate) epoch: usize,
    /// Epochs done in all attempts.
    pub(crate) n_epochs: usize,
    /// Optimizer steps of the attempt, which place it on the schedule.
    pub(crate) step: usize,
    /// Random words drawn in the attempt.
    pub(crate) random_words: u64,
    /// The best epochs so far.
    pub(crate) selection: Selection,
    /// Length of `events.jsonl` with everything up to this checkpoint.
    pub(crate) events_bytes: u64,
}

/// Position and tensors.
#[derive(Debug)]
pub(crate) struct TrainState {
    pub(crate) position: Position,
    pub(crate) tensors: Tensors,
}

impl TrainState {
    /// As the bytes of `state.safetensors`.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let position = serde_json::to_string(&self.position).map_err(|error| damaged(&error))?;
        let metadata = HashMap::from([(POSITION.to_owned(), position)]);
        safetensors::serialize(&self.tensors, Some(metadata)).map_err(|error| damaged(&error))
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, TrainError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let position = header.metadata().as_ref().and_then(|it| it.get(POSITION));
        let position = position.ok_or_else(|| damaged(&"it does not say where it stands"))?;
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
            .map_err(|error| damaged(&error))?;
        Ok(Self {
            position: serde_json::from_str(position).map_err(|error| damaged(&error))?,
            tensors: tensors.into_iter().collect(),
        })
    }
}

fn damaged(error: &dyn std::fmt::Display) -> TrainError {
    TrainError::Resume(format!("the saved state is damaged: {}", one_line(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Tensor;

    #[test]
    fn a_state_survives_its_file_and_a_damaged_one_is_refused() {
        let position = Position {
            data: "abc".to_owned(),
            attempt: 2,
            epoch: 3,
            n_epochs: 9,
            step: 17,
            random_words: 1 << 40,
            selection: Selection::default(),
            events_bytes: 1234,
        };
        let tensor = Tensor::new(&[1.5f32, -2.0], &Device::Cpu).unwrap();
        let tensors = Tensors::from([("weight.w".to_owned(), tensor)]);
        let bytes = TrainState { position: position.clone(), tensors }.to_bytes().unwrap();
        let back = TrainState::from_bytes(&bytes).unwrap();
        assert_eq!(back.position, position);
        assert_eq!(back.tensors["weight.w"].to_vec1::<f32>().unwrap(), [1.5, -2.0]);
        let error = TrainState::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
        assert!(error.contains("the saved state is damaged"), "{error}");
    }
}
