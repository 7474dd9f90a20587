//! A network in training: weights, optimizer, average and randomness of one attempt.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var, bail};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::TrainConfig;
use super::adamw::AdamW;
use super::batches::{self, TrainBatch};
use super::dataset::Bag;
use super::ema::Ema;
use super::schedule::learning_rate;
use crate::mil::{self, Bags, MilNetwork};
use crate::nn::gradients::gradients;
use crate::pipeline::feature_space::FeatureSpace;
use crate::registry::weights::{self, Tensors};

/// Prefixes of the three parts of a saved learner.
const WEIGHT: &str = "weight.";
const OPTIMIZER: &str = "optimizer.";
const AVERAGE: &str = "average.";

/// Everything that learning changes.
pub(super) struct Learner<'a> {
    config: &'a TrainConfig,
    device: Device,
    vars: BTreeMap<String, Var>,
    network: Box<dyn MilNetwork>,
    optimizer: AdamW,
    average: Ema,
    rng: ChaCha8Rng,
    /// Bags that pass through the network at once: fewer than a batch where memory is short.
    at_once: usize,
    /// What there is to say of a shortage of memory, until it is said.
    shortage: Option<String>,
    /// Optimizer steps taken.
    pub(super) step: usize,
}

/// Sums over the bags of an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossSums {
    pub(super) total: f64,
    pub(super) bag: f64,
    pub(super) instance: f64,
    pub(super) n: usize,
}

impl LossSums {
    fn add(&mut self, other: Self) {
        self.total += other.total;
        self.bag += other.bag;
        self.instance += other.instance;
        self.n += other.n;
    }
}

/// Of free memory that a step may take: others want some as well.
const USABLE_SHARE: f64 = 0.6;

/// Whether a device could not find room for a tensor; its drivers say so in words alone.
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string().to_lowercase();
    ["out of memory", "out_of_memory", "memory allocation"].iter().any(|it| text.contains(it))
}

impl<'a> Learner<'a> {
    /// A network with the first weights of `seed`, or with those of `start`.
    pub(super) fn new(
        config: &'a TrainConfig,
        seed: u64,
        start: Option<&Tensors>,
        device: &Device,
    ) -> Result<Self> {
        let first = match start {
            Some(weights) => weights.clone(),
            None => mil::initial_weights(&config.model.network, seed)?,
        };
        let mut vars = BTreeMap::new();
        for (name, tensor) in first {
            vars.insert(name, Var::from_tensor(&tensor.to_device(device)?)?);
        }
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        Ok(Self {
            config,
            network: mil::build(&config.model.network, tensors.collect(), device)?,
            optimizer: AdamW::new(&vars, config.optimizer)?,
            average: Ema::new(&vars)?,
            rng: ChaCha8Rng::seed_from_u64(seed),
            at_once: config.batch,
            shortage: None,
            step: 0,
            device: device.clone(),
            vars,
        })
    }

    /// Learns from no more bags of `patches` at once than fit into the main memory that is free now, in bytes: a processor that runs out of
    /// it ends the program.
    pub(super) fn within(mut self, patches: usize, free: Option<u64>) -> Self {
        let bytes = self.config.model.network.training_bytes(patches);
        if let (true, Some(free), Some(bytes)) = (self.device.is_cpu(), free, bytes) {
            self.learn_at_once((USABLE_SHARE * free as f64 / bytes as f64) as usize);
        }
        self
    }

    fn learn_at_once(&mut self, n_bags: usize) {
        let n_bags = n_bags.max(1);
        if n_bags < self.at_once {
            self.at_once = n_bags;
            let asked = self.config.batch;
            self.shortage = Some(format!(
                "Memory is short: the {asked} bags of a batch pass through the network {n_bags} at a time. Every step stays the same."
            ));
        }
    }

    /// What there is to say of a shortage of memory; once.
    pub(super) fn take_shortage(&mut self) -> Option<String> {
        self.shortage.take()
    }

    /// Trainable numbers.
    pub(super) fn n_parameters(&self) -> usize {
        self.vars.values().map(|var| var.elem_count()).sum()
    }

    /// The batches of the next epoch, in groups that make up one optimizer step each.
    pub(super) fn order(&mut self, bags: &[Bag]) -> Vec<Vec<Vec<usize>>> {
        let batches = batches::order(bags, self.config.batch, &mut self.rng);
        batches.chunks(self.config.accumulate).map(<[_]>::to_vec).collect()
    }

    /// One optimizer step over the batches of `group`; the mean loss of its bags.
    pub(super) fn learn(
        &mut self,
        bags: &[Bag],
        group: &[Vec<usize>],
        space: &FeatureSpace,
        rate: f64,
        sums: &mut LossSums,
    ) -> Result<f64> {
        let n_bags: usize = group.iter().map(Vec::len).sum();
        let (mut grads, mut total): (Option<GradStore>, f64) = (None, 0.0);
        for indices in group {
            let config = &self.config.augment;
            let batch = batches::gather(bags, indices, space, config, &mut self.rng);
            let share = indices.len() as f64 / n_bags.max(1) as f64;
            let (of_batch, loss) = self.gradients(&batch, share, sums)?;
            total += share * loss;
            match &mut grads {
                Some(grads) => grads.extend(of_batch)?,
                None => grads = Some(of_batch),
            }
        }
        let Some(grads) = grads else { bail!("a step needs at least one bag") };
        self.optimizer.step(&grads, rate)?;
        self.average.update()?;
        self.step += 1;
        Ok(total)
    }

    /// Gradients of `share` of a batch's loss, and the whole loss. A device that runs out of memory is given fewer bags at once from then on.
    fn gradients(
        &mut self,
        batch: &TrainBatch,
        share: f64,
        sums: &mut LossSums,
    ) -> Result<(GradStore, f64)> {
        loop {
            let rng = self.rng.clone();
            match self.gradients_of_portions(batch, share) {
                Err(error) if 1 < self.at_once && is_out_of_memory(&error) => {
                    self.rng = rng;
                    self.learn_at_once(self.at_once.min(batch.positive.len()) / 2);
                }
                outcome => {
                    let (grads, found) = outcome?;
                    sums.add(found);
                    return Ok((grads, found.total / found.n.max(1) as f64));
                }
            }
        }
    }

    fn gradients_of_portions(
        &mut self,
        batch: &TrainBatch,
        share: f64,
    ) -> Result<(GradStore, LossSums)> {
        let (mut grads, mut sums): (Option<GradStore>, _) = (None, LossSums::default());
        for portion in batch.portions(self.at_once) {
            let part = portion.positive.len() as f64 / batch.positive.len() as f64;
            let of_portion = self.gradients_at_once(&portion, share * part, &mut sums)?;
            match &mut grads {
                Some(grads) => grads.extend(of_portion)?,
                None => grads = Some(of_portion),
            }
        }
        let Some(grads) = grads else { bail!("a batch needs at least one bag") };
        Ok((grads, sums))
    }

    fn gradients_at_once(
        &mut self,
        batch: &TrainBatch,
        share: f64,
        sums: &mut LossSums,
    ) -> Result<GradStore> {
        let (features, mask) = batch.bags.tensors(&self.device)?;
        let bags = Bags { features: &features, mask: &mask, grid: batch.bags.grid };
        let target = batch.target(&self.device)?; // [n, C]
        let loss = self.network.loss(bags, &target, &self.config.loss, &mut self.rng)?;
        let n = batch.positive.len();
        let value = |tensor: &Tensor| tensor.to_scalar::<f32>().map(f64::from);
        sums.total += value(&loss.total)? * n as f64;
        sums.bag += value(&loss.bag)? * n as f64;
        sums.instance += value(&loss.instance)? * n as f64;
        sums.n += n;
        gradients(&(loss.total * share)?)
    }

    /// The learning rate of the next step; every epoch has as many steps.
    pub(super) fn rate(&self, steps_per_epoch: usize) -> f64 {
        let schedule = &self.config.learning_rate;
        let n_warmup = schedule.warmup_epochs * steps_per_epoch;
        learning_rate(schedule, self.step, n_warmup, self.config.epochs * steps_per_epoch)
    }

    /// The averaged weights, which are what is measured and kept.
    pub(super) fn averaged(&self) -> Result<Tensors> {
        if self.config.average_weights {
            return self.average.weights();
        }
        weights::copies(&self.vars)
    }

    /// Random words drawn so far.
    pub(super) fn random_words(&self) -> u64 {
        u64::try_from(self.rng.get_word_pos()).unwrap_or(u64::MAX)
    }

    /// Everything but step count and randomness, for [`Self::restore`].
    pub(super) fn tensors(&self) -> Result<Tensors> {
        let weights = weights::under(WEIGHT, weights::copies(&self.vars)?);
        let optimizer = weights::under(OPTIMIZER, self.optimizer.state()?);
        let average = weights::under(AVERAGE, self.average.state()?);
        Ok(weights.chain(optimizer).chain(average).collect())
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
        self.average.load_state(&weights::part(saved, AVERAGE))?;
        self.rng.set_word_pos(random_words.into());
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmamil::Grid;
    use crate::loss::mil::{LossConfig, MilLoss};
    use crate::mil::Judgement;
    use crate::pipeline::feature_space::tests::space;
    use half::f16;
    use rand::Rng as _;

    fn config() -> TrainConfig {
        let text = r#"{
            "model": { "network": { "feature_dim": 6, "dim": 8, "dt_rank": 1, "state": 4, "head_dim": 8 } },
            "augment": { "flip_columns": 0, "flip_rows": 0, "transpose": 0, "color_copies": 0 }
        }"#;
        TrainConfig::from_json(text).unwrap()
    }

    fn bags() -> Vec<Bag> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let bag = |image: usize| Bag {
            grid: Grid { rows: 2, columns: 2 },
            is_real: vec![true, true, true, image != 1],
            is_positive: image.is_multiple_of(2),
            image,
            copies: vec![(0..24).map(|_| f16::from_f32(rng.random_range(-1.0..1.0))).collect()],
        };
        (0..4).map(bag).collect()
    }

    #[test]
    fn bags_one_by_one_have_the_gradient_of_the_whole_batch() {
        let (config, bags, space) = (config(), bags(), space(6));
        let mut learner = Learner::new(&config, 2, None, &Device::Cpu).unwrap();
        let mut gradients = |groups: &[Vec<usize>]| {
            let mut sum: Option<GradStore> = None;
            let mut sums = LossSums::default();
            for indices in groups {
                let rng = &mut learner.rng;
                let batch = batches::gather(&bags, indices, &space, &config.augment, rng);
                let share = indices.len() as f64 / 4.0;
                let (grads, _) = learner.gradients(&batch, share, &mut sums).unwrap();
                match &mut sum {
                    Some(sum) => sum.extend(grads).unwrap(),
                    None => sum = Some(grads),
                }
            }
            sum.unwrap()
        };
        let whole = gradients(&[vec![0, 1, 2, 3]]);
        let one_by_one = gradients(&[vec![0], vec![1], vec![2], vec![3]]);
        for (name, var) in &learner.vars {
            let values = |grads: &GradStore| -> Vec<f32> {
                grads.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap()
            };
            for (a, b) in values(&whole).into_iter().zip(values(&one_by_one)) {
                assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{name}: {a} is not {b}");
            }
        }
    }

    /// A network that a device has room for only with few bags.
    #[derive(Debug)]
    struct Cramped(Box<dyn MilNetwork>);

    impl MilNetwork for Cramped {
        fn loss(
            &self,
            bags: Bags<'_>,
            target: &Tensor,
            config: &LossConfig,
            rng: &mut ChaCha8Rng,
        ) -> Result<MilLoss> {
            if 2 < bags.mask.dim(0)? {
                bail!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
            }
            self.0.loss(bags, target, config, rng)
        }

        fn probabilities(&self, bags: Bags<'_>) -> Result<Tensor> {
            self.0.probabilities(bags)
        }

        fn judge(&self, bags: Bags<'_>) -> Result<Judgement> {
            self.0.judge(bags)
        }
    }

    #[test]
    fn a_device_without_room_for_a_batch_is_given_fewer_bags_and_learns_the_same() {
        let (config, bags, space) = (config(), bags(), space(6));
        let learned = |is_cramped: bool| {
            let mut learner = Learner::new(&config, 2, None, &Device::Cpu).unwrap();
            if is_cramped {
                let tensors = learner.vars.iter();
                let tensors =
                    tensors.map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
                let roomy = mil::build(&config.model.network, tensors, &Device::Cpu).unwrap();
                learner.network = Box::new(Cramped(roomy));
            }
            let order = learner.order(&bags);
            let mut sums = LossSums::default();
            let loss = learner.learn(&bags, &order[0], &space, 1e-2, &mut sums).unwrap();
            assert_eq!(sums.n, 4);
            (loss, learner.take_shortage())
        };
        let (whole, nothing) = learned(false);
        let (in_portions, said) = learned(true);
        assert!((whole - in_portions).abs() < 1e-6, "{whole} {in_portions}");
        assert_eq!(nothing, None);
        assert!(said.unwrap().contains("2 at a time"));
    }

    #[test]
    fn a_processor_is_given_no_more_bags_than_its_memory_holds() {
        let config = config();
        let learner =
            |free| Learner::new(&config, 2, None, &Device::Cpu).unwrap().within(100, free);
        assert_eq!(learner(None).at_once, config.batch);
        assert_eq!(learner(Some(1 << 40)).at_once, config.batch);
        assert_eq!(learner(Some(1)).at_once, 1);
        let one = config.model.network.training_bytes(100).unwrap();
        assert_eq!(learner(Some(6 * one)).at_once, 3);
    }

    #[test]
    fn a_restored_learner_takes_the_same_steps() {
        let (config, bags, space) = (config(), bags(), space(6));
        let step = |learner: &mut Learner<'_>| {
            let order = learner.order(&bags);
            learner.learn(&bags, &order[0], &space, 1e-2, &mut LossSums::default()).unwrap()
        };
        let mut first = Learner::new(&config, 2, None, &Device::Cpu).unwrap();
        step(&mut first);
        let mut second = Learner::new(&config, 9, None, &Device::Cpu).unwrap();
        second.rng = ChaCha8Rng::seed_from_u64(2);
        second.restore(&first.tensors().unwrap(), first.step, first.random_words()).unwrap();
        for _ in 0..3 {
            assert_eq!(step(&mut first), step(&mut second));
        }
        let bytes =
            |learner: &Learner<'_>| weights::to_bytes(&learner.averaged().unwrap()).unwrap();
        assert_eq!(bytes(&first), bytes(&second));
    }
}
