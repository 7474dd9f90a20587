//! A parsed data set: elements by tag, nested as in the file (PS3.5 section 7).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dictionary;
use crate::file::{Blob, SlideFile};

/// Values up to this length are read with the headers, longer ones only when asked for.
pub(super) const SHORT_VALUE: u64 = 1024;

/// Elements by tag.
#[derive(Debug, Default)]
pub(crate) struct DataSet {
    pub(super) elements: BTreeMap<u32, Element>,
}

/// One element.
#[derive(Debug)]
pub(super) struct Element {
    /// Value representation, two letters.
    pub(super) vr: [u8; 2],
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// As it stands in the file, little endian.
    Short(Vec<u8>),
    /// Longer than [`SHORT_VALUE`].
    Stored {
        /// Where it begins.
        offset: u64,
        /// Its bytes.
        length: u64,
    },
    /// The items of a sequence.
    Items(Vec<DataSet>),
}

impl DataSet {
    /// Whether the element is there.
    pub(crate) fn has(&self, tag: u32) -> bool {
        self.elements.contains_key(&tag)
    }

    /// The values of a text element; empty if it is absent.
    pub(crate) fn texts(&self, tag: u32) -> Vec<String> {
        self.elements.get(&tag).map(Element::texts).unwrap_or_default()
    }

    /// The first value as text; `None` if it is absent or empty.
    pub(crate) fn text(&self, tag: u32) -> Option<String> {
        self.texts(tag).into_iter().next().filter(|text| !text.is_empty())
    }

    /// The first value as a whole number, whether it is stored as text or binary.
    pub(crate) fn unsigned(&self, tag: u32) -> Option<u64> {
        self.text(tag)?.parse().ok()
    }

    /// All values as finite numbers.
    pub(crate) fn reals(&self, tag: u32) -> Vec<f64> {
        let numbers = self.texts(tag).into_iter().filter_map(|text| text.parse().ok());
        numbers.filter(|number: &f64| number.is_finite()).collect()
    }

    /// The items of a sequence; none if it is absent.
    pub(crate) fn items(&self, tag: u32) -> &[Self] {
        match self.elements.get(&tag).map(|element| &element.value) {
            Some(Value::Items(items)) => items,
            _ => &[],
        }
    }

    /// The value's bytes, to be read later.
    pub(crate) fn blob(&self, tag: u32, file: &Arc<SlideFile>) -> Option<Blob> {
        match &self.elements.get(&tag)?.value {
            Value::Short(bytes) => Some(Blob::Held(bytes.as_slice().into())),
            &Value::Stored { offset, length } => {
                Some(Blob::Stored { file: Arc::clone(file), offset, length })
            }
            Value::Items(_) => None,
        }
    }

    /// Every short value under OpenSlide's names: `dicom.Keyword`, `dicom.Sequence[0].Keyword`, `dicom.Keyword[1]`.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        self.list(&mut properties, "dicom");
        properties
    }

    fn list(&self, properties: &mut BTreeMap<String, String>, prefix: &str) {
        for (&tag, element) in &self.elements {
            let Some(keyword) = dictionary::keyword(tag) else { continue };
            let name = format!("{prefix}.{keyword}");
            if let Value::Items(items) = &element.value {
                for (index, item) in items.iter().enumerate() {
                    item.list(properties, &format!("{name}[{index}]"));
                }
                continue;
            }
            let mut texts = element.texts();
            match texts.len() {
                0 => {}
                1 => properties.extend(texts.pop().map(|text| (name, text))),
                _ => {
                    let indexed = texts.into_iter().enumerate();
                    properties
                        .extend(indexed.map(|(index, text)| (format!("{name}[{index}]"), text)));
                }
            }
        }
    }
}

impl Element {
    /// The values in the notation of their kind; none of a sequence, of bytes or of a long value.
    fn texts(&self) -> Vec<String> {
        let Value::Short(bytes) = &self.value else { return Vec::new() };
        match &self.vr {
            b"US" => numbers(bytes, u16::from_le_bytes),
            b"SS" => numbers(bytes, i16::from_le_bytes),
            b"UL" => numbers(bytes, u32::from_le_bytes),
            b"SL" => numbers(bytes, i32::from_le_bytes),
            b"UV" => numbers(bytes, u64::from_le_bytes),
            b"SV" => numbers(bytes, i64::from_le_bytes),
            b"FL" => numbers(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
            b"FD" => numbers(bytes, f64::from_le_bytes),
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"UN" | b"AT" => Vec::new(),
            b"LT" | b"ST" | b"UT" | b"UR" => vec![trimmed(&text(bytes))],
            _ => text(bytes).split('\\').map(trimmed).collect(),
        }
    }
}

fn numbers<const N: usize, T: ToString>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<String> {
    bytes.as_chunks().0.iter().map(|&chunk| read(chunk).to_string()).collect()
}

/// UTF-8 where it is that, Latin-1 otherwise, whatever character set the file names.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn trimmed(text: &str) -> String {
    text.trim_matches([' ', '\0']).to_owned()
}
