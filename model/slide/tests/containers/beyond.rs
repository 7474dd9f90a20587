//! Formats that are read through OpenSlide, where it is installed or `SLIDELIGHT_OPENSLIDE` names it.

use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use slide::Slide;

use crate::tiff_builder::Tiff;

/// A Trestle slide of one tile: its upper half is dark.
fn trestle() -> Tiff {
    let pixels = [vec![10; 3 * 2048], vec![200; 3 * 2048]].concat();
    let mut tiff = Tiff::gray(64, 64, vec![pixels]);
    tiff.set(322, &[64]).set(323, &[64]).set(258, &[8, 8, 8]).set(262, &[2]).set(277, &[3]);
    tiff.set_text(305, b"MedScan 1.0");
    tiff.set_text(270, b"Objective Power=20;Background Color=FFFFFF;Image Count=1");
    tiff
}

#[test]
fn a_slide_beyond_our_formats_opens_or_says_how_it_would() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slide.tif");
    std::fs::write(&path, trestle().bytes()).unwrap();
    let slide = match Slide::open(&path) {
        Ok(slide) => slide,
        Err(error) => {
            let message = error.to_string();
            assert!(std::env::var_os("SLIDELIGHT_OPENSLIDE").is_none(), "{message}");
            for word in ["Trestle", "openslide.org", "SLIDELIGHT_OPENSLIDE"] {
                assert!(message.contains(word), "{message}");
            }
            eprintln!("SKIPPED: OpenSlide is not installed");
            return;
        }
    };
    assert_eq!((slide.format(), slide.size()), ("trestle", PixelSize { width: 64, height: 64 }));
    assert_eq!(slide.objective_power(), Some(20.0));
    let read = |x, y| {
        let rect = LevelRect { x, y, size: PixelSize { width: 1, height: 1 } };
        slide.read_region(LevelIndex(0), rect).unwrap().pixels.get(0, 0).unwrap()
    };
    assert_eq!((read(63, 31), read(0, 32)), ([10, 10, 10, 255], [200, 200, 200, 255]));
    assert_eq!(read(64, 0), [255, 255, 255, 0]);
}
