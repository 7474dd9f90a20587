//! What has gone wrong for others: holes, edges, long rings, foreign scripts, nothing at all, odd slides.

use std::f64::consts::TAU;

use domain::annotation::{Annotation, AnnotationClass, AnnotationId, Shape, Source, Verdict};
use domain::contour::{Polygon, Ring};
use domain::coords::{Level0Px, Level0Rect, PixelSize};
use domain::id::SlideId;
use domain::mask::BinaryThreshold;
use domain::scale::Mpp;
use slide::export::SlideFacts;

/// Annotations on a slide that need not exist.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) slide: SlideFacts,
    pub(crate) annotations: Vec<Annotation>,
}

fn ring(points: &[[f64; 2]]) -> Ring {
    points.iter().map(|[x, y]| Level0Px { x: *x, y: *y }).collect()
}

/// Clockwise on screen.
fn rectangle(x: f64, y: f64, width: f64, height: f64) -> Ring {
    ring(&[[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
}

fn hole(x: f64, y: f64, width: f64, height: f64) -> Ring {
    rectangle(x, y, width, height).into_iter().rev().collect()
}

/// A ring of `n` points whose radius swings between nine and eleven tenths.
fn flower(center: f64, radius: f64, n: u32) -> Ring {
    let point = |i: u32| {
        let angle = TAU * f64::from(i) / f64::from(n);
        let radius = radius * (1.0 + 0.1 * (angle * 40.0).sin());
        [center + radius * angle.cos(), center + radius * angle.sin()]
    };
    ring(&(0..n).map(point).collect::<Vec<_>>())
}

fn annotation(number: u128, class: (&str, [u8; 3]), shape: Shape) -> Annotation {
    let id = uuid::Builder::from_random_bytes((number * 7_919).to_le_bytes()).into_uuid();
    Annotation {
        id: AnnotationId(id),
        name: format!("Lesion {number}"),
        class: AnnotationClass { name: class.0.to_owned(), color: class.1 },
        verdict: if number.is_multiple_of(2) { Verdict::Accepted } else { Verdict::Proposed },
        comment: String::new(),
        shape,
        source: Source::Model {
            model: "fmamil-0.3".to_owned(),
            layer: "Heatmap".to_owned(),
            threshold: BinaryThreshold::clamped(0.52),
        },
        score: Some(0.75),
    }
}

const TUMOR: (&str, [u8; 3]) = ("Tumor", [213, 94, 0]);

fn area(number: u128, class: (&str, [u8; 3]), outer: Ring, holes: Vec<Ring>) -> Annotation {
    annotation(number, class, Shape::Area(vec![Polygon { outer, holes }]))
}

fn slide(mpp: Option<Mpp>, bounds: Option<Level0Rect>) -> SlideFacts {
    let size = PixelSize { width: 4000, height: 3000 };
    SlideFacts { id: SlideId("f00d".to_owned()), size, mpp, bounds }
}

/// A lesion with two holes, and another one inside a hole.
fn two_holes() -> Vec<Annotation> {
    let holes = vec![hole(200.25, 200.25, 150.0, 100.0), hole(500.0, 300.0, 200.5, 200.5)];
    vec![
        area(1, TUMOR, rectangle(100.0, 100.0, 800.0, 600.0), holes),
        area(2, TUMOR, rectangle(550.0, 350.0, 80.0, 90.0), Vec::new()),
    ]
}

/// A hole that was painted over in another class.
fn painted_over() -> Vec<Annotation> {
    let holes = vec![hole(200.0, 200.0, 150.0, 100.0), hole(600.0, 400.0, 50.0, 60.0)];
    vec![
        area(1, TUMOR, rectangle(100.0, 100.0, 800.0, 600.0), holes),
        area(2, ("Normal", [0, 114, 178]), rectangle(180.0, 180.0, 200.0, 150.0), Vec::new()),
    ]
}

fn at_the_edges() -> Vec<Annotation> {
    vec![
        area(1, TUMOR, rectangle(0.0, 0.0, 300.0, 200.0), Vec::new()),
        area(2, ("Normal", [0, 114, 178]), rectangle(3500.0, 2500.0, 500.0, 500.0), Vec::new()),
    ]
}

fn foreign_script() -> Vec<Annotation> {
    let mut annotation = area(
        1,
        ("腺癌 <T&N> \"größer\" 🔬", [1, 2, 3]),
        rectangle(1000.0, 1000.0, 400.0, 300.0),
        vec![hole(1100.0, 1100.0, 50.0, 60.0)],
    );
    annotation.name = "病变, \"1\" -- <a>".to_owned();
    annotation.comment = "erste Zeile\nzweite, mit \"Komma\"".to_owned();
    vec![annotation]
}

fn parts_and_lines() -> Vec<Annotation> {
    let part = |x: f64| Polygon {
        outer: rectangle(x, 2000.0, 100.0, 100.0),
        holes: vec![hole(x + 20.0, 2020.0, 30.0, 30.0)],
    };
    let line = ring(&[[2000.0, 2100.0], [2300.0, 2500.0], [2600.0, 2100.0]]);
    vec![
        annotation(1, TUMOR, Shape::Area(vec![part(1500.0), part(1700.0)])),
        annotation(2, TUMOR, Shape::Line(line)),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    let mpp = Mpp::new(0.25, 0.25);
    let bounds = Some(Level0Rect { x: 90.0, y: 77.0, width: 3500.0, height: 2800.0 });
    let huge =
        SlideFacts { size: PixelSize { width: 200_000, height: 100_000 }, ..slide(mpp, None) };
    let large = area(1, TUMOR, flower(50_000.0, 30_000.0, 4_000), Vec::new());
    let long = area(
        1,
        TUMOR,
        flower(1500.0, 1200.0, 50_000),
        vec![flower(1500.0, 300.0, 64).into_iter().rev().collect()],
    );
    let case = |name, slide, annotations| Case { name, slide, annotations };
    vec![
        case("two_holes", slide(mpp, None), two_holes()),
        case("painted_over", slide(mpp, None), painted_over()),
        case("edges", slide(mpp, None), at_the_edges()),
        case("long_ring", slide(mpp, None), vec![long]),
        case("foreign_script", slide(mpp, None), foreign_script()),
        case("nothing", slide(mpp, None), Vec::new()),
        case("bounds", slide(mpp, bounds), two_holes()),
        case("uncalibrated", slide(None, None), two_holes()),
        case("parts_and_lines", slide(mpp, None), parts_and_lines()),
        case("huge", huge, vec![large]),
    ]
}
