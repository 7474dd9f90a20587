//! How large things are: the scale bar and the magnification.

use domain::scale::Mpp;
use egui::{Align2, FontId, Rect, Ui, vec2};

use crate::state::view::{SlideFacts, ViewState};
use crate::ui::theme;

/// The bar is at most this long.
const BAR_MAX_PT: f64 = 160.0;

/// A bar of a round length.
#[derive(Clone, Debug, PartialEq)]
struct ScaleBar {
    length_pt: f64,
    label: String,
}

impl ScaleBar {
    /// The longest bar of 1, 2 or 5 times a power of ten that fits.
    fn new(level0_per_pt: f64, mpp: Option<Mpp>) -> Self {
        let units_per_pt = level0_per_pt * mpp.map_or(1.0, Mpp::x);
        let longest = units_per_pt * BAR_MAX_PT;
        let power = 10_f64.powf(longest.log10().floor());
        let step = [5.0, 2.0].into_iter().find(|step| step * power <= longest).unwrap_or(1.0);
        let units = step * power;
        let label = match mpp {
            None => format!("{units} px"),
            Some(_) if 1000.0 <= units => format!("{} mm", units / 1000.0),
            Some(_) => format!("{units} µm"),
        };
        Self { length_pt: units / units_per_pt, label }
    }
}

/// Draws the bar at the bottom left of `rect`.
pub(super) fn paint(ui: &Ui, rect: Rect, view: &ViewState) {
    let Some(facts) = &view.facts else { return };
    let bar = ScaleBar::new(view.camera.level0_per_pt, facts.mpp);
    #[expect(clippy::cast_possible_truncation, reason = "at most BAR_MAX_PT")]
    let length = bar.length_pt as f32;
    let plate_size = vec2(length.max(40.0) + 20.0, 36.0);
    let plate = Rect::from_min_size(rect.left_bottom() + vec2(12.0, -48.0), plate_size);
    let painter = ui.painter_at(rect);
    painter.rect_filled(plate, 4.0, theme::PLATE);
    let font = FontId::proportional(13.0);
    let text_at = plate.center_top() + vec2(0.0, 4.0);
    painter.text(text_at, Align2::CENTER_TOP, &bar.label, font, theme::TEXT_STRONG);
    let left = plate.center_bottom() + vec2(-length * 0.5, -9.0);
    let line = Rect::from_min_size(left, vec2(length, 3.0));
    painter.rect_filled(line, 0.0, theme::TEXT_STRONG);
}

/// The magnification on screen, in the words of a microscope, and whether it goes beyond what was
/// scanned: `5.0x`, `40x, beyond native`.
pub(crate) fn magnification(facts: &SlideFacts, level0_per_device_px: f64) -> String {
    let (native, unit) = facts.native_magnification();
    let is_estimated = facts.objective_power.is_none() && facts.mpp.is_some();
    let about = if is_estimated { "about " } else { "" };
    let text = format!("{about}{}{unit}", three_digits(native / level0_per_device_px));
    // A hair of tolerance: one to one is native.
    if level0_per_device_px < 0.999 { format!("{text}, beyond native") } else { text }
}

fn three_digits(value: f64) -> String {
    if value < 1.0 {
        format!("{value:.2}")
    } else if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    #[test]
    fn the_bar_is_round_and_fits() {
        for zoom in [0.01, 0.3, 1.0, 4.7, 63.0, 900.0] {
            let bar = ScaleBar::new(zoom, Mpp::new(0.25, 0.25));
            assert!((BAR_MAX_PT * 0.39..=BAR_MAX_PT).contains(&bar.length_pt), "{bar:?}");
        }
        assert_eq!(ScaleBar::new(4.0, Mpp::new(0.5, 0.5)).label, "200 µm");
        assert_eq!(ScaleBar::new(100.0, Mpp::new(0.5, 0.5)).label, "5 mm");
    }

    #[test]
    fn a_slide_without_a_scale_is_measured_in_pixels() {
        assert_eq!(ScaleBar::new(1.0, None).label, "100 px");
    }

    #[test]
    fn magnification_is_that_of_the_objective_or_an_estimate_or_a_share() {
        let mut facts = samples::facts();
        assert_eq!(magnification(&facts, 4.0), "5.0x");
        assert_eq!(magnification(&facts, 0.5), "40x, beyond native");
        facts.objective_power = None;
        assert_eq!(magnification(&facts, 1.0), "about 20x");
        facts.mpp = None;
        assert_eq!(magnification(&facts, 8.0), "12 %");
    }
}
