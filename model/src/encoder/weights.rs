//! Strict reading of a SafeTensors file: every tensor is asked for by name and shape, none is left over.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::EncoderError;

/// The tensors of a file that nobody has taken yet, and what the file says about itself.
pub(super) struct Weights<'a> {
    tensors: BTreeMap<String, TensorView<'a>>,
    metadata: HashMap<String, String>,
}

impl<'a> Weights<'a> {
    /// Reads the index of `file`, the whole file's bytes.
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, EncoderError> {
        let (_, header) = SafeTensors::read_metadata(file)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = SafeTensors::deserialize(file)?.tensors().into_iter().collect();
        Ok(Self { tensors, metadata })
    }

    /// A line of the file's description of itself.
    pub(super) fn describes(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A line of the description that holds JSON; `default` if the file says nothing.
    pub(super) fn described<T: serde::de::DeserializeOwned>(
        &self,
        key: &'static str,
        expected: &'static str,
        default: T,
    ) -> Result<T, EncoderError> {
        let Some(value) = self.describes(key) else { return Ok(default) };
        serde_json::from_str(value).map_err(|_json| EncoderError::Metadata {
            key,
            value: value.to_owned(),
            expected,
        })
    }

    /// Whether an untaken tensor has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Takes a tensor of exactly this shape as f32, row-major.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let Some(tensor) = self.tensors.remove(name) else {
            return Err(EncoderError::MissingTensor(name.to_owned()));
        };
        if tensor.shape() != shape {
            return Err(EncoderError::Shape {
                name: name.to_owned(),
                expected: shape.to_owned(),
                found: tensor.shape().to_owned(),
            });
        }
        let values = to_f32(name, &tensor)?;
        if !values.iter().all(|it| it.is_finite()) {
            return Err(EncoderError::NotFinite(name.to_owned()));
        }
        Ok(values)
    }

    /// Drops the tensors that an encoder has no use for: the classifier and training counters.
    pub(super) fn ignore(&mut self, is_useless: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| !is_useless(name));
    }

    /// Ends the reading: nothing may be left.
    pub(super) fn finish(self) -> Result<(), EncoderError> {
        match self.tensors.first_key_value() {
            None => Ok(()),
            Some((first, _)) => Err(EncoderError::UnexpectedTensors {
                count: self.tensors.len(),
                first: first.clone(),
            }),
        }
    }
}

fn to_f32(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>, EncoderError> {
    let bytes = tensor.data();
    let (halves, _) = bytes.as_chunks::<2>();
    let (words, _) = bytes.as_chunks::<4>();
    match tensor.dtype() {
        Dtype::F32 => Ok(words.iter().map(|it| f32::from_le_bytes(*it)).collect()),
        Dtype::F16 => Ok(halves.iter().map(|it| half::f16::from_le_bytes(*it).to_f32()).collect()),
        Dtype::BF16 => {
            Ok(halves.iter().map(|it| half::bf16::from_le_bytes(*it).to_f32()).collect())
        }
        other => {
            Err(EncoderError::NumberType { name: name.to_owned(), found: format!("{other:?}") })
        }
    }
}
