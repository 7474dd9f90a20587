use std::collections::BTreeMap;

use domain::annotation::{Source, Verdict};
use domain::coords::PixelSize;
use domain::id::SlideId;

use super::*;

fn slide(bounds: Option<Level0Rect>) -> SlideFacts {
    let size = PixelSize { width: 4000, height: 3000 };
    SlideFacts { id: SlideId("f00d".to_owned()), size, mpp: None, bounds }
}

const SQUARE: &str = "[[10,10],[20,10],[20,20],[10,20],[10,10]]";
const HOLE: &str = "[[12,12],[12,14],[14,14],[14,12],[12,12]]";

fn feature(geometry: &str, properties: &str) -> String {
    format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{properties}}}"#)
}

fn polygon() -> String {
    format!(r#"{{"type":"Polygon","coordinates":[{SQUARE},{HOLE}]}}"#)
}

fn only(text: &str) -> Annotation {
    let mut read = read(text.as_bytes()).unwrap().placed(Level0Px::default());
    assert_eq!(read.len(), 1, "{text}");
    read.remove(0)
}

#[test]
fn a_feature_is_read_alone_in_a_bare_list_and_in_a_collection() {
    let feature = feature(&polygon(), "{}");
    for text in [
        feature.clone(),
        format!("[{feature}]"),
        format!(r#"{{"type":"FeatureCollection","features":[{feature}]}}"#),
        format!("\u{FEFF} [{feature}]"),
    ] {
        let annotation = only(&text);
        assert_eq!(annotation.shape.area_level0_px(), 96.0);
        assert_eq!(annotation.class.name, "Unclassified");
        assert_eq!(annotation.source, Source::Imported("QuPath GeoJSON".to_owned()));
    }
}

#[test]
fn metadata_that_stand_there_twice_are_read_once() {
    let properties = r#"{"metadata":{"verdict":"accepted","comment":"a"},"metadata":{"verdict":"accepted","comment":"a"}}"#;
    let annotation = only(&feature(&polygon(), properties));
    assert_eq!((annotation.verdict, annotation.comment.as_str()), (Verdict::Accepted, "a"));
}

#[test]
fn every_spelling_of_a_class_is_understood() {
    let class = |properties: &str| only(&feature(&polygon(), properties)).class;
    let tumor = |color| AnnotationClass { name: "Tumor".to_owned(), color };
    use domain::annotation::AnnotationClass;
    let spelled = [
        (r#"{"classification":{"name":"Tumor","color":[200,0,1]}}"#, [200, 0, 1]),
        (r#"{"classification":{"name":"Tumor","colorRGB":-3670015}}"#, [200, 0, 1]),
        (r#"{"classification":"Tumor","color":[1,2,3,4]}"#, [1, 2, 3]),
        (r#"{"classification":{"names":["Tumor"],"color":[300,0,0]}}"#, [86, 180, 233]),
    ];
    for (text, color) in spelled {
        assert_eq!(class(text), tumor(color), "{text}");
    }
    let derived = r#"{"classification":{"names":["Tumor","Positive"],"color":[1,2,3]}}"#;
    assert_eq!(class(derived).name, "Tumor: Positive");
}

#[test]
fn points_collections_and_rings_without_an_area_are_named() {
    let shapes = [
        r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
        r#"{"type":"GeometryCollection","geometries":[]}"#.to_owned(),
        r#"{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,0]]]}"#.to_owned(),
        "null".to_owned(),
        format!(r#"{{"type":"Polygon","coordinates":[{SQUARE},[[1,1],[1,1]]]}}"#),
    ];
    let features: Vec<String> = shapes.iter().map(|it| feature(it, "{}")).collect();
    let file = read(format!("[{}]", features.join(",")).as_bytes()).unwrap();
    assert_eq!(file.len(), 1);
    assert_eq!(
        file.notes,
        [
            "1 points or sets of points were left out",
            "3 shapes of other kinds or without an extent were left out",
            "1 holes lie in no lesion and were left out",
        ]
    );
}

#[test]
fn two_annotations_of_one_id_are_told_apart() {
    let id = "6b2b1a3e-7c50-4e0a-8a7b-2f6f6f1d0c11";
    let twin =
        format!(r#"{{"type":"Feature","id":"{id}","geometry":{},"properties":{{}}}}"#, polygon());
    let file = read(format!("[{twin},{twin}]").as_bytes()).unwrap();
    let ids: Vec<String> =
        file.placed(Level0Px::default()).iter().map(|it| it.id.0.to_string()).collect();
    assert_eq!(ids[0], id);
    assert_ne!(ids[1], id);
}

const ASAP: &str = r##"<?xml version="1.0"?>
<ASAP_Annotations><Annotations>
<Annotation Name="Big" Type="Polygon" PartOfGroup="_0" Color="#F4FA58"><Coordinates>
<Coordinate Order="1" X="100" Y="0"/><Coordinate Order="0" X="0" Y="0"/>
<Coordinate Order="2" X="100" Y="100"/><Coordinate Order="3" X="0" Y="100"/></Coordinates></Annotation>
<Annotation Name="Small" Type="Spline" PartOfGroup="_0" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="10" Y="10"/><Coordinate Order="1" X="50" Y="10"/><Coordinate Order="2" X="50" Y="50"/><Coordinate Order="3" X="10" Y="50"/></Coordinates></Annotation>
<Annotation Name="Cut" Type="Polygon" PartOfGroup="_2" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="20" Y="20"/><Coordinate Order="1" X="30" Y="20"/><Coordinate Order="2" X="30" Y="30"/><Coordinate Order="3" X="20" Y="30"/></Coordinates></Annotation>
<Annotation Name="Far" Type="Polygon" PartOfGroup="_2" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="900" Y="900"/><Coordinate Order="1" X="910" Y="900"/><Coordinate Order="2" X="910" Y="910"/></Coordinates></Annotation>
<Annotation Name="Dot" Type="Dot" PartOfGroup="None" Color="#F4FA58"><Coordinates><Coordinate Order="0" X="1" Y="1"/></Coordinates></Annotation>
</Annotations><AnnotationGroups><Group Name="_0" PartOfGroup="None" Color="#ff0000"><Attributes/></Group></AnnotationGroups></ASAP_Annotations>"##;

#[test]
fn exclusions_of_asap_become_holes_of_the_smallest_outline_around_them() {
    let file = read(ASAP.as_bytes()).unwrap();
    assert_eq!((file.format, file.stated_origin), (AnnotationFormat::AsapXml, None));
    assert_eq!(file.notes.len(), 2, "a dot and a hole in nothing: {:?}", file.notes);
    let read = file.placed(Level0Px::default());
    let areas: Vec<f64> = read.iter().map(|it| it.shape.area_level0_px()).collect();
    assert_eq!(areas, [10_000.0, 1_500.0], "points in the order they state");
    assert_eq!((read[0].class.name.as_str(), read[0].class.color), ("_0", [255, 0, 0]));
}

#[test]
fn image_scope_layers_are_classes_and_negative_regions_holes() {
    let vertices = |points: &[[u32; 2]]| -> String {
        points.iter().map(|[x, y]| format!("<Vertex X=\"{x}\" Y=\"{y}\" Z=\"0\"/>")).collect()
    };
    let region = |kind: u8, negative: u8, points: &[[u32; 2]]| {
        let vertices = vertices(points);
        format!(
            "<Region Type=\"{kind}\" NegativeROA=\"{negative}\" Text=\"a\"><Vertices>{vertices}</Vertices></Region>"
        )
    };
    let text = format!(
        "<Annotations><Annotation Name=\"Tumor\" LineColor=\"16711680\"><Regions>{}{}{}</Regions></Annotation></Annotations>",
        region(0, 1, &[[2, 2], [4, 2], [4, 4], [2, 4]]),
        region(0, 0, &[[0, 0], [10, 0], [10, 10], [0, 10]]),
        region(2, 0, &[[0, 0], [10, 10]]),
    );
    let file = read(text.as_bytes()).unwrap();
    assert_eq!(file.notes.len(), 1, "an ellipse");
    let annotation = &file.placed(Level0Px::default())[0];
    assert_eq!(annotation.shape.area_level0_px(), 96.0);
    assert_eq!(annotation.class.color, [0, 0, 255], "blue in the highest byte");
}

#[test]
fn the_frame_is_the_files_own_word_else_a_guess_that_says_so() {
    let bounds = Level0Rect { x: 1000.0, y: 500.0, width: 2000.0, height: 1500.0 };
    let corner = Level0Px { x: 1000.0, y: 500.0 };
    let likely = |text: &str, bounds| read(text.as_bytes()).unwrap().likely_origin(&slide(bounds));
    let plain = feature(&polygon(), "{}");
    assert_eq!(
        likely(&plain, None),
        LikelyOrigin { origin: Level0Px::default(), is_certain: true }
    );
    assert_eq!(likely(&plain, Some(bounds)), LikelyOrigin { origin: corner, is_certain: false });
    let asap = LikelyOrigin { origin: Level0Px::default(), is_certain: false };
    assert_eq!(likely(ASAP, Some(bounds)), asap);
    let far = feature(r#"{"type":"LineString","coordinates":[[1,1],[2500,1]]}"#, "{}");
    assert_eq!(likely(&far, Some(bounds)), asap, "it does not fit the scanned part");
    let told = feature(&polygon(), r#"{"metadata":{"frame_x":"7","frame_y":"8"}}"#);
    let stated = LikelyOrigin { origin: Level0Px { x: 7.0, y: 8.0 }, is_certain: true };
    assert_eq!(likely(&told, Some(bounds)), stated);
    let moved = read(told.as_bytes()).unwrap().placed(stated.origin);
    assert_eq!(
        moved[0].shape.bounds().unwrap(),
        Level0Rect { x: 17.0, y: 18.0, width: 10.0, height: 10.0 }
    );
}

#[test]
fn what_is_no_file_of_annotations_is_refused_with_one_line() {
    let deep = "[".repeat(200_000);
    let far = feature(r#"{"type":"Polygon","coordinates":[[[0,0],[1e9,0],[1e9,1]]]}"#, "{}");
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\">]><Annotations>&b;</Annotations>";
    let nan = ASAP.replace("X=\"900\"", "X=\"NaN\"");
    let cases = ["", "hello", "{}", "<svg/>", "[", &deep, &far, bomb, &nan, "{\"features\":3}"];
    for text in cases {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(!error.is_empty() && !error.contains('\n'), "{error}");
    }
    assert!(matches!(read(&[0xFF, 0xFE, 0]), Err(ImportError::Unknown)));
}

/// Small steps of a linear congruential generator: the same damage on every machine.
struct Damage(u64);

impl Damage {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn damaged_files_are_read_or_refused_and_never_believed_beyond_reason() {
    let json = format!(
        "[{},{}]",
        feature(&polygon(), r#"{"name":"a","metadata":{"frame_x":"1"}}"#),
        feature(r#"{"type":"LineString","coordinates":[[1,1],[25,1]]}"#, "{}")
    );
    let scope = "<Annotations><Annotation Name=\"T\" LineColor=\"255\"><Regions><Region Type=\"0\" NegativeROA=\"0\"><Vertices><Vertex X=\"1\" Y=\"1\"/><Vertex X=\"9\" Y=\"1\"/><Vertex X=\"9\" Y=\"9\"/></Vertices></Region></Regions></Annotation></Annotations>";
    let mut damage = Damage(7);
    let mut outcomes = BTreeMap::<bool, usize>::new();
    for round in 0..6_000 {
        let mut bytes = [json.as_str(), ASAP, scope][round % 3].as_bytes().to_vec();
        for _ in 0..=damage.below(4) {
            let at = damage.below(bytes.len());
            match damage.below(4) {
                0 => bytes[at] = u8::try_from(damage.below(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"0<>\"]}-e.9"[damage.below(10)]),
                _ => {
                    let end = (at + damage.below(60)).min(bytes.len());
                    let copied = bytes[at..end].to_vec();
                    bytes.splice(at..at, copied);
                }
            }
        }
        let file = read(&bytes);
        *outcomes.entry(file.is_ok()).or_default() += 1;
        for annotation in file.into_iter().flat_map(|it| it.placed(Level0Px::default())) {
            let bounds = annotation.shape.bounds().unwrap();
            assert!(bounds.width.is_finite() && 0.0 <= annotation.shape.area_level0_px() + 1e9);
        }
    }
    assert!(outcomes.values().all(|n| 100 < *n), "{outcomes:?}");
}
