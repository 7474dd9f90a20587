//! Why a result cannot be written. No path inside: the window or CLI adds it.

use std::io;

use domain::progress::Cancelled;

/// What could not be written, and why.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The operating system refused.
    #[error("cannot write the {what}: {}", plain(cause))]
    Io {
        /// Which file, as a noun.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// The result does not fit the file format.
    #[error("cannot encode the {what}: {problem}")]
    Encode {
        /// Which file, as a noun.
        what: &'static str,
        /// What the encoder said.
        problem: String,
    },
    /// The file on the disk does not say what it was meant to.
    #[error("reading back the {what} gave something else, so nothing was kept: {problem}")]
    Mismatch {
        /// Which file, as a noun.
        what: &'static str,
        /// What differs.
        problem: String,
    },
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The common causes in words for people who are not programmers.
fn plain(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "the folder is not writable".to_owned()
        }
        io::ErrorKind::NotFound => "the folder does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "the folder is not a folder but a file".to_owned(),
        io::ErrorKind::IsADirectory => "a folder of that name is in the way".to_owned(),
        _ => cause.to_string(),
    }
}
