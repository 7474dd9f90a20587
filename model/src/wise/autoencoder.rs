//! Masked autoencoder (He et al. 2022; MODELS 10.4, 10.5): an encoder sees a quarter of an image's patches, a small decoder guesses the rest.
//!
//! Images come as patches `[b, L, patch * patch * 3]`, row by row, each pixel by pixel.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{D, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::roll::{Layer, Roll};
use super::tokens::{Begin, Fill, HiddenError, MeanOfPatches, Order, See};
use super::transformer::{Block, EPSILON};
use crate::fmamil::Grid;
use crate::fmamil::positions::sincos;
use crate::nn::fused::apply2;
use crate::nn::layer_norm::layer_norm;
use crate::nn::tape::{Chain, Slot, Tape, chained};
use crate::nn::vectors::Vectors;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Side of an image, px.
    pub img: usize,
    /// Side of a patch, px.
    pub patch: usize,
    /// Values per token.
    pub dim: usize,
    /// Blocks of the encoder.
    pub depth: usize,
    /// Heads of its attention.
    pub heads: usize,
    /// Values per token of the decoder.
    pub dec_dim: usize,
    /// Blocks of the decoder.
    pub dec_depth: usize,
    /// Heads of its attention.
    pub dec_heads: usize,
    /// How much wider than its ends a block is between its two layers.
    pub mlp_ratio: usize,
    /// Share of the patches that are hidden.
    pub mask_ratio: f64,
}

/// Sizes of the half that is kept, as its weights file states them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisionConfig {
    pub(crate) img: usize,
    pub(crate) patch: usize,
    pub(crate) dim: usize,
    pub(crate) depth: usize,
    pub(crate) heads: usize,
    pub(crate) mlp_ratio: usize,
}

impl AutoencoderConfig {
    /// Sizes of the encoder.
    pub(crate) fn encoder(&self) -> VisionConfig {
        let Self { img, patch, dim, depth, heads, mlp_ratio, .. } = *self;
        VisionConfig { img, patch, dim, depth, heads, mlp_ratio }
    }

    /// The small default (MODELS 10.4), which a CPU can train.
    pub(crate) fn small() -> Self {
        Self {
            img: 96,
            patch: 16,
            dim: 192,
            depth: 6,
            heads: 3,
            dec_dim: 96,
            dec_depth: 2,
            dec_heads: 3,
            mlp_ratio: 4,
            mask_ratio: 0.75,
        }
    }

    /// How many of `length` patches are seen.
    pub(crate) fn n_seen(&self, length: usize) -> usize {
        (length as f64 * (1.0 - self.mask_ratio)) as usize
    }

    /// Patches of an image.
    pub(crate) fn grid(&self) -> Grid {
        self.encoder().grid()
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { dec_dim, dec_heads, dec_depth, mask_ratio, .. } = *self;
        let problem = self.encoder().problem();
        let problem = problem.or_else(|| width_problem("dec_dim", dec_dim, dec_heads));
        if let Some(problem) = problem.or_else(|| count_problem("dec_depth", dec_depth)) {
            return Some(problem);
        }
        let (length, seen) = (self.grid().patches(), self.n_seen(self.grid().patches()));
        let is_some = (0.0..1.0).contains(&mask_ratio) && (1..length).contains(&seen);
        (!is_some).then(|| {
            format!("mask_ratio must leave some of {length} patches seen and some hidden, found {mask_ratio}")
        })
    }
}

impl VisionConfig {
    /// Patches of an image.
    pub(crate) fn grid(&self) -> Grid {
        let side = self.img / self.patch;
        Grid { rows: side, columns: side }
    }

    /// Says what is out of range, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { img, patch, dim, depth, heads, mlp_ratio } = *self;
        if !(2..=64).contains(&patch) || !(16..=1024).contains(&img) || !img.is_multiple_of(patch) {
            return Some(format!(
                "img must be a multiple of patch in 16 to 1024, found {img} and {patch}"
            ));
        }
        let problem = width_problem("dim", dim, heads);
        let problem = problem.or_else(|| count_problem("depth", depth));
        problem.or_else(|| count_problem("mlp_ratio", mlp_ratio))
    }
}

fn width_problem(name: &str, dim: usize, heads: usize) -> Option<String> {
    let is_whole = 0 < heads && dim.is_multiple_of(4) && dim.is_multiple_of(heads);
    (!is_whole || !(4..=4096).contains(&dim)).then(|| {
        format!(
            "{name} must be a multiple of 4 and of its heads in 4 to 4096, found {dim} and {heads}"
        )
    })
}

fn count_problem(name: &str, count: usize) -> Option<String> {
    let is_out = !(1..=64).contains(&count);
    is_out.then(|| format!("{name} must lie in 1 to 64, found {count}"))
}

/// The half that is kept: patches to tokens.
#[derive(Clone, Debug)]
pub(crate) struct VisionEncoder {
    dim: usize,
    embed: Layer,
    class_token: Slot,
    blocks: Vec<Block>,
    norm: Layer,
}

impl VisionEncoder {
    /// Adds its weights to `roll` by the names that He et al. gave them.
    pub(crate) fn new(config: &VisionConfig, roll: &mut Roll) -> Self {
        let VisionConfig { patch, dim, depth, heads, mlp_ratio, .. } = *config;
        let sizes = (dim, heads, mlp_ratio);
        Self {
            dim,
            embed: roll.patches("patch_embed", dim, patch),
            class_token: roll.token("cls_token", dim),
            blocks: (0..depth).map(|at| Block::new(roll, &format!("blocks.{at}"), sizes)).collect(),
            norm: roll.norm("norm", dim),
        }
    }

    /// Tokens `[b, n + 1, D]` of the patches that are seen, a class token before them.
    fn tokens<T: Vectors>(
        &self,
        tape: &mut Tape<'_, T>,
        order: &Order,
        grid: Grid,
    ) -> Result<Slot> {
        let seen = tape.apply(See { order: order.clone() }, [Slot::INPUT])?;
        let seen = self.embed.linear(tape, seen)?;
        let begin = Begin { order: order.clone(), table: table(grid, self.dim)? };
        let mut x = tape.apply(begin, [self.class_token, seen])?;
        for block in &self.blocks {
            x = block.forward(tape, x)?;
        }
        self.norm.norm(tape, x)
    }

    /// Features `[b, D]` of images of `grid` patches: the mean of all patches, none hidden. `weights` are those of the encoder, in the
    /// tape's order.
    ///
    /// # Errors
    /// If the images have other patches.
    pub(crate) fn features(
        &self,
        patches: &Tensor,
        grid: Grid,
        weights: &[&Tensor],
    ) -> Result<Tensor> {
        chained(Describing { encoder: self.clone(), grid }, patches, weights)
    }
}

/// Sine and cosine of places, not scaled, `[L, dim]`.
fn table(grid: Grid, dim: usize) -> Result<Arc<[f64]>> {
    let table = sincos(grid, grid, dim, &candle_core::Device::Cpu)?;
    Ok(table.flatten_all()?.to_vec1::<f64>()?.into())
}

/// Features of images.
struct Describing {
    encoder: VisionEncoder,
    grid: Grid,
}

impl Chain for Describing {
    const NAME: &'static str = "vision encoder";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let order = Order::whole(self.grid.patches());
        let tokens = self.encoder.tokens(tape, &order, self.grid)?;
        tape.apply(MeanOfPatches, [tokens])
    }
}

/// Encoder and decoder.
#[derive(Clone, Debug)]
pub(crate) struct Autoencoder {
    encoder: VisionEncoder,
    dec_dim: usize,
    hand_over: Layer,
    mask_token: Slot,
    decoder: Vec<Block>,
    decoder_norm: Layer,
    guess: Layer,
}

/// What becomes of a batch of images.
#[derive(Debug)]
pub(crate) struct Guess {
    /// Mean squared error of the hidden patches.
    pub(crate) loss: Tensor,
    /// All patches, each as if it had mean 0 and variance 1, `[b, L, patch * patch * 3]`.
    pub(crate) patches: Tensor,
}

impl Autoencoder {
    /// Adds its weights to `roll`, those of the encoder first.
    pub(crate) fn new(config: &AutoencoderConfig, roll: &mut Roll) -> Self {
        let AutoencoderConfig { patch, dim, dec_dim, dec_depth, dec_heads, mlp_ratio, .. } =
            *config;
        let sizes = (dec_dim, dec_heads, mlp_ratio);
        let block = |roll: &mut Roll, at| Block::new(roll, &format!("decoder_blocks.{at}"), sizes);
        Self {
            encoder: VisionEncoder::new(&config.encoder(), roll),
            dec_dim,
            hand_over: roll.linear("decoder_embed", dec_dim, dim),
            mask_token: roll.token("mask_token", dec_dim),
            decoder: (0..dec_depth).map(|at| block(roll, at)).collect(),
            decoder_norm: roll.norm("decoder_norm", dec_dim),
            guess: roll.linear("decoder_pred", patch * patch * 3, dec_dim),
        }
    }

    /// First weights by name.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub(crate) fn first_weights(
        config: &AutoencoderConfig,
        seed: u64,
    ) -> Result<BTreeMap<String, Tensor>> {
        let mut roll = Roll::default();
        Self::new(config, &mut roll);
        roll.first_weights(seed)
    }

    /// Guesses the patches that `order` hides. `weights` in the tape's order.
    ///
    /// # Errors
    /// If the images have other patches than `grid` and `order` say.
    pub(crate) fn guess(
        &self,
        patches: &Tensor,
        grid: Grid,
        order: &Order,
        weights: &[&Tensor],
    ) -> Result<Guess> {
        let guessing = Guessing { network: self.clone(), grid, order: order.clone() };
        let guesses = chained(guessing, patches, weights)?;
        let error = HiddenError { order: order.clone() };
        let loss = apply2(error, [&guesses, &standard(patches)?])?;
        Ok(Guess { loss, patches: guesses.narrow(1, 1, order.length)? })
    }
}

/// All patches from those that are seen.
struct Guessing {
    network: Autoencoder,
    grid: Grid,
    order: Order,
}

impl Chain for Guessing {
    const NAME: &'static str = "masked autoencoder";

    fn run<T: Vectors>(&self, tape: &mut Tape<'_, T>) -> Result<Slot> {
        let Self { network, grid, order } = self;
        let seen = network.encoder.tokens(tape, order, *grid)?;
        let seen = network.hand_over.linear(tape, seen)?;
        let fill = Fill { order: order.clone(), table: table(*grid, network.dec_dim)? };
        let mut x = tape.apply(fill, [network.mask_token, seen])?;
        for block in &network.decoder {
            x = block.forward(tape, x)?;
        }
        let x = network.decoder_norm.norm(tape, x)?;
        network.guess.linear(tape, x)
    }
}

/// Patches with mean 0 and unbiased variance 1.
pub(crate) fn standard(patches: &Tensor) -> Result<Tensor> {
    let n = patches.dim(D::Minus1)?;
    let share = (n as f64 - 1.0) / n as f64;
    // The biased variance plus share * epsilon, times 1 / share, is the unbiased one plus epsilon.
    let scale = Tensor::full(share.sqrt(), n, patches.device())?.to_dtype(patches.dtype())?;
    layer_norm(patches, &scale, &scale.zeros_like()?, share * EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_network_is_in_range_and_what_is_not_is_named() {
        let small = AutoencoderConfig::small();
        assert_eq!(small.problem(), None);
        assert_eq!(small.n_seen(small.grid().patches()), 9);
        let problem = |config: AutoencoderConfig| config.problem().unwrap();
        assert!(problem(AutoencoderConfig { img: 100, ..small.clone() }).starts_with("img must"));
        assert!(problem(AutoencoderConfig { heads: 5, ..small.clone() }).starts_with("dim must"));
        assert!(problem(AutoencoderConfig { depth: 0, ..small.clone() }).starts_with("depth must"));
        assert!(problem(AutoencoderConfig { mask_ratio: 1.0, ..small }).starts_with("mask_ratio"));
    }
}
