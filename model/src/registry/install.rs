//! A finished training's model folder into the user's list of models.

use std::path::{Path, PathBuf};

use super::{Manifest, ModelEntry, RegistryError, user_folder};

/// How the model calls itself in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallNote {
    /// Short name, as typed after `--model`.
    pub name: String,
    /// Readable title; the name if empty.
    pub title: String,
    /// What it was trained on, in the user's words; what the run says if empty.
    pub trained_on: String,
}

/// Copies the model folder `from` into the user's folder of models; it is listed from then on.
///
/// # Errors
/// If the name is taken or no name, `from` is no model, or the folder cannot be written: then nothing is left there.
pub fn install(from: &Path, note: &InstallNote) -> Result<ModelEntry, RegistryError> {
    let folder = user_folder()
        .ok_or_else(|| RegistryError::Unsupported("this system has no folder for it".to_owned()))?;
    let known = super::discover();
    install_into(&folder, &known, from, note)
}

fn install_into(
    folder: &Path,
    known: &[ModelEntry],
    from: &Path,
    note: &InstallNote,
) -> Result<ModelEntry, RegistryError> {
    let manifest = described(ModelEntry::open(from)?.manifest, note)?;
    let dir = folder.join(&manifest.name);
    if dir.exists() || known.iter().any(|it| it.manifest.name == manifest.name) {
        let problem = format!("there is a model `{}` already; choose another name", manifest.name);
        return Err(RegistryError::Unsupported(problem));
    }
    let written = write(folder, &dir, from, &manifest);
    written
        .map_err(|error| RegistryError::Unsupported(format!("it cannot be written: {error}")))?;
    ModelEntry::open(&dir)
}

/// The manifest under its name in the list.
fn described(manifest: Manifest, note: &InstallNote) -> Result<Manifest, RegistryError> {
    let name = note.name.trim();
    let is_plain = |it: char| it.is_alphanumeric() || "-_.".contains(it);
    if name.is_empty() || !name.chars().all(is_plain) || name.starts_with('.') {
        let problem = format!("expected a name of letters, digits, - _ and ., found `{name}`");
        return Err(RegistryError::Unsupported(problem));
    }
    let or = |words: &str, otherwise: &str| {
        let words = words.trim();
        if words.is_empty() { otherwise.to_owned() } else { words.to_owned() }
    };
    Ok(Manifest {
        name: name.to_owned(),
        title: or(&note.title, name),
        trained_on: or(&note.trained_on, &manifest.trained_on),
        ..manifest
    })
}

/// Writes the folder aside and renames it.
fn write(folder: &Path, dir: &Path, from: &Path, manifest: &Manifest) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let aside = tempfile::Builder::new().prefix(".half-written-").tempdir_in(folder)?;
    for path in files(from)? {
        if let Some(name) = path.file_name() {
            std::fs::copy(&path, aside.path().join(name))?;
        }
    }
    let text = serde_json::to_string_pretty(manifest)?;
    std::fs::write(aside.path().join("manifest.json"), text + "\n")?;
    std::fs::rename(aside.path(), dir)
}

fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(dir)?.map(|entry| entry.map(|it| it.path()));
    let paths: std::io::Result<Vec<PathBuf>> = paths.collect();
    Ok(paths?.into_iter().filter(|path| path.is_file()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::example;
    use super::*;

    fn run() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let manifest = serde_json::to_string(&example()).unwrap();
        std::fs::write(dir.path().join("manifest.json"), manifest).unwrap();
        std::fs::write(dir.path().join("weights.safetensors"), b"w").unwrap();
        dir
    }

    fn named(name: &str) -> InstallNote {
        InstallNote { name: name.to_owned(), ..InstallNote::default() }
    }

    #[test]
    fn a_model_is_listed_under_its_new_name() {
        let (run, models) = (run(), tempfile::tempdir().unwrap());
        let note = InstallNote { trained_on: "colon".to_owned(), ..named("mine") };
        let entry = install_into(models.path(), &[], run.path(), &note).unwrap();
        let manifest = &entry.manifest;
        assert_eq!(
            (&*manifest.name, &*manifest.title, &*manifest.trained_on),
            ("mine", "mine", "colon")
        );
        assert_eq!(std::fs::read(entry.dir.join("weights.safetensors")).unwrap(), b"w");
        assert_eq!(std::fs::read_dir(models.path()).unwrap().count(), 1, "nothing half written");
    }

    #[test]
    fn a_name_that_is_taken_or_none_is_refused() {
        let (run, models) = (run(), tempfile::tempdir().unwrap());
        let install = |name: &str| install_into(models.path(), &[], run.path(), &named(name));
        install("mine").unwrap();
        assert!(install("mine").unwrap_err().to_string().contains("`mine` already"));
        for name in ["", " ", "../up", ".hidden", "two words"] {
            assert!(install(name).unwrap_err().to_string().contains("expected a name"), "{name}");
        }
        let shipped = [ModelEntry { dir: PathBuf::new(), manifest: example() }];
        assert!(install_into(models.path(), &shipped, run.path(), &named("example")).is_err());
    }
}
