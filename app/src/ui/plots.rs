//! Curves of shares over shares, for reports and comparisons.

use egui::{Color32, RichText, Ui};
use egui_plot::{Line, LineStyle, Plot, PlotPoints, VLine};
use model::eval::{Measurement, RocPoint};

use super::theme;

const HEIGHT_PT: f32 = 190.0;

/// One line of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// As the legend says it.
    pub(crate) name: String,
    pub(crate) color: Color32,
    /// Shares, `0.0..=1.0`, from left to right.
    pub(crate) points: Vec<[f64; 2]>,
}

/// An upright line at a place of note.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) color: Color32,
    pub(crate) x: f64,
}

/// A plot of shares, with its legend beneath.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) title: &'static str,
    /// What the horizontal axis says.
    pub(crate) across: &'static str,
    pub(crate) curves: Vec<Curve>,
    pub(crate) marks: Vec<Mark>,
    /// A dashed line from corner to corner: what chance reaches.
    pub(crate) has_diagonal: bool,
}

impl Shares {
    /// Draws it in the width that is there.
    pub(crate) fn show(self, ui: &mut Ui) {
        ui.label(RichText::new(self.title).small().color(theme::TEXT_STRONG));
        let words = self.in_words();
        let Self { title, across, curves, marks, has_diagonal } = self;
        let legend: Vec<(String, Color32)> = curves
            .iter()
            .map(|it| (it.name.clone(), it.color))
            .chain(marks.iter().map(|it| (it.name.clone(), it.color)))
            .collect();
        let plot = Plot::new(title)
            .height(HEIGHT_PT)
            .width(ui.available_width())
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_axis_zoom_drag(false)
            .default_x_bounds(0.0, 1.0)
            .default_y_bounds(0.0, 1.02)
            .auto_bounds(false)
            .x_axis_label(RichText::new(across).small())
            .y_axis_min_width(28.0);
        let shown = plot.show(ui, |ui| {
            if has_diagonal {
                let chance = Line::new("chance", vec![[0.0, 0.0], [1.0, 1.0]]);
                ui.line(chance.color(theme::LINE).style(LineStyle::dashed_loose()));
            }
            for Mark { name, color, x } in marks {
                ui.vline(VLine::new(name, x).color(color).style(LineStyle::dashed_dense()));
            }
            for Curve { name, color, points } in curves {
                ui.line(Line::new(name, PlotPoints::from(points)).color(color).width(1.8));
            }
        });
        let role = egui::Role::Image;
        shown.response.widget_info(|| egui::WidgetInfo::labeled(role, true, words.clone()));
        ui.horizontal_wrapped(|ui| {
            for (name, color) in legend {
                ui.label(RichText::new(name).small().color(color));
            }
        });
    }

    /// For those who hear the plot.
    fn in_words(&self) -> String {
        let names = self.curves.iter().map(|it| &it.name);
        let names: Vec<&str> =
            names.chain(self.marks.iter().map(|it| &it.name)).map(String::as_str).collect();
        format!("{}: {}", self.title, names.join(", "))
    }
}

/// The ROC as a line; ties of both labels make a slope.
pub(crate) fn roc_curve(roc: &[RocPoint], name: String, color: Color32) -> Curve {
    let points = roc.iter().map(|it| [it.false_positives, it.sensitivity]).collect();
    Curve { name, color, points }
}

/// Figures of labels when images count as positive from a probability on, with the cut of the largest sum (Youden).
pub(crate) fn cut_sweep(roc: &[RocPoint]) -> Shares {
    let mut rising: Vec<&RocPoint> = roc.iter().collect();
    rising.reverse();
    let line = |name: &str, color, value: fn(&RocPoint) -> f64| Curve {
        name: name.to_owned(),
        color,
        points: rising.iter().map(|it| [it.cut, value(it)]).collect(),
    };
    let sum = |it: &&RocPoint| it.sensitivity - it.false_positives;
    let best = roc.iter().skip(1).max_by(|a, b| sum(a).total_cmp(&sum(b)));
    Shares {
        title: "Labels, cut at a probability",
        across: "probability",
        curves: vec![
            line("sensitivity", theme::ACCENT, |it| it.sensitivity),
            line("specificity", theme::WARNING, |it| 1.0 - it.false_positives),
        ],
        marks: best.map(|it| youden(it.cut)).into_iter().collect(),
        has_diagonal: false,
    }
}

/// Figures of pixels over *t*, with the *t* of the best overlap and Youden's; `None` without masks.
pub(crate) fn pixel_sweep(measured: &Measurement) -> Option<Shares> {
    let steps = &measured.thresholds;
    let line = |name: &str, color, value: fn(&model::eval::PixelScores) -> f64| Curve {
        name: name.to_owned(),
        color,
        points: steps.iter().map(|it| [f64::from(it.threshold), value(&it.pooled)]).collect(),
    };
    let at = |rule| measured.suggested_thresholds.iter().find(|it| it.rule == rule);
    let best = at(model::eval::ThresholdRule::Miou).map(|it| Mark {
        name: format!("best mIoU at t = {:.2}", it.threshold),
        color: theme::TEXT_STRONG,
        x: f64::from(it.threshold),
    });
    let by_youden =
        at(model::eval::ThresholdRule::Youden).map(|it| youden(f64::from(it.threshold)));
    (!steps.is_empty()).then(|| Shares {
        title: "Pixels, cut at t",
        across: "t",
        curves: vec![
            line("mIoU", theme::ACCENT, |it| it.miou),
            line("Dice", theme::WARNING, |it| it.dice),
            line("recall", theme::ERROR, |it| it.recall),
            line("specificity", theme::TEXT_WEAK, |it| it.specificity),
        ],
        marks: best.into_iter().chain(by_youden).collect(),
        has_diagonal: false,
    })
}

fn youden(x: f64) -> Mark {
    Mark { name: format!("Youden's at {x:.2}"), color: theme::DONE, x }
}
