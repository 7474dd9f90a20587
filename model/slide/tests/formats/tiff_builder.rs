//! TIFF files written byte by byte, so that each says exactly one thing, true or not.

/// A TIFF of one directory, of either byte order and offset width.
#[derive(Clone)]
pub(crate) struct Tiff {
    pub(crate) is_big_endian: bool,
    pub(crate) is_big_tiff: bool,
    /// Tiles or strips as stored.
    tiles: Vec<Vec<u8>>,
    /// Tag, type and value bytes.
    entries: Vec<(u16, u16, u64, Vec<u8>)>,
    numbers: Vec<(u16, Vec<u64>)>,
}

const ASCII: u16 = 2;
const LONG: u16 = 4;
const LONG8: u16 = 16;

impl Tiff {
    /// 8-bit gray tiles of 16 x 16 pixels, uncompressed.
    pub(crate) fn gray(width: u64, height: u64, tiles: Vec<Vec<u8>>) -> Self {
        let mut tiff = Self {
            is_big_endian: false,
            is_big_tiff: false,
            tiles,
            entries: vec![],
            numbers: vec![],
        };
        let tags = [
            (256, width),
            (257, height),
            (258, 8),
            (259, 1),
            (262, 1),
            (277, 1),
            (322, 16),
            (323, 16),
        ];
        for (tag, number) in tags {
            tiff.set(tag, &[number]);
        }
        tiff
    }

    /// As [`Self::gray`] in strips of `rows` rows.
    pub(crate) fn gray_strips(width: u64, height: u64, rows: u64, strips: Vec<Vec<u8>>) -> Self {
        let mut tiff = Self::gray(width, height, strips);
        tiff.numbers.retain(|(tag, _)| ![322, 323].contains(tag));
        tiff.set(278, &[rows]);
        tiff
    }

    /// Numbers are written as LONG, in BigTIFF as LONG8.
    pub(crate) fn set(&mut self, tag: u16, numbers: &[u64]) -> &mut Self {
        self.numbers.retain(|(other, _)| *other != tag);
        self.numbers.push((tag, numbers.to_vec()));
        self
    }

    pub(crate) fn set_text(&mut self, tag: u16, text: &[u8]) -> &mut Self {
        self.entries.push((tag, ASCII, text.len() as u64 + 1, [text, &[0]].concat()));
        self
    }

    /// Any entry: type, count and value bytes (or offset) as they are.
    pub(crate) fn set_raw(&mut self, tag: u16, kind: u16, count: u64, value: &[u8]) -> &mut Self {
        self.numbers.retain(|(other, _)| *other != tag);
        self.entries.push((tag, kind, count, value.to_vec()));
        self
    }

    fn number(&self, number: u64, width: usize) -> Vec<u8> {
        let mut bytes = number.to_be_bytes()[8 - width..].to_vec();
        if !self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// A file of several directories, laid out alike.
    pub(crate) fn chain(parts: &[Self]) -> Vec<u8> {
        let mut bytes = parts[0].header();
        let mut link_at = bytes.len() - parts[0].width();
        for part in parts {
            let width = part.width();
            let tiles_at = bytes.len() as u64;
            let (directory, next_link) = part.directory_after(tiles_at);
            let directory_at = tiles_at + part.tiles.concat().len() as u64;
            bytes[link_at..link_at + width].copy_from_slice(&part.number(directory_at, width));
            bytes.extend(part.tiles.concat());
            link_at = bytes.len() + next_link;
            bytes.extend(directory);
        }
        bytes
    }

    fn width(&self) -> usize {
        if self.is_big_tiff { 8 } else { 4 }
    }

    /// Ends with the link to the first directory.
    fn header(&self) -> Vec<u8> {
        let mut bytes = if self.is_big_endian { b"MM".to_vec() } else { b"II".to_vec() };
        let head: &[u64] = if self.is_big_tiff { &[43, 8, 0] } else { &[42] };
        head.iter().for_each(|&number| bytes.extend(self.number(number, 2)));
        bytes.extend(self.number(0, self.width()));
        bytes
    }

    /// Header, tiles, directory, arrays. Offsets and byte counts follow from the tiles unless they were set; an empty
    /// tile is left out of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        Self::chain(std::slice::from_ref(self))
    }

    /// The directory of tiles that begin at `first`, and where its link to the next directory stands in it.
    fn directory_after(&self, first: u64) -> (Vec<u8>, usize) {
        let width = self.width();
        let counts: Vec<u64> = self.tiles.iter().map(|tile| tile.len() as u64).collect();
        let at = first + counts.iter().sum::<u64>();
        let entries = self.all_entries(first, &counts, width);
        let count_width = if self.is_big_tiff { 8 } else { 2 };
        let link_at = count_width + entries.len() * (4 + 2 * width);
        (self.directory(entries, at, width), link_at)
    }

    fn all_entries(
        &self,
        first: u64,
        counts: &[u64],
        width: usize,
    ) -> Vec<(u16, u16, u64, Vec<u8>)> {
        let starts = counts.iter().scan(first, |at, count| {
            *at += count;
            Some(if *count == 0 { 0 } else { *at - count })
        });
        let is_tiled = self.numbers.iter().any(|(tag, _)| *tag == 322);
        let tags = if is_tiled { [324, 325] } else { [273, 279] };
        let derived = [(tags[0], starts.collect()), (tags[1], counts.to_vec())];
        let is_set = |tag: u16| {
            self.numbers.iter().any(|(other, _)| *other == tag)
                || self.entries.iter().any(|(other, ..)| *other == tag)
        };
        let derived = derived.into_iter().filter(|(tag, _)| !is_set(*tag));
        let mut entries = self.entries.clone();
        for (tag, numbers) in self.numbers.iter().cloned().chain(derived) {
            let value = numbers.iter().flat_map(|&number| self.number(number, width)).collect();
            let kind = if self.is_big_tiff { LONG8 } else { LONG };
            entries.push((tag, kind, numbers.len() as u64, value));
        }
        entries.sort_by_key(|(tag, ..)| *tag);
        entries
    }

    fn directory(&self, entries: Vec<(u16, u16, u64, Vec<u8>)>, at: u64, width: usize) -> Vec<u8> {
        let count_width = if self.is_big_tiff { 8 } else { 2 };
        let mut table = self.number(entries.len() as u64, count_width);
        let values_at = at + (count_width + entries.len() * (4 + 2 * width) + width) as u64;
        let mut values = Vec::new();
        for (tag, kind, count, mut value) in entries {
            table.extend(self.number(u64::from(tag), 2));
            table.extend(self.number(u64::from(kind), 2));
            table.extend(self.number(count, width));
            if value.len() <= width {
                value.resize(width, 0);
                table.extend(value);
            } else {
                table.extend(self.number(values_at + values.len() as u64, width));
                values.extend(value);
            }
        }
        table.extend(self.number(0, width));
        table.extend(values);
        table
    }
}
