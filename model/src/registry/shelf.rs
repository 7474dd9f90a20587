//! The user's own models: kept under a name, replaced with the version before kept, deleted, brought in and taken out.
//!
//! Every folder is written aside and renamed. `.earlier/NAME` holds the version that a model replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Manifest, ModelEntry, RegistryError, survey_of, user_folder};
use crate::camseg::RefinerDescription;
use crate::device::DeviceChoice;
use crate::pipeline::loaded_model::LoadedModel;

/// Holds the version before of each model that replaced one.
const EARLIER: &str = ".earlier";
/// What folders are called while they are written or removed.
const ASIDE: &str = ".half-written-";
/// All that makes up a model; other files beside them stay behind.
const FILES: [&str; 7] = [
    "manifest.json",
    "config.json",
    "weights.safetensors",
    "features.safetensors",
    "report.json",
    REFINER,
    "refiner.safetensors",
];
const MANIFEST: &str = "manifest.json";
const REFINER: &str = "refiner.json";

/// How a model calls itself in the list, and what is to be known of it there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstallNote {
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title; the name if empty.
    pub title: String,
    /// What it was trained on, in the user's words; what the run says if empty.
    pub trained_on: String,
    /// What the user wants to remember.
    pub note: String,
    /// The *t* to recommend for the map of the model's last stage, and how it was chosen; the model's own if missing.
    pub threshold: Option<(f32, String)>,
    /// Figures that the manifest names beside its own.
    pub figures: BTreeMap<String, f64>,
    /// Whether a model of the user of that name gives way; it is kept as the version before.
    pub replaces: bool,
}

/// The user's folder of models.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// Names of models that came with the program.
    shipped: Vec<String>,
}

/// A model of the user, as far as it can be changed.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The version that it replaced.
    pub earlier: Option<ModelEntry>,
}

impl Shelf {
    /// The user's.
    ///
    /// # Errors
    /// If this system has no folder for it.
    pub fn own() -> Result<Self, RegistryError> {
        let folder =
            user_folder().ok_or_else(|| refused("this system has no folder for models"))?;
        let shipped = super::shipped_folder().into_iter().collect::<Vec<_>>();
        let shipped = survey_of(&shipped).entries.into_iter().map(|it| it.manifest.name);
        Ok(Self { folder, shipped: shipped.collect() })
    }

    /// What can be done about each model of the user, by name. A replacement that was broken off is undone first.
    pub(super) fn kept(&self) -> BTreeMap<String, Kept> {
        self.mend();
        let entries = survey_of(std::slice::from_ref(&self.folder)).entries;
        let own = entries.into_iter().filter(|it| !self.shipped.contains(&it.manifest.name));
        own.map(|it| {
            let earlier = ModelEntry::open(&self.earlier(&it.manifest.name)).ok();
            (it.manifest.name, Kept { earlier })
        })
        .collect()
    }

    /// Copies the model folder `from` into the list.
    ///
    /// # Errors
    /// If the name is taken or no name, `from` is no model, or the folder cannot be written: then nothing has changed.
    pub fn install(&self, from: &Path, note: &InstallNote) -> Result<ModelEntry, RegistryError> {
        let manifest = described(ModelEntry::open(from)?.manifest, note, has_refiner(from))?;
        let name = &manifest.name;
        if self.shipped.contains(name) {
            return Err(refused(format!("`{name}` came with the program; choose another name")));
        }
        let before = self.place(name);
        if before.is_some() && !note.replaces {
            return Err(refused(format!(
                "there is a model `{name}` already; choose another name or replace it"
            )));
        }
        let dir = before.clone().unwrap_or_else(|| self.folder.join(name));
        if before.is_none() && dir.exists() {
            return Err(refused(format!(
                "the folder `{name}` of your models is taken; choose another name"
            )));
        }
        let written = || -> std::io::Result<()> {
            let aside = copied(from, &self.folder)?;
            let text = serde_json::to_string_pretty(&manifest)?;
            std::fs::write(aside.path().join(MANIFEST), text + "\n")?;
            if let Some((t, _)) = &note.threshold {
                cut_refiner(aside.path(), *t)?;
            }
            if before.is_some() {
                self.set_aside(&dir, name)?;
            }
            std::fs::rename(aside.path(), &dir)
        };
        written().map_err(|error| refused(format!("it cannot be written: {error}")))?;
        ModelEntry::open(&dir)
    }

    /// As [`Self::install`] of a folder that someone else may have made: its weights are looked at first.
    ///
    /// # Errors
    /// As there, or if the folder is no whole model that this program runs.
    pub fn import(&self, from: &Path, note: &InstallNote) -> Result<ModelEntry, RegistryError> {
        let manifest = check(from)?.manifest;
        let or = |words: &str, otherwise: String| {
            if words.trim().is_empty() { otherwise } else { words.to_owned() }
        };
        let note = InstallNote {
            name: or(&note.name, manifest.name),
            title: or(&note.title, manifest.title),
            note: or(&note.note, manifest.note),
            ..note.clone()
        };
        self.install(from, &note)
    }

    /// Removes a model of the user and the version before it.
    ///
    /// # Errors
    /// If it came with the program, is not there, or cannot be removed.
    pub fn delete(&self, name: &str) -> Result<(), RegistryError> {
        let dir = self.own_place(name)?;
        for dir in [dir, self.earlier(name)] {
            removed(&dir).map_err(|error| refused(format!("it cannot be removed: {error}")))?;
        }
        Ok(())
    }

    /// Changes a model of the user for the version before it, which becomes the version before in turn.
    ///
    /// # Errors
    /// If there is no version before, or it cannot be moved.
    pub fn roll_back(&self, name: &str) -> Result<ModelEntry, RegistryError> {
        let (dir, earlier) = (self.own_place(name)?, self.earlier(name));
        if ModelEntry::open(&earlier).is_err() {
            return Err(refused(format!("there is no version of `{name}` before this one")));
        }
        let swapped = || -> std::io::Result<()> {
            let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.folder)?;
            let between = aside.path().join("model");
            std::fs::rename(&earlier, &between)?;
            std::fs::rename(&dir, &earlier)?;
            std::fs::rename(&between, &dir)
        };
        swapped().map_err(|error| refused(format!("it cannot be moved: {error}")))?;
        ModelEntry::open(&dir)
    }

    /// Where the model of that name lies, whatever its folder is called.
    fn place(&self, name: &str) -> Option<PathBuf> {
        self.mend();
        let entries = survey_of(std::slice::from_ref(&self.folder)).entries;
        entries.into_iter().find(|it| it.manifest.name == name).map(|it| it.dir)
    }

    fn own_place(&self, name: &str) -> Result<PathBuf, RegistryError> {
        if self.shipped.iter().any(|it| it == name) {
            return Err(refused(format!("`{name}` came with the program and stays as it is")));
        }
        self.place(name).ok_or_else(|| refused(format!("there is no model `{name}` of yours")))
    }

    fn earlier(&self, name: &str) -> PathBuf {
        self.folder.join(EARLIER).join(name)
    }

    /// Makes a model the version before; an older one goes.
    fn set_aside(&self, dir: &Path, name: &str) -> std::io::Result<()> {
        let earlier = self.earlier(name);
        std::fs::create_dir_all(self.folder.join(EARLIER))?;
        removed(&earlier)?;
        std::fs::rename(dir, &earlier)
    }

    /// A replacement that was broken off left only the version before: it comes back.
    fn mend(&self) {
        for earlier in super::subfolders(&self.folder.join(EARLIER)) {
            let Ok(entry) = ModelEntry::open(&earlier) else { continue };
            let is_replaced = survey_of(std::slice::from_ref(&self.folder))
                .entries
                .iter()
                .any(|it| it.manifest.name == entry.manifest.name);
            let dir = self.folder.join(&entry.manifest.name);
            if !is_replaced && let Err(error) = std::fs::rename(&earlier, &dir) {
                tracing::warn!("the version before of a model cannot come back: {error}");
            }
        }
    }
}

/// Copies a model as a folder of its name into `into`.
///
/// # Errors
/// If there is such a folder already, or it cannot be written: then nothing is left there.
pub fn export(entry: &ModelEntry, into: &Path) -> Result<PathBuf, RegistryError> {
    let dir = into.join(&entry.manifest.name);
    if dir.exists() {
        return Err(refused(format!("there is a folder `{}` already", entry.manifest.name)));
    }
    let aside = copied(&entry.dir, into);
    let written = aside.and_then(|aside| std::fs::rename(aside.path(), &dir));
    written.map_err(|error| refused(format!("it cannot be written: {error}")))?;
    Ok(dir)
}

/// Opens a model folder as a run does: manifest, configuration, encoder, weights and refiner.
///
/// # Errors
/// If anything is missing, damaged, or of a kind that this program does not run.
pub fn check(dir: &Path) -> Result<ModelEntry, RegistryError> {
    let entry = ModelEntry::open(dir)?;
    let device = DeviceChoice::Cpu.open().map_err(|error| refused(error.to_string()))?;
    LoadedModel::open(&entry, device, None).map_err(refused)?;
    Ok(entry)
}

fn refused(problem: impl Into<String>) -> RegistryError {
    RegistryError::Unsupported(problem.into())
}

/// The manifest under its name in the list; a *t* for the refiner's map is not the manifest's.
fn described(
    manifest: Manifest,
    note: &InstallNote,
    has_refiner: bool,
) -> Result<Manifest, RegistryError> {
    let name = note.name.trim();
    let is_plain = |it: char| it.is_alphanumeric() || "-_.".contains(it);
    if name.is_empty() || !name.chars().all(is_plain) || name.starts_with('.') {
        let problem = format!("expected a name of letters, digits, - _ and ., found `{name}`");
        return Err(refused(problem));
    }
    let or = |words: &str, otherwise: &str| {
        let words = words.trim();
        if words.is_empty() { otherwise.to_owned() } else { words.to_owned() }
    };
    let own = (manifest.recommended_threshold, manifest.threshold_note.clone());
    let chosen = note.threshold.clone().filter(|_| !has_refiner);
    let (recommended_threshold, threshold_note) = chosen.unwrap_or(own);
    if !(0.0..=1.0).contains(&recommended_threshold) {
        return Err(refused(format!("t must lie in 0 to 1, found {recommended_threshold}")));
    }
    let figures = note.figures.iter().map(|(name, value)| (name.clone(), *value));
    Ok(Manifest {
        name: name.to_owned(),
        title: or(&note.title, name),
        trained_on: or(&note.trained_on, &manifest.trained_on),
        note: note.note.trim().to_owned(),
        recommended_threshold,
        threshold_note,
        metrics: manifest.metrics.into_iter().chain(figures).collect(),
        ..manifest
    })
}

fn has_refiner(dir: &Path) -> bool {
    dir.join(REFINER).is_file()
}

/// Gives the refiner of a folder, if there is one, another *t*.
fn cut_refiner(dir: &Path, t: f32) -> std::io::Result<()> {
    let Some(refiner) = RefinerDescription::read(dir).map_err(std::io::Error::other)? else {
        return Ok(());
    };
    let refiner = RefinerDescription { recommended_threshold: t, ..refiner };
    std::fs::write(dir.join(REFINER), serde_json::to_string_pretty(&refiner)? + "\n")
}

/// A copy of a model's files in a folder of its own within `into`, which goes unless it is renamed.
fn copied(from: &Path, into: &Path) -> std::io::Result<tempfile::TempDir> {
    std::fs::create_dir_all(into)?;
    let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(into)?;
    for file in FILES {
        let path = from.join(file);
        if path.is_file() {
            std::fs::copy(&path, aside.path().join(file))?;
        }
    }
    Ok(aside)
}

/// Removes a folder, if it is there, in one step for whoever looks; a link goes, not what it leads to.
fn removed(dir: &Path) -> std::io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(dir) else { return Ok(()) };
    if found.is_symlink() {
        return std::fs::remove_file(dir);
    }
    let parent = dir.parent().unwrap_or(Path::new("."));
    let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(parent)?;
    std::fs::rename(dir, aside.path().join("model"))?;
    aside.close()
}

#[cfg(test)]
mod tests;
