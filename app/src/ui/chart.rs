//! Plots that are looked at and not moved: a title, curves over a grid, a legend beneath, and words for those who hear
//! them. The pointer near a point of a curve is told its values.

use egui::{Color32, RichText, Ui};
use egui_plot::{
    AxisHints, FilledArea, GridInput, GridMark, HoverPosition, Line, LineStyle, Plot, PlotBounds,
    PlotPoint, PlotPoints, PlotUi, Points, VLine, uniform_grid_spacer,
};

use super::theme;

const GRID: Color32 = Color32::from_gray(64);
const HEIGHT_PT: f32 = 190.0;
/// Shortest distance of two lines of the grid across and down: each has its number.
const LINES_PT: [f32; 2] = [36.0, 24.0];
/// What the toolkit takes for the shortest distance.
const CLOSEST_PT: f32 = 8.0;
/// Room over the highest value and beside the first and last epoch, as a share of the axis.
const MARGIN: f64 = 0.02;
/// Of the color of a curve in the band around it.
const BAND_OPACITY: f32 = 0.18;
/// Epochs up to which each has a dot; those of more would touch each other.
const DOTS_MAX: usize = 60;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// As legend and pointer say it.
    pub(crate) name: String,
    pub(crate) color: Color32,
    /// Finite, from left to right.
    pub(crate) points: Vec<[f64; 2]>,
    /// The 95 % interval at some places: where, its lower and its upper end. Drawn as a band.
    pub(crate) band: Vec<[f64; 3]>,
}

/// An upright line at a place of note.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) name: String,
    pub(crate) color: Color32,
    pub(crate) x: f64,
}

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Across {
    /// Something from 0 to 1, and its name.
    Share(&'static str),
    /// Epochs from 1 to as many as are planned.
    Epochs(usize),
}

/// A plot with its legend beneath.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) across: Across,
    /// Where the upright axis ends; it begins at 0.
    pub(crate) highest: f64,
    pub(crate) curves: Vec<Curve>,
    pub(crate) marks: Vec<Mark>,
    /// A dashed line from corner to corner: what chance reaches.
    pub(crate) has_diagonal: bool,
}

impl Chart {
    /// Without curves; values from 0 to 1.
    pub(crate) fn of_shares(title: &'static str, across: Across) -> Self {
        let (curves, marks) = (Vec::new(), Vec::new());
        Self { title, across, highest: 1.0, curves, marks, has_diagonal: false }
    }

    /// Draws it in the width that is there.
    pub(crate) fn show(&self, ui: &mut Ui) {
        ui.label(RichText::new(self.title).small().color(theme::TEXT_STRONG));
        let plot = self.plot(ui.available_width());
        let shown = plot.show(ui, |ui| self.content(ui));
        let words = self.in_words();
        let role = egui::Role::Image;
        shown.response.widget_info(|| egui::WidgetInfo::labeled(role, true, words.clone()));
        ui.horizontal_wrapped(|ui| {
            for (name, color) in self.legend() {
                ui.label(RichText::new(name).small().color(color));
            }
        });
    }

    /// The empty plot, which stays as it is.
    fn plot(&self, width: f32) -> Plot<'_> {
        let across = RichText::new(self.across.title());
        // The 0 of the upright axis stands in the same corner.
        let across_axis = numbered(AxisHints::new_x());
        let across_axis = across_axis.formatter(|mark, _| match mark.value {
            0.0 => String::new(),
            _ => number(mark),
        });
        Plot::new(self.title)
            .height(HEIGHT_PT)
            .width(width)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_axis_zoom_drag(false)
            .allow_double_click_reset(false)
            .custom_x_axes(vec![across_axis.label(across.small())])
            .custom_y_axes(vec![numbered(AxisHints::new_y()).label("").min_thickness(32.0)])
            .grid_color(GRID)
            .grid_fade(0.0)
            .grid_spacing(CLOSEST_PT..=10.0 * CLOSEST_PT)
            .x_grid_spacer(|axis| evenly(axis, LINES_PT[0], self.across.least_step()))
            .y_grid_spacer(|axis| evenly(axis, LINES_PT[1], 0.0))
            .label_formatter(|pointed| self.pointed(pointed))
    }

    fn content(&self, ui: &mut PlotUi<'_>) {
        let [left, right] = self.across.ends();
        let top = self.highest * (1.0 + MARGIN);
        ui.set_plot_bounds(PlotBounds::from_min_max([left, 0.0], [right, top]));
        if self.has_diagonal {
            let chance = Line::new("chance", vec![[0.0, 0.0], [1.0, 1.0]]);
            ui.line(
                chance.color(theme::TEXT_WEAK).style(LineStyle::dashed_loose()).allow_hover(false),
            );
        }
        for Curve { name, color, band, .. } in self.curves.iter().filter(|it| !it.band.is_empty()) {
            let at = |i: usize| -> Vec<f64> { band.iter().map(|it| it[i]).collect() };
            let area = FilledArea::new(name, &at(0), &at(1), &at(2)).allow_hover(false);
            ui.add(area.fill_color(color.gamma_multiply(BAND_OPACITY)));
        }
        for Mark { name, color, x } in &self.marks {
            ui.vline(VLine::new(name, *x).color(*color).style(LineStyle::dashed_dense()));
        }
        for Curve { name, color, points, .. } in &self.curves {
            let line = || PlotPoints::from(points.clone());
            // A band would fill the steps of a curve, whose points lie above each other.
            ui.line(Line::new(name, line()).color(*color).width(1.8).allow_band(false));
            if matches!(self.across, Across::Epochs(_)) && points.len() <= DOTS_MAX {
                ui.points(Points::new(name, line()).color(*color).radius(2.5).allow_hover(false));
            }
        }
    }

    /// The names of curves and marks, each in its color; what grows epoch by epoch with its last value.
    fn legend(&self) -> Vec<(String, Color32)> {
        let curve = |it: &Curve| match (self.across, it.points.last()) {
            (Across::Epochs(_), Some([_, last])) => (format!("{} {last:.3}", it.name), it.color),
            _ => (it.name.clone(), it.color),
        };
        let marks = self.marks.iter().map(|it| (it.name.clone(), it.color));
        self.curves.iter().map(curve).chain(marks).collect()
    }

    /// For those who hear the plot.
    fn in_words(&self) -> String {
        let names: Vec<String> = self.legend().into_iter().map(|(name, _)| name).collect();
        format!("{}: {}", self.title, names.join(", "))
    }

    /// What the pointer is told of the point that it is near.
    fn pointed(&self, pointed: &HoverPosition<'_>) -> Option<String> {
        let HoverPosition::NearDataPoint { plot_name, position, .. } = pointed else { return None };
        let PlotPoint { x, y } = position;
        let curve = self.curves.iter().find(|it| it.name == *plot_name)?;
        let interval = curve.band.iter().find(|it| it[0] == *x);
        let interval = interval.map_or(String::new(), |[_, low, high]| {
            format!("\n95 % interval {low:.3} to {high:.3}")
        });
        Some(match self.across {
            Across::Share(name) => format!("{plot_name}\n{y:.3} at {name} {x:.2}{interval}"),
            Across::Epochs(_) => format!("{plot_name} {y:.3}\nepoch {x:.0}{interval}"),
        })
    }
}

impl Across {
    fn title(self) -> &'static str {
        match self {
            Self::Share(name) => name,
            Self::Epochs(_) => "epoch",
        }
    }

    /// What can be told apart.
    fn least_step(self) -> f64 {
        match self {
            Self::Share(_) => 0.0,
            Self::Epochs(_) => 1.0,
        }
    }

    /// Where the axis begins and ends.
    fn ends(self) -> [f64; 2] {
        match self {
            Self::Share(_) => [0.0, 1.0 + MARGIN],
            Self::Epochs(n) => {
                let last = n.max(2) as f64;
                let margin = MARGIN * (last - 1.0);
                [1.0 - margin, last + margin]
            }
        }
    }
}

/// An axis with a number at every line of the grid.
fn numbered(axis: AxisHints<'_>) -> AxisHints<'_> {
    axis.label_spacing(CLOSEST_PT..=2.0 * CLOSEST_PT).formatter(|mark, _| number(mark))
}

/// With as many decimals as the step has.
fn number(GridMark { value, step_size }: GridMark) -> String {
    // A hair less, for the rounding of the logarithm.
    let decimals = (-step_size.log10() - 1e-6).ceil().max(0.0) as usize;
    format!("{value:.decimals$}")
}

/// Lines at multiples of 1, 2 or 5 times a power of ten, none smaller than `least_step`, at least `lines_pt` apart.
fn evenly(axis: GridInput, lines_pt: f32, least_step: f64) -> Vec<GridMark> {
    let least = (axis.base_step_size * f64::from(lines_pt / CLOSEST_PT)).max(least_step);
    let power = 10.0_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|it| it * power);
    // A hair less, for the rounding of the power.
    let step = steps.into_iter().find(|it| least * 0.999 <= *it).unwrap_or(least);
    let mut marks = uniform_grid_spacer(move |_| [step; 3])(axis);
    marks.retain(|mark| least_step <= mark.value);
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::Shape;
    use egui_kittest::Harness;

    fn chart() -> Chart {
        let points = vec![[1.0, 0.5], [2.0, 0.75]];
        let band = vec![[2.0, 0.6, 0.9]];
        let curve = Curve { name: "AUC".to_owned(), color: theme::ACCENT, points, band };
        let curves = vec![curve];
        Chart { curves, ..Chart::of_shares("Validation", Across::Epochs(4)) }
    }

    fn pointed(at: [f64; 2]) -> Option<String> {
        let position = PlotPoint::from(at);
        chart().pointed(&HoverPosition::NearDataPoint { plot_name: "AUC", position, index: 0 })
    }

    #[test]
    fn the_pointer_is_told_epoch_value_and_interval() {
        assert_eq!(pointed([1.0, 0.5]).unwrap(), "AUC 0.500\nepoch 1");
        assert_eq!(
            pointed([2.0, 0.75]).unwrap(),
            "AUC 0.750\nepoch 2\n95 % interval 0.600 to 0.900"
        );
        let shares = Chart { across: Across::Share("t"), ..chart() };
        let position = PlotPoint::new(0.3, 0.5);
        let near = HoverPosition::NearDataPoint { plot_name: "AUC", position, index: 0 };
        assert_eq!(shares.pointed(&near).unwrap(), "AUC\n0.500 at t 0.30");
        let elsewhere = HoverPosition::Elsewhere { position: PlotPoint::new(1.0, 1.0) };
        assert_eq!(chart().pointed(&elsewhere), None);
    }

    #[test]
    fn the_grid_stands_at_round_values_and_whole_epochs() {
        let values = |across: Across, base_step_size: f64| -> Vec<f64> {
            let [left, right] = across.ends();
            let axis = GridInput { bounds: (left, right), base_step_size };
            evenly(axis, LINES_PT[0], across.least_step()).into_iter().map(|it| it.value).collect()
        };
        assert_eq!(values(Across::Epochs(4), 0.1), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values(Across::Epochs(300), 20.0), [100.0, 200.0, 300.0]);
        assert_eq!(values(Across::Share("t"), 0.1), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn numbers_have_as_many_decimals_as_their_step() {
        let text = |value, step_size| number(GridMark { value, step_size });
        assert_eq!(text(0.15, 0.05), "0.15");
        assert_eq!(text(0.4, 0.2), "0.4");
        assert_eq!(text(0.7, 0.1), "0.7");
        assert_eq!(text(50.0, 50.0), "50");
    }

    #[test]
    fn a_single_epoch_has_an_axis_of_some_length() {
        assert_eq!(Across::Epochs(1).ends(), Across::Epochs(2).ends());
    }

    #[test]
    fn a_curve_with_steps_is_a_line_and_fills_nothing() {
        let points = vec![[0.0, 0.0], [0.0, 0.9], [0.5, 0.9], [0.5, 1.0], [1.0, 1.0]];
        let curve = Curve { name: "ROC".to_owned(), color: theme::DONE, points, band: Vec::new() };
        let chart =
            Chart { curves: vec![curve], ..Chart::of_shares("ROC", Across::Share("negatives")) };
        let mut harness = Harness::new_ui(|ui| chart.show(ui));
        harness.run_steps(2);
        let shapes = harness.output().shapes.iter();
        assert!(!shapes.clone().any(|it| matches!(it.shape, Shape::Mesh(_))));
        let is_line = |it: &Shape| matches!(it, Shape::Path(path) if path.points.len() == 5);
        assert_eq!(shapes.filter(|it| is_line(&it.shape)).count(), 1);
    }
}
