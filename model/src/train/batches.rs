//! Training bags in random order and varied, as batches of one grid.

use std::borrow::Cow;

use candle_core::{Device, Tensor};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::AugmentConfig;
use super::dataset::Bag;
use crate::data::augment;
use crate::fmamil::Grid;
use crate::pipeline::feature_space::FeatureSpace;
use crate::pipeline::loaded_model::BagBatch;

/// A batch with soft labels.
#[derive(Clone, Debug)]
pub(crate) struct TrainBatch {
    pub(crate) bags: BagBatch,
    /// Positive mass of each bag, `0.0..=1.0`.
    pub(crate) positive: Vec<f32>,
}

impl TrainBatch {
    /// The batch in portions of at most that many bags, in order.
    pub(super) fn portions(&self, most: usize) -> impl Iterator<Item = Cow<'_, Self>> {
        let n = self.positive.len();
        (0..n).step_by(most.max(1)).map(move |start| {
            if n <= most {
                return Cow::Borrowed(self);
            }
            let bags = start..(start + most).min(n);
            let positive = self.positive[bags.clone()].to_vec();
            Cow::Owned(Self { bags: self.bags.part(bags), positive })
        })
    }

    /// Labels `[n, 2]`, negative first.
    pub(crate) fn target(&self, device: &Device) -> candle_core::Result<Tensor> {
        let rows: Vec<f32> = self.positive.iter().flat_map(|it| [1.0 - it, *it]).collect();
        Tensor::from_vec(rows, (self.positive.len(), 2), device)
    }
}

/// Indices of the bags of one epoch: shuffled, in batches of one grid. A batch of a single bag among larger ones is
/// left out, since mixup and batch means need company.
pub(crate) fn order(bags: &[Bag], batch: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut grids: Vec<Grid> = Vec::new();
    for bag in bags {
        if !grids.contains(&bag.grid) {
            grids.push(bag.grid);
        }
    }
    let mut batches = Vec::new();
    for grid in grids {
        let mut indices: Vec<usize> = (0..bags.len()).filter(|i| bags[*i].grid == grid).collect();
        indices.shuffle(rng);
        batches.extend(indices.chunks(batch).map(<[usize]>::to_vec));
    }
    batches.shuffle(rng);
    batches
}

/// Gathers and varies the bags of a batch.
pub(crate) fn gather(
    bags: &[Bag],
    indices: &[usize],
    space: &FeatureSpace,
    config: &AugmentConfig,
    rng: &mut ChaCha8Rng,
) -> TrainBatch {
    let grid = indices.first().map_or(Grid { rows: 0, columns: 0 }, |first| bags[*first].grid);
    let crop = augment::crop(grid, config, rng);
    let mut blank = vec![0.0; space.dim()];
    space.standardize(&mut blank);
    let mut batch = TrainBatch { bags: BagBatch::empty(crop.grid), positive: Vec::new() };
    for index in indices {
        let bag = &bags[*index];
        let copy = &bag.copies[rng.random_range(0..bag.copies.len())];
        let order = augment::flips(grid, config, rng);
        let places: Vec<usize> = crop.places(grid).map(|place| order[place]).collect();
        let mut features: Vec<f32> = Vec::with_capacity(places.len() * space.dim());
        for place in &places {
            let patch = &copy[place * space.dim()..(place + 1) * space.dim()];
            features.extend(patch.iter().map(|it| it.to_f32()));
        }
        space.standardize(&mut features);
        if let Some(erased) = augment::erase(crop.grid, config, rng) {
            for place in erased.places(crop.grid) {
                features[place * space.dim()..(place + 1) * space.dim()].copy_from_slice(&blank);
            }
        }
        let is_real: Vec<bool> = places.iter().map(|place| bag.is_real[*place]).collect();
        batch.bags.push(&features, &is_real);
        batch.positive.push(f32::from(u8::from(bag.is_positive)));
    }
    blend(&mut batch, augment::mixup(config, rng), rng);
    batch
}

/// Mixes every bag with another of the batch, of which it keeps `share`.
fn blend(batch: &mut TrainBatch, share: f32, rng: &mut ChaCha8Rng) {
    if 1.0 <= share {
        return;
    }
    let mut partners: Vec<usize> = (0..batch.positive.len()).collect();
    partners.shuffle(rng);
    let length = batch.bags.features.len() / partners.len().max(1);
    let original = batch.bags.features.clone();
    for (i, partner) in partners.iter().enumerate() {
        let other = &original[partner * length..(partner + 1) * length];
        let own = &mut batch.bags.features[i * length..(i + 1) * length];
        own.iter_mut()
            .zip(other)
            .for_each(|(own, other)| *own = share * *own + (1.0 - share) * other);
    }
    let labels = batch.positive.clone();
    for (label, partner) in batch.positive.iter_mut().zip(partners) {
        *label = share * *label + (1.0 - share) * labels[partner];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::feature_space::tests::space;
    use crate::train::TrainConfig;
    use half::f16;
    use rand::SeedableRng as _;

    fn bags() -> Vec<Bag> {
        (0..10_u8)
            .map(|i| Bag {
                grid: Grid { rows: 1, columns: if i < 7 { 2 } else { 3 } },
                is_real: vec![true; if i < 7 { 2 } else { 3 }],
                is_positive: i % 2 == 0,
                image: usize::from(i),
                copies: vec![vec![f16::from_f32(f32::from(i)); if i < 7 { 2 } else { 3 }]],
            })
            .collect()
    }

    #[test]
    fn an_epoch_meets_every_bag_once_and_never_mixes_grids() {
        let bags = bags();
        let batches = order(&bags, 4, &mut ChaCha8Rng::seed_from_u64(1));
        let mut met: Vec<usize> = batches.iter().flatten().copied().collect();
        met.sort_unstable();
        assert_eq!(met, (0..10).collect::<Vec<_>>());
        for batch in &batches {
            assert!(batch.len() <= 4 && batch.iter().all(|i| bags[*i].grid == bags[batch[0]].grid));
        }
    }

    #[test]
    fn a_bag_keeps_its_label_and_mixup_moves_features_and_label_alike() {
        let bags = bags();
        let mut config = TrainConfig::shipped().augment;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let plain = gather(&bags, &[0, 1], &space(1), &config, &mut rng);
        assert_eq!(plain.positive, [1.0, 0.0]);
        assert_eq!(plain.bags.features, [0.0, 0.0, 1.0, 1.0]);
        config.mixup = 1.0;
        for _ in 0..20 {
            let mixed = gather(&bags, &[0, 1], &space(1), &config, &mut rng);
            let expected = mixed.positive.iter().map(|positive| 1.0 - positive);
            let firsts = mixed.bags.features.iter().step_by(2);
            assert!(firsts.zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
