//! How the channels of a slide are shown. What models see stays as it is.

use std::sync::Arc;

use slide::{Channel, Window};

use crate::state::view::ViewState;

/// Narrowest window as a share of the channel's range.
const WINDOW_MIN: f32 = 0.001;

/// A change to the channel of an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ChannelCommand {
    /// Make it part of the picture or not.
    Show(usize, bool),
    /// Red, green and blue at the upper end of the window.
    SetColor(usize, [u8; 3]),
    /// What is black, below the upper end.
    SetLow(usize, f32),
    /// What is of full color, above the lower end.
    SetHigh(usize, f32),
    /// The window that was found when the slide was opened.
    Auto(usize),
    /// Every channel as it was when the slide was opened.
    Reset,
}

/// The only place that changes channels.
pub(super) fn apply(view: &mut ViewState, command: ChannelCommand) {
    let Some(facts) = view.facts.clone() else { return };
    let first = |index: usize| facts.channels.get(index).map(|it| it.window);
    match command {
        ChannelCommand::Show(index, is_shown) => change(view, index, |it| it.is_shown = is_shown),
        ChannelCommand::SetColor(index, color) => change(view, index, |it| it.color = color),
        ChannelCommand::SetLow(index, low) => change(view, index, |it| {
            it.window.low = low.min(it.window.high - narrowest(it.range));
        }),
        ChannelCommand::SetHigh(index, high) => change(view, index, |it| {
            it.window.high = high.max(it.window.low + narrowest(it.range));
        }),
        ChannelCommand::Auto(index) => change(view, index, |it| {
            it.window = first(index).unwrap_or(it.window);
        }),
        ChannelCommand::Reset => view.show_channels(Arc::clone(&facts.channels)),
    }
}

fn narrowest(range: Window) -> f32 {
    (range.high - range.low) * WINDOW_MIN
}

fn change(view: &mut ViewState, index: usize, to: impl FnOnce(&mut Channel)) {
    let mut channels = view.channels.to_vec();
    if let Some(channel) = channels.get_mut(index) {
        to(channel);
        view.show_channels(channels.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    #[test]
    fn every_change_is_a_look_of_its_own() {
        let mut view = samples::view_of_channels();
        let before = view.look;
        apply(&mut view, ChannelCommand::Show(1, false));
        apply(&mut view, ChannelCommand::SetColor(0, [1, 2, 3]));
        assert_eq!(view.look, before + 2);
        assert!(!view.channels[1].is_shown);
        assert_eq!(view.channels[0].color, [1, 2, 3]);
        apply(&mut view, ChannelCommand::Show(7, false));
        assert_eq!(view.look, before + 2, "there is no such channel");
    }

    #[test]
    fn a_window_never_turns_over() {
        let mut view = samples::view_of_channels();
        apply(&mut view, ChannelCommand::SetLow(0, 5000.0));
        assert_eq!(view.channels[0].window, Window { low: 899.0, high: 900.0 });
        apply(&mut view, ChannelCommand::SetHigh(0, -5.0));
        assert_eq!(view.channels[0].window, Window { low: 899.0, high: 900.0 });
        apply(&mut view, ChannelCommand::Auto(0));
        assert_eq!(view.channels[0].window, Window { low: 200.0, high: 900.0 });
    }

    #[test]
    fn a_reset_brings_back_what_the_slide_began_with() {
        let mut view = samples::view_of_channels();
        apply(&mut view, ChannelCommand::Show(0, false));
        apply(&mut view, ChannelCommand::SetLow(1, 300.0));
        apply(&mut view, ChannelCommand::Reset);
        assert_eq!(view.channels, samples::channels());
    }
}
