//! Which network, and its sizes: one word and its fields in `config.json`.

use serde::{Deserialize, Deserializer, Serialize};

use crate::cam::MapKind;
use crate::fmamil::FmamilConfig;
use crate::fmamil::config::{FreqBand, Scans};

/// Sizes of attention-based MIL (Ilse et al. 2018).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbmilConfig {
    /// Length of a patch feature, *F*.
    pub feature_dim: usize,
    /// Width of an encoded patch.
    pub hidden: usize,
    /// Hidden width of the attention.
    pub attention_dim: usize,
    /// `attention` or `attention_gate`.
    #[serde(default = "attention")]
    pub map: MapKind,
}

/// Sizes of CLAM with one attention branch (Lu et al. 2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClamSbConfig {
    /// Length of a patch feature, *F*.
    pub feature_dim: usize,
    /// Width of an encoded patch.
    pub hidden: usize,
    /// Hidden width of the gated attention.
    pub attention_dim: usize,
    /// Share of encoded values dropped while learning, `0.0..1.0`.
    pub dropout: f64,
    /// Patches of most and of least attention that are taught as instances.
    pub top_k: usize,
    /// `attention` or `attention_gate`.
    #[serde(default = "attention")]
    pub map: MapKind,
}

/// Sizes of `TransMIL` (Shao et al. 2021).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransmilConfig {
    /// Length of a patch feature, *F*.
    pub feature_dim: usize,
    /// Width of a token.
    pub hidden: usize,
    /// Attention heads; a divisor of `hidden`.
    pub heads: usize,
    /// `attention` or `attention_gate`.
    #[serde(default = "attention")]
    pub map: MapKind,
}

/// Sizes of `MambaMIL` (Yang et al. 2024).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MambaMilConfig {
    /// Length of a patch feature, *F*.
    pub feature_dim: usize,
    /// Width of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// State of a scan per channel.
    pub state: usize,
    /// Rank of the step-size projection.
    pub dt_rank: usize,
    /// Every which token follows the one before in the second scan.
    pub rate: usize,
    /// Hidden width of the attention.
    pub attention_dim: usize,
    /// `attention` or `attention_gate`.
    #[serde(default = "attention")]
    pub map: MapKind,
}

fn attention() -> MapKind {
    MapKind::Attention
}

/// One network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "architecture", rename_all = "snake_case")]
pub enum NetworkConfig {
    /// The paper's.
    Fmamil(FmamilConfig),
    /// Attention pooling without context.
    Abmil(AbmilConfig),
    /// Gated attention with instances of most and least attention.
    ClamSb(ClamSbConfig),
    /// Self-attention over patches.
    Transmil(TransmilConfig),
    /// Scans over two orders of the patches, attention pooling.
    MambaMil(MambaMilConfig),
    /// Row scans with the class token in the middle, which alone is classified.
    VisionMamba(FmamilConfig),
}

impl NetworkConfig {
    /// The words for each network.
    pub const ARCHITECTURES: [&str; 6] =
        ["fmamil", "abmil", "clam_sb", "transmil", "mamba_mil", "vision_mamba"];

    /// The network of that word at its customary size.
    pub fn of_architecture(word: &str, feature_dim: usize) -> Option<Self> {
        let (hidden, map) = (512, attention());
        Some(match word {
            "fmamil" => Self::Fmamil(FmamilConfig::paper(feature_dim)),
            "abmil" => Self::Abmil(AbmilConfig { feature_dim, hidden, attention_dim: 128, map }),
            "clam_sb" => Self::ClamSb(ClamSbConfig {
                feature_dim,
                hidden,
                attention_dim: 256,
                dropout: 0.25,
                top_k: 8,
                map,
            }),
            "transmil" => Self::Transmil(TransmilConfig { feature_dim, hidden, heads: 8, map }),
            "mamba_mil" => Self::MambaMil(MambaMilConfig {
                feature_dim,
                dim: hidden,
                depth: 2,
                state: 16,
                dt_rank: 32,
                rate: 10,
                attention_dim: 128,
                map,
            }),
            "vision_mamba" => Self::VisionMamba(FmamilConfig {
                scans: Scans::Rows,
                freq_band: FreqBand::Off,
                ..FmamilConfig::paper(feature_dim)
            }),
            _ => return None,
        })
    }

    /// The word for this network.
    pub fn architecture(&self) -> &'static str {
        match self {
            Self::Fmamil(_) => "fmamil",
            Self::Abmil(_) => "abmil",
            Self::ClamSb(_) => "clam_sb",
            Self::Transmil(_) => "transmil",
            Self::MambaMil(_) => "mamba_mil",
            Self::VisionMamba(_) => "vision_mamba",
        }
    }

    /// Main memory that learning from one bag takes at most, in bytes; `None` for networks where nobody has measured it.
    pub(crate) fn training_bytes(&self, patches: usize) -> Option<u64> {
        match self {
            Self::Fmamil(config) | Self::VisionMamba(config) => {
                Some(config.training_bytes(patches))
            }
            Self::Abmil(_) | Self::ClamSb(_) | Self::Transmil(_) | Self::MambaMil(_) => None,
        }
    }

    /// Length of a patch feature.
    pub fn feature_dim(&self) -> usize {
        match self {
            Self::Fmamil(config) | Self::VisionMamba(config) => config.feature_dim,
            Self::Abmil(config) => config.feature_dim,
            Self::ClamSb(config) => config.feature_dim,
            Self::Transmil(config) => config.feature_dim,
            Self::MambaMil(config) => config.feature_dim,
        }
    }

    /// Expects features of another length.
    pub(crate) fn describe_by(&mut self, feature_dim: usize) {
        let own = match self {
            Self::Fmamil(config) | Self::VisionMamba(config) => &mut config.feature_dim,
            Self::Abmil(config) => &mut config.feature_dim,
            Self::ClamSb(config) => &mut config.feature_dim,
            Self::Transmil(config) => &mut config.feature_dim,
            Self::MambaMil(config) => &mut config.feature_dim,
        };
        *own = feature_dim;
    }

    /// Has another map drawn.
    ///
    /// # Errors
    /// If the network has no such map. One line.
    pub(crate) fn draw(&mut self, map: MapKind) -> Result<(), String> {
        match self {
            Self::Fmamil(config) | Self::VisionMamba(config) => config.map = map,
            Self::Abmil(config) => config.map = map,
            Self::ClamSb(config) => config.map = map,
            Self::Transmil(config) => config.map = map,
            Self::MambaMil(config) => config.map = map,
        }
        self.map_problem().map_or(Ok(()), Err)
    }

    /// Which map it draws.
    fn map(&self) -> MapKind {
        match self {
            Self::Fmamil(config) | Self::VisionMamba(config) => config.map,
            Self::Abmil(config) => config.map,
            Self::ClamSb(config) => config.map,
            Self::Transmil(config) => config.map,
            Self::MambaMil(config) => config.map,
        }
    }

    /// Says which maps it has, if it has not the one it is to draw.
    fn map_problem(&self) -> Option<String> {
        let known = match self {
            Self::Fmamil(_) => &MapKind::ALL[..],
            Self::VisionMamba(_) => &[MapKind::GradCam],
            _ => &[MapKind::Attention, MapKind::AttentionGate],
        };
        let words = |kinds: &[MapKind]| {
            kinds.iter().map(|it| it.description()).collect::<Vec<_>>().join(" or ")
        };
        (!known.contains(&self.map())).then(|| {
            let found = self.map().description();
            format!("a {} model draws {}, found {found}", self.architecture(), words(known))
        })
    }

    /// What its map shows, one line.
    pub(crate) fn map_description(&self) -> &'static str {
        match self {
            Self::Transmil(config) if config.map == MapKind::Attention => {
                "attention of the class token"
            }
            _ => self.map().description(),
        }
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Fmamil(config) | Self::VisionMamba(config) if config.classes != 2 => {
                Some(format!("a model has 2 classes, found {}", config.classes))
            }
            Self::Transmil(config)
                if config.heads == 0 || !config.hidden.is_multiple_of(config.heads) =>
            {
                let TransmilConfig { hidden, heads, .. } = config;
                Some(format!("heads must divide hidden, found {heads} and {hidden}"))
            }
            Self::ClamSb(config) if !(0.0..1.0).contains(&config.dropout) => {
                Some(format!("dropout must lie in 0 to 1, found {}", config.dropout))
            }
            Self::MambaMil(config) if config.rate == 0 => {
                Some("rate must be at least 1, found 0".to_owned())
            }
            _ => self.map_problem(),
        }
    }
}

/// A configuration without the word is `FMaMIL`'s.
impl<'de> Deserialize<'de> for NetworkConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        use serde_json::{Value, from_value};
        let mut fields = serde_json::Map::deserialize(deserializer)?;
        let word = match fields.remove("architecture") {
            None => "fmamil".to_owned(),
            Some(Value::String(word)) => word,
            Some(other) => return Err(D::Error::custom(format!("`{other}` is no architecture"))),
        };
        let fields = Value::Object(fields);
        let network = match word.as_str() {
            "fmamil" => from_value(fields).map(Self::Fmamil),
            "abmil" => from_value(fields).map(Self::Abmil),
            "clam_sb" => from_value(fields).map(Self::ClamSb),
            "transmil" => from_value(fields).map(Self::Transmil),
            "mamba_mil" => from_value(fields).map(Self::MambaMil),
            "vision_mamba" => from_value(fields).map(Self::VisionMamba),
            _ => {
                let known = Self::ARCHITECTURES.join(", ");
                return Err(D::Error::custom(format!(
                    "there is no architecture `{word}`; known: {known}"
                )));
            }
        };
        network.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_survives_json_under_its_word() {
        for word in NetworkConfig::ARCHITECTURES {
            let config = NetworkConfig::of_architecture(word, 7).unwrap();
            assert_eq!((config.architecture(), config.feature_dim()), (word, 7));
            assert_eq!(config.problem(), None);
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<NetworkConfig>(&json).unwrap(), config);
        }
        assert_eq!(NetworkConfig::of_architecture("resnet", 7), None);
    }

    #[test]
    fn without_a_word_it_is_fmamil_and_an_unknown_word_or_field_is_refused() {
        let mut json = serde_json::to_value(FmamilConfig::small(7)).unwrap();
        let config: NetworkConfig = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(config, NetworkConfig::Fmamil(FmamilConfig::small(7)));
        json["architecture"] = "capsule".into();
        let error = serde_json::from_value::<NetworkConfig>(json.clone()).unwrap_err().to_string();
        assert!(error.contains("no architecture `capsule`; known: fmamil"), "{error}");
        json["architecture"] = "abmil".into();
        assert!(serde_json::from_value::<NetworkConfig>(json).is_err());
    }
}
