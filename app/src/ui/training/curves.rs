//! Losses and validation figures over epochs.

use egui::{Align2, Color32, FontId, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, pos2, vec2};

use crate::state::training::run_view::{EpochFigures, RunView};
use crate::ui::theme;

const HEIGHT_PT: f32 = 130.0;

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

/// A line of a plot: its name and a value for each epoch that has one.
struct Line {
    name: &'static str,
    values: Vec<(usize, f64)>,
}

/// Draws both plots side by side.
pub(super) fn curves_ui(ui: &mut Ui, run: &RunView) {
    let (losses, shares) = (losses(&run.epochs), shares(&run.epochs));
    let band = interval(&run.epochs);
    let highest = losses.iter().flat_map(|line| &line.values).map(|(_, it)| *it);
    let highest = highest.filter(|it| it.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let n_epochs = run.n_epochs.max(run.epochs.last().map_or(1, |it| it.epoch));
    ui.columns(2, |columns| {
        if let [left, right] = columns {
            plot_ui(left, "Loss while learning", &losses, &[], (n_epochs, highest));
            plot_ui(right, "On validation images", &shares, &band, (n_epochs, 1.0));
        }
    });
    if let Some(best) = run.best_epoch {
        let text = format!("Best so far: epoch {best}. The band is the AUC's 95 % interval.");
        super::weak(ui, &text);
    }
}

fn losses(epochs: &[EpochFigures]) -> Vec<Line> {
    let names: Vec<&'static str> =
        epochs.first().map_or(Vec::new(), |it| it.losses.iter().map(|(name, _)| *name).collect());
    names
        .into_iter()
        .map(|name| {
            let value = |it: &EpochFigures| it.losses.iter().find(|loss| loss.0 == name).copied();
            let values = epochs.iter().filter_map(|it| Some((it.epoch, value(it)?.1)));
            Line { name, values: values.collect() }
        })
        .collect()
}

fn shares(epochs: &[EpochFigures]) -> Vec<Line> {
    SHARES
        .iter()
        .map(|(metric, name)| Line {
            name,
            values: epochs
                .iter()
                .filter_map(|it| Some((it.epoch, *it.metrics.get(*metric)?)))
                .collect(),
        })
        .filter(|line| !line.values.is_empty())
        .collect()
}

/// Bounds of the AUC for each epoch.
fn interval(epochs: &[EpochFigures]) -> Vec<(usize, [f64; 2])> {
    let bounds = |it: &EpochFigures| {
        Some([*it.metrics.get("val_auc_low")?, *it.metrics.get("val_auc_high")?])
    };
    epochs.iter().filter_map(|it| Some((it.epoch, bounds(it)?))).collect()
}

/// Draws lines over epochs 1 to `n_epochs` and values 0 to `highest`.
fn plot_ui(
    ui: &mut Ui,
    title: &str,
    lines: &[Line],
    band: &[(usize, [f64; 2])],
    (n_epochs, highest): (usize, f64),
) {
    ui.label(RichText::new(title).small().color(theme::TEXT_STRONG));
    let size = vec2(ui.available_width(), HEIGHT_PT);
    let (place, response) = ui.allocate_exact_size(size, Sense::hover());
    response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, in_words(title, lines)));
    let painter = ui.painter_at(place);
    painter.rect_filled(place, 3.0, theme::CANVAS);
    let plot = Rect::from_min_max(place.min + vec2(30.0, 8.0), place.max - vec2(8.0, 18.0));
    let last = n_epochs.max(2);
    let at = |(epoch, value): (usize, f64)| -> Pos2 {
        let x = (epoch.max(1) - 1) as f32 / (last - 1) as f32;
        let y = (value / highest).clamp(0.0, 1.0) as f32;
        pos2(egui::lerp(plot.x_range(), x), egui::lerp(plot.bottom()..=plot.top(), y))
    };
    for share in [0.0, 0.5, 1.0] {
        let y = at((1, share * highest)).y;
        painter.hline(plot.x_range(), y, Stroke::new(1.0, theme::LINE));
        let text = format!("{:.2}", share * highest);
        let corner = pos2(plot.left() - 4.0, y);
        painter.text(
            corner,
            Align2::RIGHT_CENTER,
            text,
            FontId::proportional(10.0),
            theme::TEXT_WEAK,
        );
    }
    for (x, align, text) in [
        (plot.left(), Align2::LEFT_BOTTOM, "1".to_owned()),
        (plot.center().x, Align2::CENTER_BOTTOM, "epoch".to_owned()),
        (plot.right(), Align2::RIGHT_BOTTOM, last.to_string()),
    ] {
        let corner = pos2(x, place.bottom() - 2.0);
        painter.text(corner, align, text, FontId::proportional(10.0), theme::TEXT_WEAK);
    }
    for pair in band.windows(2) {
        let [(a, [a_low, a_high]), (b, [b_low, b_high])] = [pair[0], pair[1]];
        let corners = vec![at((a, a_low)), at((b, b_low)), at((b, b_high)), at((a, a_high))];
        painter.add(Shape::convex_polygon(corners, COLORS[0].gamma_multiply(0.18), Stroke::NONE));
    }
    for (line, color) in lines.iter().zip(COLORS.iter().cycle()) {
        let points: Vec<Pos2> = line.values.iter().map(|value| at(*value)).collect();
        for point in &points {
            painter.circle_filled(*point, 2.0, *color);
        }
        painter.add(Shape::line(points, Stroke::new(1.6, *color)));
    }
    legend_ui(ui, lines);
}

/// Names in their lines' colors, each with its last value.
fn legend_ui(ui: &mut Ui, lines: &[Line]) {
    ui.horizontal_wrapped(|ui| {
        for (line, color) in lines.iter().zip(COLORS.iter().cycle()) {
            let value = line.values.last().map_or(String::new(), |(_, it)| format!(" {it:.3}"));
            ui.label(RichText::new(format!("{}{value}", line.name)).small().color(*color));
        }
    });
}

/// For those who hear the plot: the last value of each line.
fn in_words(title: &str, lines: &[Line]) -> String {
    let last = |line: &Line| line.values.last().map(|(_, it)| format!("{} {it:.3}", line.name));
    let values: Vec<String> = lines.iter().filter_map(last).collect();
    format!("{title}: {}", values.join(", "))
}
