//! The words of an OME-TIFF: one plane of one channel, its scale, and where it lies (OME 2016-06).

use domain::coords::{Level0Rect, PixelSize};
use domain::scale::Mpp;
use serde_json::{Map, Value};

use super::SOFTWARE;
use super::xml::escaped;

/// A raster of a slide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane<'a> {
    /// What its values are.
    pub(super) channel: &'a str,
    /// OME's word for their kind.
    pub(super) kind: &'static str,
    pub(super) size: PixelSize,
    /// Level-0 pixels that one of its pixels is wide and high.
    pub(super) step: f64,
    pub(super) mpp: Option<Mpp>,
}

/// OME-XML of 7-bit characters; `origin` becomes a comment of the image.
pub(super) fn description(plane: &Plane<'_>, origin: Map<String, Value>) -> String {
    let Plane { channel, kind, size, step, mpp } = *plane;
    let scale = mpp.map_or(String::new(), |mpp| {
        let (x, y) = (mpp.x() * step, mpp.y() * step);
        format!(
            " PhysicalSizeX=\"{x}\" PhysicalSizeXUnit=\"\u{B5}m\" PhysicalSizeY=\"{y}\" PhysicalSizeYUnit=\"\u{B5}m\""
        )
    });
    let PixelSize { width, height } = size;
    let (channel, origin) = (escaped(channel), escaped(&Value::Object(origin).to_string()));
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://www.openmicroscopy.org/Schemas/OME/2016-06 \
         http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd\" Creator=\"{SOFTWARE}\">\
         <Image ID=\"Image:0\" Name=\"{channel}\">\
         <Pixels ID=\"Pixels:0\" DimensionOrder=\"XYCZT\" Type=\"{kind}\" BigEndian=\"false\" \
         SizeX=\"{width}\" SizeY=\"{height}\" SizeC=\"1\" SizeZ=\"1\" SizeT=\"1\"{scale}>\
         <Channel ID=\"Channel:0:0\" Name=\"{channel}\" SamplesPerPixel=\"1\"/>\
         <TiffData IFD=\"0\" PlaneCount=\"1\"/></Pixels>\
         <AnnotationRef ID=\"Annotation:0\"/></Image>\
         <StructuredAnnotations><CommentAnnotation ID=\"Annotation:0\" Namespace=\"slidelight\">\
         <Value>{origin}</Value></CommentAnnotation></StructuredAnnotations></OME>"
    );
    plain(&xml)
}

/// The side of a pixel that is `octaves` halvings coarser than level 0, in level-0 pixels.
pub(super) fn step(octaves: u32) -> f64 {
    f64::from(1_u32 << octaves.min(31))
}

/// A region at that scale, rounded down, so that every level has the same scale across and down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
pub(super) fn size_at(region: Level0Rect, octaves: u32) -> PixelSize {
    let side = |side: f64| ((side / step(octaves)) as u32).max(1);
    PixelSize { width: side(region.width), height: side(region.height) }
}

/// Pixels per cm across and down, where the slide is calibrated.
pub(super) fn resolution(mpp: Option<Mpp>, octaves: u32) -> Option<[f64; 2]> {
    mpp.map(|mpp| [1e4 / (mpp.x() * step(octaves)), 1e4 / (mpp.y() * step(octaves))])
}

/// Characters beyond 7 bits by their numbers: TIFF text has no room for them, and XML can say all.
fn plain(xml: &str) -> String {
    let mut plain = String::with_capacity(xml.len());
    for character in xml.chars() {
        match character.is_ascii() {
            true => plain.push(character),
            false => plain.push_str(&format!("&#{};", u32::from(character))),
        }
    }
    plain
}
