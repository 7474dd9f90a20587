//! Model folders: `manifest.json config.json weights.safetensors features.safetensors report.json`.

mod manifest;

pub use manifest::{ARCHITECTURE, MANIFEST_SCHEMA, Manifest};

use std::path::PathBuf;

/// A model folder that was found and whose manifest could be read.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// Where it lies.
    pub dir: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// Why a model folder cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No folder and no listed model has that name.
    #[error("there is no model `{wanted}`; known: {known}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Names of the models found, comma separated.
        known: String,
    },
    /// A file of the folder is missing or unreadable.
    #[error("the model folder has no readable {file}: {problem}")]
    File {
        /// Which file.
        file: &'static str,
        /// What the system or the parser said.
        problem: String,
    },
    /// The folder holds something that this program does not run.
    #[error("the model folder cannot be used: {0}")]
    Unsupported(String),
}

/// Every usable model folder: shipped ones first, then the user's, by name.
pub fn discover() -> Vec<ModelEntry> {
    Vec::new()
}

/// The model folder at that path, else the listed model of that name.
///
/// # Errors
/// If there is none or it cannot be used.
pub fn find(name_or_dir: &str) -> Result<ModelEntry, RegistryError> {
    Err(RegistryError::Unknown { wanted: name_or_dir.to_owned(), known: "none".to_owned() })
}
