//! A masked autoencoder in training: weights, optimizer, place on the schedule and randomness.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::autoencoder::{Autoencoder, Guess};
use super::config::PretrainConfig;
use super::crop::Crop;
use super::roll::Roll;
use super::tiles::Tile;
use super::tokens::Order;
use crate::nn::gradients::gradients;
use crate::registry::weights::{self, Tensors};
use crate::train::adamw::AdamW;
use crate::train::schedule::learning_rate;

/// Prefixes of the two parts of a saved learner.
const WEIGHT: &str = "weight.";
const OPTIMIZER: &str = "optimizer.";
/// The stream of randomness that masks of fixed tiles come from.
const MASKS: u64 = 1;

/// Everything that learning changes.
#[derive(Debug)]
pub(super) struct Learner<'a> {
    config: &'a PretrainConfig,
    vars: BTreeMap<String, Var>,
    /// The variables' tensors in the tape's order.
    weights: Vec<Tensor>,
    network: Autoencoder,
    optimizer: AdamW,
    rng: ChaCha8Rng,
    /// Optimizer steps taken.
    pub(super) step: usize,
    device: Device,
}

impl<'a> Learner<'a> {
    /// A network with the first weights of the configuration's seed.
    pub(super) fn new(config: &'a PretrainConfig, device: &Device) -> Result<Self> {
        let mut vars = BTreeMap::new();
        for (name, first) in Autoencoder::first_weights(&config.network, config.seed)? {
            vars.insert(name, Var::from_tensor(&first.to_device(device)?)?);
        }
        let mut roll = Roll::default();
        let network = Autoencoder::new(&config.network, &mut roll);
        let tensors =
            vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        Ok(Self {
            weights: roll.sorted(&tensors)?,
            optimizer: AdamW::new(&vars, config.optimizer)?,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            vars,
            network,
            step: 0,
            device: device.clone(),
        })
    }

    /// Trainable numbers.
    pub(super) fn n_parameters(&self) -> usize {
        self.vars.values().map(|var| var.elem_count()).sum()
    }

    /// The batches of the next epoch.
    pub(super) fn order(&mut self, n_tiles: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..n_tiles).collect();
        order.shuffle(&mut self.rng);
        order.chunks(self.config.batch).map(<[usize]>::to_vec).collect()
    }

    /// The learning rate of the next step; every epoch has as many steps.
    pub(super) fn rate(&self, steps_per_epoch: usize) -> f64 {
        let n_warmup = self.config.warmup_epochs * steps_per_epoch;
        let n_steps = self.config.epochs * steps_per_epoch;
        learning_rate(&self.config.schedule(), self.step, n_warmup, n_steps)
    }

    /// One optimizer step over random parts of the tiles `indices`; the loss of the batch.
    pub(super) fn learn(&mut self, tiles: &[Tile], indices: &[usize], rate: f64) -> Result<f64> {
        let PretrainConfig { crop_min, flip, .. } = *self.config;
        let mut views = Vec::with_capacity(indices.len());
        let mut places = Vec::new();
        for index in indices {
            let tile = &tiles[*index];
            views.push((tile, Crop::draw(tile.side, crop_min, flip, &mut self.rng)));
            places.extend(self.permutation());
        }
        let patches = self.patches(&views)?;
        let loss = self.guess(&patches, &self.masked(places)?)?.loss;
        self.optimizer.step(&gradients(&loss)?, rate)?;
        self.step += 1;
        loss.to_scalar::<f32>().map(f64::from)
    }

    /// Guesses of whole tiles, each with a mask of its own that is the same every time.
    pub(super) fn look(&self, tiles: &[Tile]) -> Result<Seen> {
        let views: Vec<_> = tiles.iter().map(|tile| (tile, Crop::whole(tile.side))).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(MASKS);
        let length = self.config.network.grid().patches();
        let places = tiles.iter().flat_map(|_| permutation(length, &mut rng)).collect();
        let (patches, order) = (self.patches(&views)?, self.masked(places)?);
        let guess = self.guess(&patches, &order)?;
        Ok(Seen { patches, guess, order })
    }

    fn permutation(&mut self) -> Vec<u32> {
        permutation(self.config.network.grid().patches(), &mut self.rng)
    }

    fn masked(&self, places: Vec<u32>) -> Result<Order> {
        let network = &self.config.network;
        let length = network.grid().patches();
        Order::masked(places, length, network.n_seen(length))
    }

    /// Parts of tiles as patches `[b, L, patch * patch * 3]`.
    fn patches(&self, views: &[(&Tile, Crop)]) -> Result<Tensor> {
        let network = &self.config.network;
        let (length, values) = (network.grid().patches(), 3 * network.patch * network.patch);
        let mut patches = vec![0.0; views.len() * length * values];
        patches
            .par_chunks_exact_mut(length * values)
            .zip(views)
            .for_each(|(to, (tile, crop))| crop.patches(tile, network, to));
        Tensor::from_vec(patches, (views.len(), length, values), &self.device)
    }

    fn guess(&self, patches: &Tensor, order: &Order) -> Result<Guess> {
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        self.network.guess(patches, self.config.network.grid(), order, &weights)
    }

    /// All weights, copied to main memory.
    pub(super) fn weights(&self) -> Result<Tensors> {
        weights::copies(&self.vars)
    }

    /// Random words drawn so far.
    pub(super) fn random_words(&self) -> u64 {
        u64::try_from(self.rng.get_word_pos()).unwrap_or(u64::MAX)
    }

    /// Everything but step count and randomness, for [`Self::restore`].
    pub(super) fn tensors(&self) -> Result<Tensors> {
        let weights = weights::under(WEIGHT, self.weights()?);
        Ok(weights.chain(weights::under(OPTIMIZER, self.optimizer.state()?)).collect())
    }

    /// Goes back to where [`Self::tensors`] was called.
    pub(super) fn restore(
        &mut self,
        saved: &Tensors,
        step: usize,
        random_words: u64,
    ) -> Result<()> {
        weights::put_back(&self.vars, &weights::part(saved, WEIGHT))?;
        self.optimizer.load_state(&weights::part(saved, OPTIMIZER))?;
        self.rng.set_word_pos(random_words.into());
        self.step = step;
        Ok(())
    }
}

/// What the network was shown, and what it made of it.
#[derive(Debug)]
pub(super) struct Seen {
    /// `[b, L, patch * patch * 3]`.
    pub(super) patches: Tensor,
    pub(super) guess: Guess,
    pub(super) order: Order,
}

/// The patches of an image in random order.
fn permutation(length: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut places: Vec<u32> = (0..length as u32).collect();
    places.shuffle(rng);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_learner_takes_the_same_steps_and_the_loss_falls() {
        let text = r#"{
            "network": { "img": 16, "patch": 4, "dim": 16, "depth": 1, "heads": 2, "dec_dim": 8, "dec_depth": 1, "dec_heads": 2 },
            "batch": 3, "epochs": 2, "warmup_epochs": 0
        }"#;
        let config = PretrainConfig::from_json(text).unwrap();
        let tile = |salt: usize| Tile {
            side: 20,
            rgb: (0..1200).map(|at| ((at / 60 + salt) * 13 % 256) as u8).collect(),
        };
        let tiles: Vec<Tile> = (0..5).map(tile).collect();
        let step = |learner: &mut Learner<'_>| {
            let order = learner.order(tiles.len());
            learner.learn(&tiles, &order[0], 1e-2).unwrap()
        };
        let mut first = Learner::new(&config, &Device::Cpu).unwrap();
        let begun = step(&mut first);
        let mut second = Learner::new(&config, &Device::Cpu).unwrap();
        let random_words = first.random_words();
        second.restore(&first.tensors().unwrap(), first.step, random_words).unwrap();
        for _ in 0..30 {
            assert_eq!(step(&mut first), step(&mut second));
        }
        let bytes = |it: &Learner<'_>| weights::to_bytes(&it.weights().unwrap()).unwrap();
        assert_eq!(bytes(&first), bytes(&second));
        assert!(step(&mut first) < 0.8 * begun, "{begun}");
    }
}
