//! Encoders that a pre-training left: folders with `manifest.json` and `encoder.safetensors`.
//!
//! Those that came with the program lie in `assets/encoders`, the user's in the folder that [`ENCODERS_VARIABLE`] names, else in `slidelight/encoders` of the platform's data folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::vision::ARCHITECTURE;
use super::{Encoder, EncoderError, FrozenEncoder, SHIPPED, hexadecimal};
use crate::assets::assets_dir;

/// Names the user's folder of encoders.
pub const ENCODERS_VARIABLE: &str = "SLIDELIGHT_ENCODERS";
/// The newest manifest layout that this program reads.
pub(crate) const SCHEMA: u32 = 1;
/// Files of an encoder's folder.
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const WEIGHTS: &str = "encoder.safetensors";
/// Largest manifest that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// What an encoder's folder says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderManifest {
    /// Layout of this file.
    pub schema: u32,
    /// Short name, as typed after `--encoder`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Architecture word.
    pub architecture: String,
    /// What it was trained on, for a pathologist.
    pub trained_on: String,
    /// Licence and attribution of the training data and weights.
    pub licence: String,
    /// Micrometers per pixel of the tiles that it was trained on.
    pub mpp: f64,
    /// The only side of an input that it takes, px.
    pub input_px: u32,
    /// Values per patch.
    pub feature_dim: usize,
    /// Side of the smallest and of the largest piece of tissue that it was shown, µm; earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_um: Option<[f64; 2]>,
    /// SHA-256 of the weights, lower-case hex; a folder whose weights differ is refused.
    pub weights_sha256: String,
    /// Figures of its training by name.
    pub metrics: BTreeMap<String, f64>,
}

/// What its maker says about an encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderNote {
    /// Short name, as typed after `--encoder`.
    pub name: String,
    /// Readable title.
    pub title: String,
    /// Organ, stain, magnification, source.
    pub trained_on: String,
    /// Licence and attribution of data and weights.
    pub licence: String,
}

impl Default for EncoderNote {
    fn default() -> Self {
        Self {
            name: "my-encoder".to_owned(),
            title: "My encoder".to_owned(),
            trained_on: "not stated".to_owned(),
            licence: "not stated".to_owned(),
        }
    }
}

impl EncoderNote {
    /// Says why no encoder can be called so, if none can.
    pub fn problem(&self) -> Option<String> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let name = &self.name;
        let is_name = !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain);
        (!is_name).then(|| format!("expected a name of letters, digits, - _ and ., found `{name}`"))
    }
}

impl EncoderManifest {
    /// What its maker says about it.
    pub fn note(&self) -> EncoderNote {
        let Self { name, title, trained_on, licence, .. } = self.clone();
        EncoderNote { name, title, trained_on, licence }
    }

    fn with(self, EncoderNote { name, title, trained_on, licence }: EncoderNote) -> Self {
        Self { name, title, trained_on, licence, ..self }
    }
}

/// An encoder's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnEncoder {
    /// Where it lies.
    pub dir: PathBuf,
    /// What it says.
    pub manifest: EncoderManifest,
}

impl OwnEncoder {
    /// Reads and checks the manifest of the folder `dir`; weights are checked when the encoder is loaded.
    ///
    /// # Errors
    /// If it is missing, damaged, of a newer layout, or describes something that this program does not run.
    pub fn open(dir: &Path) -> Result<Self, EncoderError> {
        let path = dir.join(MANIFEST);
        let unusable = |what: String| EncoderError::Folder(what);
        let size = std::fs::metadata(&path).map_or(0, |it| it.len());
        if !(1..=MAX_TEXT_BYTES).contains(&size) {
            return Err(unusable(format!("it has no readable {MANIFEST}")));
        }
        let manifest: EncoderManifest = serde_json::from_slice(&std::fs::read(&path)?)
            .map_err(|error| unusable(format!("{MANIFEST}: {error}")))?;
        let EncoderManifest { schema, architecture, .. } = &manifest;
        if *schema != SCHEMA {
            return Err(unusable(format!(
                "expected a manifest of schema {SCHEMA}, found {schema}"
            )));
        }
        if architecture != ARCHITECTURE {
            return Err(EncoderError::Architecture(architecture.clone()));
        }
        match manifest.note().problem() {
            Some(problem) => Err(unusable(problem)),
            None => Ok(Self { dir: dir.to_owned(), manifest }),
        }
    }

    /// Reads the network.
    ///
    /// # Errors
    /// If its weights are not those of the manifest, or no whole and fitting set.
    pub fn load(&self) -> Result<Arc<dyn Encoder>, EncoderError> {
        let file = std::fs::read(self.dir.join(WEIGHTS))?;
        let found = hexadecimal(&Sha256::digest(&file));
        if found != self.manifest.weights_sha256 {
            let expected = &self.manifest.weights_sha256;
            return Err(EncoderError::Folder(format!(
                "its weights are not those of the manifest: expected SHA-256 {expected}, found {found}"
            )));
        }
        Ok(Arc::new(FrozenEncoder::parse(&self.manifest.name, &file)?))
    }
}

/// Those that came with the program, by name.
pub fn shipped() -> Vec<OwnEncoder> {
    assets_dir().map_or_else(Vec::new, |assets| survey_of(&assets.join("encoders")))
}

/// Every usable encoder of the user's folder, by name; others are logged and left out.
pub fn survey() -> Vec<OwnEncoder> {
    user_folder().map_or_else(Vec::new, |folder| survey_of(&folder))
}

fn survey_of(folder: &Path) -> Vec<OwnEncoder> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !entry.path().is_dir() {
            continue;
        }
        match OwnEncoder::open(&entry.path()) {
            Ok(own) => found.push(own),
            Err(error) => tracing::warn!("encoder folder `{name}` is left out: {error}"),
        }
    }
    found.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
    found
}

/// The encoder of that name, unless it is one of [`SHIPPED`]; one that came with the program goes first.
pub fn find(name: &str) -> Option<OwnEncoder> {
    if SHIPPED.iter().any(|it| it.name == name) {
        return None;
    }
    shipped().into_iter().chain(survey()).find(|it| it.manifest.name == name)
}

/// Whether an encoder that came with the program is called so.
fn is_shipped(name: &str) -> bool {
    SHIPPED.iter().any(|it| it.name == name) || shipped().iter().any(|it| it.manifest.name == name)
}

/// Copies the encoder's folder `from` into the user's, under what `note` says about it, or else what it says itself; it is
/// listed from then on.
///
/// # Errors
/// If its name is taken, `from` is no whole encoder, or the folder cannot be written: then nothing is left there.
pub fn install(from: &Path, note: Option<EncoderNote>) -> Result<OwnEncoder, EncoderError> {
    let folder = user_folder()
        .ok_or_else(|| EncoderError::Folder("this system has no folder for it".to_owned()))?;
    install_into(&folder, from, note)
}

fn install_into(
    folder: &Path,
    from: &Path,
    note: Option<EncoderNote>,
) -> Result<OwnEncoder, EncoderError> {
    let own = OwnEncoder::open(from)?;
    own.load()?;
    let note = note.unwrap_or_else(|| own.manifest.note());
    if let Some(problem) = note.problem() {
        return Err(EncoderError::Folder(problem));
    }
    let manifest = own.manifest.with(note);
    let name = &manifest.name;
    let dir = folder.join(name);
    if dir.exists() || is_shipped(name) {
        let problem = format!("there is an encoder `{name}` already; choose another name");
        return Err(EncoderError::Folder(problem));
    }
    std::fs::create_dir_all(folder)?;
    let aside = tempfile::Builder::new().prefix(".half-written-").tempdir_in(folder)?;
    std::fs::copy(from.join(WEIGHTS), aside.path().join(WEIGHTS))?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| EncoderError::Folder(format!("{MANIFEST}: {error}")))?;
    std::fs::write(aside.path().join(MANIFEST), text)?;
    std::fs::rename(aside.path(), &dir)?;
    OwnEncoder::open(&dir)
}

/// The user's folder of encoders, which may not be there yet.
fn user_folder() -> Option<PathBuf> {
    match std::env::var_os(ENCODERS_VARIABLE) {
        Some(named) => Some(PathBuf::from(named)),
        None => etcetera::choose_base_strategy()
            .ok()
            .map(|it| it.data_dir().join("slidelight").join("encoders")),
    }
}
