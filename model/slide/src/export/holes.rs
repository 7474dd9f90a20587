//! Holes in formats whose rings have none. There a hole is a ring of its own, which readers cut out of whatever lies around it: where
//! another outline reaches into the hole, that would lose an area too. Such a hole is joined to its own outline by a bridge without width.

use std::borrow::Cow;

use domain::contour::{Polygon, Ring};
use domain::coords::Level0Rect;

use super::sheet::Entry;
use crate::ring;

/// The outlines of a file, to look up what reaches into a hole.
pub(super) struct Outlines<'a>(Vec<(&'a Polygon, Level0Rect)>);

impl<'a> Outlines<'a> {
    /// Of all that is written.
    pub(super) fn of(entries: &[Entry<'a>]) -> Self {
        let parts = entries.iter().flat_map(|entry| entry.parts);
        Self(parts.filter_map(|part| Some((part, Level0Rect::around(&part.outer)?))).collect())
    }

    /// The outline of a part, and those of its holes that are rings of their own.
    pub(super) fn rings(&self, part: &'a Polygon) -> (Cow<'a, Ring>, Vec<&'a Ring>) {
        let (shared, own): (Vec<&Ring>, Vec<&Ring>) =
            part.holes.iter().partition(|hole| self.is_shared(part, hole));
        if shared.is_empty() {
            return (Cow::Borrowed(&part.outer), own);
        }
        (Cow::Owned(ring::bridged(&part.outer, &shared)), own)
    }

    /// Whether another outline may reach into a hole of a part.
    fn is_shared(&self, part: &Polygon, hole: &Ring) -> bool {
        let Some(hole) = Level0Rect::around(hole) else { return false };
        let others = self.0.iter().filter(|(other, _)| !std::ptr::eq(*other, part));
        others.into_iter().any(|(_, bounds)| bounds.overlaps(hole))
    }
}
