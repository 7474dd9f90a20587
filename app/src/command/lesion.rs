//! Going from lesion to lesion of the chosen layer.

use domain::coords::{Camera, Level0Rect};

use crate::command::Effect;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::tour::Tour;
use crate::state::view::ViewState;

/// How much of the canvas around a lesion is seen, in sides of the lesion.
const SURROUNDINGS: f64 = 2.0;

/// A wish to look at another lesion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LesionCommand {
    Next,
    Previous,
}

/// Moves to another lesion; where the lesions at this *t* are not known yet they are traced first.
pub(super) fn apply(state: &mut State, command: LesionCommand) -> Vec<Effect> {
    let Some(layer) = state.overlay.layer() else {
        state.notices.error("There are no lesions yet: run a model first");
        return Vec::new();
    };
    if !layer.kind.is_of_lesions() {
        state.notices.error("Tissue is no lesion: choose another layer");
        return Vec::new();
    }
    if state.overlay.tour().is_some() {
        state.overlay.step_tour(command == LesionCommand::Next);
        look(state);
        return Vec::new();
    }
    let is_under_way = state.jobs.of_kind(JobKind::FindLesions).is_some();
    if is_under_way { Vec::new() } else { vec![Effect::FindLesions] }
}

/// Takes the lesions that a job found and looks at the first.
pub(crate) fn begin(state: &mut State, tour: Tour) {
    state.overlay.take_tour(tour);
    match state.overlay.tour().map(Tour::stop) {
        Some(None) => state.notices.error("No lesion exceeds this t"),
        Some(Some(_)) => look(state),
        // t was moved meanwhile: the next press of the key finds the lesions at the one it is now.
        None => {}
    }
}

fn look(state: &mut State) {
    if let Some(stop) = state.overlay.tour().and_then(Tour::stop) {
        let camera = camera_on(&state.view, stop.bounds);
        state.view.look(camera);
    }
}

/// The lesion with its surroundings, but no more than the whole slide and never beyond what was scanned.
pub(super) fn camera_on(view: &ViewState, bounds: Level0Rect) -> Camera {
    let (width, height) = (bounds.width * SURROUNDINGS, bounds.height * SURROUNDINGS);
    let center = bounds.center();
    let around =
        Level0Rect { x: center.x - width * 0.5, y: center.y - height * 0.5, width, height };
    let Camera { canvas, turn, .. } = view.camera;
    let fitted = Camera::fit(around, canvas, turn);
    let native = f64::from(view.pixels_per_pt);
    let whole = view.facts.as_ref().map(|it| Camera::fit(it.bounds(), canvas, turn));
    let most = whole.map_or(f64::INFINITY, |it| it.level0_per_pt);
    Camera { level0_per_pt: fitted.level0_per_pt.min(most).max(native), ..fitted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{OverlayCommand, samples};
    use crate::state::layer::LayerKind;
    use domain::coords::Turn;
    use std::sync::Arc;

    fn state() -> State {
        let mut state = samples::state();
        state.overlay = samples::overlay(false);
        state
    }

    fn tour(state: &State) -> Tour {
        let layer = state.overlay.layer().unwrap();
        Tour::new(Arc::clone(&layer.heatmap), layer.threshold)
    }

    #[test]
    fn lesions_are_traced_once_for_a_t_and_then_gone_through() {
        let mut state = state();
        let effects = apply(&mut state, LesionCommand::Next);
        assert!(matches!(effects[..], [Effect::FindLesions]));
        let found = tour(&state);
        begin(&mut state, found);
        let stop = state.overlay.tour().unwrap().stop().unwrap();
        let (seen, center) = (state.view.camera.center, stop.bounds.center());
        assert!((seen.x - center.x).abs() < 1.0 && (seen.y - center.y).abs() < 1.0);
        let whole = Camera::fit(samples::facts().bounds(), state.view.camera.canvas, Turn::NONE);
        assert!(state.view.camera.level0_per_pt <= whole.level0_per_pt);
        assert!(apply(&mut state, LesionCommand::Previous).is_empty());
        let t = domain::mask::BinaryThreshold::clamped(0.8);
        crate::command::apply(&mut state, OverlayCommand::SetThreshold(t).into());
        assert!(state.overlay.tour().is_none(), "these are not the lesions at this t");
        assert_eq!(apply(&mut state, LesionCommand::Next).len(), 1);
    }

    #[test]
    fn without_a_lesion_the_view_stays_and_says_so() {
        let mut state = state();
        let before = state.view.camera;
        let t = domain::mask::BinaryThreshold::clamped(1.0);
        crate::command::apply(&mut state, OverlayCommand::SetThreshold(t).into());
        let none = tour(&state);
        begin(&mut state, none);
        assert_eq!((state.view.camera, state.notices.shown.len()), (before, 1));
        state.overlay.chosen = LayerKind::Tissue;
        assert!(apply(&mut state, LesionCommand::Next).is_empty());
        assert_eq!(state.notices.shown.len(), 2);
    }
}
