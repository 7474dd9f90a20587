//! Looking at the heatmap. Nothing here can start a model: [`apply`] has no effects.

use domain::mask::BinaryThreshold;
use render::frame::{Colormap, OverlayStyle};

use crate::state::overlay::OverlayState;

/// A change to the overlay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OverlayCommand {
    SetVisible(bool),
    ToggleVisible,
    /// Look beneath for as long as this is `true`.
    Peek(bool),
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

/// The only place that changes the overlay on the user's behalf.
pub(super) fn apply(overlay: &mut OverlayState, command: OverlayCommand) {
    match command {
        OverlayCommand::SetVisible(is_visible) => overlay.is_visible = is_visible,
        OverlayCommand::ToggleVisible => overlay.is_visible = !overlay.is_visible,
        OverlayCommand::Peek(is_peeking) => overlay.is_peeking = is_peeking,
        OverlayCommand::SetThreshold(threshold) => overlay.threshold = threshold,
        OverlayCommand::StepThreshold(hundredths) => {
            overlay.threshold = stepped(overlay.threshold, hundredths);
        }
        OverlayCommand::ResetThreshold => {
            if let Some(result) = &overlay.result {
                overlay.threshold = result.recommended;
            }
        }
        OverlayCommand::SetOpacity(opacity) => overlay.opacity = opacity.clamp(0.0, 1.0),
        OverlayCommand::SetColormap(colormap) => overlay.colormap = colormap,
        OverlayCommand::SetStyle(style) => overlay.style = style,
        OverlayCommand::NextStyle => overlay.style = next(overlay.style),
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
    use std::sync::Arc;

    #[test]
    fn moving_t_over_a_result_starts_no_work() {
        let mut state = samples::state();
        state.overlay.result = Some(Arc::new(samples::result(false)));
        for command in [
            OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.7)),
            OverlayCommand::StepThreshold(-5),
            OverlayCommand::ResetThreshold,
        ] {
            assert!(crate::command::apply(&mut state, Command::from(command)).is_empty());
        }
        assert_eq!(state.overlay.threshold, BinaryThreshold::clamped(0.4));
    }

    #[test]
    fn steps_of_t_do_not_drift_and_stop_at_the_ends() {
        let mut overlay = OverlayState::default();
        for _ in 0..7 {
            apply(&mut overlay, OverlayCommand::StepThreshold(1));
        }
        assert_eq!(overlay.threshold, BinaryThreshold::clamped(0.57));
        for _ in 0..99 {
            apply(&mut overlay, OverlayCommand::StepThreshold(5));
        }
        assert_eq!(overlay.threshold.get(), 1.0);
    }

    #[test]
    fn the_picture_takes_t_from_the_state_and_nothing_when_hidden() {
        let mut overlay =
            OverlayState { result: Some(Arc::new(samples::result(false))), ..Default::default() };
        apply(&mut overlay, OverlayCommand::SetThreshold(BinaryThreshold::clamped(0.25)));
        assert_eq!(overlay.frame().unwrap().threshold.get(), 0.25);
        apply(&mut overlay, OverlayCommand::Peek(true));
        assert!(overlay.frame().is_none());
        apply(&mut overlay, OverlayCommand::Peek(false));
        assert!(overlay.frame().is_some());
        apply(&mut overlay, OverlayCommand::ToggleVisible);
        assert!(overlay.frame().is_none());
    }

    #[test]
    fn three_steps_of_style_lead_back() {
        let start = OverlayStyle::default();
        assert_eq!(next(next(next(start))), start);
        assert_ne!(next(start), start);
    }
}
