use domain::coords::Level0Rect;
use serde_json::Value;

use super::*;

/// Two lesions, one of them with a hole, on a frame that does not begin at the slide's corner.
fn heatmap() -> Heatmap {
    let drawing = [
        "..........", //
        ".####...#.", //
        ".#..#..##.", //
        ".#..#.....", //
        ".####.....",
    ];
    let values = drawing.concat().chars().map(|cell| if cell == '#' { 0.9 } else { 0.0 }).collect();
    let frame = Level0Rect { x: 1000.0, y: 2000.0, width: 500.0, height: 250.0 };
    Heatmap::new(PixelSize { width: 10, height: 5 }, values, frame).unwrap()
}

const TIMINGS: [(&str, Duration); 2] = [
    ("Reading patches", Duration::from_millis(1500)),
    ("Reading patches", Duration::from_millis(500)),
];

struct Fixture {
    heatmap: Heatmap,
    tissue: BinaryMask,
    provenance: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Fixture {
    fn new(heatmap: Heatmap) -> Self {
        // Six of the drawing's ten columns.
        let PixelSize { width, height } = heatmap.size();
        let is_tissue = (0..height).flat_map(|_| (0..width).map(|column| column < 6)).collect();
        let tissue = BinaryMask::new(heatmap.size(), is_tissue, heatmap.frame());
        Self {
            heatmap,
            tissue: tissue.unwrap(),
            provenance: BTreeMap::from([("weights".to_owned(), "abc".to_owned())]),
            notes: vec!["Größer als erwartet, 病理".to_owned()],
        }
    }

    fn request(&self, mpp: Option<Mpp>) -> ExportRequest<'_> {
        ExportRequest {
            slide: SlideFacts {
                id: SlideId("f00d".to_owned()),
                size: PixelSize { width: 4000, height: 3000 },
                mpp,
                bounds: None,
            },
            annotations: None,
            thumbnail: None,
            frame: FrameChoice::ByReader,
            heatmap: &self.heatmap,
            tissue: Some(&self.tissue),
            threshold: BinaryThreshold::clamped(0.3),
            probability: 0.8,
            model: "fmamil-test",
            caution: Caution {
                is_outside_training_data: true,
                outside_share: 0.5,
                faithfulness: Some(0.25),
                notes: &self.notes,
            },
            timings: &TIMINGS,
            provenance: &self.provenance,
        }
    }

    /// Every file of a full export by its ending.
    fn written(&self, mpp: Option<Mpp>) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let files = write_bundle(
            &self.request(mpp),
            folder.path(),
            "case",
            &ExportFormat::ALL,
            unwatched(&CancelToken::default()),
        )
        .unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files.iter().map(|file| (name(file), std::fs::read(file).unwrap())).collect()
    }
}

fn unwatched(cancel: &CancelToken) -> (&dyn Progress, &CancelToken) {
    (&(), cancel)
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn a_full_export_is_one_flat_folder() {
    let files = Fixture::new(heatmap()).written(None);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "case.coco.json",
            "case.geojson",
            "case.heatmap.png",
            "case.heatmap.tif",
            "case.imagescope.xml",
            "case.json",
            "case.labels.ome.tif",
            "case.lesions.csv",
            "case.mask.json",
            "case.mask.png",
            "case.probability.ome.tif",
            "case.report.pdf",
            "case.report.png",
            "case.xml",
            "case_likelihood_map.tif",
        ]
    );
}

#[test]
fn label_and_probability_images_open_as_slides() {
    let files = Fixture::new(heatmap()).written(None);
    let folder = tempfile::tempdir().unwrap();
    for name in ["case.labels.ome.tif", "case.probability.ome.tif"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &files[name]).unwrap();
        let error = Slide::open(&path).err();
        assert!(error.is_none(), "{name}: {error:?}");
    }
}

#[test]
fn pictures_say_where_they_come_from() {
    let files = Fixture::new(heatmap()).written(None);
    for name in ["case.mask.png", "case.heatmap.png", "case.report.png"] {
        let text = String::from_utf8_lossy(&files[name]);
        assert!(text.contains("Description") && text.contains("\"weights\":\"abc\""), "{name}");
        assert!(image::load_from_memory(&files[name]).is_ok(), "{name} is still a picture");
    }
}

#[test]
fn the_mask_picture_equals_the_mask_pixel_by_pixel() {
    let fixture = Fixture::new(heatmap());
    let files = fixture.written(None);
    let picture = image::load_from_memory(&files["case.mask.png"]).unwrap();
    assert_eq!(picture.color(), image::ColorType::L8);
    let mask = BinaryMask::cut(&fixture.heatmap, BinaryThreshold::clamped(0.3));
    let expected: Vec<u8> = mask.bits().iter().map(|bit| u8::from(*bit) * 255).collect();
    assert_eq!(picture.into_luma8().into_raw(), expected);
}

#[test]
fn a_mask_says_where_it_lies() {
    let files = Fixture::new(heatmap()).written(Mpp::new(0.25, 0.5));
    let frame = json(&files["case.mask.json"]);
    let numbers = ["x", "y", "width", "height"].map(|key| frame[key].as_f64().unwrap());
    assert_eq!(numbers, [1000.0, 2000.0, 500.0, 250.0]);
    assert_eq!(frame["raster"], serde_json::json!({ "width": 500, "height": 250 }));
    assert_eq!(frame["downsample"], serde_json::json!({ "x": 1.0, "y": 1.0 }));
    assert_eq!((&frame["slide"]["mpp_x"], &frame["slide"]["mpp_y"]), (&0.25.into(), &0.5.into()));
    assert_eq!(frame["threshold"], 0.3);
    assert_eq!(frame["research_use"], domain::RESEARCH_USE_ONLY);
}

#[test]
fn the_heatmap_file_holds_the_very_values_and_its_frame() {
    use tiff::decoder::{Decoder, DecodingResult};
    use tiff::tags::Tag;
    let fixture = Fixture::new(heatmap());
    let files = fixture.written(Mpp::new(0.5, 0.5));
    let mut tiff = Decoder::new(std::io::Cursor::new(&files["case.heatmap.tif"])).unwrap();
    assert_eq!(tiff.dimensions().unwrap(), (10, 5));
    let description = tiff.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert_eq!(json(description.as_bytes())["x"], 1000.0);
    let DecodingResult::F32(values) = tiff.read_image().unwrap() else { panic!() };
    assert_eq!(values, fixture.heatmap.values());
}

#[test]
fn outlines_follow_the_rules_of_qupath() {
    let files = Fixture::new(heatmap()).written(Mpp::new(0.5, 0.5));
    let collection = json(&files["case.geojson"]);
    let features = collection["features"].as_array().unwrap();
    let holes: Vec<usize> = features
        .iter()
        .map(|it| it["geometry"]["coordinates"].as_array().unwrap().len() - 1)
        .collect();
    assert_eq!((&collection["type"], holes), (&Value::from("FeatureCollection"), vec![1, 0]));
    for feature in features {
        assert_eq!(feature["geometry"]["type"], "Polygon");
        for ring in feature["geometry"]["coordinates"].as_array().unwrap() {
            let ring = ring.as_array().unwrap();
            assert!(4 <= ring.len() && ring.first() == ring.last());
        }
        let id = feature["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
        assert_eq!(id.get_version_num(), 4);
        let properties = &feature["properties"];
        assert_eq!(properties["objectType"], "annotation");
        assert_eq!(properties["classification"]["color"].as_array().unwrap().len(), 3);
        assert!(properties["metadata"].as_object().unwrap().values().all(Value::is_string));
        let measurements = properties["measurements"].as_object().unwrap();
        assert!(measurements.values().all(Value::is_number));
        let area = |name: &str| measurements[name].as_f64().unwrap();
        assert_eq!(area("Area µm^2"), area("Area px^2") * 0.25);
    }
    assert_ne!(features[0]["id"], features[1]["id"]);
}

#[test]
fn the_same_result_is_written_the_same_way_twice() {
    let fixture = Fixture::new(heatmap());
    assert_eq!(fixture.written(None), fixture.written(None));
}

#[test]
fn without_calibration_nothing_is_metric() {
    let files = Fixture::new(heatmap()).written(None);
    assert_eq!(json(&files["case.json"])["area"]["um2"], Value::Null);
    let outlines = String::from_utf8(files["case.geojson"].clone()).unwrap();
    assert!(outlines.contains("px^2") && !outlines.contains("µm"));
}

#[test]
fn an_empty_mask_is_exported_like_any_other() {
    let frame = Level0Rect { x: 0.0, y: 0.0, width: 64.0, height: 64.0 };
    let empty = Heatmap::new(PixelSize { width: 1, height: 1 }, vec![0.0], frame).unwrap();
    let files = Fixture::new(empty).written(None);
    assert_eq!(json(&files["case.geojson"])["features"], serde_json::json!([]));
    assert_eq!(json(&files["case.json"])["area"]["px"], 0.0);
    let picture = image::load_from_memory(&files["case.heatmap.png"]).unwrap().into_rgba8();
    assert!(picture.pixels().all(|pixel| pixel.0[3] == 0));
}

#[test]
fn the_record_holds_figures_cautions_and_provenance() {
    let fixture = Fixture::new(heatmap());
    let record = json(&fixture.written(Mpp::new(0.5, 0.5))["case.json"]);
    let area = record["area"]["px"].as_f64().unwrap();
    assert_eq!(record["area"]["um2"], area * 0.25);
    assert_eq!(record["percent_of_tissue"], 100.0 * 12.0 / 30.0, "12 of 30 cells of tissue");
    assert_eq!(record["timings_s"]["Reading patches"], 2.0);
    assert_eq!((&record["prediction"], &record["lesions"]), (&"positive".into(), &2.into()));
    assert_eq!(record["notes"][0], "Größer als erwartet, 病理");
    assert_eq!(record["provenance"]["weights"], "abc");
    assert_eq!(record, super::record(&fixture.request(Mpp::new(0.5, 0.5))));
}

#[test]
fn a_failed_export_leaves_no_file_behind() {
    let fixture = Fixture::new(heatmap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("case.mask.png")).unwrap();
    let request = fixture.request(None);
    let cancel = CancelToken::default();
    let error =
        write_bundle(&request, folder.path(), "case", &ExportFormat::ALL, unwatched(&cancel))
            .unwrap_err();
    assert!(error.to_string().starts_with("cannot write the mask: "), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
