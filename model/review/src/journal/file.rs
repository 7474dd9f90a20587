//! One journal on disk: found or begun, locked, added to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::read::read;
use super::{Header, JournalError, Places};
use crate::{Deed, Entry, Review};

/// How long to wait for a lock: the window before may be about to close its journal.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// What is found of a slide that is opened.
#[derive(Debug)]
pub struct Opened {
    /// As it was left.
    pub review: Review,
    /// Whether changes can be kept.
    pub access: Access,
    /// The last line had been cut short; it is gone.
    pub was_torn: bool,
    /// The window that wrote last was not closed in good order.
    pub has_crashed: bool,
}

/// Whether changes can be kept.
#[derive(Debug)]
pub enum Access {
    /// Here.
    Write(Journal),
    /// No: another window has it open.
    Read,
}

/// The journal of an open slide. Until something is added there may be no file.
#[derive(Debug)]
pub struct Journal {
    header: Header,
    /// Where a file is begun, the best place first.
    places: Vec<PathBuf>,
    /// What a file that is begun starts with, instead of the header: a journal that cannot be written to.
    inherited: Option<Vec<u8>>,
    file: Option<Open>,
}

/// A file that is locked, read and written at its end.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    length: u64,
    /// This window has written that it was opened.
    is_signed: bool,
}

impl Journal {
    /// Reads what was kept of a slide; makes no file.
    ///
    /// # Errors
    /// If there is a journal that cannot be read, is damaged or belongs to another slide.
    pub fn open(places: &Places, header: Header) -> Result<Opened, JournalError> {
        let all: Vec<PathBuf> =
            std::iter::once(&places.beside).chain(&places.own).cloned().collect();
        let mut inherited = None;
        for path in &all {
            match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => return resume(file, path, header),
                Err(error) if is_refused(&error) => inherited = bytes_of(path)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(JournalError::io("it cannot be opened")(error)),
            }
        }
        let found = match &inherited {
            Some(bytes) => Some(read(bytes, &header)?),
            None => None,
        };
        if let (Some(bytes), Some(found)) = (&mut inherited, &found) {
            bytes.truncate(found.sound_bytes);
        }
        Ok(Opened {
            review: found.map(|it| it.review).unwrap_or_default(),
            access: Access::Write(Self { header, places: all, inherited, file: None }),
            was_torn: false,
            has_crashed: false,
        })
    }

    /// Where the file is, once there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|open| open.path.as_path())
    }

    /// Writes a line, all of it or nothing. It is safe from the end of this process at once, from a loss
    /// of power after [`Self::sync`].
    ///
    /// # Errors
    /// If the disk is full or gone, no place takes files, or another window was faster.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.file.is_none() {
            self.file = Some(self.begin()?);
        }
        let software = self.header.software.clone();
        let Some(open) = &mut self.file else { return Ok(()) };
        if !open.is_signed {
            open.write(&Entry { did: Deed::Opened(software), ..entry.clone() })?;
            open.is_signed = true;
        }
        open.write(entry)
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// If the disk is gone.
    pub fn sync(&self) -> Result<(), JournalError> {
        let open = self.file.as_ref();
        open.map_or(Ok(()), |open| open.file.sync_data())
            .map_err(JournalError::io("it cannot be brought to the disk"))
    }

    /// Whether this window has written anything.
    pub fn is_begun(&self) -> bool {
        self.file.as_ref().is_some_and(|open| open.is_signed)
    }

    /// Makes the file at the first place that takes one. It appears with its first lines whole.
    fn begin(&self) -> Result<Open, JournalError> {
        let mut refused = None;
        for path in &self.places {
            match self.begin_at(path) {
                Ok(open) => return Ok(open),
                Err(JournalError::Io { source, .. }) if is_refused(&source) => {
                    refused = Some(source);
                }
                Err(error) => return Err(error),
            }
        }
        let source = refused.unwrap_or_else(|| ErrorKind::NotFound.into());
        Err(JournalError::Io { what: "no place takes a journal", source })
    }

    fn begin_at(&self, path: &Path) -> Result<Open, JournalError> {
        let failed = || JournalError::io("a journal cannot be begun");
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed())?;
        let bytes = match &self.inherited {
            Some(bytes) => bytes.clone(),
            None => {
                let mut line = serde_json::to_vec(&self.header).map_err(JournalError::Entry)?;
                line.push(b'\n');
                line
            }
        };
        let mut aside = aside_in(folder).map_err(failed())?;
        aside.write_all(&bytes).and_then(|()| aside.as_file().sync_all()).map_err(failed())?;
        if !lock(aside.as_file(), Duration::ZERO)? {
            return Err(JournalError::BegunElsewhere);
        }
        let file = aside.persist_noclobber(path).map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => JournalError::BegunElsewhere,
            _ => JournalError::io("a journal cannot be begun")(error.error),
        })?;
        // The name itself is safe from a loss of power only then; not every system can do it.
        File::open(folder).and_then(|folder| folder.sync_all()).ok();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Open { file, path: path.to_owned(), length, is_signed: false })
    }
}

impl Open {
    fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(entry).map_err(JournalError::Entry)?;
        line.push(b'\n');
        let written = self.file.seek(SeekFrom::Start(self.length));
        if let Err(error) = written.and_then(|_| self.file.write_all(&line)) {
            // Half a line would hide the next one; if even this fails, the next write goes over it.
            self.file.set_len(self.length).ok();
            return Err(JournalError::io("a line cannot be added")(error));
        }
        self.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// Goes on with a journal that is there.
fn resume(mut file: File, path: &Path, header: Header) -> Result<Opened, JournalError> {
    let is_ours = lock(&file, LOCK_PATIENCE)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(JournalError::io("it cannot be read"))?;
    let found = read(&bytes, &header)?;
    let was_torn = found.sound_bytes < bytes.len();
    let length = u64::try_from(found.sound_bytes).unwrap_or(u64::MAX);
    let access = if is_ours {
        if was_torn {
            file.set_len(length).map_err(JournalError::io("its torn end cannot be cut off"))?;
        }
        let open = Open { file, path: path.to_owned(), length, is_signed: false };
        Access::Write(Journal { header, places: Vec::new(), inherited: None, file: Some(open) })
    } else {
        Access::Read
    };
    Ok(Opened {
        review: found.review,
        access,
        // The window that has it open may be in the middle of a line.
        was_torn: was_torn && is_ours,
        has_crashed: found.has_crashed && is_ours,
    })
}

/// Whether the file is this window's alone now.
fn lock(file: &File, patience: Duration) -> Result<bool, JournalError> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            // Without locks on this file system nobody else can hold one.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                return Ok(true);
            }
            Err(TryLockError::Error(error)) => {
                return Err(JournalError::io("it cannot be locked")(error));
            }
            Err(TryLockError::WouldBlock) if patience <= begun.elapsed() => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The content of a file that can be read but not written; `None` if it cannot be read either.
fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(JournalError::io("it cannot be read")(error)),
    }
}

fn is_refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// A temporary file is its maker's alone; a journal beside a shared slide is for all who may read that.
fn aside_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
