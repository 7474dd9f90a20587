//! The whole network: features to tokens to a bag label.

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::block::{FMambaBlock, NORM_EPS};
use super::config::FmamilConfig;
use super::head::{HeadOutput, MilHead};
use super::order::{ColumnOrder, Grid};
use super::positions::Positions;
use super::trunk::Trunk;
use crate::cam::map::{MapKind, raw_map};
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;
use crate::nn::spectrum::Band;
use crate::nn::tape::{chained, distinct};

/// FMaMIL stage 1.
#[derive(Clone, Debug)]
pub(crate) struct Fmamil {
    project: Linear,
    class_token: Tensor,
    positions: Positions,
    blocks: Vec<FMambaBlock>,
    norm: LayerNorm,
    head: MilHead,
    map: MapKind,
}

impl Fmamil {
    /// Weights by their names in the specification.
    ///
    /// # Errors
    /// If the config is impossible, or a weight is missing or has another shape.
    pub(crate) fn new(config: &FmamilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        config.check()?;
        let block = |i| FMambaBlock::new(config, vb.pp("blocks").pp(i));
        Ok(Self {
            project: Linear::new(config.feature_dim, config.dim, vb.pp("proj"))?,
            class_token: vb.get(config.dim, "cls_token")?,
            positions: Positions::new(config, &vb)?,
            blocks: (0..config.depth).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(config.dim, NORM_EPS, vb.pp("norm_f"))?,
            head: MilHead::new(config, vb.pp("head"))?,
            map: config.map,
        })
    }

    /// Features `[b, P, F]`, row by row, to the token sequence `T_0` `[b, P + 1, D]` (Eqs 6-8).
    ///
    /// # Errors
    /// If there are not as many patches as the grid has.
    pub(crate) fn sequence(&self, features: &Tensor, grid: Grid) -> Result<Tensor> {
        check(features, grid)?;
        let batch = features.dim(0)?;
        let patches = self.positions.add(&self.project.forward(features)?, grid)?; // [b, P, D]
        let dim = self.class_token.dim(0)?;
        let class_token = self.class_token.reshape((1, 1, dim))?.broadcast_as((batch, 1, dim))?;
        Tensor::cat(&[&class_token, &patches], 1)
    }

    /// Features `[b, P, F]`, row by row, to patch tokens `X` `[b, P, D]` (Eq. 16).
    ///
    /// # Errors
    /// If there are not as many patches as the grid has.
    pub(crate) fn tokens(&self, features: &Tensor, grid: Grid) -> Result<Tensor> {
        let order = ColumnOrder::new(grid, features.device())?;
        if features.device().is_cpu() && self.blocks.iter().all(FMambaBlock::fits_a_tape) {
            check(features, grid)?;
            let trunk = self.trunk(features, grid, order)?;
            let parameters: Vec<Tensor> =
                distinct(trunk.parameters()).into_iter().cloned().collect();
            return chained(trunk, features, &parameters.iter().collect::<Vec<_>>());
        }
        let mut tokens = self.sequence(features, grid)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, &order)?;
        }
        self.patches(&tokens)
    }

    /// Tokens `[b, P + 1, D]` behind the last block to `X` `[b, P, D]`.
    pub(super) fn patches(&self, tokens: &Tensor) -> Result<Tensor> {
        let n = tokens.dim(1)?;
        self.norm.forward(tokens)?.narrow(1, 1, n - 1)?.contiguous()
    }

    /// All that lies before the head, for bags of `grid` like `features`.
    fn trunk(&self, features: &Tensor, grid: Grid, order: ColumnOrder) -> Result<Trunk> {
        Ok(Trunk {
            project: self.project.clone(),
            class_token: self.class_token.clone(),
            places: self.positions.table(grid, features)?,
            blocks: self.blocks.clone(),
            norm: self.norm.clone(),
            order,
        })
    }

    /// Patch tokens `[b, P, D]` and mask `[b, P]` (1 a patch, 0 padding) to labels (Eqs 17-21).
    ///
    /// # Errors
    /// If shapes disagree.
    pub(crate) fn head(&self, tokens: &Tensor, mask: &Tensor) -> Result<HeadOutput> {
        self.head.forward(tokens, mask)
    }

    /// How much each patch speaks for class 1, `[b, P]`, as the config wants it drawn; of any scale.
    ///
    /// # Errors
    /// If shapes disagree.
    pub(crate) fn map(&self, tokens: &Tensor, mask: &Tensor) -> Result<Tensor> {
        raw_map(self.map, self, tokens, mask)
    }

    /// Which map [`Self::map`] draws.
    pub(crate) fn map_kind(&self) -> MapKind {
        self.map
    }

    /// The same network whose frequency branches leave out `bands`: what its config says in `freq_without`.
    pub(crate) fn without(&self, bands: &[Band]) -> Self {
        let blocks = self.blocks.iter().map(|it| it.without(bands)).collect();
        Self { blocks, ..self.clone() }
    }

    /// Whether it has a frequency branch.
    pub(crate) fn hears_frequencies(&self) -> bool {
        self.blocks.iter().any(|it| it.frequency().is_some())
    }

    /// What the first block's frequency branch is given of features `[b, P, F]`: `x` `[b, P + 1, E]`; `None` without a block.
    ///
    /// # Errors
    /// If there are not as many patches as the grid has.
    pub(crate) fn heard(&self, features: &Tensor, grid: Grid) -> Result<Option<Tensor>> {
        let Some(block) = self.blocks.first() else { return Ok(None) };
        Ok(Some(block.split(&self.sequence(features, grid)?)?.0))
    }

    /// The blocks, the first first.
    pub(crate) fn blocks(&self) -> &[FMambaBlock] {
        &self.blocks
    }

    /// The head's parts, for the closed form of its gradient.
    pub(crate) fn mil_head(&self) -> &MilHead {
        &self.head
    }
}

/// Refuses features that are not as many as the grid has patches.
fn check(features: &Tensor, grid: Grid) -> Result<()> {
    let (_, patches, _) = features.dims3()?;
    if patches != grid.patches() {
        bail!("a grid of {} x {} patches, but {patches} features", grid.rows, grid.columns)
    }
    Ok(())
}
