//! What a training says while it runs, in this order: `Warning`s about the folder, `Started`, then per epoch
//! `Step`s, one `Epoch`, its `Metric`s, a `Pictured` where there is a picture, and a `Checkpoint`; `Restarted` before the epochs of a further attempt; last
//! `Stopped`. A continued training says `Resumed` instead of what it has said before. The same lines make up
//! `events.jsonl`, from which the lines after the last checkpoint are cut when a run is continued.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// Something about the labelled folder that does not prevent a training.
    Warning {
        /// One sentence.
        text: String,
    },
    /// Features are ready and the first epoch begins.
    Started {
        /// Bags that are learned from.
        n_train: usize,
        /// Bags that select the best epoch.
        n_val: usize,
        /// Epochs planned.
        epochs: usize,
        /// Trainable numbers.
        n_parameters: usize,
    },
    /// An interrupted run goes on after its last checkpoint.
    Resumed {
        /// The epoch that comes next, counted from 1.
        epoch: usize,
        /// The attempt it belongs to, counted from 1.
        attempt: usize,
    },
    /// The maps of all attempts so far keep too little of the probability: training begins again.
    Restarted {
        /// Counted from 1.
        attempt: usize,
        /// Seed of the new first weights.
        seed: u64,
    },
    /// One optimizer step.
    Step {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 within the epoch.
        step: usize,
        /// Steps in this epoch.
        n_steps: usize,
        /// Weighted sum of bag and instance loss, over this batch.
        loss: f64,
        /// Learning rate of this step.
        learning_rate: f64,
    },
    /// One pass over the training bags.
    Epoch {
        /// Counted from 1.
        epoch: usize,
        /// Mean training loss.
        loss: f64,
        /// Its bag part.
        bag_loss: f64,
        /// Its instance part.
        instance_loss: f64,
    },
    /// One pass over the training tiles of stage 2.
    SegmentationEpoch {
        /// Counted from 1.
        epoch: usize,
        /// Mean training loss.
        loss: f64,
        /// Its part against the soft label.
        soft_loss: f64,
        /// Its part against the hard mask.
        hard_loss: f64,
        /// Its part that holds the prediction to high responses.
        consistency_loss: f64,
        /// Share of label pixels, `0.0..=1.0`, that refinement moved across the threshold.
        changed_share: f64,
    },
    /// One pass over the training tiles of a pre-training.
    PretrainingEpoch {
        /// Counted from 1.
        epoch: usize,
        /// Mean squared error of the hidden patches.
        loss: f64,
    },
    /// A figure of the validation split, with the averaged weights.
    Metric {
        /// Counted from 1.
        epoch: usize,
        /// `val_accuracy`, `val_auc` and the bounds of its 95 % interval, `val_auc_low` and `val_auc_high`, `val_loss`,
        /// `val_faithfulness`; of stage 2 `val_label_iou`, `val_label_miou`, and
        /// what side masks count, `val_weight_of_1_16`, `val_weight_of_1_8`, `val_weight_of_1_4`; of a
        /// pre-training `val_loss`.
        name: String,
        /// The figure.
        value: f64,
    },
    /// A pre-training left a picture of what it makes of hidden patches.
    Pictured {
        /// Counted from 1.
        epoch: usize,
    },
    /// The state of this epoch was written.
    Checkpoint {
        /// Counted from 1.
        epoch: usize,
        /// Whether it is the best so far.
        is_best: bool,
    },
    /// What the finished model's probabilities mean was learned from the validation images (Platt scaling).
    Calibrated {
        /// Images that took part.
        n_images: usize,
        /// Share of them that the network labels rightly by itself, `0.0..=1.0`.
        accuracy_before: f64,
        /// Share that the calibrated model labels rightly.
        accuracy: f64,
    },
    /// No further epoch follows.
    Stopped {
        /// Why.
        reason: StopReason,
    },
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs were run.
    Finished,
    /// The validation figures stopped rising.
    EarlyStop,
    /// The user asked for it.
    Cancelled,
}

/// What a finished training reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// The attempt that the model is from, counted from 1; more than 1 if earlier maps were not faithful.
    pub best_attempt: usize,
    /// The epoch whose averaged weights became the model, counted from 1.
    pub best_epoch: usize,
    /// Epochs that were run, all attempts together.
    pub n_epochs: usize,
    /// Why it ended.
    pub stopped: StopReason,
    /// Validation figures of the best epoch by name.
    pub metrics: BTreeMap<String, f64>,
    /// The model folder, ready for the registry.
    pub model_dir: PathBuf,
}
