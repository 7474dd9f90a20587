//! Every size and every switch of the network; saved as `config.json` beside the weights.

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use super::order::Grid;
use crate::cam::MapKind;
use crate::nn::spectrum::Band;

/// How a patch learns where it lies (Eq. 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// A learned grid, resampled to the bag's grid.
    Learnable,
    /// Sines and cosines of the coordinates; nothing to learn.
    Sincos,
    /// Not at all.
    None,
}

/// Which token orders are scanned (Table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scans {
    /// Row by row and column by column.
    RowsAndColumns,
    /// Row by row only.
    Rows,
}

/// In which directions each order is scanned (Table 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// From both ends; the results are added (Eq. 13).
    Both,
    /// From the class token to the last patch.
    Forward,
    /// From the last patch to the class token.
    Backward,
}

impl Directions {
    pub(crate) fn has_forward(self) -> bool {
        self != Self::Backward
    }

    pub(crate) fn has_backward(self) -> bool {
        self != Self::Forward
    }
}

/// What the frequency branch lets pass (Table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreqBand {
    /// A learned complex filter (Eq. 11).
    Learned,
    /// Below 0.2 of Nyquist, nothing learned.
    Low,
    /// From 0.2 to 0.8 of Nyquist, nothing learned.
    Mid,
    /// Above 0.8 of Nyquist, nothing learned.
    High,
    /// There is no frequency branch.
    Off,
}

/// How the gate `z` acts on the frequency branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreqGate {
    /// Eq. 14: `norm(|y max(silu(z))|)`.
    Eq14,
    /// Alg. 2, line 27: `y silu(max(z))`, not normalized.
    Alg2,
}

/// Over which axis Eq. 14 normalizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreqNorm {
    /// Over the channels of a token, with a learned scale and shift.
    Channel,
    /// Over the tokens of a channel, nothing learned.
    Sequence,
}

/// Over which tokens the gate's maximum is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreqPool {
    /// All of them: one value per channel.
    Global,
    /// A token and its two neighbours.
    Local,
}

/// How a patch's attention is scored (Eq. 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Two layers with a tanh between them.
    Abmil,
    /// The formula as printed: the tanh of one layer, so a score in -1..1.
    Eq18,
}

/// Sizes and choices of one network. Without a `Default`: a saved model must say all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FmamilConfig {
    /// Length of a patch feature, *F*.
    pub feature_dim: usize,
    /// Width of a token, *D*.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// State of a scan per channel, *S*.
    pub state: usize,
    /// Inner width over token width, *E / D*.
    pub expand: usize,
    /// Taps of the causal convolution.
    pub conv: usize,
    /// Rank of the step-size projection, *R*.
    pub dt_rank: usize,
    /// Nodes a learned filter is stored at, at least 2.
    pub freq_nodes: usize,
    /// Scale of the frequency branch before training; 0.1 balances it with the two scans.
    pub freq_gain: f64,
    /// Width of the head, *H*.
    pub head_dim: usize,
    /// Hidden width of the attention.
    pub attention_dim: usize,
    /// Number of classes; class 0 is negative.
    pub classes: usize,
    /// How positions are told.
    pub positions: Positions,
    /// The grid that positions are learned on or scaled to.
    pub position_grid: Grid,
    /// Token orders.
    pub scans: Scans,
    /// Directions of every order.
    pub directions: Directions,
    /// Whether rows and columns are scanned with the same weights.
    pub share_hv: bool,
    /// Filter of the frequency branch.
    pub freq_band: FreqBand,
    /// Bands that this filter leaves out, for every block; `x` itself still passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freq_without: Vec<Band>,
    /// Its gate.
    pub freq_gate: FreqGate,
    /// Its normalization; only with [`FreqGate::Eq14`].
    pub freq_norm: FreqNorm,
    /// Its pooling.
    pub freq_pool: FreqPool,
    /// Attention of the head.
    pub attention: Attention,
    /// What is drawn over a bag.
    #[serde(default)]
    pub map: MapKind,
}

/// Numbers that a training step keeps for each number of a feature.
const VALUES_OF_FEATURE: usize = 2;
/// The same for each channel of a token, outside of blocks.
const VALUES_OF_HEAD: usize = 20;
/// The same in a block.
const VALUES_OF_BLOCK: usize = 80;

impl FmamilConfig {
    /// Main memory that a training step on one bag takes at most, in bytes: what every patch leaves behind for the way back, measured at
    /// 4 096 and 10 000 patches (`model/benches/speed.rs`, `step`) and rounded up.
    pub(crate) fn training_bytes(&self, patches: usize) -> u64 {
        let per_patch = VALUES_OF_FEATURE * self.feature_dim
            + self.dim * (VALUES_OF_HEAD + self.depth * VALUES_OF_BLOCK);
        (patches * per_patch * size_of::<f32>()) as u64
    }

    /// The paper's network at Vim-Ti width, for features of length `feature_dim`.
    pub fn paper(feature_dim: usize) -> Self {
        Self {
            feature_dim,
            dim: 192,
            depth: 2,
            state: 16,
            expand: 2,
            conv: 4,
            dt_rank: 12,
            freq_nodes: 62,
            freq_gain: 0.1,
            head_dim: 192,
            attention_dim: 128,
            classes: 2,
            positions: Positions::Learnable,
            position_grid: Grid { rows: 11, columns: 11 },
            scans: Scans::RowsAndColumns,
            directions: Directions::Both,
            share_hv: true,
            freq_band: FreqBand::Learned,
            freq_without: Vec::new(),
            freq_gate: FreqGate::Eq14,
            freq_norm: FreqNorm::Channel,
            freq_pool: FreqPool::Global,
            attention: Attention::Abmil,
            map: MapKind::GradCam,
        }
    }

    /// The same network at two thirds of the width: trains on a laptop.
    pub fn small(feature_dim: usize) -> Self {
        Self { dim: 128, dt_rank: 8, head_dim: 128, ..Self::paper(feature_dim) }
    }

    /// Width inside a block, *E*.
    pub fn inner_dim(&self) -> usize {
        self.expand * self.dim
    }

    /// Whether the frequency branch has a learned normalization.
    pub(crate) fn has_freq_norm(&self) -> bool {
        self.freq_band != FreqBand::Off
            && self.freq_gate == FreqGate::Eq14
            && self.freq_norm == FreqNorm::Channel
    }

    /// Whether columns are scanned with weights of their own.
    pub(crate) fn has_own_columns(&self) -> bool {
        self.scans == Scans::RowsAndColumns && !self.share_hv
    }

    /// Refuses sizes no network can have.
    ///
    /// # Errors
    /// Names the first impossible size.
    pub(crate) fn check(&self) -> Result<()> {
        let at_least = [
            ("feature_dim", self.feature_dim, 1),
            ("dim", self.dim, 1),
            ("state", self.state, 1),
            ("expand", self.expand, 1),
            ("conv", self.conv, 1),
            ("dt_rank", self.dt_rank, 1),
            ("freq_nodes", self.freq_nodes, 2),
            ("head_dim", self.head_dim, 1),
            ("attention_dim", self.attention_dim, 1),
            ("classes", self.classes, 2),
            ("position_grid.rows", self.position_grid.rows, 1),
            ("position_grid.columns", self.position_grid.columns, 1),
        ];
        for (name, found, least) in at_least {
            if found < least {
                bail!("model config: expected {name} >= {least}, found {found}")
            }
        }
        if self.positions == Positions::Sincos && !self.dim.is_multiple_of(4) {
            bail!("model config: sincos positions need a dim divisible by 4, found {}", self.dim)
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_survives_json() {
        let config = FmamilConfig { freq_band: FreqBand::Off, ..FmamilConfig::small(1024) };
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""freq_band":"off""#), "{json}");
        assert_eq!(serde_json::from_str::<FmamilConfig>(&json).unwrap(), config);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let json = serde_json::to_string(&FmamilConfig::small(8)).unwrap();
        let json = json.replacen('{', r#"{"heads":3,"#, 1);
        assert!(serde_json::from_str::<FmamilConfig>(&json).is_err());
    }

    #[test]
    fn impossible_sizes_are_named() {
        let config = FmamilConfig { freq_nodes: 1, ..FmamilConfig::small(8) };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("expected freq_nodes >= 2, found 1"), "{error}");
    }
}
