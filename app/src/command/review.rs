//! Annotations: selecting, judging, drawing, undoing. Geometry is an effect, and so is the journal.

use std::collections::BTreeSet;

use domain::annotation::{AnnotationClass, AnnotationId, Shape, Verdict};
use domain::contour::Ring;
use domain::coords::Level0Px;
use review::change::{Detail, drawn};
use review::journal::Standing;
use review::{Deed, Edit, Entry, ReviewStatus, outline};

use super::lesion::camera_on;
use crate::command::Effect;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::review::{Keeping, Reshape, ReviewState, Shaping, Tool};

mod bookmarks;
mod classes;

/// How far from an outline a click still selects it.
const REACH_PT: f64 = 6.0;

/// One press of the keys for the size of the brush.
const BRUSH_STEP: f64 = 1.25;

/// A change to the review of the open slide; where none is named, to the selected annotations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReviewCommand {
    /// Take this tool into the hand; what the one before has begun is dropped.
    SetTool(Tool),
    /// Drop what was begun, then the selection, then the tool: one of them.
    Escape,
    /// Make the brush larger or smaller.
    StepBrush(bool),
    /// Radius on screen, in points.
    SetBrush(f64),
    /// Lead the tool to a place.
    Lead(Level0Px),
    /// The tool is lifted, or the polygon closed.
    Finish,
    /// Select what lies under a place: alone, or besides what is selected.
    SelectAt(Level0Px, bool),
    /// Select this one and look at it.
    Look(AnnotationId),
    /// Select the next one of the list or the one before, and look at it.
    LookNext(bool),
    /// Make annotations of the chosen layer at its *t*; a polygon that was begun is closed instead.
    Commit,
    Judge(Verdict),
    /// The class of this index: of the selection, and of what is drawn next.
    SetClass(usize),
    /// What is typed about the class of this index; kept by [`Self::KeepClasses`].
    SetClassDraft(usize, AnnotationClass),
    /// Keep the classes as they were typed; annotations follow theirs.
    KeepClasses,
    AddClass,
    /// Offer the class of this index no longer; annotations keep it.
    RemoveClass(usize),
    /// Look at these annotations for their list.
    Illustrate(Vec<AnnotationId>),
    /// Remember the place that is seen.
    AddBookmark,
    /// Go to the bookmark of this index.
    GoToBookmark(usize),
    RemoveBookmark(usize),
    /// Take the last corner back, else delete the selection.
    Delete,
    Merge,
    /// What is typed about the selected one, name and comment; kept by [`Self::KeepDraft`].
    SetDraft(String, String),
    KeepDraft,
    Undo,
    Redo,
    SetStatus(ReviewStatus),
    SetShown(bool),
    ToggleShown,
    TogglePanel,
    SetMinArea(f64),
    SetTolerance(f64),
}

/// The only place that changes a review on the user's behalf.
pub(super) fn apply(state: &mut State, command: ReviewCommand) -> Vec<Effect> {
    let review = &mut state.review;
    match command {
        ReviewCommand::SetTool(tool) => {
            review.tool = tool;
            review.is_panel_open |= tool != Tool::Move;
            review.way.clear();
        }
        ReviewCommand::Escape => escape(review),
        ReviewCommand::StepBrush(is_larger) => {
            let factor = if is_larger { BRUSH_STEP } else { 1.0 / BRUSH_STEP };
            set_brush(review, review.brush_pt * factor);
        }
        ReviewCommand::SetBrush(radius_pt) => set_brush(review, radius_pt),
        ReviewCommand::Lead(point) => review.lead_to(point),
        ReviewCommand::Finish => return finish(state),
        ReviewCommand::SelectAt(point, is_more) => return select_at(state, point, is_more),
        ReviewCommand::Look(id) => return look(state, id),
        ReviewCommand::LookNext(is_forward) => return look_next(state, is_forward),
        ReviewCommand::Commit => return commit(state),
        ReviewCommand::Judge(verdict) => {
            return edit_selected(state, |id| Edit::SetVerdict(id, verdict));
        }
        ReviewCommand::SetClass(index) => return set_class(state, index),
        ReviewCommand::SetClassDraft(index, class) => {
            if let Some(draft) = review.class_drafts.get_mut(index) {
                *draft = class;
            }
        }
        ReviewCommand::KeepClasses => return classes::keep_drafts(state),
        ReviewCommand::AddClass => return classes::add(state),
        ReviewCommand::RemoveClass(index) => return classes::remove(state, index),
        ReviewCommand::Illustrate(ids) => return illustrate(state, ids),
        ReviewCommand::AddBookmark => return bookmarks::add(state),
        ReviewCommand::GoToBookmark(index) => bookmarks::go_to(state, index),
        ReviewCommand::RemoveBookmark(index) => return bookmarks::remove(state, index),
        ReviewCommand::Delete => {
            if review.way.pop().is_none() {
                return edit_selected(state, Edit::Remove);
            }
        }
        ReviewCommand::Merge => return merge(state),
        ReviewCommand::SetDraft(name, comment) => {
            if let Some(draft) = &mut review.draft {
                (draft.name, draft.comment) = (name, comment);
            }
        }
        ReviewCommand::KeepDraft => return keep_draft(state),
        ReviewCommand::Undo if review.review.can_undo() => return keep(state, Deed::Undone),
        ReviewCommand::Redo if review.review.can_redo() => return keep(state, Deed::Redone),
        ReviewCommand::Undo | ReviewCommand::Redo => {}
        ReviewCommand::SetStatus(status) => return keep(state, Deed::Status(status)),
        ReviewCommand::SetShown(is_shown) => review.is_shown = is_shown,
        ReviewCommand::ToggleShown => review.is_shown = !review.is_shown,
        ReviewCommand::TogglePanel => review.is_panel_open = !review.is_panel_open,
        ReviewCommand::SetMinArea(area) => review.min_area = area.max(0.0),
        ReviewCommand::SetTolerance(tolerance) => review.tolerance = tolerance.max(0.0),
    }
    Vec::new()
}

/// Takes the edits that a job worked out, and goes on with the next one that waits.
pub(crate) fn reshaped(state: &mut State, edits: Vec<Edit>) -> Vec<Effect> {
    let added: BTreeSet<_> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Add { annotation, .. } => Some(annotation.id),
            _ => None,
        })
        .collect();
    let mut effects = if edits.is_empty() { Vec::new() } else { keep(state, Deed::Step(edits)) };
    if added.len() == 1 {
        state.review.select(added);
    }
    if !state.review.queue.is_empty() {
        effects.push(Effect::Reshape);
    }
    effects
}

/// Says how many lesions were committed.
pub(crate) fn committed(state: &mut State, edits: Vec<Edit>) -> Vec<Effect> {
    match edits.len() {
        0 => state.notices.error("No lesion of the minimum area exceeds this t"),
        1 => state.notices.done("1 lesion is an annotation now"),
        n => state.notices.done(format!("{n} lesions are annotations now")),
    }
    reshaped(state, edits)
}

/// Takes the annotations of a file as one step, and says what is to be known of it.
pub(crate) fn imported(state: &mut State, edits: Vec<Edit>, notes: &[String]) -> Vec<Effect> {
    let text = match edits.len() {
        0 => "No annotation was imported".to_owned(),
        1 => "1 annotation was imported".to_owned(),
        n => format!("{n} annotations were imported"),
    };
    let told: Vec<&str> =
        std::iter::once(text.as_str()).chain(notes.iter().map(String::as_str)).collect();
    state.notices.done(told.join(".\n"));
    state.review.is_panel_open = true;
    reshaped(state, edits)
}

/// Does a deed and hands it to the journal. The first change begins the review.
pub(super) fn keep(state: &mut State, did: Deed) -> Vec<Effect> {
    if let Some(reason) = refusal(&state.review.keeping) {
        state.notices.error(reason);
        return Vec::new();
    }
    let mut effects = Vec::new();
    let is_begun = state.review.review.status() != ReviewStatus::Unseen;
    if !is_begun && !matches!(did, Deed::Status(_) | Deed::Bookmarks(_)) {
        effects.extend(keep(state, Deed::Status(ReviewStatus::InProgress)));
    }
    let is_status = matches!(did, Deed::Status(_));
    let entry = Entry::now(&state.review.by, did);
    if let Err(error) = state.review.take(&entry) {
        state.notices.error(format!("The change does not fit any more: {error}"));
        return effects;
    }
    state.review.keeping = Keeping::On(Standing::Pending);
    effects.push(Effect::Keep(Box::new(entry)));
    if let (true, Some(facts)) = (is_status, &state.view.facts) {
        state.session.set_status(&facts.path, state.review.review.status());
        effects.push(Effect::SaveSession);
    }
    effects
}

fn refusal(keeping: &Keeping) -> Option<String> {
    match keeping {
        Keeping::On(_) => None,
        Keeping::Loading => Some("Open a slide first; its annotations are still read".to_owned()),
        Keeping::Off(reason) => Some(format!("Nothing can be changed: {reason}")),
    }
}

fn escape(review: &mut ReviewState) {
    if !review.way.is_empty() {
        review.way.clear();
    } else if review.tool != Tool::Move {
        review.tool = Tool::Move;
    } else {
        review.select(BTreeSet::new());
    }
}

fn set_brush(review: &mut ReviewState, radius_pt: f64) {
    review.brush_pt = radius_pt.clamp(2.0, 200.0);
}

/// What the tool did, once it is lifted.
fn finish(state: &mut State) -> Vec<Effect> {
    let way = std::mem::take(&mut state.review.way);
    let radius_px = state.review.brush_pt * state.view.camera.level0_per_pt;
    let what = match state.review.tool {
        Tool::Brush if !way.is_empty() => Shaping::Paint(way, radius_px),
        Tool::Erase if !way.is_empty() => Shaping::Erase(way, radius_px),
        Tool::Polygon if 3 <= way.len() => Shaping::Outline(way),
        Tool::Cut if 2 <= way.len() => Shaping::Cut(way),
        Tool::Line if 2 <= way.len() => return add_line(state, way),
        _ => return Vec::new(),
    };
    // What a hand drew is kept as it was drawn; less than a pixel is no part of it.
    reshape(state, what, Detail { min_area_px: 1.0, tolerance_px: 0.0 })
}

fn add_line(state: &mut State, way: Ring) -> Vec<Effect> {
    let line = drawn(Shape::Line(way), state.review.class());
    let id = line.id;
    let effects = keep(state, Deed::Step(vec![Edit::add(line)]));
    state.review.select(BTreeSet::from([id]));
    effects
}

/// Puts a job at the end of the queue, and starts it if it is the only one.
fn reshape(state: &mut State, what: Shaping, detail: Detail) -> Vec<Effect> {
    if let Some(reason) = refusal(&state.review.keeping) {
        state.notices.error(reason);
        return Vec::new();
    }
    let review = &mut state.review;
    let targets = review.selected.iter().copied().collect();
    review.queue.push_back(Reshape { what, targets, class: review.class(), detail });
    vec![Effect::Reshape]
}

fn commit(state: &mut State) -> Vec<Effect> {
    if state.review.tool == Tool::Polygon && !state.review.way.is_empty() {
        return finish(state);
    }
    let overlay = &state.overlay;
    let (Some(layer), Some(result)) = (overlay.layer(), &overlay.result) else {
        state.notices.error("There is nothing to commit yet: run a model first");
        return Vec::new();
    };
    if !layer.kind.is_of_lesions() {
        state.notices.error("This layer is not one of lesions: choose another");
        return Vec::new();
    }
    let what = Shaping::Commit {
        heatmap: layer.heatmap.clone(),
        model: result.model_name.clone(),
        layer: layer.kind.title().to_owned(),
        threshold: layer.threshold,
    };
    let mpp = state.view.facts.as_ref().and_then(|facts| facts.mpp);
    let detail = state.review.detail(mpp);
    state.review.is_panel_open = true;
    reshape(state, what, detail)
}

fn merge(state: &mut State) -> Vec<Effect> {
    if state.review.selected.len() < 2 {
        state.notices.error("Select two or more annotations to merge: Shift-click them");
        return Vec::new();
    }
    reshape(state, Shaping::Merge, Detail { min_area_px: 1.0, tolerance_px: 0.0 })
}

fn edit_selected(state: &mut State, edit: impl Fn(AnnotationId) -> Edit) -> Vec<Effect> {
    let edits: Vec<Edit> = state.review.selected.iter().copied().map(edit).collect();
    if edits.is_empty() { Vec::new() } else { keep(state, Deed::Step(edits)) }
}

fn set_class(state: &mut State, index: usize) -> Vec<Effect> {
    let Some(class) = state.review.review.classes().get(index).cloned() else {
        return Vec::new();
    };
    state.review.class = index;
    edit_selected(state, |id| Edit::SetClass(id, class.clone()))
}

fn keep_draft(state: &mut State) -> Vec<Effect> {
    let (Some(draft), Some(kept)) = (&state.review.draft, state.review.only_selected()) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    if draft.name != kept.name {
        edits.push(Edit::SetName(draft.id, draft.name.clone()));
    }
    if draft.comment != kept.comment {
        edits.push(Edit::SetComment(draft.id, draft.comment.clone()));
    }
    if edits.is_empty() { Vec::new() } else { keep(state, Deed::Step(edits)) }
}

/// One job at a time: what it leaves is asked for again by the next frame.
fn illustrate(state: &State, ids: Vec<AnnotationId>) -> Vec<Effect> {
    if state.jobs.of_kind(JobKind::Thumbnails).is_some() {
        return Vec::new();
    }
    let unseen = state.review.unseen(ids.into_iter());
    if unseen.is_empty() { Vec::new() } else { vec![Effect::ReadThumbnails(unseen)] }
}

fn select_at(state: &mut State, point: Level0Px, is_more: bool) -> Vec<Effect> {
    let effects = keep_draft(state);
    let reach_px = REACH_PT * state.view.camera.level0_per_pt;
    let annotations = state.review.review.annotations();
    // What was added last lies on top; of several the smallest is meant.
    let hit = annotations.iter().filter(|it| is_hit(&it.shape, point, reach_px));
    let size = |shape: &Shape| shape.area_level0_px();
    let hit = hit.min_by(|a, b| size(&a.shape).total_cmp(&size(&b.shape))).map(|it| it.id);
    let mut selected = if is_more { state.review.selected.clone() } else { BTreeSet::new() };
    if let Some(id) = hit
        && !selected.remove(&id)
    {
        selected.insert(id);
    }
    state.review.select(selected);
    effects
}

fn is_hit(shape: &Shape, point: Level0Px, reach_px: f64) -> bool {
    let Some(bounds) = shape.bounds() else { return false };
    let is_near = bounds.x - reach_px <= point.x
        && point.x <= bounds.x + bounds.width + reach_px
        && bounds.y - reach_px <= point.y
        && point.y <= bounds.y + bounds.height + reach_px;
    if !is_near {
        return false;
    }
    let is_tiny = bounds.width.max(bounds.height) < 2.0 * reach_px;
    match shape {
        Shape::Area(parts) => is_tiny || outline::contains(parts, point),
        Shape::Line(line) => outline::distance_to_line(line, point) <= reach_px,
    }
}

fn look(state: &mut State, id: AnnotationId) -> Vec<Effect> {
    let effects = keep_draft(state);
    if let Some(bounds) = state.review.review.get(id).and_then(|it| it.shape.bounds()) {
        let camera = camera_on(&state.view, bounds);
        state.view.look(camera);
        state.review.select(BTreeSet::from([id]));
    }
    effects
}

fn look_next(state: &mut State, is_forward: bool) -> Vec<Effect> {
    let listed = state.review.listed();
    let at = listed.iter().position(|id| state.review.selected.contains(id));
    let n = listed.len();
    let next = match at {
        None if is_forward => 0,
        None => n.saturating_sub(1),
        Some(at) if is_forward => (at + 1) % n,
        Some(at) => (at + n - 1) % n,
    };
    match listed.get(next).copied() {
        Some(id) => look(state, id),
        None => Vec::new(),
    }
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
