//! Files that are either complete or absent.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use domain::progress::{CancelToken, Progress};
use tempfile::NamedTempFile;

use super::ExportError;

/// Bytes that are copied between two looks at whether to stop.
const COPIED_AT_ONCE: u64 = 4 << 20;

/// A complete file under a temporary name; dropped without [`Staged::publish`] it vanishes.
#[derive(Debug)]
pub struct Staged {
    file: NamedTempFile,
    target: PathBuf,
    what: &'static str,
}

/// Writes `bytes` beside `target` and flushes them to the disk. `what` is a noun for messages.
///
/// # Errors
/// If the folder is missing, not writable or full.
pub fn stage(target: &Path, what: &'static str, bytes: &[u8]) -> Result<Staged, ExportError> {
    let written = temporary_beside(target).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    });
    let file = written.map_err(|cause| ExportError::Io { what, cause })?;
    Ok(Staged::new(file, target, what))
}

/// Writes a file all or nothing, replacing one of that name.
///
/// # Errors
/// As [`stage`], or if the file cannot be renamed.
pub fn save(target: &Path, what: &'static str, bytes: &[u8]) -> Result<PathBuf, ExportError> {
    stage(target, what, bytes)?.publish()
}

/// Copies a file all or nothing, replacing one of that name. `what` is a noun for messages.
///
/// # Errors
/// If it cannot be read or written, or the work is to stop.
pub fn copy(
    from: &Path,
    target: &Path,
    what: &'static str,
    (progress, cancel): (&dyn Progress, &CancelToken),
) -> Result<PathBuf, ExportError> {
    let failed = |cause| ExportError::Io { what, cause };
    let mut source = File::open(from).map_err(failed)?;
    let total = source.metadata().map_err(failed)?.len();
    let mut file = temporary_beside(target).map_err(failed)?;
    let mut done = 0;
    loop {
        cancel.check()?;
        progress.report(done, total);
        let mut part = Read::by_ref(&mut source).take(COPIED_AT_ONCE);
        match io::copy(&mut part, &mut file).map_err(failed)? {
            0 => break,
            n => done += n,
        }
    }
    file.as_file().sync_all().map_err(failed)?;
    Staged::new(file, target, what).publish()
}

impl Staged {
    /// A complete file that is on the disk.
    pub(super) fn new(file: NamedTempFile, target: &Path, what: &'static str) -> Self {
        Self { file, target: target.to_owned(), what }
    }

    /// Its temporary name.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What lies on the disk.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read(&self) -> Result<Vec<u8>, ExportError> {
        let what = self.what;
        std::fs::read(self.file.path()).map_err(|cause| ExportError::Io { what, cause })
    }

    /// Gives the file its name, replacing one of that name.
    ///
    /// # Errors
    /// If the system refuses, for instance because a folder has that name.
    pub fn publish(self) -> Result<PathBuf, ExportError> {
        let Self { file, target, what } = self;
        match file.persist(&target) {
            Ok(_) => Ok(target),
            Err(refused) => Err(ExportError::Io { what, cause: refused.error }),
        }
    }
}

/// A file of a passing name in the folder of `target`.
pub(super) fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".slidelight-").suffix(".tmp");
    readable_by_others(&mut builder);
    builder.tempfile_in(folder)
}

/// Temporary files are private by default; a result has the permissions of any other new file.
#[cfg(unix)]
fn readable_by_others(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_others(_builder: &mut tempfile::Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_file_that_is_not_published_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(stage(&folder.path().join("a.txt"), "text", b"abc").unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_is_the_same_and_a_stopped_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&from, &bytes).unwrap();
        let cancel = CancelToken::default();
        copy(&from, &to, "copy", (&(), &cancel)).unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes);
        std::fs::remove_file(&to).unwrap();
        cancel.cancel();
        assert!(matches!(copy(&from, &to, "copy", (&(), &cancel)), Err(ExportError::Cancelled(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn saving_replaces_a_file_of_that_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        save(&target, "text", b"old and longer").unwrap();
        save(&target, "text", b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named_as_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let error = save(&folder.path().join("no/a.txt"), "text", b"").unwrap_err();
        assert_eq!(error.to_string(), "cannot write the text: the folder does not exist");
    }

    #[cfg(unix)]
    #[test]
    fn a_result_is_as_readable_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain.txt");
        std::fs::write(&plain, b"").unwrap();
        let saved = save(&folder.path().join("a.txt"), "text", b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&saved), mode(&plain));
    }
}
