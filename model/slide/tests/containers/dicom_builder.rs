//! DICOM files written element by element, so that each says exactly one thing, true or not.

use std::collections::BTreeMap;

/// Explicit little endian, 8-bit gray, `TILED_FULL`; frames of 4 x 4 pixels.
#[derive(Clone)]
pub(crate) struct Dicom {
    transfer_syntax: &'static str,
    elements: BTreeMap<u32, (&'static [u8; 2], Vec<u8>)>,
    /// Length as written in the header; `None` for undefined.
    pixels: Vec<u8>,
    is_encapsulated: bool,
}

pub(crate) const NATIVE: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";

impl Dicom {
    /// A level of `width` x `height` pixels in the series `series`.
    pub(crate) fn level(series: &str, width: u32, height: u32) -> Self {
        let mut dicom = Self {
            transfer_syntax: NATIVE,
            elements: BTreeMap::new(),
            pixels: Vec::new(),
            is_encapsulated: false,
        };
        let n_frames = width.div_ceil(4) * height.div_ceil(4);
        dicom
            .text(0x0008_0008, b"CS", r"ORIGINAL\PRIMARY\VOLUME\NONE")
            .text(0x0008_0016, b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6")
            .text(0x0020_000E, b"UI", series)
            .text(0x0020_9311, b"CS", "TILED_FULL")
            .short(0x0028_0002, 1)
            .text(0x0028_0004, b"CS", "MONOCHROME2")
            .text(0x0028_0008, b"IS", &n_frames.to_string())
            .short(0x0028_0010, 4)
            .short(0x0028_0011, 4)
            .short(0x0028_0100, 8)
            .short(0x0028_0101, 8)
            .long(0x0048_0006, width)
            .long(0x0048_0007, height);
        dicom
    }

    pub(crate) fn syntax(&mut self, transfer_syntax: &'static str) -> &mut Self {
        self.transfer_syntax = transfer_syntax;
        self
    }

    pub(crate) fn text(&mut self, tag: u32, vr: &'static [u8; 2], text: &str) -> &mut Self {
        let mut value = text.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == b"UI" { 0 } else { b' ' });
        }
        self.raw(tag, vr, value)
    }

    pub(crate) fn short(&mut self, tag: u32, number: u16) -> &mut Self {
        self.raw(tag, b"US", number.to_le_bytes().to_vec())
    }

    pub(crate) fn long(&mut self, tag: u32, number: u32) -> &mut Self {
        self.raw(tag, b"UL", number.to_le_bytes().to_vec())
    }

    pub(crate) fn raw(&mut self, tag: u32, vr: &'static [u8; 2], value: Vec<u8>) -> &mut Self {
        self.elements.insert(tag, (vr, value));
        self
    }

    pub(crate) fn without(&mut self, tag: u32) -> &mut Self {
        self.elements.remove(&tag);
        self
    }

    /// Items out of elements.
    pub(crate) fn sequence(&mut self, tag: u32, items: &[Vec<u8>]) -> &mut Self {
        self.raw(tag, b"SQ", items.iter().flat_map(|value| item(value)).collect())
    }

    /// Frames side by side.
    pub(crate) fn frames(&mut self, frames: &[Vec<u8>]) -> &mut Self {
        self.pixels = frames.concat();
        self.is_encapsulated = false;
        self
    }

    /// An offset table and fragments.
    pub(crate) fn fragments(&mut self, offsets: &[u32], fragments: &[Vec<u8>]) -> &mut Self {
        let table: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        self.pixels = item(&table);
        self.pixels.extend(fragments.iter().flat_map(|fragment| item(fragment)));
        self.pixels.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.is_encapsulated = true;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [vec![0; 128], b"DICM".to_vec()].concat();
        let mut syntax = self.transfer_syntax.as_bytes().to_vec();
        syntax.resize(syntax.len().next_multiple_of(2), 0);
        bytes.extend(element(0x0002_0010, b"UI", &syntax, false));
        let is_implicit = self.transfer_syntax == IMPLICIT;
        for (&tag, (vr, value)) in &self.elements {
            bytes.extend(element(tag, vr, value, is_implicit));
        }
        let mut pixels = element(0x7FE0_0010, b"OB", &self.pixels, is_implicit);
        if self.is_encapsulated {
            pixels[8..12].fill(0xFF);
        }
        bytes.extend(pixels);
        bytes
    }
}

/// One element, explicit unless `is_implicit`.
pub(crate) fn element(tag: u32, vr: &[u8; 2], value: &[u8], is_implicit: bool) -> Vec<u8> {
    let [e0, e1, g0, g1] = tag.to_le_bytes();
    let mut bytes = vec![g0, g1, e0, e1];
    let length = value.len() as u32;
    match vr {
        _ if is_implicit => bytes.extend(length.to_le_bytes()),
        b"SQ" | b"OB" | b"OW" | b"OV" | b"UN" => {
            bytes.extend(vr);
            bytes.extend([0, 0]);
            bytes.extend(length.to_le_bytes());
        }
        _ => {
            bytes.extend(vr);
            bytes.extend((length as u16).to_le_bytes());
        }
    }
    bytes.extend(value);
    bytes
}

fn item(value: &[u8]) -> Vec<u8> {
    let mut padded = value.to_vec();
    padded.resize(value.len().next_multiple_of(2), 0);
    let header = [vec![0xFE, 0xFF, 0x00, 0xE0], (padded.len() as u32).to_le_bytes().to_vec()];
    [header.concat(), padded].concat()
}
