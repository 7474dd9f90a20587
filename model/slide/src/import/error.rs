//! Why a file of annotations cannot be read. No path inside: the window or CLI adds it.

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Some other kind of file.
    #[error("this is no file of annotations: expected QuPath GeoJSON, ASAP XML or ImageScope XML")]
    Unknown,
    /// The right kind, but damaged.
    #[error("the {format} file is damaged: {problem}")]
    Malformed {
        /// Which kind.
        format: &'static str,
        /// What the parser said.
        problem: String,
    },
    /// Its coordinates are to be counted from a part that nobody knows.
    #[error("the slide does not say which part was scanned")]
    NoScannedPart,
    /// More than any slide has.
    #[error("the file holds more {what} than are read: at most {limit}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
}
