//! The JPEG that slides are made of, decoded as far as a region needs it: baseline streams of eight bits in one scan, gray
//! or of three components with the colours whole, half as wide, or half as wide and high.
//!
//! Everything up to the last row that is wanted is read, since codes follow one another without gaps, but only what is
//! wanted is transformed and converted. Whatever is not plain or not intact is left to a decoder that knows more.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bit fields are cut on purpose; indices are masked, or run over tables of a fixed length"
)]

mod bits;
mod frame;
mod huffman;
mod pixels;
mod plane;
mod scan;
mod transform;

use domain::coords::PixelSize;
use domain::pixels::Pixels;

use self::frame::Frame;
use self::pixels::Colors;
use self::plane::Plane;
use self::scan::{Scale, Units};
use crate::buffer;
use crate::number::to_usize;
use crate::tile::Part;

/// What of a picture is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Whole,
    Part(Part),
    /// All of it at an eighth of its size, rounded up: the means of 8 x 8 pixels.
    Eighth,
}

/// Decodes a stream that may borrow its tables. `None` if the stream is of another kind, larger than `limit`, or damaged
/// before the end of what is wanted.
pub(super) fn decode(
    tables: &[u8],
    stored: &[u8],
    is_rgb: bool,
    limit: PixelSize,
    extent: Extent,
) -> Option<Pixels> {
    let frame = Frame::parse(tables, stored)?;
    let size = frame.size;
    if limit.width < size.width || limit.height < size.height {
        return None;
    }
    let whole = Part::top_left(size.width, size.height);
    let (under, shown, scale) = match extent {
        Extent::Whole => (whole, whole, Scale::Whole),
        Extent::Part(part) => (part, part, Scale::Whole),
        Extent::Eighth => {
            let eighth = Part::top_left(size.width.div_ceil(8), size.height.div_ceil(8));
            (whole, eighth, Scale::Eighth)
        }
    };
    if !under.is_within(size) || under.size.area() == 0 {
        return None;
    }
    let unit = frame.unit();
    let side = |length: u32, blocks: usize| to_usize(length).div_ceil(blocks * 8);
    let in_all = (side(size.width, unit.0), side(size.height, unit.1));
    let wanted = units_under(under, unit, in_all);
    let mut planes: Vec<Plane> =
        frame.components.iter().map(|it| Plane::new(&frame, it, &wanted, scale)).collect();
    scan::read(&frame, in_all, &wanted, scale, &mut planes)?;
    let colors = match planes.len() {
        1 => Colors::Gray,
        _ if is_rgb => Colors::Rgb,
        _ => Colors::YCbCr,
    };
    let mut rgba = buffer::take(to_usize(shown.size.area()) * 4);
    pixels::write(&planes, unit, colors, shown, &mut rgba)?;
    planes.into_iter().for_each(Plane::recycle);
    Pixels::new(shown.size, rgba)
}

/// The units under a part of the picture, with the neighbours from which coarse colours are brought to its size.
fn units_under(part: Part, unit: (usize, usize), in_all: (usize, usize)) -> Units {
    let under = |start: u32, length: u32, blocks: usize, limit: usize| {
        let (start, end) = (to_usize(start), to_usize(start) + to_usize(length));
        let margin = if blocks == 1 { 0 } else { 2 };
        let n_pixels = blocks * 8;
        start.saturating_sub(margin) / n_pixels..(end + margin).div_ceil(n_pixels).min(limit)
    };
    Units {
        columns: under(part.x, part.size.width, unit.0, in_all.0),
        rows: under(part.y, part.size.height, unit.1, in_all.1),
    }
}

#[cfg(test)]
mod tests;
