//! Vision Mamba as a bag classifier, the paper's own baseline: row scans, the class token in the middle, which alone
//! is classified. Map: Grad-CAM on the patch tokens that enter the last block.

use candle_core::{Result, Tensor, Var};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;
use rand_chacha::ChaCha8Rng;

use super::{Bags, Judgement, MilNetwork, of_bag_alone, probabilities};
use crate::fmamil::block::{FMambaBlock, NORM_EPS};
use crate::fmamil::config::Positions as PositionKind;
use crate::fmamil::init::{List, Start};
use crate::fmamil::order::ColumnOrder;
use crate::fmamil::positions::Positions;
use crate::fmamil::{FmamilConfig, Grid};
use crate::loss::mil::{LossConfig, MilLoss};
use crate::nn::layer_norm::LayerNorm;
use crate::nn::linear::Linear;

#[derive(Clone, Debug)]
pub(super) struct VisionMamba {
    project: Linear,
    class_token: Tensor,
    positions: Positions,
    blocks: Vec<FMambaBlock>,
    norm: LayerNorm,
    classify: Linear,
}

/// Its weights.
pub(super) fn weights(config: &FmamilConfig) -> Result<List> {
    config.check()?;
    let mut list = List::default();
    list.xavier("proj", config.dim, config.feature_dim);
    list.add("cls_token", &[config.dim], Start::Constant(0.0));
    if config.positions == PositionKind::Learnable {
        let Grid { rows, columns } = config.position_grid;
        list.add("pos_embed", &[rows, columns, config.dim], Start::TruncatedNormal(0.02));
    }
    for block in 0..config.depth {
        list.block(&format!("blocks.{block}"), config);
    }
    list.norm("norm_f", config.dim, 1.0);
    list.xavier("cls", config.classes, config.dim);
    Ok(list)
}

impl VisionMamba {
    pub(super) fn new(config: &FmamilConfig, vb: VarBuilder<'_>) -> Result<Self> {
        config.check()?;
        let block = |i| FMambaBlock::new(config, vb.pp("blocks").pp(i));
        Ok(Self {
            project: Linear::new(config.feature_dim, config.dim, vb.pp("proj"))?,
            class_token: vb.get(config.dim, "cls_token")?,
            positions: Positions::new(config, &vb)?,
            blocks: (0..config.depth).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(config.dim, NORM_EPS, vb.pp("norm_f"))?,
            classify: Linear::new(config.dim, config.classes, vb.pp("cls"))?,
        })
    }

    /// Features to the tokens that enter the last block, `[b, P + 1, D]`.
    fn before_last(&self, bags: Bags<'_>, order: &ColumnOrder) -> Result<Tensor> {
        let patches = self.positions.add(&self.project.forward(bags.features)?, bags.grid)?;
        let (batch, n, dim) = patches.dims3()?;
        let middle = n / 2;
        let class_token = self.class_token.reshape((1, 1, dim))?.broadcast_as((batch, 1, dim))?;
        let (left, right) = (patches.narrow(1, 0, middle)?, patches.narrow(1, middle, n - middle)?);
        let mut tokens = Tensor::cat(&[&left, &class_token, &right], 1)?;
        for block in self.blocks.iter().take(self.blocks.len().saturating_sub(1)) {
            tokens = block.forward(&tokens, order)?;
        }
        Ok(tokens)
    }

    /// Tokens that enter the last block to logits `[b, C]`.
    fn logits(&self, tokens: &Tensor, order: &ColumnOrder) -> Result<Tensor> {
        let tokens = match self.blocks.last() {
            Some(block) => block.forward(tokens, order)?,
            None => tokens.clone(),
        };
        let middle = (tokens.dim(1)? - 1) / 2;
        let class_token = tokens.narrow(1, middle, 1)?.contiguous()?;
        self.classify.forward(&self.norm.forward(&class_token)?.squeeze(1)?)
    }
}

impl MilNetwork for VisionMamba {
    fn loss(
        &self,
        bags: Bags<'_>,
        target: &Tensor,
        config: &LossConfig,
        _rng: &mut ChaCha8Rng,
    ) -> Result<MilLoss> {
        let order = ColumnOrder::new(bags.grid, bags.features.device())?;
        let logits = self.logits(&self.before_last(bags, &order)?, &order)?;
        of_bag_alone(&logits, target, config)
    }

    fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor> {
        let order = ColumnOrder::new(bags.grid, bags.features.device())?;
        probabilities(&self.logits(&self.before_last(bags, &order)?, &order)?)
    }

    fn judge(&self, bags: Bags<'_>) -> Result<Judgement> {
        let order = ColumnOrder::new(bags.grid, bags.features.device())?;
        let tokens = Var::from_tensor(&self.before_last(bags, &order)?.detach())?;
        let logits = self.logits(&tokens, &order)?;
        let margin = (logits.narrow(1, 1, 1)? - logits.narrow(1, 0, 1)?)?.sum_all()?;
        let gradient = match margin.backward()?.remove(&tokens) {
            Some(gradient) => gradient,
            None => tokens.zeros_like()?,
        };
        let without_class = |tokens: &Tensor| -> Result<Tensor> {
            let n = tokens.dim(1)? - 1;
            let right = tokens.narrow(1, n / 2 + 1, n - n / 2)?;
            Tensor::cat(&[&tokens.narrow(1, 0, n / 2)?, &right], 1)
        };
        let mask = bags.mask.unsqueeze(2)?;
        let patches = bags.mask.sum_keepdim(1)?.maximum(1.0)?; // [b, 1]
        let weight = without_class(&gradient)?.broadcast_mul(&mask)?.sum(1)?;
        let weight = weight.broadcast_div(&patches)?.unsqueeze(2)?; // [b, D, 1]
        let map = without_class(&tokens)?.matmul(&weight)?.squeeze(2)?;
        Ok(Judgement { probabilities: softmax(&logits, 1)?, map: (map * bags.mask)? })
    }
}
