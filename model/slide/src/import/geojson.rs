//! GeoJSON as `QuPath` writes it: a collection, a bare list of features, or one feature.
//!
//! Parsed as loose values: `QuPath` repeats keys in one object, and other writers add what they like.

use domain::annotation::{AnnotationClass, Verdict};
use domain::contour::Ring;
use domain::coords::Level0Px;
use serde_json::Value;
use uuid::Uuid;

use super::assemble::{Assembly, UNCLASSIFIED, Words, class};
use super::{AnnotationFile, AnnotationFormat, ImportError};
use crate::export::geojson::{ORIGIN, word};

const FORMAT: AnnotationFormat = AnnotationFormat::GeoJson;

pub(super) fn read(text: &str) -> Result<AnnotationFile, ImportError> {
    let mut assembly = Assembly::new(FORMAT);
    let root: Value =
        serde_json::from_str(text).map_err(|error| assembly.malformed(error.to_string()))?;
    let features = match &root {
        Value::Array(features) => features.as_slice(),
        root if root["type"] == "Feature" => std::slice::from_ref(root),
        root => match root["features"].as_array() {
            Some(features) => features.as_slice(),
            None => return Err(assembly.malformed("it holds no features".to_owned())),
        },
    };
    for feature in features {
        read_feature(feature, &mut assembly)?;
    }
    let stated_origin = stated_origin(&root, features);
    let (annotations, notes) = assembly.finish();
    Ok(AnnotationFile { format: FORMAT, stated_origin, notes, annotations })
}

/// As this program writes it; in the features it survives `QuPath`.
fn stated_origin(root: &Value, features: &[Value]) -> Option<Level0Px> {
    let of_root = |axis: &str| root.get(ORIGIN)?.pointer(&format!("/frame/{axis}"))?.as_f64();
    let of_feature = |axis: &str| {
        let pointer = format!("/properties/metadata/frame_{axis}");
        features.first()?.pointer(&pointer)?.as_str()?.parse::<f64>().ok()
    };
    let axis = |axis: &str| of_root(axis).or_else(|| of_feature(axis)).filter(|it| it.is_finite());
    Some(Level0Px { x: axis("x")?, y: axis("y")? })
}

fn read_feature(feature: &Value, assembly: &mut Assembly) -> Result<(), ImportError> {
    let geometry = &feature["geometry"];
    let coordinates = &geometry["coordinates"];
    let words = words(feature);
    match geometry["type"].as_str() {
        Some("Polygon") => {
            let rings = rings(coordinates, assembly)?;
            assembly.area(words, vec![rings])
        }
        Some("MultiPolygon") => {
            let parts = list(coordinates).iter().map(|part| rings(part, assembly));
            let parts = parts.collect::<Result<_, _>>()?;
            assembly.area(words, parts)
        }
        Some("LineString") => {
            let points = points(coordinates, assembly)?;
            assembly.line(words, points)
        }
        Some("MultiLineString") => {
            for line in list(coordinates) {
                let points = points(line, assembly)?;
                assembly.line(words.clone(), points)?;
            }
            Ok(())
        }
        Some("Point" | "MultiPoint") => {
            assembly.leave_out_points();
            Ok(())
        }
        _ => {
            assembly.leave_out_shape();
            Ok(())
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn rings(value: &Value, assembly: &mut Assembly) -> Result<Vec<Ring>, ImportError> {
    list(value).iter().map(|ring| points(ring, assembly)).collect()
}

fn points(value: &Value, assembly: &mut Assembly) -> Result<Ring, ImportError> {
    let point = |point: &Value| match list(point) {
        [x, y, ..] => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => assembly.point(x, y),
            _ => Err(assembly.malformed("a coordinate is no number".to_owned())),
        },
        _ => Err(assembly.malformed("a point has no two coordinates".to_owned())),
    };
    list(value).iter().map(point).collect()
}

fn words(feature: &Value) -> Words {
    let properties = &feature["properties"];
    let metadata = &properties["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts = [Verdict::Proposed, Verdict::Accepted, Verdict::Rejected];
    let verdict = verdicts.into_iter().find(|it| metadata["verdict"] == word(*it));
    let id = feature["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
    Words {
        id,
        verdict: verdict.unwrap_or_default(),
        comment: text(&metadata["comment"]),
        score: score(&properties["measurements"]),
        ..Words::new(&text(&properties["name"]), classification(properties))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the score is a 32-bit number")]
fn score(measurements: &Value) -> Option<f32> {
    measurements["Heatmap max"].as_f64().map(|score| score as f32)
}

/// A name, or an object with a name or the names of a derived class.
fn classification(properties: &Value) -> AnnotationClass {
    let value = &properties["classification"];
    let names = || list(&value["names"]).iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let name = match value.as_str().or_else(|| value["name"].as_str()) {
        Some(name) => name.to_owned(),
        None => names().join(": "),
    };
    let named = [&value["color"], &value["colorRGB"], &properties["color"]];
    let name = if name.is_empty() { UNCLASSIFIED } else { &name };
    class(name, named.into_iter().find_map(color))
}

/// Three or four numbers, or one of 32 bits: alpha, red, green, blue.
fn color(value: &Value) -> Option<[u8; 3]> {
    if let Some(packed) = value.as_i64() {
        let [blue, green, red, ..] = packed.to_le_bytes();
        return Some([red, green, blue]);
    }
    let channel = |index: usize| u8::try_from(value.get(index)?.as_u64()?).ok();
    Some([channel(0)?, channel(1)?, channel(2)?])
}
