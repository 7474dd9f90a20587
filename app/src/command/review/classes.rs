//! The classes to choose from: renamed, recolored, added and taken away.

use domain::annotation::AnnotationClass;
use review::{Deed, Edit};

use super::keep;
use crate::command::Effect;
use crate::state::State;

/// Keeps what was typed, and takes the annotations of a changed class along. A name that is taken or empty is refused.
pub(super) fn keep_drafts(state: &mut State) -> Vec<Effect> {
    let kept = state.review.review.classes().to_vec();
    let mut drafts = std::mem::take(&mut state.review.class_drafts);
    for draft in &mut drafts {
        draft.name = draft.name.trim().to_owned();
    }
    let is_told_apart = |(index, draft): (usize, &AnnotationClass)| {
        !draft.name.is_empty() && drafts.iter().take(index).all(|other| other.name != draft.name)
    };
    if drafts == kept || drafts.len() != kept.len() {
        state.review.redraft_classes();
        return Vec::new();
    }
    if !drafts.iter().enumerate().all(is_told_apart) {
        state.review.redraft_classes();
        state.notices.error("Every class needs a name of its own");
        return Vec::new();
    }
    let mut edits = Vec::new();
    for annotation in state.review.review.annotations() {
        let at = kept.iter().position(|class| *class == annotation.class);
        if let Some(draft) = at.and_then(|at| drafts.get(at))
            && *draft != annotation.class
        {
            edits.push(Edit::SetClass(annotation.id, draft.clone()));
        }
    }
    let mut effects = keep(state, Deed::Classes(drafts));
    if !edits.is_empty() {
        effects.extend(keep(state, Deed::Step(edits)));
    }
    effects
}

/// Adds a class in the first color that no other has.
pub(super) fn add(state: &mut State) -> Vec<Effect> {
    let mut classes = state.review.review.classes().to_vec();
    let is_free = |color: &[u8; 3]| classes.iter().all(|class| class.color != *color);
    let color = AnnotationClass::COLORS.into_iter().find(is_free).unwrap_or_default();
    let number = |n: &usize| classes.iter().all(|class| class.name != named(*n));
    let name = named((1..).find(number).unwrap_or_default());
    classes.push(AnnotationClass { name, color });
    keep(state, Deed::Classes(classes))
}

fn named(number: usize) -> String {
    format!("Class {number}")
}

/// Takes a class away, unless it is the last.
pub(super) fn remove(state: &mut State, index: usize) -> Vec<Effect> {
    let mut classes = state.review.review.classes().to_vec();
    if classes.len() < 2 || classes.len() <= index {
        return Vec::new();
    }
    classes.remove(index);
    state.review.class = 0;
    keep(state, Deed::Classes(classes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ReviewCommand, apply, samples};

    fn names(state: &State) -> Vec<String> {
        state.review.review.classes().iter().map(|class| class.name.clone()).collect()
    }

    fn rename(state: &mut State, index: usize, name: &str) -> Vec<Effect> {
        let class =
            AnnotationClass { name: name.to_owned(), ..state.review.class_drafts[index].clone() };
        apply(state, ReviewCommand::SetClassDraft(index, class).into());
        apply(state, ReviewCommand::KeepClasses.into())
    }

    #[test]
    fn annotations_follow_the_new_name_of_their_class() {
        let mut state = samples::reviewed();
        let effects = rename(&mut state, 0, " Carcinoma ");
        assert!(matches!(effects[..], [Effect::Keep(_), Effect::Keep(_)]), "{effects:?}");
        assert_eq!(names(&state)[0], "Carcinoma");
        let annotations = state.review.review.annotations();
        assert!(annotations.iter().all(|it| it.class.name == "Carcinoma"));
        assert!(rename(&mut state, 0, "Carcinoma").is_empty(), "nothing has changed");
    }

    #[test]
    fn two_classes_of_one_name_are_refused() {
        let mut state = samples::reviewed();
        assert!(rename(&mut state, 0, "Normal").is_empty());
        assert!(rename(&mut state, 1, "  ").is_empty());
        assert_eq!(names(&state), ["Lesion", "Normal", "Uncertain", "Artifact"]);
        assert_eq!(state.review.class_drafts[0].name, "Lesion", "what was typed is dropped");
        assert_eq!(state.notices.shown.len(), 1, "said once, not twice");
    }

    #[test]
    fn a_class_is_added_in_a_color_of_its_own_and_taken_away() {
        let mut state = samples::reviewed();
        apply(&mut state, ReviewCommand::AddClass.into());
        let added = state.review.review.classes()[4].clone();
        assert_eq!((added.name.as_str(), added.color), ("Class 1", [204, 121, 167]));
        apply(&mut state, ReviewCommand::RemoveClass(0).into());
        assert_eq!(names(&state), ["Normal", "Uncertain", "Artifact", "Class 1"]);
        assert!(state.review.review.annotations().iter().all(|it| it.class.name == "Lesion"));
    }
}
