//! Annotations as `QuPath` has them (GeoJSON, RFC 7946): areas with holes, lines, classes with colors.
//!
//! `QuPath` asks for closed rings, ids that are UUIDs, a color in every classification, and no collections
//! of geometries. It keeps metadata that are text, and ignores what it does not know beside the features.

use domain::annotation::{Shape, Verdict};
use domain::contour::Polygon;
use domain::coords::Level0Px;
use domain::scale::Mpp;
use serde_json::{Map, Value, json};

use super::sheet::{AnnotationSheet, Entry, rounded};
use super::{ExportError, ExportFormat};

/// The member of the collection that says where it comes from.
pub(crate) const ORIGIN: &str = "slidelight";

pub(super) fn encode(
    sheet: &AnnotationSheet<'_>,
    entries: &[Entry<'_>],
) -> Result<Vec<u8>, ExportError> {
    let origin = sheet.origin(ExportFormat::GeoJson);
    let corner = sheet.frame.origin(ExportFormat::GeoJson, &sheet.slide);
    let common = metadata(sheet, corner);
    let feature = |entry: &Entry<'_>| feature(entry, corner, sheet.slide.mpp, common.clone());
    let features: Vec<Value> = entries.iter().map(feature).collect();
    let collection = json!({ "type": "FeatureCollection", ORIGIN: origin, "features": features });
    serde_json::to_vec(&collection).map_err(|error| ExportError::Encode {
        what: ExportFormat::GeoJson.noun(),
        problem: error.to_string(),
    })
}

fn feature(
    entry: &Entry<'_>,
    corner: Level0Px,
    mpp: Option<Mpp>,
    mut metadata: Map<String, Value>,
) -> Value {
    let annotation = entry.annotation;
    metadata.insert("verdict".to_owned(), word(annotation.verdict).into());
    if !annotation.comment.is_empty() {
        metadata.insert("comment".to_owned(), annotation.comment.as_str().into());
    }
    json!({
        "type": "Feature",
        "id": annotation.id.0.to_string(),
        "geometry": geometry(&annotation.shape, corner),
        "properties": {
            "objectType": "annotation",
            "name": annotation.name,
            "classification": { "name": annotation.class.name, "color": annotation.class.color },
            "measurements": measurements(entry, mpp),
            "metadata": metadata,
        },
    })
}

/// The word for a verdict in files.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proposed => "proposed",
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
    }
}

fn measurements(entry: &Entry<'_>, mpp: Option<Mpp>) -> Map<String, Value> {
    let mut measurements = Map::new();
    let mut add = |name: &str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            measurements.insert(name.to_owned(), Value::from(value));
        }
    };
    add("Heatmap mean", entry.mean);
    add("Heatmap max", entry.annotation.score.map(f64::from));
    match entry.length_px {
        Some(length) => {
            add("Length px", Some(length));
            add("Length µm", mpp.map(|mpp| length * mpp.mean()));
        }
        None => {
            add("Area px^2", Some(entry.area_px));
            add("Area µm^2", mpp.map(|mpp| entry.area_px * mpp.pixel_area_um2()));
        }
    }
    measurements
}

/// Text by name: `QuPath` keeps no other kind.
fn metadata(sheet: &AnnotationSheet<'_>, corner: Level0Px) -> Map<String, Value> {
    let stated = [
        ("software", super::SOFTWARE.to_owned()),
        ("slide", sheet.slide.id.to_string()),
        ("research_use", domain::RESEARCH_USE_ONLY.to_owned()),
        ("frame_x", corner.x.to_string()),
        ("frame_y", corner.y.to_string()),
    ];
    let provenance = sheet.provenance.iter().map(|(name, value)| (name.clone(), value.clone()));
    let stated = stated.into_iter().map(|(name, value)| (name.to_owned(), value));
    provenance.chain(stated).map(|(name, value)| (name, Value::from(value))).collect()
}

fn geometry(shape: &Shape, corner: Level0Px) -> Value {
    match shape {
        Shape::Line(points) => {
            let points: Vec<[f64; 2]> = points.iter().map(|it| place(*it, corner)).collect();
            json!({ "type": "LineString", "coordinates": points })
        }
        Shape::Area(parts) => match parts.as_slice() {
            [part] => json!({ "type": "Polygon", "coordinates": rings(part, corner) }),
            parts => {
                let parts: Vec<_> = parts.iter().map(|part| rings(part, corner)).collect();
                json!({ "type": "MultiPolygon", "coordinates": parts })
            }
        },
    }
}

/// The outer ring, then the holes, each repeating its first point at the end.
fn rings(part: &Polygon, corner: Level0Px) -> Vec<Vec<[f64; 2]>> {
    let rings = std::iter::once(&part.outer).chain(&part.holes);
    rings
        .map(|ring| ring.iter().chain(ring.first()).map(|it| place(*it, corner)).collect())
        .collect()
}

fn place(point: Level0Px, corner: Level0Px) -> [f64; 2] {
    [rounded(point.x - corner.x), rounded(point.y - corner.y)]
}
