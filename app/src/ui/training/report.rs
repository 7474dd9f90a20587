//! What a finished run's model makes of its validation images: figures, curves, and the images it does worst on.

use egui::{Button, Grid, RichText, Ui};
use model::eval::{Figure, Metric};

use super::weak;
use crate::command::{Commands, QueueCommand};
use crate::state::image_queue::{ImageList, Origin};
use crate::state::training::examined::Examined;
use crate::ui::plots::{cut_sweep, pixel_sweep, roc_chart, roc_curve};
use crate::ui::{section_title, theme};

/// Images of a list that are shown before it is unfolded.
const LISTED_MAX: usize = 6;

pub(super) fn report_ui(ui: &mut Ui, examined: &Examined, commands: &mut Commands) {
    let measured = &examined.measured;
    let (n, t) = (measured.images.len(), measured.threshold);
    let pixels = match measured.figure(Metric::Miou) {
        Some(_) => format!(", their masks cut at t = {t:.2}, where these overlap best"),
        None => ", which have no masks: pixels are not measured".to_owned(),
    };
    weak(ui, &format!("The finished model on the {n} validation images{pixels}."));
    figures_ui(ui, examined);
    plots_ui(ui, examined);
    for note in &measured.notes {
        weak(ui, note);
    }
    lists_ui(ui, examined, commands);
}

fn figures_ui(ui: &mut Ui, examined: &Examined) {
    Grid::new("figures").num_columns(2).spacing([18.0, 3.0]).show(ui, |ui| {
        for figure in &examined.measured.figures {
            row_ui(ui, figure.metric.title(), &with_interval(*figure));
        }
        if let Some(kept) = examined.measured.faithfulness {
            row_ui(ui, "Faithfulness of the maps", &format!("{kept:.3}"));
        }
    });
    weak(ui, "Intervals: patients drawn again with replacement, 1000 times.");
}

fn row_ui(ui: &mut Ui, name: &str, value: &str) {
    ui.label(RichText::new(name).color(theme::TEXT_WEAK));
    ui.label(value);
    ui.end_row();
}

/// `0.912 (95 % interval 0.850 to 0.960)`.
pub(crate) fn with_interval(Figure { value, interval, .. }: Figure) -> String {
    match interval {
        Some([low, high]) if low < high => {
            format!("{value:.3} (95 % interval {low:.3} to {high:.3})")
        }
        _ => format!("{value:.3} (too few images to tell an interval)"),
    }
}

fn plots_ui(ui: &mut Ui, examined: &Examined) {
    let roc = &examined.roc;
    if roc.is_empty() {
        weak(ui, "Only one label is among these images: there is no ROC curve.");
        return;
    }
    let auc = examined.measured.figure(Metric::Auc);
    let name = auc.map_or_else(String::new, |it| format!("AUC {}", with_interval(it)));
    let curves = vec![roc_curve(roc, name, theme::ACCENT)];
    let roc_plot = roc_chart("ROC: positives found over false alarms", curves);
    ui.columns(2, |columns| {
        if let [left, right] = columns {
            roc_plot.show(left);
            cut_sweep(roc).show(right);
        }
    });
    if let Some(plot) = pixel_sweep(&examined.measured) {
        plot.show(ui);
    }
}

fn lists_ui(ui: &mut Ui, examined: &Examined, commands: &mut Commands) {
    section_title(ui, "Images worth a look");
    if examined.lists.is_empty() {
        weak(ui, "Every validation image is called rightly.");
        return;
    }
    weak(ui, "A click opens the image and runs this model on it.");
    let is_gone = |list: &ImageList| list.stops.iter().all(|stop| stop.path.is_none());
    if examined.lists.iter().all(|list| is_gone(list)) {
        let folder = examined.measured.folder.display();
        let text = format!("The images are no longer in {folder}: they cannot be opened.");
        ui.label(RichText::new(text).color(theme::WARNING));
    }
    for (i, list) in examined.lists.iter().enumerate() {
        list_ui(ui, Origin::Report, (i, list), commands);
    }
}

/// A list of images, each to be opened by a click; folded where it is long.
pub(crate) fn list_ui(
    ui: &mut Ui,
    origin: Origin,
    (i, list): (usize, &ImageList),
    commands: &mut Commands,
) {
    let title = format!("{} ({})", list.title, list.stops.len());
    ui.label(RichText::new(title).strong().color(theme::TEXT_STRONG));
    let stops_ui = |ui: &mut Ui, range: std::ops::Range<usize>, commands: &mut Commands| {
        for (at, stop) in list.stops.iter().enumerate().take(range.end).skip(range.start) {
            let button = Button::new(RichText::new(&stop.words).small()).frame(false).truncate();
            if ui.add_enabled(stop.path.is_some(), button).clicked() {
                commands.push(QueueCommand::Open { origin, list: i, at });
            }
        }
    };
    let n = list.stops.len();
    stops_ui(ui, 0..n.min(LISTED_MAX), commands);
    if LISTED_MAX < n {
        let header = egui::CollapsingHeader::new(format!("{} more", n - LISTED_MAX));
        header.id_salt(list.title).show(ui, |ui| stops_ui(ui, LISTED_MAX..n, commands));
    }
}
