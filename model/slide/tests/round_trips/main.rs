//! Annotations through every writer and back: by our own importer always, and by independent readers in Python
//! (`check.py`) where these are installed. `SLIDELIGHT_ROUND_TRIPS` names a folder that keeps the files, for opening
//! them in the programs themselves.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cases;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{Case, cases};
use domain::annotation::{Annotation, Shape};
use domain::coords::{Level0Rect, PixelSize};
use domain::heatmap::Heatmap;
use domain::id::SlideId;
use domain::mask::BinaryThreshold;
use domain::pixels::Pixels;
use domain::progress::CancelToken;
use domain::scale::Mpp;
use slide::export::{
    AnnotationSheet, Caution, ExportFormat, ExportRequest, FrameChoice, SlideFacts,
    write_annotations, write_bundle,
};
use slide::import;

/// Those that our own importer does not read are left to other readers.
const IMPORTED: [ExportFormat; 3] =
    [ExportFormat::GeoJson, ExportFormat::AsapXml, ExportFormat::ImageScopeXml];

fn written(
    case: &Case,
    frame: FrameChoice,
    formats: &[ExportFormat],
    folder: &Path,
) -> Vec<PathBuf> {
    let mut sheet = AnnotationSheet::new(case.slide.clone(), &case.annotations);
    sheet.frame = frame;
    sheet.provenance = [("model", "fmamil-0.3"), ("weights_sha256", "abc--def"), ("t", "0.52")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let cancel = CancelToken::default();
    write_annotations(&sheet, folder, case.name, formats, (&(), &cancel)).unwrap()
}

/// Area of every part, in rising order.
fn areas(annotations: &[Annotation]) -> Vec<f64> {
    let parts = annotations.iter().flat_map(|it| match &it.shape {
        Shape::Area(parts) => parts.as_slice(),
        Shape::Line(_) => &[],
    });
    let mut areas: Vec<f64> = parts.map(|part| part.area_level0_px()).collect();
    areas.sort_by(f64::total_cmp);
    areas
}

fn extent(annotations: &[Annotation]) -> Option<Level0Rect> {
    let areas = annotations.iter().filter(|it| matches!(it.shape, Shape::Area(_)));
    areas.filter_map(|it| it.shape.bounds()).reduce(Level0Rect::union)
}

#[test]
fn what_is_written_is_read_back_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        for frame in FrameChoice::ALL {
            for path in written(&case, frame, &IMPORTED, folder.path()) {
                let bytes = std::fs::read(&path).unwrap();
                let file = import::read(&bytes).unwrap();
                let likely = file.likely_origin(&case.slide);
                assert!(likely.is_certain, "{}: the file says where it lies", path.display());
                let read = file.placed(likely.origin);
                let (expected, found) = (areas(&case.annotations), areas(&read));
                assert_eq!(expected.len(), found.len(), "{}", path.display());
                for (a, b) in expected.iter().zip(&found) {
                    assert!((a - b).abs() <= 5e-3 * a, "{}: {a} and {b}", path.display());
                }
                let (Some(a), Some(b)) = (extent(&case.annotations), extent(&read)) else {
                    continue;
                };
                let off = [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height];
                assert!(off.iter().all(|it| it.abs() < 2e-3), "{}: {off:?}", path.display());
                let classes = |all: &[Annotation]| -> std::collections::BTreeSet<String> {
                    let areas = all.iter().filter(|it| matches!(it.shape, Shape::Area(_)));
                    areas.map(|it| it.class.name.clone()).collect()
                };
                assert_eq!(classes(&case.annotations), classes(&read), "{}", path.display());
            }
        }
    }
}

#[test]
fn geojson_keeps_everything_but_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        written(&case, FrameChoice::ByReader, &IMPORTED, folder.path());
        let path = folder.path().join(format!("{}.geojson", case.name));
        let file = import::read(&std::fs::read(path).unwrap()).unwrap();
        let origin = file.stated_origin.unwrap();
        for (kept, read) in case.annotations.iter().zip(file.placed(origin)) {
            assert_eq!(kept.id, read.id);
            assert_eq!(
                (&kept.name, &kept.class, kept.verdict, &kept.comment, kept.score),
                (&read.name, &read.class, read.verdict, &read.comment, read.score)
            );
        }
    }
}

/// What `check.py` compares files with.
fn expected(case: &Case) -> serde_json::Value {
    let annotation = |it: &Annotation| {
        let n_holes = match &it.shape {
            Shape::Area(parts) => parts.iter().map(|part| part.holes.len()).sum(),
            Shape::Line(_) => 0_usize,
        };
        let bounds = it.shape.bounds().unwrap();
        serde_json::json!({
            "id": it.id.0.to_string(), "name": it.name, "class": it.class.name, "color": it.class.color,
            "is_area": matches!(it.shape, Shape::Area(_)), "area": it.shape.area_level0_px(), "holes": n_holes,
            "bounds": [bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height],
        })
    };
    let corner = case.slide.bounds.map(|it| [it.x, it.y]);
    let whole = Level0Rect::of_size(case.slide.size);
    let region = case.slide.bounds.unwrap_or(whole);
    let region = [region.x, region.y, region.width, region.height];
    serde_json::json!({
        "name": case.name,
        "size": [case.slide.size.width, case.slide.size.height],
        "mpp": case.slide.mpp.map(|it| it.mean()),
        "corner": corner,
        "region": region,
        "annotations": case.annotations.iter().map(annotation).collect::<Vec<_>>(),
    })
}

/// A map over a slide whose sides are odd, and a report with names in several scripts.
fn write_field(folder: &Path, kept: &[Annotation]) {
    let slide = SlideFacts {
        id: SlideId("f00d".to_owned()),
        size: PixelSize { width: 9001, height: 6007 },
        mpp: Mpp::new(0.5, 0.5),
        bounds: None,
    };
    let values = (0..35_u16).map(|i| f32::from(i * 17 % 32) / 32.0).collect();
    let frame = Level0Rect::of_size(slide.size);
    let heatmap = Heatmap::new(PixelSize { width: 7, height: 5 }, values, frame).unwrap();
    let thumbnail = Pixels::filled(PixelSize { width: 900, height: 600 }, [230, 200, 220, 255]);
    let notes = ["The slide is coarser than the model's resolution.".to_owned()];
    let request = ExportRequest {
        slide,
        heatmap: &heatmap,
        annotations: Some(kept),
        thumbnail: Some(&thumbnail),
        frame: FrameChoice::ByReader,
        tissue: None,
        threshold: BinaryThreshold::HALF,
        probability: 0.8,
        model: "fmamil-0.3",
        caution: Caution { notes: &notes, ..Caution::default() },
        timings: &[],
        provenance: &BTreeMap::new(),
    };
    let formats = [
        ExportFormat::HeatmapTiff,
        ExportFormat::ProbabilityTiff,
        ExportFormat::LikelihoodMap,
        ExportFormat::ReportPdf,
        ExportFormat::ReportPng,
    ];
    write_bundle(&request, folder, "field", &formats, (&(), &CancelToken::default())).unwrap();
}

#[test]
fn independent_readers_find_the_same() {
    let python = std::env::var("SLIDELIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/round_trips/check.py");
    let has_readers = Command::new(&python).args([script, "--are-readers-here"]).output();
    if !has_readers.is_ok_and(|it| it.status.success()) {
        eprintln!(
            "SKIPPED: shapely, tifffile, pycocotools, lxml and pypdf are not installed for `{python}`"
        );
        return;
    }
    let passing = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("SLIDELIGHT_ROUND_TRIPS").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(passing.path());
    let cases = cases();
    let of_annotations = ExportFormat::ALL.into_iter().filter(|it| it.is_of_annotations());
    let all: Vec<_> = of_annotations.collect();
    for case in &cases {
        written(case, FrameChoice::ByReader, &all, folder);
    }
    let small = cases.iter().filter(|it| it.name != "huge");
    let annotations: Vec<_> = small.flat_map(|it| it.annotations.clone()).collect();
    write_field(folder, &annotations);
    let expected: Vec<_> = cases.iter().map(expected).collect();
    std::fs::write(folder.join("expected"), serde_json::json!(expected).to_string()).unwrap();
    let output = Command::new(&python).arg(script).arg(folder).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    eprintln!("{}", String::from_utf8_lossy(&told));
    assert!(output.status.success());
}
