//! What stands on a page, before it is a PDF or a picture.

use domain::contour::Ring;
use domain::coords::{Level0Px, Level0Rect};
use domain::pixels::Pixels;

/// A4, in points.
pub(super) const WIDTH_PT: f64 = 595.0;
/// As above.
pub(super) const HEIGHT_PT: f64 = 842.0;

/// A thing on the page; places are points from its top left.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// A line of text that begins at a place on its baseline.
    Text { x: f64, y: f64, size: f64, color: [u8; 3], text: String },
    /// A filled rectangle.
    Fill { area: Level0Rect, color: [u8; 3] },
    /// Closed or open lines.
    Stroke { rings: Vec<Ring>, is_closed: bool, width: f64, color: [u8; 3] },
    /// A picture that fills a rectangle.
    Picture { area: Level0Rect, pixels: &'a Pixels },
}

/// The page, the lowest thing first.
#[derive(Clone, Debug)]
pub(super) struct Page<'a> {
    pub(super) title: &'static str,
    pub(super) items: Vec<Item<'a>>,
}

impl Page<'_> {
    /// A straight line.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, color: [u8; 3]) {
        let ring = vec![Level0Px { x: from[0], y: from[1] }, Level0Px { x: to[0], y: to[1] }];
        self.items.push(Item::Stroke { rings: vec![ring], is_closed: false, width, color });
    }
}
