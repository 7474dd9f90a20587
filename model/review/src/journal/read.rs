//! From the bytes of a journal to the review that it leads to.

use super::{FORMAT, Header, JournalError};
use crate::{Deed, Entry, Review};

/// What a journal says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) review: Review,
    /// Bytes of the lines that were read; what follows is torn.
    pub(super) sound_bytes: usize,
    /// The window that wrote last was not closed in good order.
    pub(super) has_crashed: bool,
}

/// Reads all lines. A last line that is cut short or cannot be read is left out.
///
/// # Errors
/// If the first line names another slide or is none, or if a line before the last is damaged.
pub(super) fn read(bytes: &[u8], expected: &Header) -> Result<Read, JournalError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    check_header(first, expected)?;
    let mut read = Read { review: Review::default(), sound_bytes: first.len(), has_crashed: false };
    let mut lines = lines.enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        match take_line(&mut read.review, line) {
            Ok(entry) => {
                read.sound_bytes += line.len();
                read.has_crashed = match entry.did {
                    Deed::Closed => false,
                    Deed::Opened(_) => true,
                    _ => read.has_crashed,
                };
            }
            Err(_) if is_last => break,
            Err(reason) => return Err(JournalError::Line { line: index + 2, reason }),
        }
    }
    Ok(read)
}

fn check_header(line: &[u8], expected: &Header) -> Result<(), JournalError> {
    let header: Header =
        serde_json::from_slice(line).map_err(|error| JournalError::Header(error.to_string()))?;
    if header.slidelight_journal != FORMAT {
        let found = header.slidelight_journal;
        return Err(JournalError::Header(format!("found format {found}")));
    }
    if header.slide != expected.slide {
        let (expected, found) = (expected.slide.clone(), header.slide);
        return Err(JournalError::OtherSlide { expected, found });
    }
    Ok(())
}

fn take_line(review: &mut Review, line: &[u8]) -> Result<Entry, String> {
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err("it is cut short".to_owned());
    };
    let entry: Entry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    review.take(&entry).map_err(|error| error.to_string())?;
    Ok(entry)
}
