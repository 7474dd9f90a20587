//! Which epoch is the best, and when to stop looking for a better one.

use serde::{Deserialize, Serialize};

/// Figures of one epoch on the validation images, with averaged weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValScores {
    pub(crate) accuracy: f64,
    /// Accuracy of giving every image the commoner label.
    #[serde(default)]
    pub(crate) chance: f64,
    /// 0.5 if a class is missing.
    pub(crate) auc: f64,
    /// Bounds of its 95 % interval; `None` if a class is missing.
    #[serde(default)]
    pub(crate) auc_interval: Option<[f64; 2]>,
    /// Mean negative log-likelihood of the labels.
    pub(crate) loss: f64,
    /// Mean probability kept with the patches under the map alone; 0 if nothing was predicted positive.
    pub(crate) faithfulness: f64,
}

impl ValScores {
    /// Whether the labels are right no more often than one label for all images would be.
    pub(super) fn tells_nothing(&self) -> bool {
        self.accuracy <= self.chance
    }

    /// Accuracy, then faithfulness, then AUC (MODELS 5.3, 6.6): of equally right epochs the one whose maps can be
    /// trusted most. Where all images get one label accuracy tells nothing, and a map of a call that is often wrong is
    /// trusted in vain: there AUC comes first.
    fn rank(&self) -> [f64; 3] {
        if self.tells_nothing() {
            [self.accuracy, self.auc, self.faithfulness]
        } else {
            [self.accuracy, self.faithfulness, self.auc]
        }
    }

    /// The figures under the names that events and reports use.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let bounds =
            self.auc_interval.map(|[low, high]| [("val_auc_low", low), ("val_auc_high", high)]);
        [
            ("val_accuracy", self.accuracy),
            ("val_auc", self.auc),
            ("val_loss", self.loss),
            ("val_faithfulness", self.faithfulness),
        ]
        .into_iter()
        .chain(bounds.into_iter().flatten())
    }
}

/// An epoch of one attempt, both counted from 1, and what it reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scored {
    pub(crate) attempt: usize,
    pub(crate) epoch: usize,
    pub(crate) scores: ValScores,
}

/// Remembers the best epoch of all attempts and that of the current one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Selection {
    best: Option<Scored>,
    best_of_attempt: Option<Scored>,
}

impl Selection {
    /// A further attempt begins, with its own patience.
    pub(crate) fn begin_attempt(&mut self) {
        self.best_of_attempt = None;
    }

    /// Whether the epoch is better than all before; the earlier of equals stays.
    pub(crate) fn is_best(&mut self, found: Scored) -> bool {
        let beats = |best: &Option<Scored>| {
            best.is_none_or(|best| best.scores.rank() < found.scores.rank())
        };
        if beats(&self.best_of_attempt) {
            self.best_of_attempt = Some(found);
        }
        let is_best = beats(&self.best);
        if is_best {
            self.best = Some(found);
        }
        is_best
    }

    /// The best epoch of all attempts.
    pub(crate) fn best(&self) -> Option<Scored> {
        self.best
    }

    /// Whether the attempt's best epoch lies more than `patience` epochs back.
    pub(crate) fn is_exhausted(&self, epoch: usize, patience: usize) -> bool {
        self.best_of_attempt.is_some_and(|best| best.epoch + patience < epoch)
    }

    /// Whether no attempt has yet reached maps that keep `least` of the probability.
    pub(crate) fn is_unfaithful(&self, least: f64) -> bool {
        self.best.is_none_or(|best| best.scores.faithfulness < least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(epoch: usize, accuracy: f64, auc: f64, faithfulness: f64) -> Scored {
        let scores =
            ValScores { accuracy, chance: 0.5, auc, auc_interval: None, loss: 1.0, faithfulness };
        Scored { attempt: 1, epoch, scores }
    }

    #[test]
    fn accuracy_decides_then_faithfulness_then_auc() {
        let mut selection = Selection::default();
        assert!(selection.is_best(scored(1, 0.8, 0.9, 0.1)));
        assert!(!selection.is_best(scored(2, 0.7, 1.0, 1.0)));
        assert!(selection.is_best(scored(3, 0.8, 0.7, 0.5)));
        assert!(!selection.is_best(scored(4, 0.8, 0.9, 0.4)));
        assert!(selection.is_best(scored(5, 0.8, 0.9, 0.5)));
        assert!(!selection.is_best(scored(6, 0.8, 0.9, 0.5)), "the earlier of equals stays");
        assert_eq!(selection.best().unwrap().epoch, 5);
    }

    #[test]
    fn where_all_images_get_one_label_auc_decides() {
        let mut selection = Selection::default();
        assert!(selection.is_best(scored(1, 0.5, 0.9, 0.1)));
        assert!(!selection.is_best(scored(2, 0.5, 0.8, 0.9)));
        assert!(selection.is_best(scored(3, 0.5, 0.9, 0.2)));
        assert!(selection.is_best(scored(4, 0.6, 0.7, 0.1)));
    }

    #[test]
    fn patience_runs_out_after_the_best_epoch_of_the_attempt() {
        let mut selection = Selection::default();
        selection.is_best(scored(2, 1.0, 1.0, 1.0));
        assert!(!selection.is_exhausted(5, 3));
        assert!(selection.is_exhausted(6, 3));
        selection.begin_attempt();
        assert!(!selection.is_exhausted(6, 3));
        assert!(!selection.is_best(scored(7, 0.5, 0.5, 0.5)));
        assert!(!selection.is_exhausted(8, 3) && selection.is_exhausted(11, 3));
        assert_eq!(selection.best().unwrap().epoch, 2);
    }

    #[test]
    fn maps_below_the_least_faithfulness_ask_for_another_attempt() {
        let mut selection = Selection::default();
        assert!(selection.is_unfaithful(0.5));
        selection.is_best(scored(1, 1.0, 1.0, 0.3));
        assert!(selection.is_unfaithful(0.5) && !selection.is_unfaithful(0.2));
    }
}
