//! Everything needed to run a model besides its weights, as `config.json` of a model folder.

use serde::{Deserialize, Serialize};

use super::RegistryError;
use crate::bag::BagConfig;
use crate::mil::NetworkConfig;

/// Which frozen encoder describes patches, and at what size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// As in the encoder list.
    pub name: String,
    /// Side that patches are resized to before the encoder, in pixels.
    pub input_px: u32,
}

/// The shape of a model: its bags, encoder and network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// How bags are cut.
    pub bag: BagConfig,
    /// What describes patches.
    pub encoder: EncoderConfig,
    /// The network.
    pub network: NetworkConfig,
}

impl ModelConfig {
    pub(super) fn parse(text: &str) -> Result<Self, RegistryError> {
        let config: Self = serde_json::from_str(text).map_err(|error| RegistryError::File {
            file: "config.json",
            problem: error.to_string(),
        })?;
        match config.problem() {
            Some(problem) => Err(RegistryError::Unsupported(problem)),
            None => Ok(config),
        }
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        if !(16..=1024).contains(&self.encoder.input_px) {
            return Some(format!(
                "input_px must lie in 16 to 1024, found {}",
                self.encoder.input_px
            ));
        }
        self.network.problem().or_else(|| self.bag.problem())
    }
}
