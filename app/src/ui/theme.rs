//! Every colour of the window. Neutral greys, so that the eye judges the stain against no tint;
//! meaning is carried by the Okabe-Ito colours, which no colour-blindness confuses, and by words.

use egui::{Color32, CornerRadius, FontId, Stroke, TextStyle, Theme, Visuals};

use crate::state::session::Backdrop;

/// Behind the slide, and behind bars in panels.
pub(crate) const CANVAS: Color32 = Color32::from_gray(24);
const PANEL: Color32 = Color32::from_gray(36);
const FIELD: Color32 = Color32::from_gray(22);
pub(crate) const CONTROL: Color32 = Color32::from_gray(62);
const CONTROL_HOVERED: Color32 = Color32::from_gray(78);
const CONTROL_PRESSED: Color32 = Color32::from_gray(94);
pub(crate) const LINE: Color32 = Color32::from_gray(58);
pub(crate) const CARD: Color32 = Color32::from_gray(46);

pub(crate) const TEXT: Color32 = Color32::from_gray(212);
pub(crate) const TEXT_STRONG: Color32 = Color32::from_gray(245);
pub(crate) const TEXT_WEAK: Color32 = Color32::from_gray(160);

/// Under text that lies on the slide.
pub(crate) const PLATE: Color32 = Color32::from_black_alpha(170);
/// What is chosen or can be followed.
pub(crate) const ACCENT: Color32 = Color32::from_rgb(86, 180, 233);
const ACCENT_FILL: Color32 = Color32::from_rgb(0, 92, 142);
pub(crate) const DONE: Color32 = Color32::from_rgb(0, 178, 130);
pub(crate) const WARNING: Color32 = Color32::from_rgb(240, 180, 40);
pub(crate) const WARNING_FILL: Color32 = Color32::from_rgb(74, 56, 10);
pub(crate) const ERROR: Color32 = Color32::from_rgb(240, 120, 60);

/// Points around the content of cards.
pub(crate) const CARD_MARGIN: i8 = 10;

/// What is seen where there is no slide.
pub(crate) fn backdrop(backdrop: Backdrop) -> Color32 {
    match backdrop {
        Backdrop::Dark => CANVAS,
        Backdrop::Gray => Color32::from_gray(119),
        Backdrop::White => Color32::WHITE,
    }
}

/// The main action of a panel.
pub(crate) fn primary_button(text: &str) -> egui::Button<'static> {
    let text = egui::RichText::new(text).color(TEXT_STRONG).strong();
    egui::Button::new(text).fill(ACCENT_FILL).min_size(egui::vec2(0.0, 30.0))
}

/// A box that groups what belongs together.
pub(crate) fn card() -> egui::Frame {
    egui::Frame::new().fill(CARD).corner_radius(5).inner_margin(CARD_MARGIN)
}

/// A box that must not be overlooked.
pub(crate) fn warning_card() -> egui::Frame {
    let stroke = Stroke::new(1.5, WARNING);
    egui::Frame::new().fill(WARNING_FILL).stroke(stroke).corner_radius(5).inner_margin(CARD_MARGIN)
}

/// Sets colours, text sizes and spacing once, at start.
pub(crate) fn apply(ctx: &egui::Context) {
    ctx.set_theme(Theme::Dark);
    ctx.set_visuals_of(Theme::Dark, visuals());
    ctx.all_styles_mut(|style| {
        for (text_style, size) in [
            (TextStyle::Small, 12.0),
            (TextStyle::Body, 14.0),
            (TextStyle::Button, 14.0),
            (TextStyle::Heading, 20.0),
        ] {
            style.text_styles.insert(text_style, FontId::proportional(size));
        }
        style.text_styles.insert(TextStyle::Monospace, FontId::monospace(13.0));
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(8.0, 4.0);
        style.spacing.interact_size.y = 24.0;
        // Scroll bars stand beside what is scrolled, not over the buttons at its edge.
        style.spacing.scroll.floating_allocated_width = 8.0;
    });
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = PANEL;
    visuals.window_fill = PANEL;
    visuals.extreme_bg_color = FIELD;
    visuals.faint_bg_color = CARD;
    visuals.hyperlink_color = ACCENT;
    visuals.warn_fg_color = WARNING;
    visuals.error_fg_color = ERROR;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.selection.bg_fill = ACCENT_FILL;
    visuals.selection.stroke = Stroke::new(1.0, TEXT_STRONG);
    visuals.slider_trailing_fill = true;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, TEXT);
    for (state, fill) in [
        (&mut widgets.inactive, CONTROL),
        (&mut widgets.hovered, CONTROL_HOVERED),
        (&mut widgets.active, CONTROL_PRESSED),
        (&mut widgets.open, CONTROL),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.fg_stroke = Stroke::new(1.2, TEXT_STRONG);
        state.corner_radius = CornerRadius::same(4);
    }
    visuals
}
