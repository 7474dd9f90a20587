//! Masked autoencoder (He et al. 2022; MODELS 10.4, 10.5): an encoder sees a quarter of an image's patches, a small decoder guesses the rest.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::transformer::{Block, EPSILON};
use crate::fmamil::Grid;
use crate::fmamil::positions::sincos;
use crate::nn::layer_norm::{LayerNorm, standardize};
use crate::nn::linear::Linear;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AutoencoderConfig {
    /// Side of an image, px.
    pub(crate) img: usize,
    /// Side of a patch, px.
    pub(crate) patch: usize,
    pub(crate) dim: usize,
    pub(crate) depth: usize,
    pub(crate) heads: usize,
    pub(crate) dec_dim: usize,
    pub(crate) dec_depth: usize,
    pub(crate) dec_heads: usize,
    pub(crate) mlp_ratio: usize,
    /// Share of the patches that are hidden.
    pub(crate) mask_ratio: f64,
}

impl AutoencoderConfig {
    /// How many of `length` patches are seen.
    pub(crate) fn n_seen(&self, length: usize) -> usize {
        (length as f64 * (1.0 - self.mask_ratio)) as usize
    }
}

/// What becomes of a batch of images.
#[derive(Debug)]
pub(crate) struct Guess {
    /// Mean squared error of the hidden patches.
    pub(crate) loss: Tensor,
    /// All patches, each as if it had mean 0 and variance 1, `[b, L, patch * patch * 3]`.
    pub(crate) patches: Tensor,
    /// 1 where a patch was hidden, `[b, L]`.
    pub(crate) hidden: Tensor,
}

/// The network.
#[derive(Clone, Debug)]
pub(crate) struct Autoencoder {
    config: AutoencoderConfig,
    embed: Linear,
    class_token: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    hand_over: Linear,
    mask_token: Tensor,
    decoder: Vec<Block>,
    decoder_norm: LayerNorm,
    guess: Linear,
}

impl Autoencoder {
    /// Over weights by the names that He et al. gave them.
    pub(crate) fn new(config: &AutoencoderConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let AutoencoderConfig { patch, dim, dec_dim, mlp_ratio, .. } = *config;
        let blocks = |name: &str, count: usize, dim: usize, heads: usize| -> Result<Vec<Block>> {
            (0..count).map(|at| Block::new(dim, heads, mlp_ratio, &vb.pp(name).pp(at))).collect()
        };
        let kernel = vb.get((dim, 3, patch, patch), "patch_embed.weight")?;
        let bias = vb.get(dim, "patch_embed.bias")?;
        // Patches are laid out row, column, color.
        let kernel = kernel.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?;
        Ok(Self {
            config: config.clone(),
            embed: Linear::of(kernel, Some(bias)),
            class_token: vb.get(dim, "cls_token")?,
            blocks: blocks("blocks", config.depth, dim, config.heads)?,
            norm: LayerNorm::new(dim, EPSILON, vb.pp("norm"))?,
            hand_over: Linear::new(dim, dec_dim, vb.pp("decoder_embed"))?,
            mask_token: vb.get(dec_dim, "mask_token")?,
            decoder: blocks("decoder_blocks", config.dec_depth, dec_dim, config.dec_heads)?,
            decoder_norm: LayerNorm::new(dec_dim, EPSILON, vb.pp("decoder_norm"))?,
            guess: Linear::new(dec_dim, patch * patch * 3, vb.pp("decoder_pred"))?,
        })
    }

    /// Features of images `[b, h, w, 3]`, `[b, D]`: the mean of all patches, none hidden.
    pub(crate) fn features(&self, images: &Tensor) -> Result<Tensor> {
        let (patches, grid) = self.patches(images)?;
        let tokens = self.encoded(&self.tokens(&patches, grid)?)?;
        tokens.narrow(1, 1, tokens.dim(1)? - 1)?.mean(1)
    }

    /// Hides all but the first patches of `order` `[b, L]`, a permutation for every image, and guesses them.
    pub(crate) fn guess(&self, images: &Tensor, order: &Tensor) -> Result<Guess> {
        let (patches, grid) = self.patches(images)?;
        let tokens = self.tokens(&patches, grid)?;
        let (b, length, _) = tokens.dims3()?;
        let n_seen = self.config.n_seen(length);
        let places = order.arg_sort_last_dim(true)?;
        let seen = picked(&tokens, &order.narrow(1, 0, n_seen)?)?;
        let seen = self.hand_over.forward(&self.encoded(&seen)?)?;
        let dim = self.config.dec_dim;
        let filler = self.mask_token.broadcast_as((b, length - n_seen, dim))?;
        let patches_seen = seen.narrow(1, 1, n_seen)?;
        let all = picked(&Tensor::cat(&[&patches_seen, &filler.contiguous()?], 1)?, &places)?;
        let table = sincos(grid, grid, dim, images.device())?.to_dtype(images.dtype())?;
        let mut y = Tensor::cat(&[&seen.narrow(1, 0, 1)?, &all.broadcast_add(&table)?], 1)?;
        for block in &self.decoder {
            y = block.forward(&y)?;
        }
        let y = self.guess.forward(&self.decoder_norm.forward(&y)?)?;
        let guessed = y.narrow(1, 1, length)?.contiguous()?;
        let target = standard(&patches)?;
        let hidden = places.ge(n_seen as u32)?.to_dtype(images.dtype())?;
        let error = (&guessed - &target)?.sqr()?.mean(D::Minus1)?;
        let loss = ((error * &hidden)?.sum_all()? / hidden.sum_all()?)?;
        Ok(Guess { loss, patches: guessed, hidden })
    }

    fn grid(&self, images: &Tensor) -> Result<Grid> {
        let (_, height, width, _) = images.dims4()?;
        let side = self.config.patch;
        if !height.is_multiple_of(side) || !width.is_multiple_of(side) {
            bail!("expected sides of whole patches of {side} px, found {height} x {width}")
        }
        Ok(Grid { rows: height / side, columns: width / side })
    }

    /// Tokens of patches at their places.
    fn tokens(&self, patches: &Tensor, grid: Grid) -> Result<Tensor> {
        let table = sincos(grid, grid, self.config.dim, patches.device())?;
        self.embed.forward(patches)?.broadcast_add(&table.to_dtype(patches.dtype())?)
    }

    /// Images `[b, h, w, 3]` as patches `[b, L, patch * patch * 3]`: row, column, color.
    pub(crate) fn patches(&self, images: &Tensor) -> Result<(Tensor, Grid)> {
        let (b, _, _, colors) = images.dims4()?;
        let (side, grid) = (self.config.patch, self.grid(images)?);
        let cut = images.reshape(&[b, grid.rows, side, grid.columns, side, colors][..])?;
        let cut = cut.permute(vec![0, 1, 3, 2, 4, 5])?.contiguous()?;
        Ok((cut.reshape((b, grid.patches(), side * side * colors))?, grid))
    }

    /// The encoder: a class token before those of the patches.
    fn encoded(&self, tokens: &Tensor) -> Result<Tensor> {
        let (b, _, dim) = tokens.dims3()?;
        let class = self.class_token.broadcast_as((b, 1, dim))?.contiguous()?;
        let mut x = Tensor::cat(&[&class, tokens], 1)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.norm.forward(&x)
    }
}

/// Tokens `[b, L, D]` in another order, by indices `[b, n]`.
fn picked(tokens: &Tensor, places: &Tensor) -> Result<Tensor> {
    let (b, _, dim) = tokens.dims3()?;
    let places = places.unsqueeze(2)?.broadcast_as((b, places.dim(1)?, dim))?.contiguous()?;
    tokens.contiguous()?.gather(&places, 1)
}

/// Patches with mean 0 and unbiased variance 1.
fn standard(patches: &Tensor) -> Result<Tensor> {
    let n = patches.dim(D::Minus1)? as f64;
    let share = (n - 1.0) / n;
    // The biased variance plus share * epsilon, times 1 / share, is the unbiased one plus epsilon.
    standardize(patches, share * EPSILON)?.affine(share.sqrt(), 0.0)
}
