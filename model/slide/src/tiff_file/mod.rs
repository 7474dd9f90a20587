//! TIFF and BigTIFF as containers: directories first, values and tiles only when asked for.
//!
//! Written for slides of 100,000 pixels a side and hostile files alike: an array of 150,000 tile offsets is one read,
//! every product is checked, every offset is compared with the file's length before anything is allocated.

mod byte_order;
mod directory;
mod image;
mod plane;
mod restart_tiles;
mod sample_kind;
mod samples;
pub(crate) mod tags;

use std::collections::HashSet;
use std::sync::Arc;

pub(crate) use byte_order::ByteOrder;
pub(crate) use directory::Directory;
use directory::{Layout, TiffBytes};
pub(crate) use image::TiffImage;
pub(crate) use plane::TiffPlane;
pub(crate) use restart_tiles::RestartTiles;

use crate::SlideError;
use crate::file::SlideFile;
use crate::limits::MAX_DIRECTORIES;

/// The chain of directories of one file.
#[derive(Debug)]
pub(crate) struct TiffFile {
    first: Directory,
    /// In the order of the file; never empty.
    pub(crate) directories: Vec<Directory>,
    /// The entry tables as they stand in the file: part of the slide's identity.
    pub(crate) tables: Vec<u8>,
}

impl TiffFile {
    /// Reads the chain of directories; `None` if the file does not begin like a TIFF.
    ///
    /// A chain that loops or breaks off after its first directory ends there: the slide is worth more than the lost
    /// label.
    pub(crate) fn open(file: &Arc<SlideFile>) -> Result<Option<Self>, SlideError> {
        let mut head = [0; 16];
        let n_read = file.read_up_to(0, &mut head)?;
        let Some((bytes, offset)) = parse_header(file, head.get(..n_read).unwrap_or_default())
        else {
            return Ok(None);
        };
        let first = Directory::read(&Arc::new(bytes), offset)?;
        let mut tiff = Self {
            directories: vec![first.directory.clone()],
            first: first.directory,
            tables: first.table,
        };
        tiff.follow(offset, first.next);
        Ok(Some(tiff))
    }

    /// The first directory.
    pub(crate) fn first(&self) -> &Directory {
        &self.first
    }

    fn follow(&mut self, first: u64, mut next: u64) {
        let bytes = Arc::clone(self.first.bytes());
        let mut seen = HashSet::from([first]);
        while next != 0 && self.directories.len() < MAX_DIRECTORIES {
            if !seen.insert(next) {
                tracing::warn!("the TIFF directories form a loop; it was cut");
                return;
            }
            match Directory::read(&bytes, next) {
                Ok(read) => {
                    self.directories.push(read.directory);
                    self.tables.extend(read.table);
                    next = read.next;
                }
                Err(error) => {
                    tracing::warn!(
                        "the TIFF directories after number {} are lost: {error}",
                        seen.len()
                    );
                    return;
                }
            }
        }
    }
}

/// Byte order and offset of the first directory, or `None` if this is no TIFF.
fn parse_header(file: &Arc<SlideFile>, head: &[u8]) -> Option<(TiffBytes, u64)> {
    const CLASSIC: u16 = 42;
    const BIG: u16 = 43;
    let order = match head.get(..2)? {
        b"II" => ByteOrder::Little,
        b"MM" => ByteOrder::Big,
        _ => return None,
    };
    let version = order.u16(head.get(2..)?)?;
    let (layout, first) = match version {
        CLASSIC => {
            let first = u64::from(order.u32(head.get(4..)?)?);
            match order.u64(head.get(4..)?) {
                Some(wide) if Directory::is_large_ndpi(file, order, wide) => {
                    (Layout::LargeNdpi, wide)
                }
                _ => (Layout::Classic, first),
            }
        }
        BIG if order.u16(head.get(4..)?)? == 8 => (Layout::Big, order.u64(head.get(8..)?)?),
        _ => return None,
    };
    Some((TiffBytes::new(file, order, layout), first))
}
