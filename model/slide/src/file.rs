//! The bytes of an open slide, read at positions.
//!
//! Positioned reads share no cursor, so any number of threads read at once without a lock. Never a
//! memory map: a file that shrinks while open would kill the process instead of failing one read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::SlideError;
use crate::limits::MAX_TEXT_BYTES;
use crate::number::to_usize;

/// An open file and the length it had when it was opened.
#[derive(Debug)]
pub(crate) struct SlideFile {
    file: File,
    length: u64,
}

impl SlideFile {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self, SlideError> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(SlideError::Unsupported("this is a folder, not a slide file".to_owned()));
        }
        if !metadata.is_file() {
            return Err(SlideError::Unsupported("this is not a regular file".to_owned()));
        }
        Ok(Self { file: File::open(path)?, length: metadata.len() })
    }

    /// Bytes in the file when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Exactly `length` bytes at `offset`; allocates nothing when the file is too short for them.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, SlideError> {
        let truncated = |found: u64| SlideError::Truncated {
            offset,
            expected: length,
            found: found.min(length),
        };
        if offset.checked_add(length).is_none_or(|end| self.length < end) {
            return Err(truncated(self.length.saturating_sub(offset)));
        }
        let mut bytes = vec![0; to_usize(length)];
        let n_read = self.read_up_to(offset, &mut bytes)?;
        if n_read < bytes.len() {
            return Err(truncated(n_read as u64));
        }
        Ok(bytes)
    }

    /// Fills `buffer` from `offset` as far as the file reaches; returns how many bytes there were.
    pub(crate) fn read_up_to(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..).filter(|rest| !rest.is_empty()) {
            match read_at(&self.file, rest, offset + n_read as u64) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Bytes that are read only when asked for, such as a colour profile.
#[derive(Clone, Debug)]
pub(crate) enum Blob {
    /// They stand in a file as they are.
    Stored {
        /// Which file.
        file: Arc<SlideFile>,
        /// Where they begin.
        offset: u64,
        /// How many there are.
        length: u64,
    },
    /// They were decoded on the way.
    Held(Arc<[u8]>),
}

impl Blob {
    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Stored { length, .. } => *length,
            Self::Held(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes; refused if there are more than any text or profile has.
    pub(crate) fn read(&self) -> Result<Vec<u8>, SlideError> {
        match self {
            Self::Stored { file, offset, length } => {
                SlideError::check_limit(
                    "the bytes of an embedded text or profile",
                    *length,
                    MAX_TEXT_BYTES,
                )?;
                file.read(*offset, *length)
            }
            Self::Held(bytes) => Ok(bytes.to_vec()),
        }
    }
}

/// A cursor of its own over a shared file, for decoders that want `Read` and `Seek`.
#[derive(Debug)]
pub(crate) struct FileStream<'a> {
    file: &'a SlideFile,
    position: u64,
}

impl<'a> FileStream<'a> {
    /// A stream from the first byte.
    pub(crate) fn new(file: &'a SlideFile) -> Self {
        Self { file, position: 0 }
    }
}

impl Read for FileStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.file.read_up_to(self.position, buffer)?;
        self.position += n_read as u64;
        Ok(n_read)
    }
}

impl Seek for FileStream<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.file.length.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek to before the file's start")
        })?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file_of(bytes: &[u8]) -> (tempfile::NamedTempFile, SlideFile) {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(bytes).unwrap();
        let file = SlideFile::open(on_disk.path()).unwrap();
        (on_disk, file)
    }

    #[test]
    fn a_read_past_the_end_says_what_was_expected_and_found() {
        let (_on_disk, file) = file_of(b"0123456789");
        assert_eq!(file.read(3, 4).unwrap(), b"3456");
        let error = file.read(8, 4).unwrap_err();
        assert!(
            matches!(error, SlideError::Truncated { offset: 8, expected: 4, found: 2 }),
            "{error}"
        );
        assert!(file.read(u64::MAX, 4).is_err());
    }

    #[test]
    fn a_file_that_shrinks_while_open_fails_the_read_only() {
        let (on_disk, file) = file_of(&[7; 100]);
        on_disk.as_file().set_len(10).unwrap();
        assert!(matches!(file.read(0, 50), Err(SlideError::Truncated { found: 10, .. })));
        assert_eq!(file.read(0, 10).unwrap(), [7; 10]);
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = SlideFile::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("folder"), "{error}");
    }
}
