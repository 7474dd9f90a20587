//! Geometry of annotations, one change after the other, each on what the one before left.

use domain::annotation::{Annotation, Shape};
use domain::contour::lesions;
use domain::coords::Level0Rect;
use review::{Edit, change, outline};

use super::Outcome;
use super::runner::Runner;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::review::{Reshape, Shaping};

/// Starts the first change that waits, unless one is under way.
pub(super) fn start(state: &mut State, runner: &mut Runner) {
    if state.jobs.of_kind(JobKind::Reshape).is_some() {
        return;
    }
    let Some(reshape) = state.review.queue.pop_front() else { return };
    let annotations = concerned(state, &reshape);
    let generation = state.view.generation;
    let is_commit = matches!(reshape.what, Shaping::Commit { .. });
    let title = "Changing annotations".to_owned();
    runner.start(state, JobKind::Reshape, "reshape", title, move |_progress, cancel| {
        cancel.check()?;
        let edits = edits(&reshape, &annotations);
        Ok(Outcome::Reshaped { generation, edits, is_commit })
    });
}

/// The annotations that a change may touch: the selected ones, or for what rubs and cuts all in its way.
fn concerned(state: &State, reshape: &Reshape) -> Vec<Annotation> {
    let annotations = state.review.review.annotations().iter();
    let way = match &reshape.what {
        Shaping::Commit { .. } | Shaping::Outline(_) => return Vec::new(),
        Shaping::Paint(..) | Shaping::Merge => None,
        Shaping::Erase(way, radius) => around(way, *radius),
        Shaping::Cut(way) => around(way, 0.0),
    };
    let is_meant = |it: &&Annotation| match way {
        Some(way) if reshape.targets.is_empty() => {
            it.shape.bounds().is_some_and(|bounds| bounds.overlaps(way))
        }
        _ => reshape.targets.contains(&it.id),
    };
    annotations.filter(is_meant).cloned().collect()
}

fn around(way: &[domain::coords::Level0Px], radius: f64) -> Option<Level0Rect> {
    let bounds = Level0Rect::around(way)?;
    // A straight way has no width; a pixel makes it overlap what it crosses.
    let margin = radius.max(1.0);
    Some(Level0Rect {
        x: bounds.x - margin,
        y: bounds.y - margin,
        width: bounds.width + 2.0 * margin,
        height: bounds.height + 2.0 * margin,
    })
}

fn edits(reshape: &Reshape, annotations: &[Annotation]) -> Vec<Edit> {
    let Reshape { what, class, detail, .. } = reshape;
    match what {
        Shaping::Commit { heatmap, model, layer, threshold } => {
            let found = lesions(heatmap, *threshold, detail.min_area_px);
            change::proposals(&found, class, (model, layer, *threshold), *detail)
        }
        Shaping::Paint(way, radius) => {
            let target = match annotations {
                [only] if matches!(only.shape, Shape::Area(_)) => Some(only),
                _ => None,
            };
            change::paint(target, &outline::stroke(way, *radius), class, *detail)
        }
        Shaping::Erase(way, radius) => {
            change::erase(annotations, &outline::stroke(way, *radius), *detail)
        }
        Shaping::Outline(ring) => change::paint(None, &outline::drawn(ring), class, *detail),
        Shaping::Merge => change::merge(&annotations.iter().collect::<Vec<_>>()),
        Shaping::Cut(line) => change::split(annotations, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use domain::coords::Level0Px;
    use review::change::Detail;

    fn reshape(what: Shaping, state: &State) -> Vec<Edit> {
        let reshape = Reshape {
            what,
            targets: state.review.selected.iter().copied().collect(),
            class: state.review.class(),
            detail: Detail { min_area_px: 0.0, tolerance_px: 0.0 },
        };
        edits(&reshape, &concerned(state, &reshape))
    }

    fn at(x: f64, y: f64) -> Level0Px {
        Level0Px { x, y }
    }

    #[test]
    fn an_eraser_without_a_selection_takes_from_all_in_its_way() {
        let mut state = samples::reviewed();
        let way = vec![at(0.0, 50.0), at(1000.0, 50.0)];
        let all = reshape(Shaping::Erase(way.clone(), 10.0), &state);
        assert_eq!(all.len(), 2);
        let first = state.review.review.annotations()[0].id;
        state.review.select([first].into());
        let one = reshape(Shaping::Erase(way, 10.0), &state);
        assert_eq!(one.iter().map(Edit::id).collect::<Vec<_>>(), [first]);
    }

    #[test]
    fn a_cut_straight_down_meets_what_it_crosses() {
        let state = samples::reviewed();
        let edits = reshape(Shaping::Cut(vec![at(50.0, -9.0), at(50.0, 109.0)]), &state);
        assert!(matches!(&edits[..], [Edit::SetShape(..), Edit::Add { .. }]), "{edits:?}");
    }
}
