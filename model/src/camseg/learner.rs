//! A segmentation network in training: weights, optimizer, place on the schedule and randomness.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::CamsegConfig;
use super::dataset::Tile;
use super::label::binarize;
use super::network::{Answer, SegmentationNetwork, Side, SideScale, variables};
use super::optimizer::Optimizer;
use crate::loss::camseg::{CamsegLoss, Stage, camseg_loss};
use crate::nn::gradients::gradients;
use crate::registry::weights::{self, Tensors};

/// Prefixes of the two parts of a saved learner.
const WEIGHT: &str = "weight.";
const MOTION: &str = "motion.";

/// Everything that learning changes.
#[derive(Debug)]
pub(super) struct Learner<'a> {
    config: &'a CamsegConfig,
    device: Device,
    vars: BTreeMap<String, Var>,
    network: Box<dyn SegmentationNetwork>,
    optimizer: Box<dyn Optimizer>,
    rng: ChaCha8Rng,
    /// Optimizer steps taken.
    pub(super) step: usize,
}

/// A tile as the network sees it.
#[derive(Debug)]
pub(super) struct Look {
    /// Which pixels are lesion.
    pub(super) lesion: Vec<bool>,
    /// What each side mask counts.
    pub(super) weights: Vec<(SideScale, f64)>,
}

/// Sums over the tiles of an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossSums {
    pub(super) total: f64,
    pub(super) soft: f64,
    pub(super) hard: f64,
    pub(super) consistency: f64,
    pub(super) changed: f64,
    pub(super) n: usize,
}

impl<'a> Learner<'a> {
    /// A network with the first weights of the configuration's seed.
    pub(super) fn new(config: &'a CamsegConfig, device: &Device) -> Result<Self> {
        let first = config.network.first_weights(config.seed)?;
        let on_device = |(name, it): (String, Tensor)| Ok((name, it.to_device(device)?));
        let first: Tensors = first.into_iter().map(on_device).collect::<Result<_>>()?;
        let vars = variables(&first)?;
        Ok(Self {
            config,
            device: device.clone(),
            network: config.network.build(&vars)?,
            optimizer: config.optimizer.build(&vars)?,
            vars,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            step: 0,
        })
    }

    /// Numbers of the network.
    pub(super) fn n_parameters(&self) -> usize {
        self.vars.values().map(|var| var.elem_count()).sum()
    }

    /// The batches of the next epoch.
    pub(super) fn order(&mut self, tiles: &[Tile]) -> Vec<Vec<usize>> {
        order(tiles, self.config.batch, &mut self.rng)
    }

    /// The learning rate of the next step; every epoch has as many steps.
    pub(super) fn rate(&self, steps_per_epoch: usize) -> f64 {
        self.config.optimizer.rate_at(self.step, steps_per_epoch, self.config.epochs)
    }

    /// One optimizer step over the tiles `indices`, each turned at random; the loss of the batch.
    pub(super) fn learn(
        &mut self,
        tiles: &[Tile],
        indices: &[usize],
        (stage, rate): (Stage, f64),
        sums: &mut LossSums,
    ) -> Result<f64> {
        let turned: Vec<Tile> = indices.iter().map(|it| self.turned(&tiles[*it])).collect();
        let (images, cam) = batch(&turned, &self.device)?;
        let Answer { logits, sides } = self.network.learn(&images)?;
        let of = |logits: &Tensor| camseg_loss(logits, &cam, stage, &self.config.loss);
        let loss = of(&logits)?;
        let mut total = loss.total.clone();
        for Side { logits, weight, .. } in &sides {
            total = (total + (of(logits)?.per_image * weight)?.mean_all()?)?;
        }
        self.optimizer.step(&gradients(&total)?, rate)?;
        self.step += 1;
        sums.add(&loss, &cam, self.config.loss.mask_threshold)?;
        Ok(f64::from(total.to_scalar::<f32>()?))
    }

    fn turned(&mut self, tile: &Tile) -> Tile {
        let orientation = if self.config.orient { self.rng.random_range(0..8) } else { 0 };
        tile.oriented(orientation)
    }

    /// What a tile is to the network as it is.
    pub(super) fn look(&self, tile: &Tile) -> Result<Look> {
        let (images, _) = batch(std::slice::from_ref(tile), &self.device)?;
        let Answer { logits, sides } = self.network.apply(&images)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let weight = |it: &Side| Ok((it.scale, f64::from(it.weight.get(0)?.to_scalar::<f32>()?)));
        Ok(Look {
            lesion: logits.into_iter().map(|it| 0.0 < it).collect(),
            weights: sides.iter().map(weight).collect::<Result<_>>()?,
        })
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
        Ok(weights.chain(weights::under(MOTION, self.optimizer.state()?)).collect())
    }

    /// Goes back to where [`Self::tensors`] was called.
    pub(super) fn restore(
        &mut self,
        saved: &Tensors,
        step: usize,
        random_words: u64,
    ) -> Result<()> {
        weights::put_back(&self.vars, &weights::part(saved, WEIGHT))?;
        self.optimizer.load_state(&weights::part(saved, MOTION))?;
        self.rng.set_word_pos(random_words.into());
        self.step = step;
        Ok(())
    }
}

impl LossSums {
    fn add(&mut self, loss: &CamsegLoss, cam: &Tensor, threshold: f64) -> Result<()> {
        let n = cam.dim(0)?;
        let value = |tensor: &Tensor| tensor.to_scalar::<f32>().map(|it| f64::from(it) * n as f64);
        self.total += value(&loss.total)?;
        self.soft += value(&loss.soft)?;
        self.hard += value(&loss.hard)?;
        self.consistency += value(&loss.consistency)?;
        let changed = (binarize(cam, threshold)? - &loss.mask)?.abs()?.mean_all()?;
        self.changed += value(&changed)?;
        self.n += n;
        Ok(())
    }
}

/// Indices of the tiles of one epoch: shuffled, in batches of one size.
fn order(tiles: &[Tile], batch: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut by_size: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (i, tile) in tiles.iter().enumerate() {
        by_size.entry((tile.rows, tile.columns)).or_default().push(i);
    }
    let mut batches = Vec::new();
    for mut indices in by_size.into_values() {
        indices.shuffle(rng);
        batches.extend(indices.chunks(batch).map(<[usize]>::to_vec));
    }
    batches.shuffle(rng);
    batches
}

/// Images `[n, h, w, 3]` in `-1.0..=1.0` and labels `[n, h, w]` of tiles of one size.
fn batch(tiles: &[Tile], device: &Device) -> Result<(Tensor, Tensor)> {
    let (rows, columns) = tiles.first().map_or((0, 0), |it| (it.rows, it.columns));
    let pixels: Vec<f32> = tiles.iter().flat_map(|it| normalized(&it.rgb)).collect();
    let labels: Vec<f32> = tiles.iter().flat_map(|it| &it.label).map(|it| it.to_f32()).collect();
    Ok((
        Tensor::from_vec(pixels, (tiles.len(), rows, columns, 3), device)?,
        Tensor::from_vec(labels, (tiles.len(), rows, columns), device)?,
    ))
}

/// Pixel values as a segmentation network sees them.
pub(super) fn normalized(rgb: &[u8]) -> impl Iterator<Item = f32> + '_ {
    rgb.iter().map(|it| f32::from(*it) / 127.5 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    fn tile(side: usize) -> Tile {
        let label = vec![f16::ZERO; side * side];
        Tile { rows: side, columns: side, rgb: vec![0; 3 * side * side], label }
    }

    #[test]
    fn batches_hold_every_tile_once_and_one_size_each() {
        let tiles: Vec<Tile> = [16, 32, 16, 16, 32].map(tile).into();
        let order = order(&tiles, 2, &mut ChaCha8Rng::seed_from_u64(1));
        let mut all: Vec<usize> = order.concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        for batch in order {
            assert!(batch.iter().all(|it| tiles[*it].rows == tiles[batch[0]].rows));
        }
    }

    #[test]
    fn pixel_values_run_from_minus_one_to_one() {
        assert_eq!(normalized(&[0, 255]).collect::<Vec<_>>(), [-1.0, 1.0]);
    }

    #[test]
    fn a_restored_learner_takes_the_same_steps() {
        let text = r#"{ "network": { "base": 4 }, "batch": 2, "epochs": 2, "early_epochs": 0 }"#;
        let config = CamsegConfig::from_json(text).unwrap();
        let mut tiles = vec![tile(16); 3];
        tiles[0].rgb.iter_mut().enumerate().for_each(|(i, it)| *it = (i * 7 % 251) as u8);
        tiles[1].label.iter_mut().step_by(3).for_each(|it| *it = f16::ONE);
        let step = |learner: &mut Learner<'_>| {
            let order = learner.order(&tiles);
            let how = (Stage::Late, learner.rate(order.len()));
            learner.learn(&tiles, &order[0], how, &mut LossSums::default()).unwrap()
        };
        let mut first = Learner::new(&config, &Device::Cpu).unwrap();
        step(&mut first);
        let mut second = Learner::new(&config, &Device::Cpu).unwrap();
        second.restore(&first.tensors().unwrap(), first.step, first.random_words()).unwrap();
        for _ in 0..3 {
            assert_eq!(step(&mut first), step(&mut second));
        }
        let bytes = |learner: &Learner<'_>| weights::to_bytes(&learner.weights().unwrap()).unwrap();
        assert_eq!(bytes(&first), bytes(&second));
    }
}
