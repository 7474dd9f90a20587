//! One image file directory: its entries, and their values read on demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::byte_order::ByteOrder;
use super::tags::{SUB_IFDS, Tag};
use crate::SlideError;
use crate::file::{Blob, SlideFile};
use crate::limits::{MAX_DIRECTORIES, MAX_ENTRIES, MAX_TEXT_BYTES};
use crate::number::to_usize;

/// What every directory of a file needs to read itself.
#[derive(Debug)]
pub(crate) struct TiffBytes {
    /// The file.
    pub(crate) file: Arc<SlideFile>,
    /// Its byte order.
    pub(crate) order: ByteOrder,
    /// BigTIFF: 64-bit offsets and counts.
    pub(crate) is_big: bool,
}

impl TiffBytes {
    /// Bytes of an offset, which is also what an entry holds inline.
    fn offset_bytes(&self) -> usize {
        if self.is_big { 8 } else { 4 }
    }
}

/// The entries of a directory by tag. Values longer than an offset stay in the file until asked for.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    bytes: Arc<TiffBytes>,
    entries: BTreeMap<u16, Entry>,
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
    /// Reads the entries at `offset`; returns them, their raw bytes, and the offset of the next directory.
    pub(crate) fn read(
        bytes: &Arc<TiffBytes>,
        offset: u64,
    ) -> Result<(Self, Vec<u8>, u64), SlideError> {
        let order = bytes.order;
        let count_bytes: usize = if bytes.is_big { 8 } else { 2 };
        let head = bytes.file.read(offset, count_bytes as u64)?;
        let n_entries = order.unsigned(&head).unwrap_or(0);
        SlideError::check_limit(
            "the number of entries of a TIFF directory",
            n_entries,
            MAX_ENTRIES,
        )?;
        let offset_bytes = bytes.offset_bytes();
        let entry_bytes = 4 + 2 * offset_bytes;
        let table_bytes = to_usize(n_entries) * entry_bytes;
        let start = offset.saturating_add(count_bytes as u64);
        let table = bytes.file.read(start, (table_bytes + offset_bytes) as u64)?;
        let (rows, next) = table.split_at_checked(table_bytes).unwrap_or((&table, &[]));
        let entries = rows
            .chunks_exact(entry_bytes)
            .filter_map(|row| Entry::parse(row, order, offset_bytes))
            .collect();
        let next = order.unsigned(next).unwrap_or(0);
        Ok((Self { bytes: Arc::clone(bytes), entries }, table, next))
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
        if length <= self.bytes.offset_bytes() as u64 {
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
        let is_inline = self.value_bytes(tag) <= self.bytes.offset_bytes() as u64;
        let raw = if is_inline {
            entry.field.iter().take(to_usize(n_bytes)).copied().collect()
        } else {
            self.bytes.file.read(self.offset_of(entry), n_bytes)?
        };
        Ok(Some(UnsignedArray { raw, item_bytes: to_usize(item_bytes), order: self.bytes.order }))
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
            Ok((directory, ..)) => Some(directory),
            Err(error) => {
                tracing::warn!("a sub-directory was left out: {error}");
                None
            }
        };
        offsets.iter().take(MAX_DIRECTORIES).filter_map(read).collect()
    }

    fn read_value(&self, entry: &Entry, n_bytes: u64) -> Result<Vec<u8>, SlideError> {
        if n_bytes <= self.bytes.offset_bytes() as u64 {
            return Ok(entry.field.iter().take(to_usize(n_bytes)).copied().collect());
        }
        self.bytes.file.read(self.offset_of(entry), n_bytes)
    }

    fn offset_of(&self, entry: &Entry) -> u64 {
        let field = entry.field.get(..self.bytes.offset_bytes()).unwrap_or_default();
        self.bytes.order.unsigned(field).unwrap_or(0)
    }
}

impl Entry {
    fn parse(row: &[u8], order: ByteOrder, offset_bytes: usize) -> Option<(u16, Self)> {
        let tag = order.u16(row)?;
        let kind = order.u16(row.get(2..)?)?;
        let count = order.unsigned(row.get(4..4 + offset_bytes)?)?;
        let mut field = [0; 8];
        field.get_mut(..offset_bytes)?.copy_from_slice(row.get(4 + offset_bytes..)?);
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
