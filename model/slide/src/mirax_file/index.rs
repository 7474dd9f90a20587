//! `Index.dat`: pages of records that say in which data file, where and how long each picture is.
//!
//! Version and slide number as text, then two pointers: to a table of the zoom levels and to a table of everything else.
//! All numbers are 32-bit, little endian.

use std::collections::HashSet;
use std::sync::Arc;

use crate::SlideError;
use crate::file::SlideFile;
use crate::limits::MAX_TILES;

const VERSION: &[u8] = b"01.02";

/// Where a picture or table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Number of the data file.
    pub(crate) file: u32,
    /// First byte in it.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
}

/// The open index.
#[derive(Debug)]
pub(crate) struct Index {
    file: Arc<SlideFile>,
    /// Where the two pointers are.
    roots: u64,
}

impl Index {
    /// Checks that the index belongs to the slide.
    pub(crate) fn open(file: Arc<SlideFile>, slide_id: &str) -> Result<Self, SlideError> {
        let roots = (VERSION.len() + slide_id.len()) as u64;
        let head = file.read(0, roots)?;
        match head.strip_prefix(VERSION) {
            Some(id) if id == slide_id.as_bytes() => Ok(Self { file, roots }),
            Some(_) => Err(malformed("it belongs to another slide")),
            None => Err(malformed("it begins with another version than 01.02")),
        }
    }

    /// The pictures of a zoom level with their numbers.
    pub(crate) fn pictures(&self, level: u64) -> Result<Vec<(u32, Record)>, SlideError> {
        let table = self.pointer(self.roots)?;
        let list = self.pointer(table.saturating_add(4 * level))?;
        let mut page = self.pointer(list.saturating_add(4))?;
        let mut pictures = Vec::new();
        let mut seen = HashSet::new();
        while page != 0 {
            if !seen.insert(page) {
                return Err(malformed("its pages form a loop"));
            }
            let length = self.pointer(page)?;
            let next = self.pointer(page.saturating_add(4))?;
            let total = length.saturating_add(pictures.len() as u64);
            SlideError::check_limit("the number of tiles of a level", total, MAX_TILES)?;
            let records = self.file.read(page.saturating_add(8), length * 16)?;
            pictures.extend(records.as_chunks().0.iter().map(|record| numbered(*record)));
            page = next;
        }
        Ok(pictures)
    }

    /// Record number `number` of everything else; `None` where nothing is stored.
    pub(crate) fn other(&self, number: u64) -> Result<Option<Record>, SlideError> {
        let table = self.pointer(self.roots.saturating_add(4))?;
        let list = self.pointer(table.saturating_add(4 * number))?;
        let page = self.pointer(list.saturating_add(4))?;
        if page == 0 || self.pointer(page)? == 0 {
            return Ok(None);
        }
        let bytes = self.file.read(page.saturating_add(16), 12)?;
        let [offset, length, file] = words(&bytes)?;
        Ok(Some(Record { file, offset: offset.into(), length: length.into() }))
    }

    fn pointer(&self, at: u64) -> Result<u64, SlideError> {
        let [word] = words(&self.file.read(at, 4)?)?;
        Ok(word.into())
    }
}

fn numbered(record: [u8; 16]) -> (u32, Record) {
    let [n0, n1, n2, n3, o0, o1, o2, o3, l0, l1, l2, l3, f0, f1, f2, f3] = record;
    let record = Record {
        file: u32::from_le_bytes([f0, f1, f2, f3]),
        offset: u32::from_le_bytes([o0, o1, o2, o3]).into(),
        length: u32::from_le_bytes([l0, l1, l2, l3]).into(),
    };
    (u32::from_le_bytes([n0, n1, n2, n3]), record)
}

fn words<const N: usize>(bytes: &[u8]) -> Result<[u32; N], SlideError> {
    let words: Vec<u32> =
        bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    words.try_into().map_err(|_too_few| malformed("a record is cut short"))
}

fn malformed(problem: &str) -> SlideError {
    SlideError::malformed("MIRAX", format!("Index.dat: {problem}"))
}
