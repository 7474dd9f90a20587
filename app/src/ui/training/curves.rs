//! Losses and validation figures over epochs.

use egui::{Color32, Ui};
use model::train::Stage;

use crate::state::training::run_view::{EpochFigures, RunView};
use crate::ui::chart::{Across, Chart, Curve, Mark};
use crate::ui::theme;

/// The lines' colors in turn.
const COLORS: [Color32; 4] = [theme::ACCENT, theme::WARNING, theme::DONE, theme::ERROR];

/// Validation figures that lie in 0 to 1, and their names in the legend.
const SHARES: [(&str, &str); 5] = [
    ("val_auc", "AUC"),
    ("val_accuracy", "accuracy"),
    ("val_faithfulness", "faithfulness"),
    ("val_label_miou", "mIoU with the heatmaps"),
    ("val_label_iou", "IoU with the heatmaps"),
];

/// Draws both charts side by side; a pre-training has only its loss.
pub(super) fn curves_ui(ui: &mut Ui, run: &RunView) {
    let n_epochs = run.n_epochs.max(run.epochs.last().map_or(1, |it| it.epoch));
    if run.stage == Stage::Pretraining {
        chart("Error of hidden patches", errors(&run.epochs), n_epochs, None).show(ui);
        return;
    }
    let (losses, shares) = (losses(&run.epochs), shares(&run.epochs));
    let has_band = shares.iter().any(|it| !it.band.is_empty());
    ui.columns(2, |columns| {
        if let [left, right] = columns {
            chart("Loss while learning", losses, n_epochs, run.best_epoch).show(left);
            let right_chart = chart("On validation images", shares, n_epochs, run.best_epoch);
            Chart { highest: 1.0, ..right_chart }.show(right);
        }
    });
    if has_band {
        super::weak(ui, "The band is the AUC's 95 % interval. Point at a curve for its values.");
    }
}

/// As high as the curves are.
fn chart(title: &'static str, curves: Vec<Curve>, n_epochs: usize, best: Option<usize>) -> Chart {
    let values = curves.iter().flat_map(|it| &it.points).map(|[_, value]| *value);
    let highest = values.fold(f64::MIN_POSITIVE, f64::max);
    let mark = |epoch: usize| Mark {
        name: format!("best: epoch {epoch}"),
        color: theme::TEXT_STRONG,
        x: epoch as f64,
    };
    let marks = best.map(mark).into_iter().collect();
    Chart { highest, curves, marks, ..Chart::of_shares(title, Across::Epochs(n_epochs)) }
}

/// A curve of each loss that the first epoch names.
fn losses(epochs: &[EpochFigures]) -> Vec<Curve> {
    let names = epochs.first().into_iter().flat_map(|it| &it.losses).map(|(name, _)| *name);
    let value = |it: &EpochFigures, name: &str| {
        it.losses.iter().find(|loss| loss.0 == name).map(|(_, value)| *value)
    };
    curves(names.map(|name| (name, points(epochs, |it| value(it, name)))))
}

/// The loss of a pre-training where it learns and where it only looks.
fn errors(epochs: &[EpochFigures]) -> Vec<Curve> {
    let training = losses(epochs).into_iter().map(|it| Curve { name: "training".to_owned(), ..it });
    let validation = points(epochs, |it| it.metrics.get("val_loss").copied());
    let validation = (!validation.is_empty()).then(|| Curve {
        name: "validation".to_owned(),
        color: theme::WARNING,
        points: validation,
        band: Vec::new(),
    });
    training.chain(validation).collect()
}

/// A curve of each figure that was measured, with its interval where there is one.
fn shares(epochs: &[EpochFigures]) -> Vec<Curve> {
    let of = |metric: &str| points(epochs, |it| it.metrics.get(metric).copied());
    let measured = SHARES.iter().map(|(metric, name)| (*name, of(metric)));
    let mut curves = curves(measured.filter(|(_, points)| !points.is_empty()));
    let (low, high) = (of("val_auc_low"), of("val_auc_high"));
    if let Some(auc) = curves.iter_mut().find(|it| it.name == SHARES[0].1) {
        let ends = low.iter().zip(&high).filter(|(low, high)| low[0] == high[0]);
        auc.band = ends.map(|(low, high)| [low[0], low[1], high[1]]).collect();
    }
    curves
}

/// Named points in the colors in turn.
fn curves(named: impl Iterator<Item = (&'static str, Vec<[f64; 2]>)>) -> Vec<Curve> {
    let colored = named.zip(COLORS.iter().cycle());
    let curve = |((name, points), color): ((&str, _), &Color32)| Curve {
        name: name.to_owned(),
        color: *color,
        points,
        band: Vec::new(),
    };
    colored.map(curve).collect()
}

/// A value over the epochs that have one; a loss that is no number is left out.
fn points(epochs: &[EpochFigures], value: impl Fn(&EpochFigures) -> Option<f64>) -> Vec<[f64; 2]> {
    let valued = epochs.iter().filter_map(|it| Some([it.epoch as f64, value(it)?]));
    valued.filter(|[_, value]| value.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::training::run_view::Standing;
    use crate::state::training::samples;

    #[test]
    fn a_pre_training_has_an_error_where_it_learns_and_one_where_it_looks() {
        let errors = errors(&samples::pretraining(Standing::Running).epochs);
        let shown: Vec<_> = errors.iter().map(|it| (it.name.as_str(), it.points.len())).collect();
        assert_eq!(shown, [("training", 40), ("validation", 2)]);
    }

    #[test]
    fn the_auc_has_its_interval_and_losses_that_are_no_number_are_left_out() {
        let mut run = samples::run(Standing::Running);
        run.epochs[0].losses[0].1 = f64::NAN;
        let shares = shares(&run.epochs);
        assert_eq!(shares[0].name, "AUC");
        assert_eq!(shares[0].band, [[1.0, 0.6, 0.8], [2.0, 0.6, 0.8]]);
        let losses = losses(&run.epochs);
        assert_eq!(losses.iter().map(|it| it.points.len()).collect::<Vec<_>>(), [1, 2, 2]);
        let chart = chart("", losses, 3, run.best_epoch);
        assert_eq!((chart.highest, chart.marks[0].x), (0.5, 2.0));
    }
}
