//! Outlines as `QuPath` annotations (GeoJSON): one feature per lesion, a polygon with its holes.
//!
//! `QuPath` asks for closed rings, ids that are UUIDs, and a color in every classification.

use domain::RESEARCH_USE_ONLY;
use domain::contour::{Lesion, Polygon};
use domain::coords::Level0Px;
use domain::scale::Mpp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{ExportError, ExportRequest, SOFTWARE, frame};

/// Vermillion of the Okabe-Ito palette: told apart from hematoxylin and eosin, and by color-blind eyes.
const COLOR: [u8; 3] = [213, 94, 0];

pub(super) fn encode(
    request: &ExportRequest<'_>,
    lesions: &[Lesion],
) -> Result<Vec<u8>, ExportError> {
    let features: Vec<Value> = lesions
        .iter()
        .enumerate()
        .map(|(index, lesion)| feature(request, index + 1, lesion))
        .collect();
    let collection = json!({ "type": "FeatureCollection", "features": features });
    serde_json::to_vec(&collection)
        .map_err(|error| ExportError::Encode { what: "outlines", problem: error.to_string() })
}

fn feature(request: &ExportRequest<'_>, number: usize, lesion: &Lesion) -> Value {
    let coordinates = coordinates(&lesion.outline);
    json!({
        "type": "Feature",
        "id": id(request, &coordinates),
        "geometry": { "type": "Polygon", "coordinates": coordinates },
        "properties": {
            "objectType": "annotation",
            "name": format!("Lesion {number}"),
            "classification": { "name": "Lesion", "color": COLOR },
            "measurements": measurements(lesion, request.slide.mpp),
            "metadata": metadata(request),
        },
    })
}

fn measurements(lesion: &Lesion, mpp: Option<Mpp>) -> Map<String, Value> {
    let mut measurements = Map::new();
    let mut add = |name: &str, value: f64| measurements.insert(name.to_owned(), Value::from(value));
    add("Heatmap mean", lesion.mean);
    add("Heatmap max", f64::from(lesion.max));
    add("Area px^2", lesion.area_level0_px);
    if let Some(mpp) = mpp {
        add("Area µm^2", lesion.area_level0_px * mpp.pixel_area_um2());
    }
    measurements
}

/// Text by name: `QuPath` keeps no other kind.
fn metadata(request: &ExportRequest<'_>) -> Value {
    json!({
        "model": request.model,
        "t": frame::plain_number(request.threshold.get()).to_string(),
        "software": SOFTWARE,
        "slide": request.slide.id.to_string(),
        "research_use": RESEARCH_USE_ONLY,
    })
}

/// The same lesion of the same slide, model and *t* has the same id, so that reading a file twice
/// replaces instead of doubling. In the shape of a random UUID, which every reader accepts.
fn id(request: &ExportRequest<'_>, coordinates: &Value) -> String {
    let mut hash = Sha256::new();
    for part in [&request.slide.id.to_string(), request.model, &coordinates.to_string()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(request.threshold.get().to_le_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The outer ring, then the holes, each repeating its first point at the end.
fn coordinates(outline: &Polygon) -> Value {
    let rings = std::iter::once(&outline.outer).chain(&outline.holes);
    let closed = |ring: &Vec<Level0Px>| -> Vec<[f64; 2]> {
        ring.iter().chain(ring.first()).map(|point| [rounded(point.x), rounded(point.y)]).collect()
    };
    json!(rings.map(closed).collect::<Vec<_>>())
}

/// To a thousandth of a pixel: finer than any outline, coarser than the distance rings keep.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
