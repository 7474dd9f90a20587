use super::*;
use domain::annotation::{AnnotationClass, AnnotationId, Source};
use domain::contour::Polygon;
use domain::coords::{Level0Px, LevelRect, PixelSize};
use domain::id::LevelIndex;
use image::RgbImage;

fn lesion(verdict: Verdict, class: &str) -> Annotation {
    let corners = [(10.0, 10.0), (30.0, 10.0), (30.0, 20.0), (10.0, 20.0)];
    let outer = corners.map(|(x, y)| Level0Px { x, y }).to_vec();
    Annotation {
        id: AnnotationId(uuid::Uuid::nil()),
        name: String::new(),
        class: AnnotationClass { name: class.to_owned(), color: [0; 3] },
        verdict,
        comment: String::new(),
        shape: Shape::Area(vec![Polygon { outer, holes: Vec::new() }]),
        source: Source::Drawn,
        score: None,
    }
}

/// An image of its own color in a folder of its own.
fn image(dir: &Path, name: &str, gray: u8) -> PathBuf {
    let path = dir.join(name);
    make_folder(&path).unwrap();
    RgbImage::from_pixel(64, 48, image::Rgb([gray, 90, 120])).save(&path).unwrap();
    path
}

fn sent(dir: &Path, path: &Path, patient: Option<&str>) -> Result<Sent, SendError> {
    let slide = Slide::open(path).unwrap();
    let lesions = lesions(&[lesion(Verdict::Accepted, "Lesion")], "Lesion").unwrap();
    let correction = Correction { path, slide: &slide, lesions: &lesions, patient };
    send(dir, &correction, (&(), &CancelToken::default()))
}

fn labels(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(TABLE)).unwrap()
}

#[test]
fn an_empty_folder_becomes_a_labelled_one_with_the_mask_in_the_size_of_the_image() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("training");
    let found = sent(&dir, &image(desk.path(), "case.png", 200), Some("P7")).unwrap();
    assert!(found.is_new && found.file == "case.png");
    assert_eq!(labels(&dir), "file,label,patient\ncase.png,positive,P7\n");
    assert!(dir.join("images/case.png").is_file());
    assert_eq!(mask_in(&folder_in(&dir), "case.png"), Some(found.mask.clone()));
    let mask = Slide::open(&found.mask).unwrap();
    assert_eq!(mask.size(), PixelSize { width: 64, height: 48 });
    let whole = LevelRect { x: 0, y: 0, size: mask.size() };
    let pixels = mask.read_region(LevelIndex(0), whole).unwrap().pixels;
    let rgba = pixels.rgba();
    let red = |x: usize, y: usize| rgba[4 * (64 * y + x)];
    let n_lesion = rgba.iter().step_by(4).filter(|it| **it == 255).count();
    assert_eq!(n_lesion, 20 * 10);
    assert_eq!([red(10, 10), red(29, 19), red(30, 10), red(10, 20)], [255, 255, 0, 0]);
}

#[test]
fn an_image_that_the_folder_holds_gets_a_mask_and_nothing_else_changes() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("training");
    let path = image(desk.path(), "case.png", 200);
    sent(&dir, &path, None).unwrap();
    let before = labels(&dir);
    for path in [path, dir.join("images/case.png")] {
        assert!(!sent(&dir, &path, None).unwrap().is_new);
    }
    assert_eq!(labels(&dir), before);
    assert_eq!(count(&dir, &folder::list(&dir).images), 1);
}

#[test]
fn another_image_of_the_same_name_gets_a_name_of_its_own() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("training");
    sent(&dir, &image(desk.path(), "case.png", 200), None).unwrap();
    let other = sent(&dir, &image(&desk.path().join("b"), "case.png", 10), None).unwrap();
    assert!(other.is_new && other.file.starts_with("case-"), "{other:?}");
    assert_eq!(count(&dir, &folder::list(&dir).images), 2);
}

#[test]
fn a_row_is_added_in_the_columns_that_the_table_has() {
    let desk = tempfile::tempdir().unwrap();
    let table = desk.path().join(TABLE);
    std::fs::write(&table, "class,file,split,label\nx,a.png,val,0").unwrap();
    let text = with_row(&table, "b, c.png", None).unwrap();
    let expected = "class,file,split,label\nx,a.png,val,0\n,\"b, c.png\",train,positive\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
    let error = with_row(&table, "b.png", Some("P1")).unwrap_err().to_string();
    assert!(error.contains("no column `patient`"), "{error}");
}

#[test]
fn a_folder_of_classes_takes_it_among_the_positive_ones() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("training");
    image(&dir, "negative/a.png", 1);
    image(&dir, "tumor/b.png", 2);
    let found = sent(&dir, &image(desk.path(), "case.png", 200), None).unwrap();
    assert_eq!(found.file, "tumor/case.png");
    assert!(!dir.join(TABLE).exists() && dir.join("tumor/case.png").is_file());
    assert_eq!(found.mask, dir.join("corrected/tumor/case.labels.ome.tif"));
    let negative = sent(&dir, &dir.join("negative/a.png"), None).unwrap_err();
    assert!(matches!(negative, SendError::Negative(_)), "{negative}");
    image(&dir, "adenoma/c.png", 3);
    let error = sent(&dir, &image(desk.path(), "next.png", 4), None).unwrap_err().to_string();
    assert!(error.contains("adenoma, tumor"), "{error}");
}

#[test]
fn a_folder_of_something_else_stays_as_it_is() {
    let desk = tempfile::tempdir().unwrap();
    let dir = desk.path().join("letters");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("letter.txt"), "dear").unwrap();
    let path = image(desk.path(), "case.png", 200);
    assert!(matches!(sent(&dir, &path, None), Err(SendError::Folder(_))));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn only_what_was_decided_is_sent() {
    let (accepted, rejected) =
        (lesion(Verdict::Accepted, "Lesion"), lesion(Verdict::Rejected, "Lesion"));
    let open = lesion(Verdict::Proposed, "Lesion");
    let other = lesion(Verdict::Proposed, "Normal");
    let kept = lesions(&[accepted.clone(), rejected.clone(), other.clone()], "Lesion").unwrap();
    assert_eq!(kept, std::slice::from_ref(&accepted));
    assert!(matches!(lesions(&[accepted, open], "Lesion"), Err(SendError::Undecided(1))));
    assert!(matches!(lesions(&[rejected, other], "Lesion"), Err(SendError::Nothing)));
}
