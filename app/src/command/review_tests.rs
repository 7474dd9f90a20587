use super::*;
use crate::command::{Command, samples};
use crate::state::layer::LayerKind;

fn at(x: f64, y: f64) -> Level0Px {
    Level0Px { x, y }
}

fn kept(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Keep(_))).count()
}

fn ids(state: &State) -> Vec<AnnotationId> {
    state.review.review.annotations().iter().map(|it| it.id).collect()
}

#[test]
fn every_step_goes_to_the_journal_and_the_first_begins_the_review() {
    let mut state = samples::state();
    state.review.keeping = Keeping::On(Standing::Kept);
    state.review.tool = Tool::Line;
    for place in [at(0.0, 0.0), at(300.0, 400.0)] {
        apply(&mut state, ReviewCommand::Lead(place));
    }
    let effects = apply(&mut state, ReviewCommand::Finish);
    assert_eq!(kept(&effects), 2, "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::SaveSession)));
    assert_eq!(state.review.review.status(), ReviewStatus::InProgress);
    assert_eq!(state.session.reviews.len(), 1);
    assert_eq!(kept(&apply(&mut state, ReviewCommand::Undo)), 1);
    assert!(state.review.review.annotations().is_empty());
    assert_eq!(kept(&apply(&mut state, ReviewCommand::Undo)), 0, "there is nothing left");
    assert_eq!(kept(&apply(&mut state, ReviewCommand::Redo)), 1);
    assert_eq!(state.review.review.annotations().len(), 1);
}

#[test]
fn without_a_journal_nothing_is_changed() {
    let mut state = samples::reviewed();
    let before = state.review.review.clone();
    let all = ids(&state);
    state.review.select(all.into_iter().collect());
    state.review.keeping = Keeping::Off("another window has it".to_owned());
    for command in [ReviewCommand::Delete, ReviewCommand::Undo, ReviewCommand::Merge] {
        assert!(apply(&mut state, command).is_empty());
    }
    assert_eq!(state.review.review, before);
    assert!(state.notices.shown[0].text.contains("another window has it"));
}

#[test]
fn a_click_selects_what_is_under_it_and_shift_adds_to_that() {
    let mut state = samples::reviewed();
    let all = ids(&state);
    apply(&mut state, ReviewCommand::SelectAt(at(50.0, 50.0), false));
    assert_eq!(state.review.selected, [all[0]].into());
    apply(&mut state, ReviewCommand::SelectAt(at(550.0, 50.0), true));
    assert_eq!(state.review.selected.len(), 2);
    apply(&mut state, ReviewCommand::SelectAt(at(50.0, 50.0), true));
    assert_eq!(state.review.selected, [all[1]].into());
    apply(&mut state, ReviewCommand::SelectAt(at(300.0, 1500.0), false));
    assert!(state.review.selected.is_empty());
}

#[test]
fn what_is_tiny_on_screen_can_still_be_clicked() {
    let mut state = samples::reviewed();
    state.view.camera.level0_per_pt = 40.0;
    apply(&mut state, ReviewCommand::SelectAt(at(-100.0, 50.0), false));
    assert_eq!(state.review.selected.len(), 1);
}

#[test]
fn looking_goes_from_the_best_score_to_the_next_and_round() {
    let mut state = samples::reviewed();
    let listed = state.review.listed().to_vec();
    for expected in [listed[0], listed[1], listed[0]] {
        apply(&mut state, ReviewCommand::LookNext(true));
        assert_eq!(state.review.selected, [expected].into());
    }
    let seen = state.view.camera.center;
    assert!((seen.x - 50.0).abs() < 1.0 && (seen.y - 50.0).abs() < 1.0);
    apply(&mut state, ReviewCommand::LookNext(false));
    assert_eq!(state.review.selected, [listed[1]].into());
}

#[test]
fn a_class_of_another_number_is_that_of_the_selection_and_of_what_comes_next() {
    let mut state = samples::reviewed();
    let first = ids(&state)[0];
    state.review.select([first].into());
    apply(&mut state, ReviewCommand::SetClass(2));
    assert_eq!(state.review.review.get(first).unwrap().class.name, "Uncertain");
    assert_eq!(state.review.class().name, "Uncertain");
    assert!(apply(&mut state, ReviewCommand::SetClass(9)).is_empty());
}

#[test]
fn the_layer_is_committed_as_it_is_cut_with_limits_in_pixels() {
    let mut state = samples::reviewed();
    apply(&mut state, ReviewCommand::Commit);
    assert!(state.review.queue.is_empty() && state.notices.shown.len() == 1, "no result yet");
    state.overlay = samples::overlay(false);
    let effects = apply(&mut state, ReviewCommand::Commit);
    assert!(matches!(effects[..], [Effect::Reshape]));
    let Some(Reshape { what: Shaping::Commit { threshold, layer, .. }, detail, .. }) =
        state.review.queue.pop_front()
    else {
        panic!("nothing waits")
    };
    assert_eq!((threshold.get(), layer.as_str()), (0.4, "Heatmap"));
    assert_eq!(detail.tolerance_px, state.review.tolerance / 0.5);
    state.overlay.chosen = LayerKind::Tissue;
    assert!(apply(&mut state, ReviewCommand::Commit).is_empty());
}

#[test]
fn enter_closes_a_polygon_that_was_begun() {
    let mut state = samples::reviewed();
    apply(&mut state, ReviewCommand::SetTool(Tool::Polygon));
    for place in [at(0.0, 0.0), at(90.0, 0.0), at(90.0, 90.0), at(0.0, 500.0)] {
        apply(&mut state, ReviewCommand::Lead(place));
    }
    apply(&mut state, ReviewCommand::Delete);
    assert_eq!(state.review.way.len(), 3, "the last corner is taken back");
    apply(&mut state, ReviewCommand::Commit);
    let waiting = state.review.queue.pop_front().map(|it| it.what);
    assert!(matches!(waiting, Some(Shaping::Outline(ring)) if ring.len() == 3));
    assert!(state.review.way.is_empty());
}

#[test]
fn escape_drops_the_way_then_the_tool_then_the_selection() {
    let mut state = samples::reviewed();
    let first = ids(&state)[0];
    state.review.select([first].into());
    apply(&mut state, ReviewCommand::SetTool(Tool::Brush));
    apply(&mut state, ReviewCommand::Lead(at(1.0, 1.0)));
    let stages = [(Tool::Brush, 1), (Tool::Move, 1), (Tool::Move, 0)];
    for expected in stages {
        apply(&mut state, ReviewCommand::Escape);
        assert_eq!((state.review.tool, state.review.selected.len()), expected);
        assert!(state.review.way.is_empty());
    }
}

#[test]
fn what_a_job_worked_out_is_one_step_and_the_next_one_follows() {
    let mut state = samples::reviewed();
    let edits: Vec<_> = ids(&state).into_iter().map(Edit::Remove).collect();
    apply(&mut state, ReviewCommand::SetTool(Tool::Brush));
    apply(&mut state, ReviewCommand::Lead(at(1.0, 1.0)));
    apply(&mut state, ReviewCommand::Finish);
    let effects = reshaped(&mut state, edits);
    assert!(matches!(effects[..], [Effect::Keep(_), Effect::Reshape]), "{effects:?}");
    assert!(state.review.review.annotations().is_empty());
    crate::command::apply(&mut state, Command::Review(ReviewCommand::Undo));
    assert_eq!(state.review.review.annotations().len(), 2);
}

#[test]
fn thumbnails_are_read_once_and_again_when_the_outline_has_changed() {
    let mut state = samples::reviewed();
    let ids = state.review.listed().to_vec();
    let ask = |state: &mut State| apply(state, ReviewCommand::Illustrate(ids.clone()));
    let effects = ask(&mut state);
    let [Effect::ReadThumbnails(wanted)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wanted.len(), 2);
    state.review.take_thumbnails(wanted.iter().map(|(id, at)| (*id, *at, None)).collect());
    assert!(ask(&mut state).is_empty());
    let line = Shape::Line(vec![Level0Px { x: 0.0, y: 0.0 }, Level0Px { x: 9.0, y: 9.0 }]);
    keep(&mut state, Deed::Step(vec![Edit::SetShape(ids[0], line)]));
    let effects = ask(&mut state);
    assert!(matches!(&effects[..], [Effect::ReadThumbnails(wanted)] if wanted.len() == 1));
}
