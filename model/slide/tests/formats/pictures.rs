//! Plain pictures, and the name of a slide by its content.

use domain::coords::PixelSize;
use slide::Slide;

use crate::tiff_builder::Tiff;
use crate::{open_bytes, pixel, ramp, whole};

#[test]
fn plain_pictures_open_by_content_whatever_their_name() {
    let picture = image::RgbaImage::from_fn(700, 300, |x, y| {
        image::Rgba([(x % 251) as u8, (y % 241) as u8, 7, if x < 10 { 0 } else { 255 }])
    });
    let folder = tempfile::tempdir().unwrap();
    for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
        let path = folder.path().join("picture.svs");
        picture.save_with_format(&path, format).unwrap();
        let slide = Slide::open(&path).unwrap();
        assert_eq!(slide.format(), "image");
        assert!(whole(&slide, 0).pixels.rgba() == picture.as_raw(), "{format:?}");
        assert_eq!(slide.levels()[1].size, PixelSize { width: 350, height: 150 });
    }
    let opaque = image::DynamicImage::ImageRgba8(picture).into_rgb8();
    for (format, tolerance) in [(image::ImageFormat::Bmp, 0), (image::ImageFormat::Jpeg, 40)] {
        let path = folder.path().join("picture");
        opaque.save_with_format(&path, format).unwrap();
        let [found @ .., alpha] = pixel(&Slide::open(&path).unwrap(), 600, 200);
        let expected = opaque.get_pixel(600, 200).0;
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance), "{format:?}");
        assert_eq!(alpha, 255);
    }
}

#[test]
fn a_picture_cut_short_is_damage_not_a_crash() {
    let picture = image::RgbImage::from_fn(600, 600, |x, y| image::Rgb([x as u8, y as u8, 0]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let bytes = bytes.into_inner();
    let slide = open_bytes(&bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(whole(&slide, 0).damaged_tiles, 4);
    assert!(open_bytes(&bytes[..20]).is_err());
}

#[test]
fn the_content_hash_follows_the_bytes_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let id = |name: &str, tiff: &Tiff| {
        let path = folder.path().join(name);
        std::fs::write(&path, tiff.bytes()).unwrap();
        Slide::open(&path).unwrap().id().clone()
    };
    let first = Tiff::gray(16, 16, vec![ramp(0)]);
    let second = Tiff::gray(16, 16, vec![ramp(1)]);
    assert_eq!(id("a.tif", &first), id("b.svs", &first));
    assert_ne!(id("a.tif", &first), id("c.tif", &second));
}
