//! Looking at layers. Nothing here can start a model: the one effect writes *t* down.

use domain::mask::BinaryThreshold;
use render::frame::{Colormap, OverlayStyle};

use crate::command::Effect;
use crate::state::comparison::{Comparison, ComparisonWay};
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
    /// Compare the chosen layer with another one in this way, or no longer.
    Compare(Option<ComparisonWay>),
    /// Compare the chosen layer with this one.
    CompareWith(LayerKind),
    /// From one way of comparing to the next, and to none.
    NextComparison,
    /// Let the two that are compared change places.
    Swap,
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
            if let Some(comparison) = overlay.comparison.as_mut().filter(|it| it.with == kind) {
                comparison.with = overlay.chosen;
            }
            overlay.chosen = kind;
            overlay.change(|it| it.look.is_shown = true);
        }
        OverlayCommand::Compare(way) => compare(overlay, way),
        OverlayCommand::CompareWith(kind) => {
            if let Some(comparison) = &mut overlay.comparison {
                comparison.with = kind;
            }
        }
        OverlayCommand::NextComparison => {
            compare(overlay, next_way(overlay.comparison.map(|it| it.way)));
        }
        OverlayCommand::Swap => {
            if let Some(comparison) = &mut overlay.comparison {
                std::mem::swap(&mut comparison.with, &mut overlay.chosen);
            }
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

/// With the layer of before, else with the topmost other one that is shown, else with the topmost other one.
fn compare(overlay: &mut OverlayState, way: Option<ComparisonWay>) {
    let others = || overlay.layers.iter().rev().filter(|layer| layer.kind != overlay.chosen);
    let shown = || others().find(|layer| layer.look.is_shown).or_else(|| others().next());
    let with = overlay.comparison.map(|it| it.with).or_else(|| shown().map(|layer| layer.kind));
    overlay.comparison = way.zip(with).map(|(way, with)| Comparison::new(with, way));
}

fn next_way(way: Option<ComparisonWay>) -> Option<ComparisonWay> {
    match way {
        None => Some(ComparisonWay::Swipe(0.5)),
        Some(ComparisonWay::Swipe(_)) => Some(ComparisonWay::Blink),
        Some(ComparisonWay::Blink) => Some(ComparisonWay::SideBySide),
        Some(ComparisonWay::SideBySide) => None,
    }
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
    fn a_comparison_goes_through_its_ways_and_ends() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::NextComparison);
        let (chosen, other, _) = overlay.compared().unwrap();
        assert_eq!((chosen.kind, other.kind), (LayerKind::Cam, LayerKind::Refined));
        let parted: Vec<_> = overlay.frames().iter().map(|frame| frame.columns).collect();
        assert_eq!(parted, [(0.0, 0.5), (0.5, 1.0)]);
        apply(&mut overlay, OverlayCommand::NextComparison);
        assert_eq!((overlay.frames().len(), overlay.frames_beside().is_some()), (1, false));
        apply(&mut overlay, OverlayCommand::NextComparison);
        assert_eq!((overlay.frames().len(), overlay.frames_beside().unwrap().len()), (1, 1));
        apply(&mut overlay, OverlayCommand::Peek(true));
        assert!(overlay.frames().is_empty() && overlay.frames_beside().is_none());
        apply(&mut overlay, OverlayCommand::Peek(false));
        apply(&mut overlay, OverlayCommand::NextComparison);
        assert!(overlay.comparison.is_none());
    }

    #[test]
    fn the_two_that_are_compared_stay_two() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::Compare(Some(ComparisonWay::SideBySide)));
        apply(&mut overlay, OverlayCommand::Choose(LayerKind::Refined));
        let with = |overlay: &OverlayState| overlay.comparison.unwrap().with;
        assert_eq!((overlay.chosen, with(&overlay)), (LayerKind::Refined, LayerKind::Cam));
        apply(&mut overlay, OverlayCommand::Swap);
        assert_eq!((overlay.chosen, with(&overlay)), (LayerKind::Cam, LayerKind::Refined));
        apply(&mut overlay, OverlayCommand::CompareWith(LayerKind::Tissue));
        assert_eq!(with(&overlay), LayerKind::Tissue);
    }

    #[test]
    fn the_map_of_another_model_is_kept_to_compare_with() {
        let mut overlay = overlay();
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.8)));
        let again = samples::overlay(false);
        overlay.open(again.result.unwrap(), again.layers);
        assert!(overlay.find(LayerKind::Earlier).is_none(), "it is the same model");
        apply(&mut overlay, OverlayCommand::SetThreshold(t(0.8)));
        for name in ["another", "another"] {
            let next = samples::overlay(false);
            let mut result = next.result.unwrap().as_ref().clone();
            result.model_name = name.to_owned();
            overlay.open(std::sync::Arc::new(result), next.layers);
            let earlier = overlay.find(LayerKind::Earlier).unwrap();
            assert_eq!((earlier.threshold, earlier.look.is_shown), (t(0.8), false));
        }
        assert!(!LayerKind::Earlier.is_of_lesions(), "it would be exported in the wrong name");
    }

    #[test]
    fn three_steps_of_style_lead_back() {
        let start = OverlayStyle::default();
        assert_eq!(next(next(next(start))), start);
        assert_ne!(next(start), start);
    }
}
