//! One image file directory: its entries, and their values read on demand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::byte_order::ByteOrder;
use super::tags::{NDPI_VERSION, SUB_IFDS, Tag};
use crate::SlideError;
use crate::file::{Blob, SlideFile};
use crate::limits::{MAX_ALL_ENTRIES, MAX_DIRECTORIES, MAX_ENTRIES, MAX_TEXT_BYTES};
use crate::number::to_usize;

/// The type of whole numbers of 32 bits.
const LONG: u16 = 4;

/// How wide a file's offsets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// TIFF 6.0: 32 bits.
    Classic,
    /// BigTIFF: 64 bits, counts too.
    Big,
    /// NDPI beyond 4 GiB: a classic directory, then a link of 64 bits and the high words of all values.
    LargeNdpi,
}

/// What every directory of a file needs to read itself.
#[derive(Debug)]
pub(crate) struct TiffBytes {
    /// The file.
    pub(crate) file: Arc<SlideFile>,
    /// Its byte order.
    pub(crate) order: ByteOrder,
    /// Its offsets.
    pub(crate) layout: Layout,
    /// Entries that were read so far, of all directories: directories that overlap could make gigabytes of a small file.
    n_entries: AtomicU64,
}

impl TiffBytes {
    /// Of a file whose directories have not been read yet.
    pub(super) fn new(file: &Arc<SlideFile>, order: ByteOrder, layout: Layout) -> Self {
        Self { file: Arc::clone(file), order, layout, n_entries: AtomicU64::new(0) }
    }

    /// Counts the entries of one more directory; refuses too many, of it or of all.
    fn count_entries(&self, n_entries: u64) -> Result<(), SlideError> {
        let what = "the number of entries of a TIFF directory";
        SlideError::check_limit(what, n_entries, MAX_ENTRIES)?;
        let n_before = self.n_entries.fetch_add(n_entries, Ordering::Relaxed);
        let what = "the number of entries of all TIFF directories";
        SlideError::check_limit(what, n_before + n_entries, MAX_ALL_ENTRIES)
    }

    /// Bytes of a count, and of a value that an entry holds itself.
    fn word_bytes(&self) -> usize {
        if self.layout == Layout::Big { 8 } else { 4 }
    }

    /// Bytes of the link to the next directory.
    fn link_bytes(&self) -> usize {
        if self.layout == Layout::Classic { 4 } else { 8 }
    }
}

/// The entries of a directory by tag. Values longer than an offset stay in the file until asked for.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    bytes: Arc<TiffBytes>,
    entries: Arc<BTreeMap<u16, Entry>>,
}

/// A directory, its entry table as it stands in the file, and the offset of the next directory.
#[derive(Debug)]
pub(crate) struct ReadDirectory {
    /// The entries.
    pub(crate) directory: Directory,
    /// Their bytes.
    pub(crate) table: Vec<u8>,
    /// 0 if it is the last.
    pub(crate) next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u16,
    count: u64,
    /// The value itself where it fits, else its offset.
    field: [u8; 8],
}

/// Unsigned integers as they stand in the file, decoded one at a time.
#[derive(Debug)]
pub(crate) struct UnsignedArray {
    raw: Vec<u8>,
    item_bytes: usize,
    order: ByteOrder,
}

impl UnsignedArray {
    /// The item at `index`, if there is one.
    pub(crate) fn get(&self, index: u64) -> Option<u64> {
        let start = usize::try_from(index).ok()?.checked_mul(self.item_bytes)?;
        self.order.unsigned(self.raw.get(start..start.checked_add(self.item_bytes)?)?)
    }
}

impl Directory {
    /// Reads the entries at `offset`.
    pub(crate) fn read(bytes: &Arc<TiffBytes>, offset: u64) -> Result<ReadDirectory, SlideError> {
        let order = bytes.order;
        let count_bytes: usize = if bytes.layout == Layout::Big { 8 } else { 2 };
        let head = bytes.file.read(offset, count_bytes as u64)?;
        let n_entries = order.unsigned(&head).unwrap_or(0);
        bytes.count_entries(n_entries)?;
        let word_bytes = bytes.word_bytes();
        let entry_bytes = 4 + 2 * word_bytes;
        let rows_bytes = to_usize(n_entries) * entry_bytes;
        let high_bytes =
            if bytes.layout == Layout::LargeNdpi { 4 * to_usize(n_entries) } else { 0 };
        let start = offset.saturating_add(count_bytes as u64);
        let table =
            bytes.file.read(start, (rows_bytes + bytes.link_bytes() + high_bytes) as u64)?;
        let (rows, rest) = table.split_at_checked(rows_bytes).unwrap_or((&table, &[]));
        let (link, high) = rest.split_at_checked(bytes.link_bytes()).unwrap_or((rest, &[]));
        let next = order.unsigned(link).unwrap_or(0);
        let high = high.chunks_exact(4).map(Some).chain(std::iter::repeat(None));
        let entries = rows
            .chunks_exact(entry_bytes)
            .zip(high)
            .filter_map(|(row, high)| Entry::parse(row, high, order, word_bytes))
            .collect();
        let directory = Self { bytes: Arc::clone(bytes), entries: Arc::new(entries) };
        Ok(ReadDirectory { directory, table, next })
    }

    /// Whether `offset`, read as 64 bits of a classic header, leads to the first directory of an NDPI beyond 4 GiB.
    pub(super) fn is_large_ndpi(file: &Arc<SlideFile>, order: ByteOrder, offset: u64) -> bool {
        if file.length() <= u64::from(u32::MAX) || order != ByteOrder::Little {
            return false;
        }
        let bytes = TiffBytes::new(file, order, Layout::LargeNdpi);
        let first = Self::read(&Arc::new(bytes), offset);
        first.is_ok_and(|first| first.directory.has(NDPI_VERSION))
    }

    /// The file it stands in.
    pub(crate) fn bytes(&self) -> &Arc<TiffBytes> {
        &self.bytes
    }

    /// Whether the tag is there.
    pub(crate) fn has(&self, tag: Tag) -> bool {
        self.entries.contains_key(&tag.0)
    }

    /// Bytes of the tag's value; 0 if it is absent or of an unknown type.
    pub(crate) fn value_bytes(&self, tag: Tag) -> u64 {
        self.entries.get(&tag.0).map_or(0, |entry| entry.count.saturating_mul(entry.item_bytes()))
    }

    /// The tag's value as it stands in the file.
    pub(crate) fn raw(&self, tag: Tag) -> Result<Option<Vec<u8>>, SlideError> {
        let Some(entry) = self.entries.get(&tag.0) else { return Ok(None) };
        let n_bytes = self.value_bytes(tag);
        SlideError::check_limit(tag.1, n_bytes, MAX_TEXT_BYTES)?;
        self.read_value(entry, n_bytes).map(Some)
    }

    /// The tag's value, to be read later; `None` if the tag is absent.
    pub(crate) fn blob(&self, tag: Tag) -> Option<Blob> {
        let entry = self.entries.get(&tag.0)?;
        let length = self.value_bytes(tag);
        if length <= self.bytes.word_bytes() as u64 {
            return self.read_value(entry, length).ok().map(|bytes| Blob::Held(bytes.into()));
        }
        let offset = self.offset_of(entry);
        Some(Blob::Stored { file: Arc::clone(&self.bytes.file), offset, length })
    }

    /// The first `n_items` of an array of offsets or sizes, fewer if the array is shorter.
    pub(crate) fn array(
        &self,
        tag: Tag,
        n_items: u64,
    ) -> Result<Option<UnsignedArray>, SlideError> {
        let Some(entry) = self.entries.get(&tag.0) else { return Ok(None) };
        let item_bytes = entry.unsigned_bytes(tag)?;
        let n_bytes = entry.count.min(n_items).saturating_mul(item_bytes);
        if entry.count == 1 && self.bytes.layout == Layout::LargeNdpi && entry.kind == LONG {
            let raw = entry.field.to_vec();
            return Ok(Some(UnsignedArray { raw, item_bytes: 8, order: self.bytes.order }));
        }
        let is_inline = self.value_bytes(tag) <= self.bytes.word_bytes() as u64;
        let raw = if is_inline {
            entry.field.iter().take(to_usize(n_bytes)).copied().collect()
        } else {
            self.bytes.file.read(self.offset_of(entry), n_bytes)?
        };
        Ok(Some(UnsignedArray { raw, item_bytes: to_usize(item_bytes), order: self.bytes.order }))
    }

    /// The first whole number of the tag, with its sign; `None` if it is absent or unreadable.
    pub(crate) fn integer(&self, tag: Tag) -> Option<i64> {
        const SIGNED_LONG: u16 = 9;
        let entry = self.entries.get(&tag.0)?;
        if entry.kind == SIGNED_LONG {
            let raw = self.raw(tag).ok()??;
            return Some(self.bytes.order.u32(&raw)?.cast_signed().into());
        }
        self.unsigned(tag).ok()??.try_into().ok()
    }

    /// Every number of a short list, such as the bits of each sample.
    pub(crate) fn unsigneds(&self, tag: Tag) -> Result<Vec<u64>, SlideError> {
        let Some(entry) = self.entries.get(&tag.0) else { return Ok(Vec::new()) };
        let item_bytes = to_usize(entry.unsigned_bytes(tag)?);
        let raw = self.raw(tag)?.unwrap_or_default();
        Ok(raw
            .chunks_exact(item_bytes)
            .filter_map(|item| self.bytes.order.unsigned(item))
            .collect())
    }

    /// The first number of the tag, if the tag is there.
    pub(crate) fn unsigned(&self, tag: Tag) -> Result<Option<u64>, SlideError> {
        Ok(self.array(tag, 1)?.and_then(|array| array.get(0)))
    }

    /// A number that must be there.
    pub(crate) fn required(&self, tag: Tag) -> Result<u64, SlideError> {
        self.unsigned(tag)?
            .ok_or_else(|| SlideError::malformed("TIFF", format!("the tag {} is missing", tag.1)))
    }

    /// A text up to its terminator, other control bytes as spaces; Latin-1 where it is not UTF-8. `None` if it is
    /// absent or unreadable: a slide is not refused for its words.
    pub(crate) fn text(&self, tag: Tag) -> Option<String> {
        const ASCII: u16 = 2;
        const UNDEFINED: u16 = 7;
        let entry = self.entries.get(&tag.0)?;
        if ![1, ASCII, UNDEFINED].contains(&entry.kind) {
            return None;
        }
        let raw = self.raw(tag).ok()??;
        let length = raw.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let raw: Vec<u8> =
            raw.iter().take(length).map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
        Some(String::from_utf8(raw).unwrap_or_else(|error| {
            error.as_bytes().iter().map(|&byte| char::from(byte)).collect()
        }))
    }

    /// The first rational, floating or whole number of the tag; `None` if it is absent, unreadable or not finite.
    pub(crate) fn real(&self, tag: Tag) -> Option<f64> {
        const RATIONAL: u16 = 5;
        const FLOAT: u16 = 11;
        const DOUBLE: u16 = 12;
        let raw = self.raw(tag).ok()??;
        let order = self.bytes.order;
        let value = match self.entries.get(&tag.0)?.kind {
            RATIONAL => f64::from(order.u32(&raw)?) / f64::from(order.u32(raw.get(4..)?)?),
            FLOAT => f64::from(f32::from_bits(order.u32(&raw)?)),
            DOUBLE => f64::from_bits(order.u64(&raw)?),
            _ => f64::from(u32::try_from(self.unsigned(tag).ok()??).ok()?),
        };
        value.is_finite().then_some(value)
    }

    /// The directories that the tag `SubIFDs` points to; those that cannot be read are left out.
    pub(crate) fn children(&self) -> Vec<Self> {
        let offsets = self.unsigneds(SUB_IFDS).unwrap_or_default();
        let read = |&offset: &u64| match Self::read(&self.bytes, offset) {
            Ok(read) => Some(read.directory),
            Err(error) => {
                tracing::warn!("a sub-directory was left out: {error}");
                None
            }
        };
        offsets.iter().take(MAX_DIRECTORIES).filter_map(read).collect()
    }

    fn read_value(&self, entry: &Entry, n_bytes: u64) -> Result<Vec<u8>, SlideError> {
        if n_bytes <= self.bytes.word_bytes() as u64 {
            return Ok(entry.field.iter().take(to_usize(n_bytes)).copied().collect());
        }
        self.bytes.file.read(self.offset_of(entry), n_bytes)
    }

    fn offset_of(&self, entry: &Entry) -> u64 {
        let field = entry.field.get(..self.bytes.link_bytes()).unwrap_or_default();
        self.bytes.order.unsigned(field).unwrap_or(0)
    }
}

impl Entry {
    fn parse(
        row: &[u8],
        high: Option<&[u8]>,
        order: ByteOrder,
        word_bytes: usize,
    ) -> Option<(u16, Self)> {
        let tag = order.u16(row)?;
        let kind = order.u16(row.get(2..)?)?;
        let count = order.unsigned(row.get(4..4 + word_bytes)?)?;
        let mut field = [0; 8];
        field.get_mut(..word_bytes)?.copy_from_slice(row.get(4 + word_bytes..)?);
        if let Some(high) = high {
            field.get_mut(word_bytes..)?.copy_from_slice(high);
        }
        Some((tag, Self { kind, count, field }))
    }

    /// Bytes of one item of the entry's type, 0 for types no specification names.
    fn item_bytes(&self) -> u64 {
        match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 0,
        }
    }

    /// [`Self::item_bytes`] of the unsigned types: BYTE, SHORT, LONG, IFD, LONG8, IFD8.
    fn unsigned_bytes(&self, tag: Tag) -> Result<u64, SlideError> {
        if [1, 3, 4, 13, 16, 18].contains(&self.kind) {
            return Ok(self.item_bytes());
        }
        let problem =
            format!("the tag {} has type {}, an unsigned integer was expected", tag.1, self.kind);
        Err(SlideError::malformed("TIFF", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_counted_together() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = Arc::new(SlideFile::open(file.path()).unwrap());
        let bytes = TiffBytes::new(&file, ByteOrder::Little, Layout::Classic);
        assert!(bytes.count_entries(MAX_ENTRIES + 1).is_err());
        for _ in 0..MAX_ALL_ENTRIES / MAX_ENTRIES {
            bytes.count_entries(MAX_ENTRIES).unwrap();
        }
        assert!(bytes.count_entries(1).is_err());
    }
}
