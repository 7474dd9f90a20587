//! Where each frame's bytes are (PS3.5 annex A.4): side by side, or in fragments that an offset table may point to.

use std::sync::{Arc, OnceLock};

use super::parser::PixelBytes;
use super::{DicomFile, tags};
use crate::SlideError;
use crate::file::{Blob, SlideFile};
use crate::limits::{MAX_TILE_BYTES, MAX_TILES};
use crate::number::to_usize;

const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const ITEM_HEADER: u64 = 8;
/// How a JPEG stream and a JPEG 2000 codestream begin: fragments that begin so begin a frame.
const STREAM_STARTS: [[u8; 2]; 2] = [[0xFF, 0xD8], [0xFF, 0x4F]];

/// The frames of one file.
#[derive(Debug)]
pub(super) struct Frames {
    file: Arc<SlideFile>,
    pixels: PixelBytes,
    /// Bytes of a native frame.
    native_bytes: u64,
    n_frames: u64,
    extended: Option<[Blob; 2]>,
    /// Where the fragments of each frame begin and end; found at the first read.
    spans: OnceLock<Vec<(u64, u64)>>,
}

impl Frames {
    /// `native_bytes` is the length of a frame that is not compressed.
    pub(super) fn new(dicom: &DicomFile, native_bytes: u64) -> Result<Self, SlideError> {
        let pixels = dicom
            .pixels
            .ok_or_else(|| SlideError::malformed("DICOM", "the file holds no pixel data"))?;
        let blob = |tag| dicom.data.blob(tag, &dicom.file);
        let extended = blob(tags::OFFSET_TABLE).zip(blob(tags::OFFSET_TABLE_LENGTHS));
        Ok(Self {
            file: Arc::clone(&dicom.file),
            pixels,
            native_bytes,
            n_frames: dicom.data.unsigned(tags::N_FRAMES).unwrap_or(1).min(MAX_TILES),
            extended: extended.map(|(offsets, lengths)| [offsets, lengths]),
            spans: OnceLock::new(),
        })
    }

    /// How many frames the file says it holds.
    pub(super) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// The bytes of one frame, its fragments joined.
    pub(super) fn read(&self, frame: u64) -> Result<Vec<u8>, SlideError> {
        match self.pixels {
            PixelBytes::Native { offset, length } => {
                let start = frame.saturating_mul(self.native_bytes);
                if length < start.saturating_add(self.native_bytes) {
                    return Err(missing(frame));
                }
                SlideError::check_limit("the bytes of a frame", self.native_bytes, MAX_TILE_BYTES)?;
                self.file.read(offset.saturating_add(start), self.native_bytes)
            }
            PixelBytes::Encapsulated { offset } => {
                let spans = self.spans.get_or_init(|| self.find_spans(offset));
                let &(start, end) = spans.get(to_usize(frame)).ok_or_else(|| missing(frame))?;
                let length = end.saturating_sub(start);
                SlideError::check_limit("the bytes of a frame", length, MAX_TILE_BYTES)?;
                joined(self.file.read(start, length)?)
            }
        }
    }

    /// By the extended offset table, else by the basic one, else by walking from fragment to fragment.
    fn find_spans(&self, offset: u64) -> Vec<(u64, u64)> {
        let Some((table_start, table_length)) = self.fragment(offset) else { return Vec::new() };
        let first = table_start.saturating_add(table_length);
        self.extended_spans(first)
            .or_else(|| self.basic_spans(table_start, table_length, first))
            .unwrap_or_else(|| self.walked_spans(first))
    }

    fn extended_spans(&self, first: u64) -> Option<Vec<(u64, u64)>> {
        let [offsets, lengths] = self.extended.as_ref()?;
        let (offsets, lengths) = (offsets.read().ok()?, lengths.read().ok()?);
        let (offsets, lengths) = (offsets.as_chunks().0, lengths.as_chunks().0);
        let is_complete = offsets.len() as u64 == self.n_frames && offsets.len() == lengths.len();
        let pairs = offsets.iter().zip(lengths);
        is_complete.then(|| {
            pairs
                .map(|(&offset, &length)| {
                    let start = first.saturating_add(u64::from_le_bytes(offset));
                    let end = start.saturating_add(u64::from_le_bytes(length));
                    (start, end.saturating_add(ITEM_HEADER))
                })
                .collect()
        })
    }

    fn basic_spans(&self, at: u64, length: u64, first: u64) -> Option<Vec<(u64, u64)>> {
        if length == 0 || length / 4 != self.n_frames {
            return None;
        }
        let table = self.file.read(at, length).ok()?;
        let offsets = table.as_chunks().0.iter().map(|&offset| u32::from_le_bytes(offset).into());
        let starts: Vec<u64> = offsets.map(|offset: u64| first.saturating_add(offset)).collect();
        if !starts.is_sorted_by(|a, b| a < b) || starts.first() != Some(&first) {
            return None;
        }
        let mut end = *starts.last()?;
        while let Some((start, length)) = self.fragment(end) {
            end = start.saturating_add(length);
        }
        let ends = starts.iter().skip(1).copied().chain([end]);
        Some(starts.iter().copied().zip(ends).collect())
    }

    fn walked_spans(&self, first: u64) -> Vec<(u64, u64)> {
        let mut fragments: Vec<(u64, u64)> = Vec::new();
        let mut at = first;
        while let Some((start, length)) = self.fragment(at) {
            let end = start.saturating_add(length);
            fragments.push((at, end));
            if MAX_TILES <= fragments.len() as u64 {
                break;
            }
            at = end;
        }
        if self.n_frames == 1 {
            let end = fragments.last().map(|&(_, end)| end);
            return end.map(|end| (first, end)).into_iter().collect();
        }
        if fragments.len() as u64 <= self.n_frames {
            return fragments;
        }
        self.grouped(&fragments)
    }

    /// Fragments up to the next one that begins like a stream belong together.
    fn grouped(&self, fragments: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for &(start, end) in fragments {
            let mut head = [0; 2];
            let at = start.saturating_add(ITEM_HEADER);
            let is_start =
                self.file.read_up_to(at, &mut head).is_ok() && STREAM_STARTS.contains(&head);
            match spans.last_mut() {
                Some(last) if !is_start => last.1 = end,
                _ => spans.push((start, end)),
            }
        }
        spans
    }

    /// Where the value of the item at `at` begins and how long it is; `None` where there is no whole item header.
    fn fragment(&self, at: u64) -> Option<(u64, u64)> {
        let header = self.file.read(at, ITEM_HEADER).ok()?;
        let (tag, length) = header.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        (*tag == ITEM && length != u32::MAX).then_some((at + ITEM_HEADER, length.into()))
    }
}

/// The values of a run of items.
fn joined(items: Vec<u8>) -> Result<Vec<u8>, SlideError> {
    let mut joined = Vec::with_capacity(items.len());
    let mut rest = items.as_slice();
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let [t0, t1, t2, t3, length @ ..] = *header;
        let length = to_usize(u32::from_le_bytes(length));
        let Some((value, following)) =
            after.split_at_checked(length).filter(|_| [t0, t1, t2, t3] == ITEM)
        else {
            return Err(SlideError::malformed("DICOM", "a frame's fragments are broken"));
        };
        joined.extend_from_slice(value);
        rest = following;
    }
    Ok(joined)
}

fn missing(frame: u64) -> SlideError {
    SlideError::malformed("DICOM", format!("frame {frame} is not in the file"))
}
