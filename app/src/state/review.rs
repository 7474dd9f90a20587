//! The review of the open slide: what is kept, what is selected, and the tool in the hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use domain::annotation::{Annotation, AnnotationClass, AnnotationId};
use domain::contour::Ring;
use domain::coords::{Level0Px, Level0Rect};
use domain::heatmap::Heatmap;
use domain::mask::BinaryThreshold;
use domain::scale::Mpp;
use review::change::Detail;
use review::journal::{Keeper, Standing};
use review::{Deed, Entry, Review, ReviewError};

use super::picture::Picture;

/// Radius of the brush on screen.
const BRUSH_PT: f64 = 18.0;

/// What the primary button does on the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Moves the slide and selects.
    #[default]
    Move,
    /// Paints: adds to the selected annotation, or makes one.
    Brush,
    /// Rubs out.
    Erase,
    /// Draws an outline corner by corner.
    Polygon,
    /// Measures from here to there.
    Line,
    /// Cuts annotations along a line.
    Cut,
}

impl Tool {
    pub(crate) const ALL: [Self; 6] =
        [Self::Move, Self::Brush, Self::Erase, Self::Polygon, Self::Line, Self::Cut];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Move => "Move",
            Self::Brush => "Brush",
            Self::Erase => "Erase",
            Self::Polygon => "Polygon",
            Self::Line => "Line",
            Self::Cut => "Cut",
        }
    }

    /// What to do with it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Move => "Drag to move, click to select, Shift-click to select more",
            Self::Brush => "Drag to paint; keys , and . change the size",
            Self::Erase => "Drag to rub out; keys , and . change the size",
            Self::Polygon => "Click corner by corner; Enter or a double click closes",
            Self::Line => "Drag to measure",
            Self::Cut => "Drag a line across an annotation",
        }
    }

    /// Whether it has a size.
    pub(crate) fn is_round(self) -> bool {
        matches!(self, Self::Brush | Self::Erase)
    }
}

/// Whether changes are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// The journal is being read.
    #[default]
    Loading,
    /// Yes; so far as this.
    On(Standing),
    /// No, for this reason: nothing can be changed.
    Off(String),
}

/// Geometry that a job works out, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Reshape {
    pub(crate) what: Shaping,
    /// The annotations that it is about, where it matters.
    pub(crate) targets: Vec<AnnotationId>,
    pub(crate) class: AnnotationClass,
    pub(crate) detail: Detail,
}

/// What a job works out.
#[derive(Clone, Debug)]
pub(crate) enum Shaping {
    /// Make annotations of what exceeds *t* in a layer.
    Commit { heatmap: Arc<Heatmap>, model: String, layer: String, threshold: BinaryThreshold },
    /// Add what a brush of this radius in level-0 pixels covers.
    Paint(Ring, f64),
    /// Take it away.
    Erase(Ring, f64),
    /// Add what was drawn around.
    Outline(Ring),
    /// Make one of several.
    Merge,
    /// Cut along a line.
    Cut(Ring),
}

/// What is being typed about the selected annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) id: AnnotationId,
    pub(crate) name: String,
    pub(crate) comment: String,
}

impl Draft {
    fn of(annotation: &Annotation) -> Self {
        let Annotation { id, name, comment, .. } = annotation;
        Self { id: *id, name: name.clone(), comment: comment.clone() }
    }
}

/// What an annotation looks like.
#[derive(Clone, Debug)]
struct Thumbnail {
    /// The place that it shows.
    bounds: Level0Rect,
    /// `None` where the slide cannot be read.
    picture: Option<Arc<Picture>>,
}

/// The review of the open slide.
#[derive(Debug)]
pub(crate) struct ReviewState {
    pub(crate) review: Review,
    /// Writes the journal; `None` while nothing is kept.
    pub(crate) keeper: Option<Keeper>,
    pub(crate) keeping: Keeping,
    /// Who changes things, as the system calls them.
    pub(crate) by: String,
    pub(crate) is_shown: bool,
    /// The panel beside the canvas; it opens by itself, and only a hand closes it.
    pub(crate) is_panel_open: bool,
    pub(crate) tool: Tool,
    /// Radius on screen.
    pub(crate) brush_pt: f64,
    /// Index of the class of what is drawn or committed.
    pub(crate) class: usize,
    /// Smallest lesion that is committed, in square micrometres or, without a scale, in px.
    pub(crate) min_area: f64,
    /// How far a committed outline may be straightened, in micrometres or px.
    pub(crate) tolerance: f64,
    pub(crate) selected: BTreeSet<AnnotationId>,
    pub(crate) draft: Option<Draft>,
    /// The classes as they are being typed.
    pub(crate) class_drafts: Vec<AnnotationClass>,
    /// Where the tool went since it was set down.
    pub(crate) way: Ring,
    /// Jobs that wait for the one before.
    pub(crate) queue: VecDeque<Reshape>,
    /// How annotations look that were listed.
    thumbnails: BTreeMap<AnnotationId, Thumbnail>,
    /// All annotations by falling score, those without one last.
    listed: Vec<AnnotationId>,
}

impl Default for ReviewState {
    fn default() -> Self {
        Self {
            review: Review::default(),
            keeper: None,
            keeping: Keeping::default(),
            by: String::new(),
            is_shown: true,
            is_panel_open: false,
            tool: Tool::default(),
            brush_pt: BRUSH_PT,
            class: 0,
            min_area: 1000.0,
            tolerance: 2.0,
            selected: BTreeSet::new(),
            draft: None,
            class_drafts: AnnotationClass::first_ones(),
            way: Ring::new(),
            queue: VecDeque::new(),
            thumbnails: BTreeMap::new(),
            listed: Vec::new(),
        }
    }
}

impl ReviewState {
    /// Before a slide is open; `by` changes things.
    pub(crate) fn of(by: String) -> Self {
        Self { by, ..Self::default() }
    }

    /// Lets go of the slide; what is not written yet is written in the background.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            by: std::mem::take(&mut self.by),
            tool: self.tool,
            brush_pt: self.brush_pt,
            is_shown: self.is_shown,
            is_panel_open: self.is_panel_open,
            min_area: self.min_area,
            tolerance: self.tolerance,
            ..Self::default()
        };
    }

    /// Takes what was kept of the slide.
    pub(crate) fn open(&mut self, review: Review, keeper: Option<Keeper>, keeping: Keeping) {
        self.review = review;
        self.keeper = keeper;
        self.keeping = keeping;
        self.is_panel_open |= !self.review.annotations().is_empty();
        self.relist();
        self.redraft_classes();
    }

    /// Does what an entry says and brings selection and list in line with it.
    pub(crate) fn take(&mut self, entry: &Entry) -> Result<(), ReviewError> {
        let before = self.review.revision();
        self.review.take(entry)?;
        if self.review.revision() != before {
            self.relist();
        }
        if matches!(entry.did, Deed::Classes(_)) {
            self.redraft_classes();
        }
        Ok(())
    }

    fn relist(&mut self) {
        let key = |it: &Annotation| (it.score.unwrap_or(-1.0), it.shape.area_level0_px());
        let mut order: Vec<_> =
            self.review.annotations().iter().map(|it| (key(it), it.id)).collect();
        order.sort_by(|((score_a, area_a), _), ((score_b, area_b), _)| {
            score_b.total_cmp(score_a).then(area_b.total_cmp(area_a))
        });
        self.listed = order.into_iter().map(|(_, id)| id).collect();
        let known: BTreeSet<_> = self.listed.iter().copied().collect();
        self.selected.retain(|id| known.contains(id));
        self.redraft();
    }

    /// Makes this the selection.
    pub(crate) fn select(&mut self, selected: BTreeSet<AnnotationId>) {
        self.selected = selected;
        self.redraft();
    }

    fn redraft(&mut self) {
        self.draft = self.only_selected().map(Draft::of);
    }

    /// The thumbnail of an annotation; an older one until there is another.
    pub(crate) fn thumbnail(&self, id: AnnotationId) -> Option<&Arc<Picture>> {
        self.thumbnails.get(&id)?.picture.as_ref()
    }

    /// Of these, the places of which there is no thumbnail.
    pub(crate) fn unseen(
        &self,
        ids: impl Iterator<Item = AnnotationId>,
    ) -> Vec<(AnnotationId, Level0Rect)> {
        ids.filter_map(|id| Some((id, self.review.get(id)?.shape.bounds()?)))
            .filter(|(id, bounds)| self.thumbnails.get(id).is_none_or(|it| it.bounds != *bounds))
            .collect()
    }

    /// Takes thumbnails that a job has read.
    pub(crate) fn take_thumbnails(
        &mut self,
        seen: Vec<(AnnotationId, Level0Rect, Option<Arc<Picture>>)>,
    ) {
        for (id, bounds, picture) in seen {
            self.thumbnails.insert(id, Thumbnail { bounds, picture });
        }
    }

    /// Drops what was typed about classes.
    pub(crate) fn redraft_classes(&mut self) {
        self.class_drafts = self.review.classes().to_vec();
    }

    /// The selected annotation, if it is one.
    pub(crate) fn only_selected(&self) -> Option<&Annotation> {
        let mut ids = self.selected.iter();
        let first = ids.next().filter(|_| ids.next().is_none());
        first.and_then(|id| self.review.get(*id))
    }

    /// All annotations by falling score.
    pub(crate) fn listed(&self) -> &[AnnotationId] {
        &self.listed
    }

    /// Whether something can be changed.
    pub(crate) fn can_edit(&self) -> bool {
        matches!(self.keeping, Keeping::On(_))
    }

    /// The class of what is drawn or committed next.
    pub(crate) fn class(&self) -> AnnotationClass {
        let chosen = self.review.classes().get(self.class).or(self.review.classes().first());
        let unnamed = || AnnotationClass { name: String::new(), color: [255; 3] };
        chosen.cloned().unwrap_or_else(unnamed)
    }

    /// Minimum area and tolerance in level-0 pixels.
    pub(crate) fn detail(&self, mpp: Option<Mpp>) -> Detail {
        Detail {
            min_area_px: self.min_area / mpp.map_or(1.0, Mpp::pixel_area_um2),
            tolerance_px: self.tolerance / mpp.map_or(1.0, Mpp::mean),
        }
    }

    /// Goes on to `point` in the way of the tool; a straight tool keeps only where it began.
    pub(crate) fn lead_to(&mut self, point: Level0Px) {
        if matches!(self.tool, Tool::Line | Tool::Cut) {
            self.way.truncate(1);
        }
        if self.way.last() != Some(&point) {
            self.way.push(point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64) -> Level0Px {
        Level0Px { x, y }
    }

    #[test]
    fn a_straight_tool_remembers_its_two_ends_and_a_brush_its_way() {
        let mut state = ReviewState { tool: Tool::Line, ..ReviewState::default() };
        for point in [at(0.0, 0.0), at(5.0, 0.0), at(5.0, 9.0)] {
            state.lead_to(point);
        }
        assert_eq!(state.way, [at(0.0, 0.0), at(5.0, 9.0)]);
        let mut state = ReviewState { tool: Tool::Brush, ..ReviewState::default() };
        for point in [at(0.0, 0.0), at(0.0, 0.0), at(5.0, 9.0)] {
            state.lead_to(point);
        }
        assert_eq!(state.way.len(), 2);
    }

    #[test]
    fn outlines_are_made_simpler_by_micrometres_where_there_are_any() {
        let state = ReviewState { min_area: 100.0, tolerance: 2.0, ..ReviewState::default() };
        let fine = state.detail(Mpp::new(0.5, 0.5));
        assert_eq!((fine.min_area_px, fine.tolerance_px), (400.0, 4.0));
        let uncalibrated = state.detail(None);
        assert_eq!((uncalibrated.min_area_px, uncalibrated.tolerance_px), (100.0, 2.0));
    }
}
