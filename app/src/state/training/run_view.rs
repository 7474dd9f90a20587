//! A training run as the window shows it: made of its events, whoever wrote them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use model::train::{Narrator, Stage, TrainEvent, TrainReport};

use super::examined::Examined;
use super::looks::Looks;
use super::reconstructions::Reconstructions;

/// Lines of the log that are kept.
const LOG_MAX: usize = 500;

/// What became of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    Running,
    /// It waits between two steps.
    Paused,
    /// It was stopped or failed, and can go on.
    Stopped,
    Finished(Box<TrainReport>),
}

/// The figures of one epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EpochFigures {
    /// Counted from 1.
    pub(crate) epoch: usize,
    /// Losses by name, the whole first.
    pub(crate) losses: Vec<(&'static str, f64)>,
    /// Validation figures by name.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// A run, live or read from its folder.
#[derive(Clone, Debug)]
pub(crate) struct RunView {
    /// The run folder.
    pub(crate) dir: PathBuf,
    pub(crate) stage: Stage,
    /// Where it computes; unknown for a run that was only read.
    pub(crate) device: Option<&'static str>,
    /// Epochs planned.
    pub(crate) n_epochs: usize,
    /// Counted from 1; above 1 after training began again from other first weights.
    pub(crate) attempt: usize,
    /// Of the attempt under way.
    pub(crate) epochs: Vec<EpochFigures>,
    /// The epoch whose weights are the best so far.
    pub(crate) best_epoch: Option<usize>,
    pub(crate) log: Vec<String>,
    pub(crate) standing: Standing,
    /// Its model on the validation images; runs of earlier versions do not say.
    pub(crate) examined: Option<Arc<Examined>>,
    /// The open slide, while it is trained in this window.
    pub(crate) looks: Looks,
    /// Of a pre-training.
    pub(crate) reconstructions: Reconstructions,
    narrator: Narrator,
}

impl RunView {
    pub(crate) fn new(dir: PathBuf, stage: Stage, n_epochs: usize, standing: Standing) -> Self {
        Self {
            dir,
            stage,
            device: None,
            n_epochs,
            attempt: 1,
            epochs: Vec::new(),
            best_epoch: None,
            log: Vec::new(),
            standing,
            examined: None,
            looks: Looks::default(),
            reconstructions: Reconstructions::default(),
            narrator: Narrator::default(),
        }
    }

    /// Takes in what the run says next.
    pub(crate) fn take(&mut self, event: &TrainEvent) {
        self.log.extend(self.narrator.line(event));
        let surplus = self.log.len().saturating_sub(LOG_MAX);
        self.log.drain(..surplus);
        match event {
            TrainEvent::Started { epochs, .. } => self.n_epochs = *epochs,
            TrainEvent::Resumed { epoch, attempt } => {
                self.attempt = *attempt;
                self.epochs.retain(|it| it.epoch < *epoch);
                self.reconstructions.forget_from(*epoch);
            }
            TrainEvent::Restarted { attempt, .. } => {
                self.attempt = *attempt;
                self.epochs.clear();
                self.best_epoch = None;
            }
            TrainEvent::Epoch { epoch, loss, bag_loss, instance_loss } => {
                let losses =
                    vec![("loss", *loss), ("bags", *bag_loss), ("patches", *instance_loss)];
                self.begin(*epoch, losses);
            }
            TrainEvent::SegmentationEpoch {
                epoch,
                loss,
                soft_loss,
                hard_loss,
                consistency_loss,
                ..
            } => {
                self.begin(
                    *epoch,
                    vec![
                        ("loss", *loss),
                        ("heatmap", *soft_loss),
                        ("mask", *hard_loss),
                        ("consistency", *consistency_loss),
                    ],
                );
            }
            TrainEvent::PretrainingEpoch { epoch, loss } => {
                self.begin(*epoch, vec![("loss", *loss)]);
            }
            TrainEvent::Pictured { epoch } => self.reconstructions.add(*epoch),
            TrainEvent::Metric { epoch, name, value } => {
                if let Some(last) = self.epochs.last_mut().filter(|it| it.epoch == *epoch) {
                    last.metrics.insert(name.clone(), *value);
                }
            }
            TrainEvent::Checkpoint { epoch, is_best: true } => self.best_epoch = Some(*epoch),
            _ => {}
        }
    }

    fn begin(&mut self, epoch: usize, losses: Vec<(&'static str, f64)>) {
        self.epochs.retain(|it| it.epoch < epoch);
        self.epochs.push(EpochFigures { epoch, losses, metrics: BTreeMap::new() });
    }

    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.standing, Standing::Running | Standing::Paused)
    }

    pub(crate) fn report(&self) -> Option<&TrainReport> {
        match &self.standing {
            Standing::Finished(report) => Some(report),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize) -> TrainEvent {
        TrainEvent::Epoch { epoch, loss: 0.5, bag_loss: 0.1, instance_loss: 0.4 }
    }

    fn view(events: &[TrainEvent]) -> RunView {
        let mut view = RunView::new(PathBuf::new(), Stage::Fmamil, 4, Standing::Running);
        events.iter().for_each(|event| view.take(event));
        view
    }

    #[test]
    fn figures_belong_to_their_epoch_and_the_best_is_known() {
        let metric = TrainEvent::Metric { epoch: 1, name: "val_auc".to_owned(), value: 0.9 };
        let best = TrainEvent::Checkpoint { epoch: 1, is_best: true };
        let view = view(&[epoch(1), metric, best, epoch(2)]);
        assert_eq!(view.epochs.len(), 2);
        assert_eq!(view.epochs[0].metrics["val_auc"], 0.9);
        assert_eq!((view.best_epoch, view.log.len()), (Some(1), 1));
    }

    #[test]
    fn a_resumed_run_forgets_what_it_will_repeat() {
        let view = view(&[epoch(1), epoch(2), TrainEvent::Resumed { epoch: 2, attempt: 1 }]);
        let epochs: Vec<usize> = view.epochs.iter().map(|it| it.epoch).collect();
        assert_eq!(epochs, [1]);
    }

    #[test]
    fn a_pre_training_has_one_loss_and_its_pictures() {
        let epoch = |epoch: usize| TrainEvent::PretrainingEpoch { epoch, loss: 1.0 };
        let metric = TrainEvent::Metric { epoch: 2, name: "val_loss".to_owned(), value: 0.9 };
        let view = view(&[epoch(1), epoch(2), metric, TrainEvent::Pictured { epoch: 2 }]);
        assert_eq!(view.epochs[1].losses, [("loss", 1.0)]);
        assert_eq!(view.epochs[1].metrics["val_loss"], 0.9);
        assert_eq!(view.reconstructions.epochs, [2]);
    }

    #[test]
    fn a_further_attempt_begins_with_empty_curves() {
        let view = view(&[epoch(1), TrainEvent::Restarted { attempt: 2, seed: 9 }]);
        assert_eq!((view.epochs.len(), view.attempt), (0, 2));
    }
}
