//! Why a slide cannot be read. No path inside: paths carry patient names; the window or CLI adds it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What went wrong, with what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum SlideError {
    /// The file breaks the rules of its own format.
    #[error("damaged {format} file: {problem}")]
    Malformed {
        /// The format it was read as.
        format: &'static str,
        /// What was expected and found.
        problem: String,
    },
    /// The file is shorter than it says: an interrupted copy, or cut while open.
    #[error(
        "the file ends too early: {expected} bytes expected at offset {offset}, {found} found \
         (an interrupted copy?)"
    )]
    Truncated {
        /// Where the bytes should have been.
        offset: u64,
        /// How many were expected.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A valid file of a kind this program does not read.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// A number in the file asks for more than any real slide needs.
    #[error("refused: {what} is {found}, the limit is {limit}")]
    Limit {
        /// Which number.
        what: &'static str,
        /// What the file says.
        found: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The operating system could not read the file.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
}

impl SlideError {
    /// The file breaks the rules of `format`.
    pub(crate) fn malformed(format: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed { format, problem: problem.into() }
    }

    /// Runs other people's decoders on a file: where one of them panics, that file or tile is damaged, and nothing else is.
    ///
    /// # Errors
    /// Those of `work`; or that a decoder of `format` gave up.
    pub(crate) fn contain<R>(
        format: &'static str,
        work: impl FnOnce() -> Result<R, Self>,
    ) -> Result<R, Self> {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_panic| Err(Self::malformed(format, "a decoder gave up on it")))
    }

    /// Fails if `found` is more than `limit`.
    pub(crate) fn check_limit(what: &'static str, found: u64, limit: u64) -> Result<(), Self> {
        if found <= limit { Ok(()) } else { Err(Self::Limit { what, found, limit }) }
    }
}
