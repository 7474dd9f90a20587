//! Where a raster lies on the slide, as JSON: level-0 pixels, origin at the slide's top left, y down.

use domain::RESEARCH_USE_ONLY;
use domain::coords::{Level0Rect, PixelSize};
use domain::scale::Mpp;
use serde_json::{Map, Value, json};

use super::{ExportError, ExportRequest, SOFTWARE, SlideFacts};

/// What a raster is a picture of, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framed<'a> {
    pub(super) slide: &'a SlideFacts,
    pub(super) model: &'a str,
    pub(super) frame: Level0Rect,
}

impl<'a> Framed<'a> {
    /// A raster that fills the heatmap's frame.
    pub(super) fn of(request: &'a ExportRequest<'_>) -> Self {
        Self { slide: &request.slide, model: request.model, frame: request.heatmap.frame() }
    }
}

/// The frame of a raster of `size` pixels, and what it is a picture of.
pub(super) fn frame(framed: &Framed<'_>, size: PixelSize) -> Map<String, Value> {
    let frame = framed.frame;
    let downsample = json!({
        "x": frame.width / f64::from(size.width),
        "y": frame.height / f64::from(size.height),
    });
    let entries = [
        ("x", Value::from(frame.x)),
        ("y", Value::from(frame.y)),
        ("width", Value::from(frame.width)),
        ("height", Value::from(frame.height)),
        ("raster", json!({ "width": size.width, "height": size.height })),
        ("downsample", downsample),
        ("slide", slide(framed.slide)),
        ("model", Value::from(framed.model)),
        ("software", Value::from(SOFTWARE)),
        ("research_use", Value::from(RESEARCH_USE_ONLY)),
    ];
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `mpp` is in micrometres per level-0 pixel (the mean of both directions where they differ), null where
/// the slide is not calibrated.
pub(super) fn slide(facts: &SlideFacts) -> Value {
    json!({
        "id": facts.id.to_string(),
        "width": facts.size.width,
        "height": facts.size.height,
        "mpp": facts.mpp.map(Mpp::mean),
        "mpp_x": facts.mpp.map(Mpp::x),
        "mpp_y": facts.mpp.map(Mpp::y),
    })
}

/// The file beside a mask of `size` pixels.
pub(super) fn encode(request: &ExportRequest<'_>, size: PixelSize) -> Result<Vec<u8>, ExportError> {
    let mut described = frame(&Framed::of(request), size);
    described.insert("threshold".to_owned(), plain_number(request.threshold.get()));
    described.insert("values".to_owned(), json!({ "background": 0, "lesion": 255 }));
    pretty(&Value::Object(described), "frame of the mask")
}

/// A 32-bit number as people wrote it: 0.3, not `0.30000001192092896`.
pub(super) fn plain_number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

pub(super) fn pretty(value: &Value, what: &'static str) -> Result<Vec<u8>, ExportError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| ExportError::Encode { what, problem: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}
