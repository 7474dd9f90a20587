//! Model folders: `manifest.json config.json weights.safetensors features.safetensors report.json`.
//!
//! Shipped folders lie in `models/` of the assets folder; the user's in the folder that
//! [`MODELS_VARIABLE`] names, else in `slidelight/models` of the platform's data folder.

mod config;
mod manifest;
mod shelf;
pub(crate) mod weights;

pub use config::{EncoderConfig, ModelConfig};
pub(crate) use manifest::YOUDEN;
pub use manifest::{ARCHITECTURES, ImageCounts, MANIFEST_SCHEMA, Manifest, Provenance};
pub use shelf::{InstallNote, Kept, Shelf, check, export};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// Names the user's folder of model folders.
pub const MODELS_VARIABLE: &str = "SLIDELIGHT_MODELS";

/// Largest manifest or configuration that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

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

/// What a look into the model folders found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Usable ones: shipped first, then the user's, by name. A name that was met before is left out.
    pub entries: Vec<ModelEntry>,
    /// Folders that cannot be used, one sentence each; a folder's name, never its path.
    pub problems: Vec<String>,
    /// What can be done about those of the user, by name; shipped ones stay as they are.
    pub kept: BTreeMap<String, Kept>,
}

/// Looks into every folder of model folders.
pub fn survey() -> Survey {
    let kept = Shelf::own().map(|shelf| shelf.kept()).unwrap_or_default();
    Survey { kept, ..survey_of(&folders()) }
}

/// Every usable model folder, as [`survey`] finds them; a folder that cannot be used is logged.
pub fn discover() -> Vec<ModelEntry> {
    let Survey { entries, problems, .. } = survey();
    problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    entries
}

/// The model folder at that path, else the listed model of that name.
///
/// # Errors
/// If there is none or it cannot be used.
pub fn find(name_or_dir: &str) -> Result<ModelEntry, RegistryError> {
    let dir = Path::new(name_or_dir);
    if dir.is_dir() {
        return ModelEntry::open(dir);
    }
    let entries = discover();
    let known: Vec<&str> = entries.iter().map(|it| it.manifest.name.as_str()).collect();
    let unknown = RegistryError::Unknown {
        wanted: name_or_dir.to_owned(),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    };
    entries.into_iter().find(|it| it.manifest.name == name_or_dir).ok_or(unknown)
}

/// The folders that hold model folders, shipped first.
fn folders() -> Vec<PathBuf> {
    shipped_folder().into_iter().chain(user_folder()).collect()
}

/// The folder of the models that came with the program.
fn shipped_folder() -> Option<PathBuf> {
    crate::assets::assets_dir().map(|it| it.join("models"))
}

/// The user's folder of model folders, which may not be there yet.
fn user_folder() -> Option<PathBuf> {
    match std::env::var_os(MODELS_VARIABLE) {
        Some(named) => Some(PathBuf::from(named)),
        None => etcetera::choose_base_strategy()
            .ok()
            .map(|it| it.data_dir().join("slidelight").join("models")),
    }
}

fn survey_of(folders: &[PathBuf]) -> Survey {
    let mut found = Survey::default();
    for folder in folders {
        let mut here = Vec::new();
        for dir in subfolders(folder) {
            match ModelEntry::open(&dir) {
                Ok(entry) => here.push(entry),
                Err(error) => found.problems.push(left_out(&dir, &error)),
            }
        }
        here.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        here.retain(|it| found.entries.iter().all(|met| met.manifest.name != it.manifest.name));
        found.entries.append(&mut here);
    }
    found
}

fn left_out(dir: &Path, error: &RegistryError) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("model folder `{name}` is left out: {error}")
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_hidden =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let shown = entries.filter(|entry| !is_hidden(entry)).map(|it| it.path());
    let mut dirs: Vec<PathBuf> = shown.filter(|it| it.is_dir()).collect();
    dirs.sort();
    dirs
}

impl ModelEntry {
    /// Reads and checks the manifest of the model folder `dir`; weights are checked when a model is loaded.
    ///
    /// # Errors
    /// If it is missing, damaged, of a newer layout, or describes something that this program does not run.
    pub fn open(dir: &Path) -> Result<Self, RegistryError> {
        let manifest = Manifest::parse(&read_text(dir, "manifest.json")?)?;
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// If it is missing, damaged or contradicts itself.
    pub fn config(&self) -> Result<ModelConfig, RegistryError> {
        ModelConfig::parse(&read_text(&self.dir, "config.json")?)
    }
}

/// A small text file of a model folder.
fn read_text(dir: &Path, file: &'static str) -> Result<String, RegistryError> {
    let problem = |problem: String| RegistryError::File { file, problem };
    let path = dir.join(file);
    let size = std::fs::metadata(&path).map_err(|error| problem(error.to_string()))?.len();
    if MAX_TEXT_BYTES < size {
        return Err(problem(format!("expected at most {MAX_TEXT_BYTES} bytes, found {size}")));
    }
    std::fs::read_to_string(&path).map_err(|error| problem(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::manifest::tests::example;
    use super::*;

    fn write(folder: &Path, dir: &str, manifest: &Manifest) {
        let dir = folder.join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("manifest.json"), serde_json::to_string(manifest).unwrap())
            .unwrap();
    }

    #[test]
    fn shipped_models_come_first_and_a_name_is_listed_once() {
        let (shipped, user) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let named = |name: &str| Manifest { name: name.to_owned(), ..example() };
        write(shipped.path(), "one", &named("z-shipped"));
        write(user.path(), "b", &named("b-mine"));
        write(user.path(), "a", &named("a-mine"));
        write(user.path(), "copy", &named("z-shipped"));
        write(user.path(), "newer", &Manifest { schema: 999, ..named("newer") });
        std::fs::create_dir_all(user.path().join("empty")).unwrap();
        let found = survey_of(&[shipped.path().to_owned(), user.path().to_owned()]);
        let names: Vec<&str> = found.entries.iter().map(|it| it.manifest.name.as_str()).collect();
        assert_eq!(names, ["z-shipped", "a-mine", "b-mine"]);
        assert_eq!(found.problems.len(), 2);
        assert!(found.problems[0].starts_with("model folder `empty` is left out: "));
        assert!(found.problems[1].starts_with("model folder `newer` is left out: "));
    }

    #[test]
    fn a_folder_that_does_not_exist_holds_no_models() {
        let found = survey_of(&[PathBuf::from("/nowhere/at/all")]);
        assert!(found.entries.is_empty() && found.problems.is_empty());
    }

    #[test]
    fn an_unknown_name_says_what_is_known() {
        let error = find("no such model").unwrap_err().to_string();
        assert!(error.starts_with("there is no model `no such model`; known: "), "{error}");
    }
}
