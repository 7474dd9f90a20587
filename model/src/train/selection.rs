//! Which epoch is the best, and when to stop looking for a better one.

use serde::{Deserialize, Serialize};

/// Figures of one epoch on the validation images, with averaged weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValScores {
    pub(crate) accuracy: f64,
    /// 0.5 if a class is missing.
    pub(crate) auc: f64,
    /// Mean negative log-likelihood of the labels.
    pub(crate) loss: f64,
    /// Mean probability kept with the patches under the map alone; 0 if nothing was predicted positive.
    pub(crate) faithfulness: f64,
}

impl ValScores {
    /// Accuracy, then AUC, then faithfulness (MODELS 5.3, 6.6).
    fn rank(&self) -> [f64; 3] {
        [self.accuracy, self.auc, self.faithfulness]
    }

    /// The figures under the names that events and reports use.
    pub(crate) fn named(&self) -> [(&'static str, f64); 4] {
        [
            ("val_accuracy", self.accuracy),
            ("val_auc", self.auc),
            ("val_loss", self.loss),
            ("val_faithfulness", self.faithfulness),
        ]
    }
}

/// Remembers the best epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    best: Option<(usize, ValScores)>,
}

impl Selection {
    /// Whether the epoch, counted from 1, is better than all before.
    pub(crate) fn is_best(&mut self, epoch: usize, scores: ValScores) -> bool {
        let is_best = self.best.is_none_or(|(_, best)| best.rank() < scores.rank());
        if is_best {
            self.best = Some((epoch, scores));
        }
        is_best
    }

    /// The best epoch and its figures.
    pub(crate) fn best(&self) -> Option<(usize, ValScores)> {
        self.best
    }

    /// Whether the best epoch lies more than `patience` epochs back.
    pub(crate) fn is_exhausted(&self, epoch: usize, patience: usize) -> bool {
        self.best.is_some_and(|(best, _)| best + patience < epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(accuracy: f64, auc: f64, faithfulness: f64) -> ValScores {
        ValScores { accuracy, auc, loss: 1.0, faithfulness }
    }

    #[test]
    fn accuracy_decides_then_auc_then_faithfulness() {
        let mut selection = Selection::default();
        assert!(selection.is_best(1, scores(0.8, 0.9, 0.1)));
        assert!(!selection.is_best(2, scores(0.7, 1.0, 1.0)));
        assert!(selection.is_best(3, scores(0.8, 0.95, 0.0)));
        assert!(selection.is_best(4, scores(0.8, 0.95, 0.5)));
        assert!(!selection.is_best(5, scores(0.8, 0.95, 0.5)), "the earlier of equals stays");
        assert_eq!(selection.best().unwrap().0, 4);
    }

    #[test]
    fn patience_runs_out_after_the_best_epoch() {
        let mut selection = Selection::default();
        selection.is_best(2, scores(1.0, 1.0, 1.0));
        assert!(!selection.is_exhausted(5, 3));
        assert!(selection.is_exhausted(6, 3));
    }
}
