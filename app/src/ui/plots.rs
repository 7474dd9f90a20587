//! Curves of measurements, for reports and comparisons.

use egui::Color32;
use model::eval::{Measurement, RocPoint};

use super::chart::{Across, Chart, Curve, Mark};
use super::theme;

/// ROC curves over each other, with the line of chance.
pub(crate) fn roc_chart(title: &'static str, curves: Vec<Curve>) -> Chart {
    let across = Across::Share("share of negatives called positive");
    Chart { curves, has_diagonal: true, ..Chart::of_shares(title, across) }
}

/// The ROC as a line; ties of both labels make a slope.
pub(crate) fn roc_curve(roc: &[RocPoint], name: String, color: Color32) -> Curve {
    let points = roc.iter().map(|it| [it.false_positives, it.sensitivity]).collect();
    Curve { name, color, points, band: Vec::new() }
}

/// Figures of labels when images count as positive from a probability on, with the cut of the largest sum (Youden).
pub(crate) fn cut_sweep(roc: &[RocPoint]) -> Chart {
    let mut rising: Vec<&RocPoint> = roc.iter().collect();
    rising.reverse();
    let line = |name: &str, color, value: fn(&RocPoint) -> f64| Curve {
        name: name.to_owned(),
        color,
        points: rising.iter().map(|it| [it.cut, value(it)]).collect(),
        band: Vec::new(),
    };
    let sum = |it: &&RocPoint| it.sensitivity - it.false_positives;
    let best = roc.iter().skip(1).max_by(|a, b| sum(a).total_cmp(&sum(b)));
    Chart {
        curves: vec![
            line("sensitivity", theme::ACCENT, |it| it.sensitivity),
            line("specificity", theme::WARNING, |it| 1.0 - it.false_positives),
        ],
        marks: best.map(|it| youden(it.cut)).into_iter().collect(),
        ..Chart::of_shares("Labels, cut at a probability", Across::Share("probability"))
    }
}

/// Figures of pixels over *t*, with the *t* of the best overlap and Youden's; `None` without masks.
pub(crate) fn pixel_sweep(measured: &Measurement) -> Option<Chart> {
    let steps = &measured.thresholds;
    let line = |name: &str, color, value: fn(&model::eval::PixelScores) -> f64| Curve {
        name: name.to_owned(),
        color,
        points: steps.iter().map(|it| [f64::from(it.threshold), value(&it.pooled)]).collect(),
        band: Vec::new(),
    };
    let at = |rule| measured.suggested_thresholds.iter().find(|it| it.rule == rule);
    let best = at(model::eval::ThresholdRule::Miou).map(|it| Mark {
        name: format!("best mIoU at t = {:.2}", it.threshold),
        color: theme::TEXT_STRONG,
        x: f64::from(it.threshold),
    });
    let by_youden =
        at(model::eval::ThresholdRule::Youden).map(|it| youden(f64::from(it.threshold)));
    (!steps.is_empty()).then(|| Chart {
        curves: vec![
            line("mIoU", theme::ACCENT, |it| it.miou),
            line("Dice", theme::WARNING, |it| it.dice),
            line("recall", theme::ERROR, |it| it.recall),
            line("specificity", theme::TEXT_WEAK, |it| it.specificity),
        ],
        marks: best.into_iter().chain(by_youden).collect(),
        ..Chart::of_shares("Pixels, cut at t", Across::Share("t"))
    })
}

fn youden(x: f64) -> Mark {
    Mark { name: format!("Youden's at {x:.2}"), color: theme::DONE, x }
}
