//! Looking at layers. Nothing here can start a model: the one effect writes *t* down.

use domain::mask::BinaryThreshold;
use render::frame::{Colormap, OverlayStyle};

use crate::command::Effect;
use crate::state::layer::LayerKind;
use crate::state::overlay::OverlayState;

/// A change to the layers; where none is named, to the chosen one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OverlayCommand {
    /// Draw layers or none of them.
    SetVisible(bool),
    ToggleVisible,
    /// Look beneath for as long as this is `true`.
    Peek(bool),
    /// Let the panel, the keys and exports act on this one, and show it.
    Choose(LayerKind),
    /// Choose the next one of those that are shown.
    ChooseNext,
    /// Make the layer part of the picture or not.
    SetShown(bool),
    SetThreshold(BinaryThreshold),
    /// Move *t* by so many hundredths.
    StepThreshold(i8),
    /// Move *t* to the model's own.
    ResetThreshold,
    /// `0.0..=1.0`.
    SetOpacity(f32),
    SetColormap(Colormap),
    SetStyle(OverlayStyle),
    /// Fill, contour, both, and round again.
    NextStyle,
}

/// The only place that changes layers on the user's behalf.
pub(super) fn apply(overlay: &mut OverlayState, command: OverlayCommand) -> Vec<Effect> {
    let before = overlay.layer().map(|layer| (layer.kind, layer.threshold));
    match command {
        OverlayCommand::SetVisible(is_visible) => overlay.is_visible = is_visible,
        OverlayCommand::ToggleVisible => overlay.is_visible = !overlay.is_visible,
        OverlayCommand::Peek(is_peeking) => overlay.is_peeking = is_peeking,
        OverlayCommand::Choose(kind) => {
            overlay.chosen = kind;
            overlay.change(|it| it.look.is_shown = true);
        }
        OverlayCommand::ChooseNext => choose_next(overlay),
        OverlayCommand::SetShown(is_shown) => overlay.change(|it| it.look.is_shown = is_shown),
        OverlayCommand::SetThreshold(threshold) => overlay.change(|it| it.threshold = threshold),
        OverlayCommand::StepThreshold(hundredths) => {
            overlay.change(|it| it.threshold = stepped(it.threshold, hundredths));
        }
        OverlayCommand::ResetThreshold => {
            overlay.change(|it| it.threshold = it.recommended.unwrap_or(it.threshold));
        }
        OverlayCommand::SetOpacity(opacity) => {
            overlay.change(|it| it.look.opacity = opacity.clamp(0.0, 1.0));
        }
        OverlayCommand::SetColormap(colormap) => overlay.change(|it| it.look.colormap = colormap),
        OverlayCommand::SetStyle(style) => overlay.change(|it| it.look.style = style),
        OverlayCommand::NextStyle => overlay.change(|it| it.look.style = next(it.look.style)),
    }
    let moved = overlay
        .layer()
        .filter(|layer| before.is_some_and(|(kind, t)| kind == layer.kind && t != layer.threshold));
    moved.map(|it| Effect::KeepThreshold(it.kind.title(), it.threshold)).into_iter().collect()
}

fn choose_next(overlay: &mut OverlayState) {
    let position = overlay.layers.iter().position(|layer| layer.kind == overlay.chosen);
    let after = position.map_or(0, |index| index + 1);
    let round = overlay.layers.iter().cycle().skip(after).take(overlay.layers.len());
    if let Some(layer) = round.into_iter().find(|layer| layer.look.is_shown) {
        overlay.chosen = layer.kind;
    }
}

/// Lands on whole hundredths, so that repeated steps do not drift.
fn stepped(threshold: BinaryThreshold, hundredths: i8) -> BinaryThreshold {
    let steps = (threshold.get() * 100.0).round() + f32::from(hundredths);
    BinaryThreshold::clamped(steps / 100.0)
}

fn next(style: OverlayStyle) -> OverlayStyle {
    match style {
        OverlayStyle::FillAndContour => OverlayStyle::Fill,
        OverlayStyle::Fill => OverlayStyle::Contour,
        OverlayStyle::Contour => OverlayStyle::FillAndContour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, samples};
    use crate::state::layer::Layer;

    fn t(value: f32) -> BinaryThreshold {
        BinaryThreshold::clamped(value)
    }

    fn overlay() -> OverlayState {
        samples::overlay(false)
    }

    fn layer(overlay: &OverlayState, kind: LayerKind) -> &Layer {
        overlay.layers.iter().find(|layer| layer.kind == kind).unwrap()
    }

    #[test]
    fn moving_t_over_a_result_is_written_down_and_starts_no_work() {
        let mut state = samples::state();
        state.overlay = overlay();
        for command in [
            OverlayCommand::SetThreshold(t(0.7)),
            OverlayCommand::StepThreshold(-5),
            OverlayCommand::ResetThreshold,
        ] {
            let effects = crate::command::apply(&mut state, Command::from(command));
            assert!(matches!(effects[..], [Effect::KeepThreshold("Heatmap", _)]), "{effects:?}");
        }
        assert_eq!(state.overlay.layer().unwrap().threshold, t(0.4));
    }

    #[test]
    fn steps_of_t_do_not_drift_and_stop_at_the_ends() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.5)));
        for _ in 0..7 {
            apply(&mut overlay, OverlayCommand::StepThreshold(1));
        }
        assert_eq!(overlay.layer().unwrap().threshold, t(0.57));
        for _ in 0..99 {
            apply(&mut overlay, OverlayCommand::StepThreshold(5));
        }
        assert_eq!(overlay.layer().unwrap().threshold, t(1.0));
    }

    #[test]
    fn the_picture_takes_t_from_the_state_and_nothing_when_hidden() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.25)));
        assert_eq!(overlay.frames()[0].threshold, t(0.25));
        apply(&mut overlay, OverlayCommand::Peek(true));
        assert!(overlay.frames().is_empty());
        apply(&mut overlay, OverlayCommand::Peek(false));
        assert_eq!(overlay.frames().len(), 1);
        apply(&mut overlay, OverlayCommand::ToggleVisible);
        assert!(overlay.frames().is_empty());
    }

    #[test]
    fn each_layer_has_its_own_t_and_look() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::Choose(LayerKind::Refined));
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.9)));
        apply(&mut overlay, OverlayCommand::SetColormap(Colormap::Green));
        apply(&mut overlay, OverlayCommand::SetOpacity(2.0));
        let refined = layer(&overlay, LayerKind::Refined);
        assert_eq!((refined.threshold, refined.look.opacity), (t(0.9), 1.0));
        let cam = layer(&overlay, LayerKind::Cam);
        assert_eq!((cam.threshold, cam.look.colormap), (t(0.4), Colormap::Cividis));
        assert_eq!(overlay.frames().len(), 2, "a layer that is chosen is shown");
        apply(&mut overlay, OverlayCommand::SetShown(false));
        assert_eq!(overlay.frames().len(), 1);
    }

    #[test]
    fn the_next_layer_is_one_that_is_shown() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::ChooseNext);
        assert_eq!(overlay.chosen, LayerKind::Cam, "there is no other");
        apply(&mut overlay, OverlayCommand::Choose(LayerKind::Tissue));
        apply(&mut overlay, OverlayCommand::ChooseNext);
        assert_eq!(overlay.chosen, LayerKind::Cam);
        apply(&mut overlay, OverlayCommand::ChooseNext);
        assert_eq!(overlay.chosen, LayerKind::Tissue);
    }

    #[test]
    fn a_layer_of_the_next_slide_is_shown_as_the_one_before() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::SetColormap(Colormap::Magma));
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.9)));
        overlay.clear();
        assert!(overlay.frames().is_empty());
        let next = samples::overlay(false);
        overlay.open(next.result.unwrap(), next.layers);
        let cam = layer(&overlay, LayerKind::Cam);
        assert_eq!((cam.look.colormap, cam.threshold), (Colormap::Magma, t(0.4)));
    }

    #[test]
    fn three_steps_of_style_lead_back() {
        let start = OverlayStyle::default();
        assert_eq!(next(next(next(start))), start);
        assert_ne!(next(start), start);
    }
}
