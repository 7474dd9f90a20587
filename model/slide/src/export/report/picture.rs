//! The page as a PNG of 150 dots per inch.

use domain::contour::{Polygon, Ring};
use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::pixels::Pixels;
use image::ExtendedColorType;

use super::super::raster::{Grid, Span};
use super::super::{ExportError, ExportFormat, png};
use super::glyphs::{Glyph, Glyphs, Step};
use super::page::{HEIGHT_PT, Item, Page, WIDTH_PT};
use crate::number::{to_u32, to_usize};

const SIZE: PixelSize = PixelSize { width: 1240, height: 1754 };
/// Points of the page.
const FRAME: Level0Rect = Level0Rect { x: 0.0, y: 0.0, width: WIDTH_PT, height: HEIGHT_PT };
/// Parts of a pixel across and down that edges are smoothed by.
const PARTS: u32 = 4;
/// Straight pieces of a curve.
const PIECES: u8 = 6;

pub(super) fn encode(page: &Page<'_>, glyphs: &Glyphs) -> Result<Vec<u8>, ExportError> {
    let mut canvas = Canvas { rgb: vec![255; to_usize(SIZE.area()) * 3] };
    for item in &page.items {
        canvas.item(item, glyphs);
    }
    png::encode(&canvas.rgb, SIZE, ExtendedColorType::Rgb8, ExportFormat::ReportPng.noun())
}

/// Fails unless the file is a picture of a page.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let picture = image::load_from_memory(bytes).map_err(|error| error.to_string())?;
    let size = PixelSize { width: picture.width(), height: picture.height() };
    if size == SIZE { Ok(()) } else { Err(format!("a picture of {size:?}")) }
}

/// A pixel over white.
pub(super) fn on_white(rgba: &[u8]) -> [u8; 3] {
    match *rgba {
        [red, green, blue, alpha] => [red, green, blue].map(|it| mixed(255, it, alpha.into(), 255)),
        _ => [255; 3],
    }
}

/// `part` of `whole` of the color on top.
fn mixed(below: u8, above: u8, part: u32, whole: u32) -> u8 {
    let sum = u32::from(below) * (whole - part.min(whole)) + u32::from(above) * part.min(whole);
    u8::try_from((sum + whole / 2) / whole).unwrap_or(u8::MAX)
}

struct Canvas {
    rgb: Vec<u8>,
}

impl Canvas {
    fn item(&mut self, item: &Item<'_>, glyphs: &Glyphs) {
        match item {
            Item::Text { x, y, size, color, text } => {
                let mut at = *x;
                for (_, glyph) in glyphs.of(text) {
                    self.fill(&[letter(&glyph, [at, *y, *size])], *color);
                    at += f64::from(glyph.advance) * size;
                }
            }
            Item::Fill { area, color } => self.fill(&[rectangle(*area)], *color),
            Item::Stroke { rings, is_closed, width, color } => {
                let bars: Vec<Polygon> =
                    rings.iter().flat_map(|ring| bars(ring, *is_closed, *width)).collect();
                self.fill(&bars, *color);
            }
            Item::Picture { area, pixels } => self.picture(*area, pixels),
        }
    }

    /// Fills areas with smooth edges.
    fn fill(&mut self, parts: &[Polygon], color: [u8; 3]) {
        let fine = PixelSize { width: SIZE.width * PARTS, height: SIZE.height * PARTS };
        let spans = Grid { size: fine, frame: FRAME }.spans(parts);
        let Some(last) = spans.iter().map(|span| span.end).max() else { return };
        let first = spans.iter().map(|span| span.start).min().unwrap_or(0) / PARTS;
        let mut counts = vec![0_u32; to_usize(last.div_ceil(PARTS) - first)];
        for rows in spans.chunk_by(|a, b| a.row / PARTS == b.row / PARTS) {
            counts.fill(0);
            rows.iter().for_each(|span| count(*span, first, &mut counts));
            if let Some(span) = rows.first() {
                self.blend(span.row / PARTS, first, &counts, color);
            }
        }
    }

    fn blend(&mut self, row: u32, first: u32, counts: &[u32], color: [u8; 3]) {
        let start = to_usize(u64::from(row) * u64::from(SIZE.width) + u64::from(first)) * 3;
        let pixels = self.rgb.get_mut(start..).unwrap_or_default().chunks_exact_mut(3);
        for (pixel, part) in pixels.zip(counts) {
            for (below, above) in pixel.iter_mut().zip(color) {
                *below = mixed(*below, above, *part, PARTS * PARTS);
            }
        }
    }

    /// Each pixel is the mean of those it covers.
    fn picture(&mut self, area: Level0Rect, pixels: &Pixels) {
        let scale = f64::from(SIZE.width) / WIDTH_PT;
        let edge = |place: f64| pixel_at(place * scale);
        let (left, top) = (edge(area.x), edge(area.y));
        let (width, height) = (edge(area.x + area.width) - left, edge(area.y + area.height) - top);
        let source = pixels.size();
        for y in 0..height {
            let rows = covered(y, height, source.height);
            for x in 0..width {
                let color = mean(pixels, covered(x, width, source.width), rows.clone());
                let at = u64::from(top + y) * u64::from(SIZE.width) + u64::from(left + x);
                let start = to_usize(at) * 3;
                if let Some(pixel) = self.rgb.get_mut(start..start + 3) {
                    pixel.copy_from_slice(&color);
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn pixel_at(place: f64) -> u32 {
    place.round() as u32
}

/// The source pixels under one of `length` pixels; at least one.
fn covered(index: u32, length: u32, source: u32) -> std::ops::Range<u32> {
    let edge = |index: u32| to_u32(u64::from(index) * u64::from(source) / u64::from(length.max(1)));
    let start = edge(index);
    start..edge(index + 1).max(start + 1)
}

fn mean(pixels: &Pixels, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) -> [u8; 3] {
    let (mut sum, mut n) = ([0_u32; 3], 0_u32);
    for y in rows {
        for x in columns.clone() {
            let rgb = on_white(&pixels.get(x, y).unwrap_or([255; 4]));
            sum.iter_mut().zip(rgb).for_each(|(sum, it)| *sum += u32::from(it));
            n += 1;
        }
    }
    sum.map(|it| u8::try_from(it / n.max(1)).unwrap_or(u8::MAX))
}

/// Counts the parts of pixels that a span covers.
fn count(span: Span, first: u32, counts: &mut [u32]) {
    for part in span.start..span.end {
        if let Some(count) = counts.get_mut(to_usize(part / PARTS - first)) {
            *count += 1;
        }
    }
}

fn rectangle(area: Level0Rect) -> Polygon {
    let Level0Rect { x, y, width, height } = area;
    let corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
    polygon(corners.map(|[x, y]| Level0Px { x, y }).to_vec())
}

fn polygon(outer: Ring) -> Polygon {
    Polygon { outer, holes: Vec::new() }
}

/// A line as a bar for each of its steps.
fn bars(ring: &Ring, is_closed: bool, width: f64) -> Vec<Polygon> {
    let next = ring.iter().skip(1).chain(ring.first().filter(|_| is_closed));
    let bar = |(a, b): (&Level0Px, &Level0Px)| {
        let length = (b.x - a.x).hypot(b.y - a.y);
        let (x, y) = ((b.x - a.x) / length * width / 2.0, (b.y - a.y) / length * width / 2.0);
        // Half a width longer at both ends, so that corners are closed.
        let (a, b) = ([a.x - x, a.y - y], [b.x + x, b.y + y]);
        let corners = [
            [a[0] - y, a[1] + x],
            [b[0] - y, b[1] + x],
            [b[0] + y, b[1] - x],
            [a[0] + y, a[1] - x],
        ];
        (0.0 < length).then(|| polygon(corners.map(|[x, y]| Level0Px { x, y }).to_vec()))
    };
    ring.iter().zip(next).filter_map(bar).collect()
}

/// A letter on the page: all its rings in one polygon, whose crossings tell inside from outside.
fn letter(glyph: &Glyph, [x, y, size]: [f64; 3]) -> Polygon {
    let place =
        |[gx, gy]: [f32; 2]| Level0Px { x: x + f64::from(gx) * size, y: y - f64::from(gy) * size };
    let mut rings: Vec<Ring> = Vec::new();
    let mut at = [0.0_f32; 2];
    for step in &glyph.steps {
        match *step {
            Step::Move(to) => {
                rings.push(vec![place(to)]);
                at = to;
            }
            Step::Line(to) => {
                rings.last_mut().into_iter().for_each(|ring| ring.push(place(to)));
                at = to;
            }
            Step::Curve(a, b, to) => {
                let pieces =
                    (1..=PIECES).map(|i| curve(at, [a, b, to], f32::from(i) / f32::from(PIECES)));
                rings
                    .last_mut()
                    .into_iter()
                    .for_each(|ring| ring.extend(pieces.clone().map(place)));
                at = to;
            }
            Step::Close => {}
        }
    }
    let mut rings = rings.into_iter();
    Polygon { outer: rings.next().unwrap_or_default(), holes: rings.collect() }
}

/// A place on a cubic curve.
fn curve(from: [f32; 2], [a, b, to]: [[f32; 2]; 3], t: f32) -> [f32; 2] {
    let s = 1.0 - t;
    let along = |from: f32, a: f32, b: f32, to: f32| {
        s * s * s * from + 3.0 * s * s * t * a + 3.0 * s * t * t * b + t * t * t * to
    };
    [along(from[0], a[0], b[0], to[0]), along(from[1], a[1], b[1], to[1])]
}
