//! Changes as data: the very same values that the journal writes and reads back.

use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Shape, Verdict};
use domain::coords::{Level0Px, Turn};
use domain::mask::BinaryThreshold;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// A change to one annotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Puts an annotation among the others.
    Add {
        /// Its index; the end without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<usize>,
        /// What is added.
        annotation: Box<Annotation>,
    },
    /// Takes an annotation away.
    Remove(AnnotationId),
    /// Gives it another outline or line.
    SetShape(AnnotationId, Shape),
    /// Gives it another class.
    SetClass(AnnotationId, AnnotationClass),
    /// Accepts or rejects it, or neither.
    SetVerdict(AnnotationId, Verdict),
    /// Gives it another name.
    SetName(AnnotationId, String),
    /// Gives it another comment.
    SetComment(AnnotationId, String),
}

impl Edit {
    /// Adds at the end of the order.
    pub fn add(annotation: Annotation) -> Self {
        Self::Add { at: None, annotation: Box::new(annotation) }
    }

    /// The annotation that it is about.
    pub fn id(&self) -> AnnotationId {
        match self {
            Self::Add { annotation, .. } => annotation.id,
            Self::Remove(id)
            | Self::SetShape(id, _)
            | Self::SetClass(id, _)
            | Self::SetVerdict(id, _)
            | Self::SetName(id, _)
            | Self::SetComment(id, _) => *id,
        }
    }

    /// What it does, for a list of changes.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Add { .. } => "added",
            Self::Remove(_) => "deleted",
            Self::SetShape(..) => "reshaped",
            Self::SetClass(..) => "reclassified",
            Self::SetVerdict(_, Verdict::Accepted) => "accepted",
            Self::SetVerdict(_, Verdict::Rejected) => "rejected",
            Self::SetVerdict(_, Verdict::Proposed) => "set back to proposed",
            Self::SetName(..) => "renamed",
            Self::SetComment(..) => "commented",
        }
    }
}

/// How far a person is with a slide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewStatus {
    /// Nothing was decided yet.
    #[default]
    Unseen,
    /// Someone is at it.
    InProgress,
    /// Someone called it done.
    Reviewed,
}

/// A place to come back to, as large as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bookmark {
    /// What it is called in lists.
    pub name: String,
    /// The middle of the view.
    pub center: Level0Px,
    /// Level-0 pixels per pixel of the screen.
    pub level0_per_px: f64,
    /// By which the slide was turned.
    #[serde(default)]
    pub turn: Turn,
}

/// Something that happened to a review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A window began to change the slide, with this version of the program.
    Opened(String),
    /// That window was closed in good order.
    Closed,
    /// Edits that are done, undone and redone as one.
    Step(Vec<Edit>),
    /// The last step that was not undone was undone.
    Undone,
    /// The step that was undone last was done again.
    Redone,
    /// The classes to choose from.
    Classes(Vec<AnnotationClass>),
    /// All places to come back to.
    Bookmarks(Vec<Bookmark>),
    /// How far the person is.
    Status(ReviewStatus),
    /// A layer was cut at this *t*.
    Threshold {
        /// Title of the layer.
        layer: String,
        /// Where it was cut.
        threshold: BinaryThreshold,
    },
}

/// A deed, when it was done and by whom: one line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// The name that the person's system knows them by; may be empty.
    pub by: String,
    /// What.
    pub did: Deed,
}

impl Entry {
    /// A deed of this moment.
    pub fn now(by: &str, did: Deed) -> Self {
        Self { at: Moment::now(), by: by.to_owned(), did }
    }
}
