//! The headers of a baseline stream: what must be known before its first coefficient.

use std::rc::Rc;

use domain::coords::PixelSize;

use super::huffman::{Class, Huffman, table};
use crate::codec::jpeg::header::segments;
use crate::number::to_usize;

/// Where coefficient number k of a stream stands in its block, row by row.
const NATURAL: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Where a coefficient stands in its block, and how much one step of it is worth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) place: u8,
    pub(super) size: i16,
}

/// Steps of all coefficients in the order of the stream.
pub(super) type Steps = [Step; 64];

/// One component of the picture.
#[derive(Debug)]
pub(super) struct Component {
    /// Blocks of a minimum coded unit, beside one another and in all.
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) steps: Steps,
    pub(super) dc: Rc<Huffman>,
    pub(super) ac: Rc<Huffman>,
}

/// A picture of one or three components that come in one scan.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) size: PixelSize,
    pub(super) components: Vec<Component>,
    /// The blocks of a minimum coded unit in turn: index of the component, and how many blocks of it lie to the left and
    /// above.
    pub(super) blocks: Vec<(usize, usize, usize)>,
    /// Minimum coded units between two restart markers; 0 for no markers.
    pub(super) restart_interval: usize,
    /// From the first byte after the headers.
    pub(super) data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the headers of a stream, those of `tables` first. `None` if they are not baseline headers of a kind that is
    /// decoded here, or are broken.
    pub(super) fn parse(tables: &'a [u8], stored: &'a [u8]) -> Option<Self> {
        let mut headers = Headers::default();
        for (marker, _, body) in segments(tables) {
            headers.read(marker, body)?;
        }
        let mut data = None;
        for (marker, at, body) in segments(stored) {
            headers.read(marker, body)?;
            if marker == 0xDA {
                data = stored.get(at + body.len()..);
            }
        }
        headers.frame(data?)
    }

    /// The larger of the components' blocks in a unit: across and down.
    pub(super) fn unit(&self) -> (usize, usize) {
        let across = self.components.iter().map(|it| it.across).max().unwrap_or(1);
        let down = self.components.iter().map(|it| it.down).max().unwrap_or(1);
        (across, down)
    }
}

/// Headers as they come.
#[derive(Debug, Default)]
struct Headers<'a> {
    quantization: [Option<Steps>; 4],
    huffman: [[Option<&'a [u8]>; 4]; 2],
    restart_interval: usize,
    frame: Option<&'a [u8]>,
    scan: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    fn read(&mut self, marker: u8, body: &'a [u8]) -> Option<()> {
        match marker {
            0xDB => self.read_quantization(body)?,
            0xC4 => self.read_huffman(body)?,
            0xC0 | 0xC1 if self.frame.is_none() => self.frame = Some(body),
            0xC0..=0xCF => return None,
            0xDD => self.restart_interval = u16::from_be_bytes(*body.first_chunk()?).into(),
            0xDA => self.scan = Some(body),
            _ => {}
        }
        Some(())
    }

    fn read_quantization(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = body.split_first() {
            let n_bytes = if kind >> 4 == 0 { 64 } else { 128 };
            let (values, rest) = rest.split_at_checked(n_bytes)?;
            body = rest;
            let mut steps = [Step::default(); 64];
            for (index, (step, place)) in steps.iter_mut().zip(NATURAL).enumerate() {
                let value = match n_bytes {
                    64 => u16::from(*values.get(index)?),
                    _ => u16::from_be_bytes(*values.get(2 * index..)?.first_chunk()?),
                };
                *step = Step { place, size: i16::try_from(value).ok()? };
            }
            *self.quantization.get_mut(usize::from(kind & 15))? = Some(steps);
        }
        Some(())
    }

    fn read_huffman(&mut self, mut body: &'a [u8]) -> Option<()> {
        while let Some((&kind, rest)) = body.split_first() {
            let n_symbols: usize = rest.first_chunk::<16>()?.iter().map(|&n| usize::from(n)).sum();
            let (definition, rest) = rest.split_at_checked(16 + n_symbols)?;
            body = rest;
            let tables = self.huffman.get_mut(usize::from(kind >> 4))?;
            *tables.get_mut(usize::from(kind & 15))? = Some(definition);
        }
        Some(())
    }

    fn frame(self, data: &'a [u8]) -> Option<Frame<'a>> {
        let (&[precision, h1, h0, w1, w0, n], parts) = self.frame?.split_first_chunk()?;
        let size = PixelSize {
            width: u16::from_be_bytes([w1, w0]).into(),
            height: u16::from_be_bytes([h1, h0]).into(),
        };
        let scan = self.scan?;
        let n_components = usize::from(n);
        let is_whole_scan = scan.first() == Some(&n) && scan.ends_with(&[0, 63, 0]);
        let is_plain = precision == 8 && [1, 3].contains(&n) && is_whole_scan;
        if !is_plain || size.area() == 0 || scan.len() != 4 + 2 * n_components {
            return None;
        }
        let parts = parts.as_chunks().0.get(..n_components)?;
        let choices = scan.get(1..)?.as_chunks().0;
        let components: Vec<Component> = parts
            .iter()
            .zip(choices)
            .map(|(&part, &choice)| self.component(part, choice, n == 1))
            .collect::<Option<_>>()?;
        let [_, chroma @ ..] = components.as_slice() else { return None };
        chroma.iter().all(|it| (it.across, it.down) == (1, 1)).then_some(())?;
        let blocks = components.iter().enumerate().flat_map(|(index, it)| {
            (0..it.down).flat_map(move |y| (0..it.across).map(move |x| (index, x, y)))
        });
        let blocks = blocks.collect();
        Some(Frame { size, components, blocks, restart_interval: self.restart_interval, data })
    }

    /// `part` and `choice` are a component's entries in the frame and the scan.
    fn component(&self, part: [u8; 3], choice: [u8; 2], is_single: bool) -> Option<Component> {
        let [name, sampling, quantization] = part;
        let sampling = if is_single { 0x11 } else { sampling };
        if name != choice[0] || ![0x11, 0x21, 0x22].contains(&sampling) {
            return None;
        }
        let huffman = |class: Class, index: u8| {
            let tables = self.huffman.get(usize::from(class == Class::Ac))?;
            table(class, (*tables.get(usize::from(index))?)?)
        };
        Some(Component {
            across: to_usize(sampling >> 4),
            down: to_usize(sampling & 15),
            steps: (*self.quantization.get(usize::from(quantization))?)?,
            dc: huffman(Class::Dc, choice[1] >> 4)?,
            ac: huffman(Class::Ac, choice[1] & 15)?,
        })
    }
}
