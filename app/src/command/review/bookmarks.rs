//! Places to come back to. They are kept with the slide and begin no review.

use domain::coords::Camera;
use review::{Bookmark, Deed};

use super::keep;
use crate::canvas::magnification;
use crate::command::Effect;
use crate::state::State;

/// Remembers what is seen, under a name that says where and how large.
pub(super) fn add(state: &mut State) -> Vec<Effect> {
    let view = &state.view;
    let Some(facts) = &view.facts else { return Vec::new() };
    let Camera { center, turn, .. } = view.camera;
    let level0_per_px = view.level0_per_device_px();
    let magnified = magnification(facts, level0_per_px);
    let name = format!("{magnified} at x {:.0}, y {:.0}", center.x, center.y);
    let mut bookmarks = state.review.review.bookmarks().to_vec();
    bookmarks.push(Bookmark { name, center, level0_per_px, turn });
    state.review.is_panel_open = true;
    keep(state, Deed::Bookmarks(bookmarks))
}

pub(super) fn go_to(state: &mut State, index: usize) {
    if let Some(bookmark) = state.review.review.bookmarks().get(index) {
        let level0_per_pt = bookmark.level0_per_px * f64::from(state.view.pixels_per_pt);
        let Bookmark { center, turn, .. } = *bookmark;
        state.view.look(Camera { center, level0_per_pt, turn, ..state.view.camera });
    }
}

pub(super) fn remove(state: &mut State, index: usize) -> Vec<Effect> {
    let mut bookmarks = state.review.review.bookmarks().to_vec();
    if bookmarks.len() <= index {
        return Vec::new();
    }
    bookmarks.remove(index);
    keep(state, Deed::Bookmarks(bookmarks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ReviewCommand, ViewCommand, apply, samples};
    use review::ReviewStatus;

    #[test]
    fn a_place_is_remembered_and_come_back_to_on_a_screen_of_another_density() {
        let mut state = samples::reviewed();
        let status = state.review.review.status();
        apply(&mut state, ViewCommand::Magnify(10.0).into());
        apply(&mut state, ViewCommand::Step { right: 1, down: 0 }.into());
        let seen = state.view.camera.center;
        let effects = apply(&mut state, ReviewCommand::AddBookmark.into());
        assert!(matches!(effects[..], [Effect::Keep(_)]));
        assert_eq!(state.review.review.status(), status);
        apply(&mut state, ViewCommand::Fit.into());
        state.view.pixels_per_pt = 2.0;
        apply(&mut state, ReviewCommand::GoToBookmark(0).into());
        assert_eq!((state.view.camera.center, state.view.level0_per_device_px()), (seen, 2.0));
        apply(&mut state, ReviewCommand::RemoveBookmark(0).into());
        assert!(state.review.review.bookmarks().is_empty());
    }

    #[test]
    fn a_bookmark_begins_no_review() {
        let mut state = samples::reviewed();
        apply(&mut state, ReviewCommand::SetStatus(ReviewStatus::Unseen).into());
        apply(&mut state, ReviewCommand::AddBookmark.into());
        assert_eq!(state.review.review.status(), ReviewStatus::Unseen);
        assert_eq!(state.review.review.bookmarks()[0].name, "3.9x at x 2000, y 1000");
    }
}
