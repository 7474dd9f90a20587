//! Which band of the picture is shown, and where the bands meet.

use egui::{RichText, Role, Slider, Ui, WidgetInfo};
use model::lens::Band;

use crate::command::{Commands, LensCommand};
use crate::state::lens::PictureLens;
use crate::state::view::ViewState;
use crate::tiles::demand::target_level;
use crate::ui::theme;

/// The finest frequency there is: a chessboard of pixels.
const FINEST: f64 = std::f64::consts::SQRT_2;

const CHOICES: [(Option<Band>, &str, &str); 4] = [
    (None, "All", "All bands of the picture"),
    (Some(Band::Low), "Low", "Low band of the picture"),
    (Some(Band::Mid), "Middle", "Middle band of the picture"),
    (Some(Band::High), "High", "High band of the picture"),
];

/// Draws the choice and, once a band is shown, the sliders of the edges.
pub(super) fn picture_bands_ui(
    ui: &mut Ui,
    lens: &PictureLens,
    view: &ViewState,
    commands: &mut Commands,
) {
    ui.label("Bands of the picture");
    ui.horizontal(|ui| {
        for (band, text, name) in CHOICES {
            let is_shown = lens.band == band;
            let response = ui.selectable_label(is_shown, text);
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_shown, name));
            if response.clicked() {
                commands.push(LensCommand::ShowBand(band));
            }
        }
    });
    if lens.band.is_none() {
        return;
    }
    let nyquist = Nyquist::of(view);
    let mut slider = |mut value: f64, text: &str, command: fn(f64) -> LensCommand| {
        ui.horizontal(|ui| {
            ui.spacing_mut().slider_width = 60.0;
            let slider = Slider::new(&mut value, 0.0..=FINEST).fixed_decimals(2).text(text);
            if ui.add(slider).changed() {
                commands.push(command(value));
            }
            ui.label(RichText::new(nyquist.text(value)).color(theme::TEXT_WEAK).small());
        });
    };
    slider(lens.edges.low, "Low below", LensCommand::SetLowEdge);
    slider(lens.edges.high, "High above", LensCommand::SetHighEdge);
    let note = "1 is the Nyquist frequency of the displayed level. Middle and high are drawn around \
                gray, stretched to what the view holds.";
    ui.add(egui::Label::new(RichText::new(note).color(theme::TEXT_WEAK).small()).wrap());
}

/// What 1 on the sliders is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Nyquist {
    /// In cycles per millimeter.
    PerMm(f64),
    /// In cycles per level-0 pixel.
    PerPx(f64),
}

impl Nyquist {
    /// Of the displayed level.
    pub(super) fn of(view: &ViewState) -> Self {
        let facts = view.facts.as_ref();
        let downsample = facts.and_then(|facts| {
            let level = target_level(&facts.levels, view.level0_per_device_px());
            Some(facts.levels.get(usize::from(level.0))?.downsample.get())
        });
        let px_per_cycle = 2.0 * downsample.unwrap_or(1.0);
        match facts.and_then(|facts| facts.mpp) {
            Some(mpp) => Self::PerMm(1000.0 / (px_per_cycle * mpp.mean())),
            None => Self::PerPx(1.0 / px_per_cycle),
        }
    }

    pub(super) fn text(self, edge: f64) -> String {
        match self {
            Self::PerMm(one) => format!("{:.0} cycles/mm", one * edge),
            Self::PerPx(one) => format!("{:.3} cycles/px", one * edge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::State;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn a_band_is_chosen_by_its_name() {
        let state = samples::state();
        let mut commands = Commands::default();
        let ui = |ui: &mut Ui| {
            picture_bands_ui(ui, &state.picture_lens, &state.view, &mut commands);
        };
        let mut harness = Harness::new_ui(ui);
        assert!(harness.query_by_label("Low below").is_none());
        harness.get_by_label("High band of the picture").click();
        harness.run();
        drop(harness);
        let shown = LensCommand::ShowBand(Some(Band::High));
        assert_eq!(commands.take(), [Command::Lens(shown)]);
    }

    #[test]
    fn edges_are_moved_by_sliders_in_the_slides_own_units() {
        let mut state: State = samples::state();
        state.picture_lens.band = Some(Band::Mid);
        let mut commands = Commands::default();
        let ui = |ui: &mut Ui| {
            picture_bands_ui(ui, &state.picture_lens, &state.view, &mut commands);
        };
        let mut harness = Harness::new_ui(ui);
        harness.get_by_role_and_label(Role::Slider, "Low below").set_value_accesskit(0.5);
        harness.run();
        drop(harness);
        assert_eq!(commands.take(), [Command::Lens(LensCommand::SetLowEdge(0.5))]);
    }

    #[test]
    fn frequencies_are_metric_where_the_slide_is_calibrated() {
        let mut view = samples::state().view;
        view.camera.level0_per_pt = 4.0;
        assert_eq!(Nyquist::of(&view).text(0.2), "50 cycles/mm", "4 px of 0.5 um, two a cycle");
        view.camera.level0_per_pt = 1.0;
        assert_eq!(Nyquist::of(&view).text(1.0), "1000 cycles/mm");
        let mut facts = samples::facts();
        facts.mpp = None;
        view.open(facts);
        view.camera.level0_per_pt = 1.0;
        assert_eq!(Nyquist::of(&view).text(1.0), "0.500 cycles/px");
    }
}
