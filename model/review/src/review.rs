//! The annotations of one slide and everything that was done to them.

use std::collections::BTreeMap;

use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Verdict};
use domain::mask::BinaryThreshold;

use crate::{Bookmark, Deed, Edit, Entry, Moment, ReviewStatus};

/// Why something cannot be done to a review. It is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// An edit names an annotation that is not there.
    #[error("there is no annotation {}", .0.0)]
    Unknown(AnnotationId),
    /// An annotation is added under the name of another.
    #[error("there already is an annotation {}", .0.0)]
    Taken(AnnotationId),
    /// Undone more often than done.
    #[error("there is no step to undo")]
    NothingToUndo,
    /// Redone more often than undone.
    #[error("there is no step to redo")]
    NothingToRedo,
}

/// One line of the list of who changed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Moment,
    /// By whom; may be empty.
    pub by: String,
    /// What, in words.
    pub what: String,
}

/// A step with the edits that take it back.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    edits: Vec<Edit>,
    /// In the order in which they take the step back.
    inverse: Vec<Edit>,
}

/// What a person decided about a slide.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    annotations: Vec<Annotation>,
    classes: Vec<AnnotationClass>,
    bookmarks: Vec<Bookmark>,
    status: ReviewStatus,
    thresholds: BTreeMap<String, BinaryThreshold>,
    done: Vec<Step>,
    undone: Vec<Step>,
    changes: Vec<Change>,
    revision: u64,
}

impl Default for Review {
    fn default() -> Self {
        Self {
            annotations: Vec::new(),
            classes: AnnotationClass::first_ones(),
            bookmarks: Vec::new(),
            status: ReviewStatus::default(),
            thresholds: BTreeMap::new(),
            done: Vec::new(),
            undone: Vec::new(),
            changes: Vec::new(),
            revision: 0,
        }
    }
}

impl Review {
    /// All annotations, the first that was added first.
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations
    }

    /// What an export writes: all annotations but the rejected ones.
    pub fn exported(&self) -> Vec<Annotation> {
        let is_kept = |it: &&Annotation| it.verdict != Verdict::Rejected;
        self.annotations.iter().filter(is_kept).cloned().collect()
    }

    /// The annotation of this name.
    pub fn get(&self, id: AnnotationId) -> Option<&Annotation> {
        self.annotations.iter().find(|annotation| annotation.id == id)
    }

    /// The classes to choose from.
    pub fn classes(&self) -> &[AnnotationClass] {
        &self.classes
    }

    /// Places to come back to.
    pub fn bookmarks(&self) -> &[Bookmark] {
        &self.bookmarks
    }

    /// How far the person is.
    pub fn status(&self) -> ReviewStatus {
        self.status
    }

    /// The *t* that layers were cut at last, by their titles.
    pub fn thresholds(&self) -> &BTreeMap<String, BinaryThreshold> {
        &self.thresholds
    }

    /// Who changed what and when, the latest last.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Grows with every change of the annotations.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is a step to take back.
    pub fn can_undo(&self) -> bool {
        !self.done.is_empty()
    }

    /// Whether there is a step to do again.
    pub fn can_redo(&self) -> bool {
        !self.undone.is_empty()
    }

    /// Does what an entry says, be it of this moment or read from a journal.
    ///
    /// # Errors
    /// If it does not fit the annotations as they are; nothing is changed then.
    pub fn take(&mut self, entry: &Entry) -> Result<(), ReviewError> {
        let what = match &entry.did {
            Deed::Opened(_) | Deed::Closed => return Ok(()),
            Deed::Threshold { layer, threshold } => {
                self.thresholds.insert(layer.clone(), *threshold);
                return Ok(());
            }
            Deed::Classes(classes) => {
                self.classes.clone_from(classes);
                "changed the classes".to_owned()
            }
            Deed::Bookmarks(bookmarks) => {
                self.bookmarks.clone_from(bookmarks);
                return Ok(());
            }
            Deed::Status(status) => {
                self.status = *status;
                status_in_words(*status).to_owned()
            }
            Deed::Step(edits) => {
                let inverse = self.apply_all(edits)?;
                self.done.push(Step { edits: edits.clone(), inverse });
                self.undone.clear();
                in_words(edits)
            }
            Deed::Undone => {
                let step = self.done.pop().ok_or(ReviewError::NothingToUndo)?;
                self.apply_all(&step.inverse)?;
                let what = format!("undid: {}", in_words(&step.edits));
                self.undone.push(step);
                what
            }
            Deed::Redone => {
                let step = self.undone.pop().ok_or(ReviewError::NothingToRedo)?;
                self.apply_all(&step.edits)?;
                let what = format!("redid: {}", in_words(&step.edits));
                self.done.push(step);
                what
            }
        };
        self.changes.push(Change { at: entry.at, by: entry.by.clone(), what });
        Ok(())
    }

    /// All edits or none. Answers with those that take them back.
    fn apply_all(&mut self, edits: &[Edit]) -> Result<Vec<Edit>, ReviewError> {
        let mut inverse = Vec::with_capacity(edits.len());
        for edit in edits {
            match self.apply(edit) {
                Ok(back) => inverse.push(back),
                Err(error) => {
                    for back in inverse.iter().rev() {
                        // It takes back what was done a moment ago, so it fits.
                        self.apply(back).ok();
                    }
                    return Err(error);
                }
            }
        }
        inverse.reverse();
        self.revision += 1;
        Ok(inverse)
    }

    /// Answers with the edit that takes this one back.
    fn apply(&mut self, edit: &Edit) -> Result<Edit, ReviewError> {
        use std::mem::replace;
        let id = edit.id();
        let index = self.annotations.iter().position(|annotation| annotation.id == id);
        if let Edit::Add { at, annotation } = edit {
            if index.is_some() {
                return Err(ReviewError::Taken(id));
            }
            let n = self.annotations.len();
            let at = at.unwrap_or(n).min(n);
            self.annotations.insert(at, annotation.as_ref().clone());
            return Ok(Edit::Remove(id));
        }
        let at = index.ok_or(ReviewError::Unknown(id))?;
        if matches!(edit, Edit::Remove(_)) {
            let annotation = Box::new(self.annotations.remove(at));
            return Ok(Edit::Add { at: Some(at), annotation });
        }
        let it = self.annotations.get_mut(at).ok_or(ReviewError::Unknown(id))?;
        Ok(match edit {
            Edit::SetShape(_, shape) => Edit::SetShape(id, replace(&mut it.shape, shape.clone())),
            Edit::SetClass(_, class) => Edit::SetClass(id, replace(&mut it.class, class.clone())),
            Edit::SetVerdict(_, verdict) => {
                Edit::SetVerdict(id, replace(&mut it.verdict, *verdict))
            }
            Edit::SetName(_, name) => Edit::SetName(id, replace(&mut it.name, name.clone())),
            Edit::SetComment(_, text) => {
                Edit::SetComment(id, replace(&mut it.comment, text.clone()))
            }
            Edit::Add { .. } | Edit::Remove(_) => return Err(ReviewError::Unknown(id)),
        })
    }
}

/// `accepted 3 annotations`, or several of that kind.
fn in_words(edits: &[Edit]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for verb in edits.iter().map(Edit::verb) {
        match counts.iter_mut().find(|(known, _)| *known == verb) {
            Some((_, n)) => *n += 1,
            None => counts.push((verb, 1)),
        }
    }
    let part = |&(verb, n): &(&str, usize)| match n {
        1 => format!("{verb} 1 annotation"),
        n => format!("{verb} {n} annotations"),
    };
    counts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn status_in_words(status: ReviewStatus) -> &'static str {
    match status {
        ReviewStatus::Unseen => "set the slide back to unseen",
        ReviewStatus::InProgress => "began the review",
        ReviewStatus::Reviewed => "marked the slide reviewed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::samples::{annotation, square};
    use rand::{Rng as _, SeedableRng as _};

    fn entry(did: Deed) -> Entry {
        Entry { at: Moment(0), by: "ada".to_owned(), did }
    }

    fn step(review: &mut Review, edits: Vec<Edit>) {
        review.take(&entry(Deed::Step(edits))).unwrap();
    }

    #[test]
    fn a_step_of_several_edits_is_undone_and_redone_as_one() {
        let mut review = Review::default();
        let (a, b) = (annotation(square(0.0, 0.0, 10.0)), annotation(square(50.0, 0.0, 10.0)));
        step(&mut review, vec![Edit::add(a.clone()), Edit::add(b.clone())]);
        let merged = square(0.0, 0.0, 60.0);
        step(&mut review, vec![Edit::Remove(a.id), Edit::SetShape(b.id, merged.clone())]);
        assert_eq!(review.annotations().len(), 1);
        review.take(&entry(Deed::Undone)).unwrap();
        assert_eq!(review.annotations(), [a, b], "in the order of before");
        review.take(&entry(Deed::Redone)).unwrap();
        assert_eq!(review.annotations()[0].shape, merged);
        let words: Vec<_> = review.changes().iter().map(|it| it.what.as_str()).collect();
        assert_eq!(words[0], "added 2 annotations");
        assert_eq!(words[1], "deleted 1 annotation, reshaped 1 annotation");
        assert!(words[2].starts_with("undid: deleted"), "{words:?}");
    }

    #[test]
    fn a_step_that_does_not_fit_changes_nothing() {
        let mut review = Review::default();
        let a = annotation(square(0.0, 0.0, 10.0));
        step(&mut review, vec![Edit::add(a.clone())]);
        let before = review.clone();
        let stranger = annotation(square(0.0, 0.0, 1.0)).id;
        let edits = vec![Edit::Remove(a.id), Edit::Remove(stranger)];
        let refused = review.take(&entry(Deed::Step(edits)));
        assert_eq!(refused, Err(ReviewError::Unknown(stranger)));
        assert_eq!(review, before);
        let again = review.take(&entry(Deed::Step(vec![Edit::add(a.clone())])));
        assert_eq!(again, Err(ReviewError::Taken(a.id)));
        assert_eq!(review.take(&entry(Deed::Redone)), Err(ReviewError::NothingToRedo));
    }

    #[test]
    fn a_thousand_random_steps_are_taken_back_one_by_one() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        let mut review = Review::default();
        let mut states = vec![review.annotations().to_vec()];
        for n in 0..1000 {
            let known: Vec<_> = review.annotations().iter().map(|it| it.id).collect();
            let edit = match known.get(random.random_range(0..known.len().max(1) * 2)) {
                None => Edit::add(annotation(square(f64::from(n), 0.0, 5.0))),
                Some(id) => match random.random_range(0..4) {
                    0 => Edit::Remove(*id),
                    1 => Edit::SetVerdict(*id, Verdict::Rejected),
                    2 => Edit::SetComment(*id, format!("comment {n}")),
                    _ => Edit::SetShape(*id, square(0.0, f64::from(n), 3.0)),
                },
            };
            step(&mut review, vec![edit]);
            states.push(review.annotations().to_vec());
        }
        for state in states.iter().rev().skip(1) {
            review.take(&entry(Deed::Undone)).unwrap();
            assert_eq!(review.annotations(), state);
        }
        assert!(!review.can_undo() && review.can_redo());
        for state in states.iter().skip(1) {
            review.take(&entry(Deed::Redone)).unwrap();
            assert_eq!(review.annotations(), state);
        }
    }

    #[test]
    fn rejected_annotations_are_kept_and_not_exported() {
        let mut review = Review::default();
        let (a, b) = (annotation(square(0.0, 0.0, 10.0)), annotation(square(50.0, 0.0, 10.0)));
        step(&mut review, vec![Edit::add(a.clone()), Edit::add(b.clone())]);
        step(&mut review, vec![Edit::SetVerdict(a.id, Verdict::Rejected)]);
        assert_eq!(review.annotations().len(), 2);
        assert_eq!(review.exported(), [b]);
    }
}
