//! A training in words: one line per epoch, for a terminal or a log.

use std::collections::BTreeMap;

use super::event::{StopReason, TrainEvent};

/// Puts events into words and remembers the figures of an epoch until its checkpoint is written.
#[derive(Clone, Debug, Default)]
pub struct Narrator {
    figures: BTreeMap<String, f64>,
}

impl Narrator {
    /// The line that an event completes, if any.
    pub fn line(&mut self, event: &TrainEvent) -> Option<String> {
        match event {
            TrainEvent::Started { n_train, n_val, epochs, n_parameters } => Some(format!(
                "training {n_parameters} parameters on {n_train} images or windows for {epochs} epochs, \
                 with a look at {n_val} others"
            )),
            TrainEvent::Warning { text } => Some(format!("warning: {text}")),
            TrainEvent::Resumed { epoch, .. } => Some(format!("going on with epoch {epoch}")),
            TrainEvent::Restarted { attempt, seed } => Some(format!(
                "no map is faithful yet: attempt {attempt} from other first weights (seed {seed})"
            )),
            TrainEvent::Step { .. } | TrainEvent::Pictured { .. } => None,
            TrainEvent::Epoch { loss, .. } | TrainEvent::PretrainingEpoch { loss, .. } => {
                self.begin([("loss", *loss)]);
                None
            }
            TrainEvent::SegmentationEpoch { loss, changed_share, .. } => {
                self.begin([("loss", *loss), ("relabelled", *changed_share)]);
                None
            }
            TrainEvent::Metric { name, value, .. } => {
                self.figures.insert(name.clone(), *value);
                None
            }
            TrainEvent::Checkpoint { epoch, is_best } => Some(self.checkpoint(*epoch, *is_best)),
            TrainEvent::Calibrated { n_images, accuracy_before, accuracy } => Some(format!(
                "calibrated on {n_images} validation images: {:.0} % labelled rightly, {:.0} % before",
                100.0 * accuracy,
                100.0 * accuracy_before
            )),
            TrainEvent::Stopped { reason } => Some(
                match reason {
                    StopReason::Finished => "all epochs are done",
                    StopReason::EarlyStop => "stopped early: no further gain",
                    StopReason::Cancelled => "stopped on request",
                }
                .to_owned(),
            ),
        }
    }

    fn begin<const N: usize>(&mut self, figures: [(&str, f64); N]) {
        self.figures = figures.map(|(name, value)| (name.to_owned(), value)).into();
    }

    fn checkpoint(&self, epoch: usize, is_best: bool) -> String {
        let figures: Vec<String> =
            self.figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let best = if is_best { " (best so far)" } else { "" };
        format!("epoch {epoch}: {}{best}", figures.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_one_line_with_its_figures() {
        let mut narrator = Narrator::default();
        let metric = |value| TrainEvent::Metric { epoch: 2, name: "val_auc".to_owned(), value };
        let epoch = TrainEvent::Epoch { epoch: 2, loss: 0.5, bag_loss: 0.3, instance_loss: 0.2 };
        assert_eq!(narrator.line(&metric(0.1)), None);
        assert_eq!(narrator.line(&epoch), None);
        assert_eq!(narrator.line(&metric(0.9)), None);
        let checkpoint = TrainEvent::Checkpoint { epoch: 2, is_best: true };
        let line = narrator.line(&checkpoint).unwrap();
        assert_eq!(line, "epoch 2: loss 0.5000, val_auc 0.9000 (best so far)");
    }
}
