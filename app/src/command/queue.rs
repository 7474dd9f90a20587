//! Going through a list of images.

use std::sync::Arc;

use crate::command::Effect;
use crate::state::State;
use crate::state::image_queue::{ImageList, ImageQueue, Origin};

/// A wish about the list that is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueCommand {
    /// Open an image of a list of that panel, by the list's place there and the image's place in it.
    Open { origin: Origin, list: usize, at: usize },
    /// To the next image or the one before.
    Step(bool),
    /// Back to the panel that the list is from.
    Back,
    /// Keep the image that is open and let go of the list.
    Leave,
}

/// Chooses the image; opening it is an effect, and the model follows once it is open.
pub(super) fn apply(state: &mut State, command: QueueCommand) -> Vec<Effect> {
    match command {
        QueueCommand::Open { origin, list, at } => {
            let Some(list) = list_of(state, origin, list) else { return Vec::new() };
            state.image_queue = Some(ImageQueue::new(list, origin, at));
            show_panel(state, origin, false);
            open(state)
        }
        QueueCommand::Step(is_forward) => {
            let has_moved = state.image_queue.as_mut().is_some_and(|it| it.step(is_forward));
            if has_moved { open(state) } else { Vec::new() }
        }
        QueueCommand::Back => {
            if let Some(queue) = state.image_queue.take() {
                show_panel(state, queue.origin, true);
            }
            Vec::new()
        }
        QueueCommand::Leave => {
            state.image_queue = None;
            Vec::new()
        }
    }
}

fn list_of(state: &State, origin: Origin, list: usize) -> Option<Arc<ImageList>> {
    match origin {
        Origin::Report => {
            let examined = state.training.run.as_ref()?.examined.as_ref()?;
            examined.lists.get(list).cloned()
        }
        Origin::Comparison => {
            let found = state.comparing.found.as_ref()?;
            (list == 0).then(|| Arc::clone(&found.list))
        }
    }
}

/// The panel lies over the slide: it makes room for the image.
fn show_panel(state: &mut State, origin: Origin, is_open: bool) {
    match origin {
        Origin::Report => state.training.is_open = is_open,
        Origin::Comparison => state.comparing.is_open = is_open,
    }
}

fn open(state: &State) -> Vec<Effect> {
    let stop = state.image_queue.as_ref().and_then(ImageQueue::stop);
    let path = stop.and_then(|stop| stop.path.clone());
    path.map(Effect::OpenSlide).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples as sample_states;
    use crate::state::training::samples;
    use std::path::Path;

    fn reported() -> State {
        let mut state = sample_states::state();
        state.training = samples::training();
        state.training.run = Some(samples::examined_run());
        state
    }

    #[test]
    fn an_image_of_the_report_is_opened_with_the_panel_out_of_the_way() {
        let mut state = reported();
        let command = QueueCommand::Open { origin: Origin::Report, list: 0, at: 1 };
        let effects = apply(&mut state, command);
        assert!(
            matches!(&effects[..], [Effect::OpenSlide(path)] if path == Path::new("/data/2.png"))
        );
        assert!(!state.training.is_open);
        assert!(apply(&mut state, QueueCommand::Step(true)).is_empty(), "it is the last");
        let effects = apply(&mut state, QueueCommand::Step(false));
        assert!(
            matches!(&effects[..], [Effect::OpenSlide(path)] if path == Path::new("/data/1.png"))
        );
        apply(&mut state, QueueCommand::Back);
        assert!(state.training.is_open && state.image_queue.is_none());
    }

    #[test]
    fn without_a_list_nothing_happens() {
        let mut state = sample_states::state();
        for command in [
            QueueCommand::Open { origin: Origin::Report, list: 0, at: 0 },
            QueueCommand::Step(true),
            QueueCommand::Back,
            QueueCommand::Leave,
        ] {
            assert!(apply(&mut state, command).is_empty());
        }
    }
}
