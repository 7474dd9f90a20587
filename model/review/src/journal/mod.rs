//! The journal: a file of JSON lines beside the slide, to which lines are only ever added.
//!
//! Its first line is a [`Header`] that names the slide by content, every further line an
//! [`Entry`](crate::Entry). Who reads all of them in order has the review as it was left. A line that
//! the end of a process or of the current cut short is no change that anyone saw confirmed: it is cut off
//! when the journal is opened again. One window writes a journal, others read it meanwhile.

mod file;
mod keeper;
mod places;
mod read;

use domain::coords::PixelSize;
use domain::id::SlideId;
use domain::scale::Mpp;
use serde::{Deserialize, Serialize};

pub use file::{Access, Journal, Opened};
pub use keeper::{Keeper, Standing};
pub use places::Places;

/// Version of the format; a journal of another one is not touched.
pub const FORMAT: u32 = 1;

/// First line of a journal: what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub slidelight_journal: u32,
    /// The slide by its content.
    pub slide: SlideId,
    /// Its size, in level-0 pixels: the frame of all positions.
    pub size: PixelSize,
    /// Micrometres per level-0 pixel, where the slide states them.
    pub mpp: Option<Mpp>,
    /// Version of the program that began the journal.
    pub software: String,
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no journal, or of a later version of the program.
    #[error("its first line is not that of a journal of format {FORMAT}: {0}")]
    Header(String),
    /// It belongs to another slide.
    #[error("it is the journal of another slide: expected {expected}, found {found}")]
    OtherSlide {
        /// The slide that is open.
        expected: SlideId,
        /// The slide that the journal names.
        found: SlideId,
    },
    /// A line before the last cannot be read or does not fit those before it.
    #[error("line {line} is damaged: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Since the slide was opened another window has begun a journal.
    #[error("another window has begun to keep a journal of this slide")]
    BegunElsewhere,
    /// An entry cannot be written as JSON.
    #[error("a change cannot be written down: {0}")]
    Entry(serde_json::Error),
}

impl JournalError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
