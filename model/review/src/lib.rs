//! What a person decides about a slide: annotations, how they are changed, and how no change is lost.
//!
//! - [`Review`] holds the annotations of one slide; every change is a step that can be undone.
//! - [`change`] makes the edits of a step: paint, erase, merge, split, commit what a model proposes.
//! - [`outline`] is the geometry beneath: unions, differences, cuts and simpler rings.
//! - [`journal`] keeps every step in a file to which lines are only ever added.
//!
//! Nothing here draws, and nothing here knows a model.
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::cast_lossless,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::float_cmp
    )
)]

pub mod change;
mod edit;
pub mod journal;
pub mod outline;
mod review;

pub use domain::moment::Moment;
pub use edit::{Bookmark, Deed, Edit, Entry, ReviewStatus};
pub use review::{Change, Review, ReviewError};
