//! TIFF and BigTIFF files written piece by piece: data first, then the directories that name it (TIFF 6.0, section 2).
//!
//! Little endian. The `tiff` crate writes whole pictures from memory; a pyramid that is made while it is written needs this.

use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::atomic::{self, Staged};
use crate::tiff_file::tags::Tag;

/// Bytes up to which offsets of 32 bits are trusted, with room for directories.
const CLASSIC_BYTES: u64 = 0xF000_0000;

/// The values of one directory entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Numbers of 16 bits.
    Shorts(Vec<u16>),
    /// Numbers of 32 bits.
    Longs(Vec<u32>),
    /// Places in the file or lengths, as wide as the file's offsets.
    Offsets(Vec<u64>),
    /// A fraction.
    Rational(u32, u32),
    /// Text of 7 bits.
    Ascii(String),
}

/// A file under a temporary name.
#[derive(Debug)]
pub(super) struct TiffWriter {
    file: BufWriter<NamedTempFile>,
    /// Where the next bytes go.
    position: u64,
    is_big: bool,
    /// Where the offset of the next directory belongs.
    next_directory: u64,
}

impl TiffWriter {
    /// Begins a file beside `target` that will hold about `expected_bytes` at most.
    pub(super) fn begin(target: &Path, expected_bytes: u64) -> io::Result<Self> {
        let is_big = CLASSIC_BYTES < expected_bytes;
        let file = BufWriter::new(atomic::temporary_beside(target)?);
        let mut writer = Self { file, position: 0, is_big, next_directory: 0 };
        if is_big {
            writer.append(&[b'I', b'I', 43, 0, 8, 0, 0, 0])?;
        } else {
            writer.append(&[b'I', b'I', 42, 0])?;
        }
        writer.next_directory = writer.position;
        let nowhere = writer.offset(0)?;
        writer.append(&nowhere)?;
        Ok(writer)
    }

    /// Writes data and returns where they begin: an even place, as the format asks.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let start = self.position;
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        if self.position % 2 == 1 {
            self.file.write_all(&[0])?;
            self.position += 1;
        }
        Ok(start)
    }

    /// Writes a directory, whose entries must stand in the order of their tags, behind those before it.
    pub(super) fn directory(&mut self, entries: &[(Tag, Value)]) -> io::Result<()> {
        let (at, next) = self.table(entries)?;
        let place = self.offset(at)?;
        self.file.seek(SeekFrom::Start(self.next_directory))?;
        self.file.write_all(&place)?;
        self.file.seek(SeekFrom::Start(self.position))?;
        self.next_directory = next;
        Ok(())
    }

    /// Writes a directory that no chain leads to, and returns where it begins.
    pub(super) fn sub_directory(&mut self, entries: &[(Tag, Value)]) -> io::Result<u64> {
        Ok(self.table(entries)?.0)
    }

    /// Writes the table of a directory; returns where it begins and where the offset of the next one belongs.
    fn table(&mut self, entries: &[(Tag, Value)]) -> io::Result<(u64, u64)> {
        let width = if self.is_big { 8 } else { 4 };
        let mut table = match self.is_big {
            true => (entries.len() as u64).to_le_bytes().to_vec(),
            false => short(entries.len())?.to_le_bytes().to_vec(),
        };
        for (tag, value) in entries {
            let (kind, count, mut bytes) = self.encode(value)?;
            if width < bytes.len() {
                let at = self.append(&bytes)?;
                bytes = self.offset(at)?;
            }
            bytes.resize(width, 0);
            table.extend(tag.0.to_le_bytes());
            table.extend(kind.to_le_bytes());
            table.extend(self.offset(count)?);
            table.extend(bytes);
        }
        let length = table.len() as u64;
        table.extend(self.offset(0)?);
        let at = self.append(&table)?;
        Ok((at, at + length))
    }

    /// Type, count and bytes of an entry.
    fn encode(&self, value: &Value) -> io::Result<(u16, u64, Vec<u8>)> {
        Ok(match value {
            Value::Shorts(all) => {
                (3, all.len() as u64, all.iter().flat_map(|it| it.to_le_bytes()).collect())
            }
            Value::Longs(all) => {
                (4, all.len() as u64, all.iter().flat_map(|it| it.to_le_bytes()).collect())
            }
            Value::Offsets(all) => {
                let mut bytes = Vec::new();
                for it in all {
                    bytes.extend(self.offset(*it)?);
                }
                (if self.is_big { 16 } else { 4 }, all.len() as u64, bytes)
            }
            Value::Rational(n, d) => (5, 1, [n.to_le_bytes(), d.to_le_bytes()].concat()),
            Value::Ascii(text) => {
                let bytes = [text.as_bytes(), &[0]].concat();
                (2, bytes.len() as u64, bytes)
            }
        })
    }

    /// A place or count, as wide as this file has them.
    fn offset(&self, value: u64) -> io::Result<Vec<u8>> {
        if self.is_big {
            return Ok(value.to_le_bytes().to_vec());
        }
        let narrow = u32::try_from(value).map_err(io::Error::other)?;
        Ok(narrow.to_le_bytes().to_vec())
    }

    /// The whole file on the disk, still under its temporary name.
    pub(super) fn finish(self, target: &Path, what: &'static str) -> io::Result<Staged> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok(Staged::new(file, target, what))
    }
}

fn short(count: usize) -> io::Result<u16> {
    u16::try_from(count).map_err(io::Error::other)
}
