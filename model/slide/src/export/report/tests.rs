use domain::coords::{Level0Rect, PixelSize};
use domain::pixels::Pixels;

use super::glyphs::Glyphs;
use super::page::{Item, Page};
use super::{pdf, picture};

fn page(pixels: &Pixels, text: &str) -> Page<'static> {
    let pixels: &'static Pixels = Box::leak(Box::new(pixels.clone()));
    let area = Level0Rect { x: 100.0, y: 200.0, width: 200.0, height: 100.0 };
    let text = text.to_owned();
    let items = vec![
        Item::Picture { area, pixels },
        Item::Text { x: 50.0, y: 100.0, size: 12.0, color: [0; 3], text },
    ];
    Page { title: "Lesion report", items }
}

#[test]
fn a_pdf_is_whole_and_a_damaged_one_is_noticed() {
    let glyphs = Glyphs::default();
    let green = Pixels::filled(PixelSize { width: 20, height: 10 }, [0, 200, 0, 255]);
    let bytes = pdf::encode(&page(&green, "Läsion 1"), &glyphs, "{}").unwrap();
    assert_eq!(pdf::check(&bytes), Ok(()));
    assert!(pdf::check(&bytes[..bytes.len() / 2]).is_err());
    let mut shifted = bytes;
    shifted.insert(30, b' ');
    assert!(pdf::check(&shifted).is_err());
}

#[test]
fn a_picture_of_the_page_shows_slide_and_letters() {
    let green = Pixels::filled(PixelSize { width: 20, height: 10 }, [0, 200, 0, 255]);
    let bytes = picture::encode(&page(&green, "I"), &Glyphs::default()).unwrap();
    let shown = image::load_from_memory(&bytes).unwrap().into_rgb8();
    // 2.084 pixels a point.
    assert_eq!((shown.get_pixel(417, 521).0, shown.get_pixel(188, 521).0), ([0, 200, 0], [255; 3]));
    let dark = (104..125).any(|x| shown.get_pixel(x, 200).0.iter().all(|it| *it < 128));
    assert!(dark, "the stem of the letter");
    assert_eq!(picture::check(&bytes), Ok(()));
    assert!(picture::check(&bytes[..100]).is_err());
}

#[test]
fn a_character_that_no_font_has_is_spelled_as_its_number() {
    let glyphs = Glyphs::default();
    let spelled: String = glyphs.of("a\u{10FFFD}").iter().map(|(it, _)| *it).collect();
    assert_eq!(spelled, "a[U+10FFFD]");
    assert!(0.0 < glyphs.width("a") && glyphs.width("a") < glyphs.width("aa"));
}

#[test]
fn the_ring_of_an_o_leaves_its_middle_open() {
    let bytes = picture::encode(
        &Page {
            title: "",
            items: vec![Item::Text {
                x: 100.0,
                y: 400.0,
                size: 200.0,
                color: [0; 3],
                text: "O".to_owned(),
            }],
        },
        &Glyphs::default(),
    );
    let shown = image::load_from_memory(&bytes.unwrap()).unwrap().into_luma8();
    let dark: Vec<bool> = (0..1240).map(|x| shown.get_pixel(x, 688).0[0] < 128).collect();
    let n_runs = dark.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    assert_eq!(n_runs, 2, "left and right side");
}
