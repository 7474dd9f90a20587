//! The library, where it is installed or `SLIDELIGHT_OPENSLIDE` names it, on the demo slide.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::path::Path;

use openslide::{Library, Slide};

const DEMO: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../assets/demo/cmu-1-small-region.svs");

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn library() -> Option<Library> {
    let path = std::env::var_os("SLIDELIGHT_OPENSLIDE");
    match Library::load(path.as_deref()) {
        Ok(library) => Some(library),
        Err(error) if path.is_none() => {
            eprintln!("SKIPPED: OpenSlide is not installed: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_slide_gives_its_levels_properties_pixels_and_pictures() {
    let Some(library) = library() else { return };
    assert!(library.version().starts_with(['3', '4']), "{}", library.version());
    let slide = Slide::open(&library, Path::new(DEMO)).unwrap().unwrap();
    assert_eq!(slide.levels().unwrap(), [(2220, 2967)]);
    assert!((slide.downsample(0) - 1.0).abs() < 1e-9);
    assert_eq!(slide.properties()["openslide.vendor"], "aperio");
    let rgba = slide.read_region(0, (1007, 2298), (2, 1)).unwrap();
    assert_eq!(rgba[3], 255);
    assert!(slide.pictures().unwrap().contains(&("label".to_owned(), 387, 463)));
    assert_eq!(slide.read_picture("label").unwrap().len(), 387 * 463 * 4);
    assert!(slide.icc_profile().unwrap().is_none());
}

#[test]
fn pixels_past_the_edge_are_clear_and_errors_stay() {
    let Some(library) = library() else { return };
    let slide = Slide::open(&library, Path::new(DEMO)).unwrap().unwrap();
    assert_eq!(slide.read_region(0, (-5, -5), (1, 1)).unwrap(), [255, 255, 255, 0]);
    assert!(slide.read_picture("portrait").is_err());
}

#[test]
fn what_is_no_slide_is_not_opened() {
    let Some(library) = library() else { return };
    assert!(Slide::open(&library, Path::new(file!())).unwrap().is_none());
    assert!(Slide::open(&library, Path::new("a\0b")).is_err());
}

#[test]
fn a_library_that_is_not_there_is_an_error() {
    assert!(Library::load(Some(OsStr::new("/nowhere/libopenslide.so.1"))).is_err());
}
