//! Weights into a network: all of them, of the right shapes, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use sha2::{Digest as _, Sha256};

use crate::bag::feature_store::hex;

/// Why weights do not fit a network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WeightsError {
    /// The file cannot be read.
    #[error("the weights cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// No SafeTensors file, or damaged.
    #[error("the weights file is damaged: {0}")]
    Format(String),
    /// Not the file that the manifest speaks of.
    #[error(
        "the weights are not those of the manifest: expected SHA-256 {expected}, found {found}"
    )]
    Hash { expected: String, found: String },
    /// Names or shapes differ.
    #[error("the weights are for another model: {0}")]
    Mismatch(Mismatch),
    /// A NaN or an infinity.
    #[error("the weights are damaged: {0} is not finite")]
    NotFinite(String),
}

/// Sorted differences between a network and a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) missing: Vec<String>,
    pub(crate) unexpected: Vec<String>,
    pub(crate) reshaped: Vec<String>,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |names: &[String], what: &str| match names.first() {
            Some(first) => format!("{} {what} (first: {first})", names.len()),
            None => format!("0 {what}"),
        };
        let (missing, unexpected) =
            (part(&self.missing, "missing"), part(&self.unexpected, "unexpected"));
        let reshaped = part(&self.reshaped, "of another shape");
        write!(f, "{missing}, {unexpected}, {reshaped}")
    }
}

/// Tensors by name, in a fixed order.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Reads a SafeTensors file to the CPU; `expected_sha256` is that of the whole file.
pub(crate) fn read(path: &Path, expected_sha256: Option<&str>) -> Result<Tensors, WeightsError> {
    let bytes = std::fs::read(path)?;
    if let Some(expected) = expected_sha256 {
        let found = hex(&Sha256::digest(&bytes));
        if !found.eq_ignore_ascii_case(expected) {
            return Err(WeightsError::Hash { expected: expected.to_owned(), found });
        }
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| WeightsError::Format(one_line(&error)))?;
    Ok(tensors.into_iter().collect())
}

/// Copies of a network's variables in main memory.
pub(crate) fn copies(vars: &BTreeMap<String, Var>) -> candle_core::Result<Tensors> {
    let on_cpu = |(name, var): (&String, &Var)| {
        Ok((name.clone(), var.as_tensor().copy()?.to_device(&Device::Cpu)?))
    };
    vars.iter().map(on_cpu).collect()
}

/// Gives every variable its saved value.
///
/// # Errors
/// If one is missing or of another shape.
pub(crate) fn put_back(vars: &BTreeMap<String, Var>, saved: &Tensors) -> candle_core::Result<()> {
    for (name, var) in vars {
        match saved.get(name) {
            Some(weight) => var.set(&weight.to_device(var.device())?)?,
            None => candle_core::bail!("the saved state lacks the weight {name}"),
        }
    }
    Ok(())
}

/// Parts of a state under a prefix each, so that one file holds them all; [`part`] is the way back.
pub(crate) fn under(
    prefix: &'static str,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
) -> impl Iterator<Item = (String, Tensor)> {
    tensors.into_iter().map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
}

/// The tensors that were put [`under`] a prefix, by their own names.
pub(crate) fn part(all: &Tensors, prefix: &str) -> Tensors {
    let named = |(name, tensor): (&String, &Tensor)| {
        Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
    };
    all.iter().filter_map(named).collect()
}

/// Checks that `found` are all weights of a network with the names and shapes of `expected`, and nothing else.
pub(crate) fn check_strict(expected: &Tensors, found: &Tensors) -> Result<(), WeightsError> {
    let mut mismatch = Mismatch::default();
    for (name, expected) in expected {
        match found.get(name) {
            None => mismatch.missing.push(name.clone()),
            Some(tensor) if tensor.dims() != expected.dims() => mismatch.reshaped.push(format!(
                "{name}, expected {:?}, found {:?}",
                expected.dims(),
                tensor.dims()
            )),
            Some(_) => {}
        }
    }
    mismatch.unexpected = found.keys().filter(|it| !expected.contains_key(*it)).cloned().collect();
    if mismatch != Mismatch::default() {
        return Err(WeightsError::Mismatch(mismatch));
    }
    match found.iter().find(|(_, tensor)| !is_finite(tensor)) {
        Some((name, _)) => Err(WeightsError::NotFinite(name.clone())),
        None => Ok(()),
    }
}

/// Serializes tensors to SafeTensors bytes.
pub(crate) fn to_bytes(tensors: &Tensors) -> Result<Vec<u8>, WeightsError> {
    safetensors::serialize(tensors, None).map_err(|error| WeightsError::Format(error.to_string()))
}

/// As [`to_bytes`], with words about the weights. The same tensors and words are the same bytes.
pub(crate) fn to_described_bytes(
    tensors: &Tensors,
    words: BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    const METADATA: &str = "__metadata__";
    let damaged = |error: serde_json::Error| WeightsError::Format(error.to_string());
    let plain = to_bytes(tensors)?;
    let (length, rest) = plain.split_at(size_of::<u64>());
    let length = length.try_into().map_or(0, u64::from_le_bytes) as usize;
    let (header, values) = rest.split_at(length.min(rest.len()));
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(damaged)?;
    header.insert(METADATA.to_owned(), serde_json::to_value(words).map_err(damaged)?);
    let mut header = serde_json::to_vec(&header).map_err(damaged)?;
    // Values stay aligned.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok([&(header.len() as u64).to_le_bytes()[..], &header, values].concat())
}

fn is_finite(tensor: &Tensor) -> bool {
    tensor
        .to_dtype(DType::F32)
        .and_then(|it| it.flatten_all()?.to_vec1::<f32>())
        .is_ok_and(|values| values.iter().all(|it| it.is_finite()))
}

/// An error's first line: backtraces and hints of a tensor library are no help to the user.
pub(crate) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(entries: &[(&str, &[usize])]) -> Tensors {
        entries
            .iter()
            .map(|(name, shape)| {
                ((*name).to_owned(), Tensor::ones(*shape, DType::F32, &Device::Cpu).unwrap())
            })
            .collect()
    }

    fn refusal(found: &Tensors) -> String {
        let network = tensors(&[("head.weight", &[2, 3]), ("head.bias", &[2])]);
        check_strict(&network, &network).unwrap();
        check_strict(&network, found).unwrap_err().to_string()
    }

    #[test]
    fn described_weights_are_the_same_bytes_every_time_and_can_be_read() {
        let weights = tensors(&[("b", &[2, 3]), ("a", &[1])]);
        let words = || BTreeMap::from(["z", "y", "x"].map(|it| (it.to_owned(), "1".to_owned())));
        let bytes = to_described_bytes(&weights, words()).unwrap();
        assert!(bytes == to_described_bytes(&weights, words()).unwrap());
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().map(|it| it["y"].as_str()), Some("1"));
        let back = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
        assert_eq!(back["b"].to_vec2::<f32>().unwrap(), [[1.0; 3]; 2]);
    }

    #[test]
    fn a_renamed_weight_is_reported_not_initialized() {
        assert_eq!(
            refusal(&tensors(&[("head.w", &[2, 3]), ("head.bias", &[2])])),
            "the weights are for another model: 1 missing (first: head.weight), \
             1 unexpected (first: head.w), 0 of another shape"
        );
    }

    #[test]
    fn another_shape_is_reported() {
        let error = refusal(&tensors(&[("head.weight", &[3, 2]), ("head.bias", &[2])]));
        assert!(error.contains("head.weight, expected [2, 3], found [3, 2]"), "{error}");
    }

    #[test]
    fn a_nan_among_the_weights_is_refused() {
        let mut found = tensors(&[("head.weight", &[2, 3]), ("head.bias", &[2])]);
        let nan = Tensor::new(&[f32::NAN, 0.0], &Device::Cpu).unwrap();
        found.insert("head.bias".to_owned(), nan);
        assert!(refusal(&found).contains("head.bias is not finite"));
    }

    #[test]
    fn another_file_than_the_manifests_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights.safetensors");
        std::fs::write(&path, to_bytes(&tensors(&[("a", &[1])])).unwrap()).unwrap();
        assert!(matches!(read(&path, Some(&"0".repeat(64))), Err(WeightsError::Hash { .. })));
        assert_eq!(read(&path, None).unwrap().len(), 1);
        std::fs::write(&path, b"not tensors").unwrap();
        assert!(matches!(read(&path, None), Err(WeightsError::Format(_))));
    }
}
