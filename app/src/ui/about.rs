//! What this program is, and what it is not.

use domain::RESEARCH_USE_ONLY;
use egui::{RichText, Ui};

use super::theme;

/// Draws the content of the dialog.
pub(crate) fn about_ui(ui: &mut Ui) {
    ui.set_width(440.0);
    ui.heading("Slidelight");
    ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
    ui.add_space(6.0);
    ui.label(RichText::new(RESEARCH_USE_ONLY).color(theme::WARNING).strong());
    ui.add_space(6.0);
    ui.label(
        "A heatmap shows where a model found evidence for its prediction. It is learned from \
         labels of whole images, is no measurement, and can be wrong; a model says what it was \
         trained on, and other tissue lies outside of that.",
    );
    ui.add_space(6.0);
    ui.label("All computation happens on this machine; nothing is sent anywhere.");
    ui.label(
        "Licence: MIT or Apache-2.0. Slides, encoders and models have their own, listed in \
         assets/LICENSES.md.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui_kittest::{Harness, kittest::Queryable as _};

    #[test]
    fn the_purpose_and_the_version_are_stated() {
        let harness = Harness::new_ui(about_ui);
        harness.get_by_label(RESEARCH_USE_ONLY);
        harness.get_by_label(&format!("Version {}", env!("CARGO_PKG_VERSION")));
    }
}
