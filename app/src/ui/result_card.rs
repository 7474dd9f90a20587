//! What the model says about the slide, and whether it is in a position to say it.

use egui::{RichText, Ui};

use super::{readable, theme};
use crate::state::overlay::SlideResult;

/// Draws the card of a finished run.
pub(crate) fn result_card_ui(ui: &mut Ui, result: &SlideResult) {
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        let verdict =
            if result.is_positive() { "predicted positive" } else { "predicted negative" };
        let text = format!("Slide probability {:.3}: {verdict}", result.probability);
        ui.label(RichText::new(text).color(theme::TEXT_STRONG).strong());
        for note in &result.training_fit.notes {
            ui.add(egui::Label::new(RichText::new(note).small()).wrap());
        }
        egui::CollapsingHeader::new("Run details").show(ui, |ui| details_ui(ui, result));
    });
}

fn details_ui(ui: &mut Ui, result: &SlideResult) {
    let weak = |text: String| RichText::new(text).color(theme::TEXT_WEAK).small();
    ui.label(weak(format!("Model: {}", result.model_title)));
    if let Some(faithfulness) = result.faithfulness {
        ui.label(weak(format!("Faithfulness of the heatmap: {faithfulness:.2}")));
    }
    for (stage, duration) in &result.timings {
        ui.label(weak(format!("{stage}: {:.2} s", duration.as_secs_f64())));
    }
    let total = result.timings.iter().map(|(_, duration)| *duration).sum();
    ui.label(weak(format!("Together: {}", readable(total))));
    for (name, value) in &result.provenance {
        ui.add(egui::Label::new(weak(format!("{name}: {value}"))).wrap());
    }
}

/// The line that stays in sight as long as a heatmap does.
pub(crate) fn warning(result: &SlideResult) -> Option<String> {
    let fit = &result.training_fit;
    fit.is_outside.then(|| {
        let share = 100.0 * fit.outside_share;
        format!(
            "This slide lies outside what the model was trained on ({share:.0} % of it looks \
             unlike the training data). Do not rely on this heatmap."
        )
    })
}

/// Draws [`warning`] above the canvas.
pub(crate) fn warning_banner_ui(ui: &mut Ui, text: &str) {
    theme::warning_card().corner_radius(0).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let text = RichText::new(text).color(theme::WARNING).strong();
        ui.add(egui::Label::new(text).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn only_a_slide_outside_the_training_data_is_warned_about() {
        assert_eq!(warning(&samples::result(false)), None);
        let text = warning(&samples::result(true)).unwrap();
        assert!(text.starts_with("This slide lies outside what the model was trained on (97 %"));
    }

    #[test]
    fn the_card_shows_probability_verdict_and_notes() {
        let result = samples::result(true);
        let harness = Harness::new_ui(|ui| result_card_ui(ui, &result));
        harness.get_by_label("Slide probability 0.830: predicted positive");
        harness.get_by_label("Coarser than the model's resolution.");
    }
}
