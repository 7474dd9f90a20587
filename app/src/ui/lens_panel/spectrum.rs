//! How much of each spatial frequency the patch under the pointer holds.

use egui::{Align2, FontId, Pos2, RichText, Shape, Stroke, Ui, pos2};
use model::lens::radial_spectrum::RadialSpectrum;

use super::picture::Nyquist;
use super::plot;
use crate::command::{Commands, LensCommand};
use crate::state::lens::PictureLens;
use crate::state::view::ViewState;
use crate::ui::theme;

/// From the highest power down to the foot of the plot, in powers of ten.
const DECADES: f32 = 6.0;

/// Draws the switch and, once it is on, the spectrum.
pub(super) fn spectrum_ui(
    ui: &mut Ui,
    lens: &PictureLens,
    view: &ViewState,
    commands: &mut Commands,
) {
    let mut is_shown = lens.is_spectrum_shown;
    if ui.checkbox(&mut is_shown, "Spectrum of the patch under the pointer").changed() {
        commands.push(LensCommand::ShowSpectrum(is_shown));
    }
    if !lens.is_spectrum_shown {
        return;
    }
    let Some(spectrum) = &lens.spectrum else {
        ui.label(RichText::new("Point at the slide.").color(theme::TEXT_WEAK));
        return;
    };
    let [low, mid, high] = spectrum.shares(lens.edges).map(|share| 100.0 * share);
    ui.label(format!("Contrast: {low:.0} % low, {mid:.0} % middle, {high:.0} % high"));
    plot_ui(ui, lens, spectrum, Nyquist::of(view));
    let note = "Power by frequency in any direction, each line a tenth of the one above. The window of \
                128 px fades towards its edges.";
    ui.add(egui::Label::new(RichText::new(note).color(theme::TEXT_WEAK).small()).wrap());
}

#[expect(clippy::cast_possible_truncation, reason = "edges lie around 1")]
fn plot_ui(ui: &mut Ui, lens: &PictureLens, spectrum: &RadialSpectrum, nyquist: Nyquist) {
    let plot = plot::ground_ui(ui, &format!("Spectrum up to {}", nyquist.text(1.0)));
    let painter = ui.painter();
    let highest = spectrum.power.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let at = |frequency: f32, decades_below: f32| -> Pos2 {
        let y = egui::lerp(plot.y_range(), (decades_below / DECADES).clamp(0.0, 1.0));
        pos2(egui::lerp(plot.x_range(), frequency.min(1.0)), y)
    };
    let line = Stroke::new(1.0, theme::LINE);
    for decade in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, DECADES] {
        painter.hline(plot.x_range(), at(0.0, decade).y, line);
    }
    for edge in [lens.edges.low, lens.edges.high].map(|edge| edge as f32) {
        painter.vline(at(edge, 0.0).x, plot.y_range(), Stroke::new(1.0, theme::WARNING));
    }
    let points = spectrum.frequencies.iter().zip(&spectrum.power);
    let curve = points.map(|(frequency, power)| at(*frequency, (highest / power).log10()));
    painter.add(Shape::line(curve.collect(), Stroke::new(2.0, theme::ACCENT)));
    let font = FontId::proportional(11.0);
    painter.text(plot.left_bottom(), Align2::LEFT_TOP, "0", font.clone(), theme::TEXT_WEAK);
    let end = nyquist.text(1.0);
    painter.text(plot.right_bottom(), Align2::RIGHT_TOP, end, font, theme::TEXT_WEAK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Effect, apply, lens, samples};
    use crate::state::State;
    use domain::coords::ScreenPt;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_spectrum_is_switched_on_follows_the_pointer_and_is_told_in_words() {
        let mut state = samples::state();
        let ask = |state: &State, click: Option<&str>| {
            let mut commands = Commands::default();
            let ui = |ui: &mut Ui| {
                spectrum_ui(ui, &state.picture_lens, &state.view, &mut commands);
            };
            let mut harness = Harness::new_ui(ui);
            if let Some(label) = click {
                harness.get_by_label(label).click();
                harness.run();
            } else {
                harness.get_by_label("Contrast: 20 % low, 80 % middle, 0 % high");
                harness.get_by_label("Spectrum up to 250 cycles/mm");
            }
            drop(harness);
            commands.take()
        };
        let asked = ask(&state, Some("Spectrum of the patch under the pointer"));
        assert_eq!(asked, [Command::Lens(LensCommand::ShowSpectrum(true))]);
        assert!(lens::follow(&mut state).is_empty());
        apply(&mut state, asked[0].clone());
        assert!(lens::follow(&mut state).is_empty(), "the pointer is nowhere");
        state.view.pointer = Some(ScreenPt { x: 400.0, y: 300.0 });
        let effects = lens::follow(&mut state);
        assert!(matches!(effects[..], [Effect::ReadSpectrum(_)]));
        state.view.pointer = Some(ScreenPt { x: 400.5, y: 300.0 });
        assert!(lens::follow(&mut state).is_empty(), "the hand trembles");
        let spectrum = RadialSpectrum { frequencies: vec![0.1, 0.4], power: vec![1.0, 1.0] };
        state.picture_lens.spectrum = Some(std::sync::Arc::new(spectrum));
        assert_eq!(ask(&state, None), []);
    }
}
