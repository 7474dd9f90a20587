//! The frequency lens: which band of frequencies the model listens to, and what it says without one.

use egui::{Align2, CollapsingHeader, FontId, Rect, RichText, Sense, Ui, vec2};
use model::lens::Band;
use model::lens::model_bands::Heard;

use super::theme;
use crate::command::{Commands, LensCommand};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::LayerKind;
use crate::state::lens::{BandFigures, band_word};
use crate::state::overlay::OverlayState;

mod filter_plot;
mod picture;
mod plot;
mod spectrum;

const BAR_PT: f32 = 22.0;

/// Draws the panel, closed until someone opens it.
pub(crate) fn lens_panel_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    CollapsingHeader::new(RichText::new("Frequency lens").strong().size(15.0)).show(ui, |ui| {
        picture::picture_bands_ui(ui, &state.picture_lens, &state.view, commands);
        spectrum::spectrum_ui(ui, &state.picture_lens, &state.view, commands);
        ui.add_space(4.0);
        ui.label("Bands of the model");
        ui.label(RichText::new("Explains the model, not the tissue.").color(theme::TEXT_WEAK));
        let is_looking = state.jobs.of_kind(JobKind::LookAtBands).is_some();
        match (&state.overlay.result, &state.overlay.bands) {
            (None, _) => {
                ui.label(RichText::new("Run a model to look into it.").color(theme::TEXT_WEAK));
            }
            (Some(_), None) => {
                let button = theme::primary_button("Look at the model's bands");
                let button = ui.add_enabled(!is_looking, button);
                let hint = "Runs the model again on the features it has kept, with each band of \
                            its frequency encoding left out and alone";
                if button.on_hover_text(hint).clicked() {
                    commands.push(LensCommand::LookAtBands);
                }
            }
            (Some(_), Some(figures)) => bands_ui(ui, &state.overlay, figures, commands),
        }
    });
}

fn bands_ui(ui: &mut Ui, overlay: &OverlayState, figures: &BandFigures, commands: &mut Commands) {
    let title = |ui: &mut Ui, text: &str| {
        ui.label(RichText::new(text).color(theme::TEXT_WEAK).small());
    };
    title(ui, "Slide probability with bands muted and soloed");
    let is_all = overlay.is_shown(LayerKind::Cam);
    if bar_ui(ui, "All bands", figures.probability, is_all) {
        commands.push(LensCommand::Hear(None));
    }
    for (heard, probability) in &figures.readings {
        let is_shown = overlay.is_shown(LayerKind::Heard(*heard));
        let text =
            format!("{} ({})", heard_text(*heard), change(*probability - figures.probability));
        if bar_ui(ui, &text, *probability, is_shown) {
            commands.push(LensCommand::Hear((!is_shown).then_some(*heard)));
        }
    }
    ui.add_space(4.0);
    title(ui, "Energy of the features");
    for (band, share) in &figures.shares {
        let is_shown = overlay.is_shown(LayerKind::BandEnergy(*band));
        let text = format!("Energy of the {} band", band_word(*band));
        if bar_ui(ui, &text, *share, is_shown) {
            commands.push(LensCommand::ShowEnergy((!is_shown).then_some(*band)));
        }
    }
    ui.add_space(4.0);
    if !figures.filters.is_empty() {
        title(ui, "Magnitude of the learned filter: mean, and a tenth of the channels above");
        filter_plot::filter_plot_ui(ui, &figures.filters);
    }
    let note = "Frequencies along the sequence of patches, row by row: below 0.2, from 0.2 to 0.8, \
                and above 0.8 of Nyquist.";
    ui.add(egui::Label::new(RichText::new(note).color(theme::TEXT_WEAK).small()).wrap());
}

fn heard_text(heard: Heard) -> String {
    let word = |band: Band| band_word(band);
    match heard {
        Heard::Without(band) => format!("Without the {} band", word(band)),
        Heard::Only(band) => format!("The {} band alone", word(band)),
    }
}

/// A change of the probability, however small: a model may rest on a band by less than three digits show.
fn change(by: f64) -> String {
    match by.abs() {
        0.0 => "no change".to_owned(),
        0.0005.. => format!("{by:+.3}"),
        _ => format!("{by:+.0e}"),
    }
}

/// A line that can be chosen, with its number of `0.0..=1.0` as a bar behind it. Whether it was clicked.
#[expect(clippy::cast_possible_truncation, reason = "a bar needs three digits")]
fn bar_ui(ui: &mut Ui, text: &str, value: f64, is_shown: bool) -> bool {
    let size = vec2(ui.available_width(), BAR_PT);
    let (place, response) = ui.allocate_exact_size(size, Sense::click());
    let named = format!("{text}: {value:.3}");
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::Button, true, is_shown, named.clone())
    });
    let painter = ui.painter();
    painter.rect_filled(place, 3.0, theme::CANVAS);
    let filled = Rect::from_min_size(place.min, vec2(place.width() * value as f32, BAR_PT));
    let fill = if response.hovered() { theme::LINE } else { theme::CONTROL };
    painter.rect_filled(filled, 3.0, fill);
    if is_shown || response.has_focus() {
        let stroke = egui::Stroke::new(1.5, theme::ACCENT);
        painter.rect_stroke(place, 3.0, stroke, egui::StrokeKind::Inside);
    }
    let font = FontId::proportional(13.0);
    let (left, right) = (place.left_center(), place.right_center());
    let inset = vec2(8.0, 0.0);
    painter.text(left + inset, Align2::LEFT_CENTER, text, font.clone(), theme::TEXT_STRONG);
    let number = format!("{value:.3}");
    painter.text(right - inset, Align2::RIGHT_CENTER, number, font, theme::TEXT_STRONG);
    response.clicked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use egui_kittest::{Harness, kittest::Queryable as _};

    fn state(overlay: OverlayState) -> State {
        State { overlay, ..samples::state() }
    }

    /// What the panel asks for when those labels are clicked, one after the other.
    fn asked(state: &State, labels: &[&str]) -> Vec<Command> {
        let mut commands = Commands::default();
        let mut harness = Harness::new_ui(|ui| lens_panel_ui(ui, state, &mut commands));
        harness.get_by_label("Frequency lens").click();
        harness.run();
        harness.get_by_label("Explains the model, not the tissue.");
        for label in labels {
            harness.get_by_label(label).click();
            harness.run();
        }
        drop(harness);
        commands.take()
    }

    #[test]
    fn bands_are_looked_at_on_demand() {
        let state = state(samples::overlay(false));
        let asked = asked(&state, &["Look at the model's bands"]);
        assert_eq!(asked, [Command::Lens(LensCommand::LookAtBands)]);
    }

    #[test]
    fn a_change_is_stated_however_small() {
        let stated = [-0.42, 0.0, 0.000_03].map(change);
        assert_eq!(stated, ["-0.420", "no change", "+3e-5"]);
    }

    #[test]
    fn without_a_result_the_panel_says_what_to_do() {
        assert_eq!(asked(&state(OverlayState::default()), &["Run a model to look into it."]), []);
    }

    #[test]
    fn every_band_can_be_muted_soloed_and_seen_by_its_name() {
        let state = state(samples::overlay_with_bands());
        let labels = [
            "Without the low band (-0.420): 0.410",
            "The low band alone (-0.040): 0.790",
            "All bands: 0.830",
            "Energy of the high band: 0.200",
        ];
        let expected = [
            LensCommand::Hear(Some(Heard::Without(Band::Low))),
            LensCommand::Hear(Some(Heard::Only(Band::Low))),
            LensCommand::Hear(None),
            LensCommand::ShowEnergy(Some(Band::High)),
        ];
        assert_eq!(asked(&state, &labels), expected.map(Command::Lens));
    }

    #[test]
    fn the_filter_is_drawn_as_a_curve() {
        let state = state(samples::overlay_with_bands());
        let label = "Magnitude of the learned filter over frequency, up to 0.600";
        assert_eq!(asked(&state, &[label]), []);
    }
}
