//! Element by element through a DICOM file (PS3.5 section 7 and annex A), up to its pixel data.
//!
//! Written by hand because the file cannot be trusted: nothing is allocated by a stated length, long values are skipped,
//! nesting and numbers of elements are limited, and the groups of 100,000 frames leave only their positions behind.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};

use super::data_set::{DataSet, Element, SHORT_VALUE, Value};
use super::{dictionary, tags};
use crate::SlideError;
use crate::file::{FileStream, SlideFile};
use crate::number::to_usize;

const MAX_DEPTH: usize = 16;
const MAX_ELEMENTS: u64 = 20_000;

const ITEM: u32 = 0xFFFE_E000;
const ITEM_END: u32 = 0xFFFE_E00D;
const SEQUENCE_END: u32 = 0xFFFE_E0DD;
/// The length of what ends with a delimiter.
const UNDEFINED: u32 = u32::MAX;

/// A cursor over a file.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    stream: BufReader<FileStream<'a>>,
    position: u64,
    file_length: u64,
    /// Value representations are left out.
    pub(super) is_implicit: bool,
    n_elements: u64,
}

/// What stands before a value.
#[derive(Clone, Copy, Debug)]
struct Header {
    tag: u32,
    vr: [u8; 2],
    /// `None` if undefined.
    length: Option<u64>,
}

/// Pixels as the headers leave them.
#[derive(Clone, Copy, Debug)]
pub(super) enum PixelBytes {
    /// Frame after frame.
    Native {
        /// Where the first begins.
        offset: u64,
        /// Bytes of all.
        length: u64,
    },
    /// Fragments, each with an item header.
    Encapsulated {
        /// Where the first item header begins, that of the offset table.
        offset: u64,
    },
}

impl<'a> Parser<'a> {
    /// Begins at `position`.
    pub(super) fn new(file: &'a SlideFile, position: u64) -> Result<Self, SlideError> {
        let mut parser = Self {
            stream: BufReader::with_capacity(32 << 10, FileStream::new(file)),
            position: 0,
            file_length: file.length(),
            is_implicit: false,
            n_elements: 0,
        };
        parser.skip(position)?;
        Ok(parser)
    }

    /// The elements of group 2, which are always explicit.
    pub(super) fn file_meta(&mut self) -> Result<DataSet, SlideError> {
        let mut found = DataSet::default();
        while self.next_group()? == Some(2) {
            let header = self.header()?;
            let value = self.value(header, 0)?;
            found.elements.insert(header.tag, Element { vr: header.vr, value });
        }
        Ok(found)
    }

    /// The top-level elements with tags below `end`; `frame` is called for each item of the per-frame groups.
    pub(super) fn elements(
        &mut self,
        end: u32,
        mut frame: impl FnMut(DataSet) -> Result<(), SlideError>,
    ) -> Result<(DataSet, Option<PixelBytes>), SlideError> {
        let mut elements = BTreeMap::new();
        while self.next_tag()?.is_some_and(|tag| tag < end) {
            let header = self.header()?;
            let value = match (header.tag, header.length) {
                (tags::PIXEL_DATA, None) => {
                    let bytes = PixelBytes::Encapsulated { offset: self.position };
                    return Ok((DataSet { elements }, Some(bytes)));
                }
                (tags::PIXEL_DATA, Some(length)) => {
                    let bytes = PixelBytes::Native { offset: self.position, length };
                    return Ok((DataSet { elements }, Some(bytes)));
                }
                (tags::PER_FRAME_GROUPS, length) => {
                    self.items(length, 1, |parser, item| {
                        parser.n_elements = 0;
                        frame(item)
                    })?;
                    continue;
                }
                _ => self.value(header, 0)?,
            };
            elements.insert(header.tag, Element { vr: header.vr, value });
        }
        Ok((DataSet { elements }, None))
    }

    fn value(&mut self, header: Header, depth: usize) -> Result<Value, SlideError> {
        self.n_elements += 1;
        SlideError::check_limit("the number of DICOM elements", self.n_elements, MAX_ELEMENTS)?;
        match header.length {
            _ if &header.vr == b"SQ" => {}
            None => {}
            Some(length) if length <= SHORT_VALUE => {
                return self.bytes(length).map(Value::Short);
            }
            Some(length) => {
                let offset = self.position;
                self.skip(length)?;
                return Ok(Value::Stored { offset, length });
            }
        }
        let mut items = Vec::new();
        self.items(header.length, depth + 1, |_, item| {
            items.push(item);
            Ok(())
        })?;
        Ok(Value::Items(items))
    }

    fn items(
        &mut self,
        length: Option<u64>,
        depth: usize,
        mut take: impl FnMut(&mut Self, DataSet) -> Result<(), SlideError>,
    ) -> Result<(), SlideError> {
        if MAX_DEPTH < depth {
            return Err(malformed("sequences are nested too deeply"));
        }
        let end = self.end_of(length)?;
        while self.position < end {
            let header = self.header()?;
            match header.tag {
                ITEM => {
                    let item = self.item(header.length, depth)?;
                    take(self, item)?;
                }
                SEQUENCE_END => return Ok(()),
                tag => return Err(malformed(format!("an item was expected, {tag:08X} found"))),
            }
        }
        Ok(())
    }

    fn item(&mut self, length: Option<u64>, depth: usize) -> Result<DataSet, SlideError> {
        let end = self.end_of(length)?;
        let mut found = DataSet::default();
        while self.position < end {
            let header = self.header()?;
            if header.tag == ITEM_END {
                break;
            }
            let value = self.value(header, depth)?;
            found.elements.insert(header.tag, Element { vr: header.vr, value });
        }
        Ok(found)
    }

    fn header(&mut self) -> Result<Header, SlideError> {
        let tag = self.tag()?;
        if tag >> 16 == 0xFFFE || self.is_implicit {
            let length = u32::from_le_bytes(self.array()?);
            return Ok(Header {
                tag,
                vr: dictionary::representation(tag),
                length: defined(length),
            });
        }
        let vr = self.array::<2>()?;
        let is_long = matches!(
            &vr,
            b"OB"
                | b"OD"
                | b"OF"
                | b"OL"
                | b"OV"
                | b"OW"
                | b"SQ"
                | b"SV"
                | b"UC"
                | b"UN"
                | b"UR"
                | b"UT"
                | b"UV"
        );
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(malformed(format!("element {tag:08X} has no value representation")));
        }
        if is_long {
            let [_, _, length @ ..] = self.array::<6>()?;
            return Ok(Header { tag, vr, length: defined(u32::from_le_bytes(length)) });
        }
        let length = u16::from_le_bytes(self.array()?);
        Ok(Header { tag, vr, length: Some(length.into()) })
    }

    fn tag(&mut self) -> Result<u32, SlideError> {
        let [a, b, c, d] = self.array()?;
        Ok(u32::from(u16::from_le_bytes([a, b])) << 16 | u32::from(u16::from_le_bytes([c, d])))
    }

    /// The tag that comes next; `None` at the end of the file.
    fn next_tag(&mut self) -> Result<Option<u32>, SlideError> {
        if self.file_length.saturating_sub(self.position) < 8 {
            return Ok(None);
        }
        let tag = self.tag()?;
        self.stream.seek_relative(-4)?;
        self.position -= 4;
        Ok(Some(tag))
    }

    fn next_group(&mut self) -> Result<Option<u32>, SlideError> {
        Ok(self.next_tag()?.map(|tag| tag >> 16))
    }

    fn end_of(&self, length: Option<u64>) -> Result<u64, SlideError> {
        let Some(length) = length else { return Ok(u64::MAX) };
        self.check(length)?;
        Ok(self.position + length)
    }

    fn check(&self, length: u64) -> Result<(), SlideError> {
        let found = self.file_length.saturating_sub(self.position);
        if found < length {
            return Err(SlideError::Truncated { offset: self.position, expected: length, found });
        }
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), SlideError> {
        self.check(length)?;
        let step = i64::try_from(length).map_err(|_too_long| malformed("an absurd length"))?;
        self.stream.seek_relative(step)?;
        self.position += length;
        Ok(())
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, SlideError> {
        self.check(length)?;
        let mut bytes = vec![0; to_usize(length)];
        self.stream.read_exact(&mut bytes)?;
        self.position += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SlideError> {
        self.check(N as u64)?;
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }
}

fn defined(length: u32) -> Option<u64> {
    (length != UNDEFINED).then_some(length.into())
}

fn malformed(problem: impl Into<String>) -> SlideError {
    SlideError::malformed("DICOM", problem)
}
