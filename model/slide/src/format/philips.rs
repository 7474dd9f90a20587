//! Philips TIFF: a pyramid whose levels are padded to whole tiles, described by an XML of DICOM-like attributes.
//!
//! The description of the first directory is a `DataObject` of type `DPUfsImport`. Its `PIM_DP_SCANNED_IMAGES` hold the
//! slide (`WSI`), whose pixel spacings tell how large each level really is, and sometimes label and macro as JPEG in
//! base64; other writers store these as directories of their own.

use std::collections::BTreeMap;

use domain::coords::PixelSize;
use domain::scale::Mpp;
use roxmltree::Node;

use super::Opened;
use super::associated::{self, Associated};
use super::text::{barcode, base64, decimal, parse_xml};
use crate::SlideError;
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource;

const FORMAT: &str = "Philips TIFF";

/// Whether the first directory says so.
pub(super) fn is_philips(tiff: &TiffFile) -> bool {
    let says = |tag, words: &str| tiff.first().text(tag).is_some_and(|text| text.contains(words));
    says(tags::IMAGE_DESCRIPTION, "DPUfsImport")
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    let document = parse_xml(FORMAT, &description)?;
    let root = document.root_element();
    let slide = scanned_image(root, "WSI");
    let spacings = slide.map(pixel_spacings).unwrap_or_default();
    let mut properties = tiff_properties(tiff.first());
    properties.remove("tiff.ImageDescription");
    properties.remove("openslide.comment");
    add_attributes(&mut properties, "philips", root, false);
    if let Some(slide) = slide {
        add_attributes(&mut properties, "philips", slide, true);
    }
    if let Some(code) = properties.get("philips.PIM_DP_UFS_BARCODE") {
        properties.insert("openslide.barcode".to_owned(), barcode(code));
    }
    Ok(Opened {
        mpp: spacings.first().and_then(|&[y, x]| Mpp::new(x * 1e3, y * 1e3)),
        icc: tiff.first().blob(tags::ICC_PROFILE),
        associated: associated_images(&tiff, root),
        properties,
        fingerprint: tiff.tables.clone(),
        ..Opened::new("philips", levels(&tiff, &spacings)?)
    })
}

/// Tiled directories, cut to the size that the pixel spacings imply.
fn levels(tiff: &TiffFile, spacings: &[[f64; 2]]) -> Result<Vec<Box<dyn TileSource>>, SlideError> {
    let is_level = |it: &&Directory| it.has(tags::TILE_WIDTH) && associated_name(it).is_none();
    let mut levels: Vec<TiffImage> = Vec::new();
    for (index, directory) in tiff.directories.iter().filter(is_level).enumerate() {
        let image = TiffImage::new(directory)?;
        let Some(finest) = levels.first().map(TileSource::size) else {
            levels.push(image);
            continue;
        };
        let size = match (spacings.first(), spacings.get(index)) {
            (Some([y0, x0]), Some([y, x])) => shrunk(finest, x0 / x, y0 / y),
            _ => image.size(),
        };
        levels.push(image.cut_to(size));
    }
    if levels.is_empty() {
        return Err(SlideError::malformed(FORMAT, "there is no tiled directory"));
    }
    Ok(levels.into_iter().map(|level| -> Box<dyn TileSource> { Box::new(level) }).collect())
}

fn shrunk(size: PixelSize, x: f64, y: f64) -> PixelSize {
    let shrink = |side: u32, factor: f64| {
        let pixels = (f64::from(side) * factor + 1e-6).clamp(1.0, f64::from(side));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and a side of 32 bits; parts of a pixel are dropped"
        )]
        let pixels = pixels as u32;
        pixels
    };
    PixelSize { width: shrink(size.width, x), height: shrink(size.height, y) }
}

fn associated_images(tiff: &TiffFile, root: Node<'_, '_>) -> Vec<Associated> {
    let from_directories = tiff
        .directories
        .iter()
        .filter_map(|it| associated::from_directory(associated_name(it)?, it));
    let mut images: Vec<Associated> = from_directories.collect();
    for (name, kind) in [("label", "LABELIMAGE"), ("macro", "MACROIMAGE")] {
        if images.iter().any(|(other, _)| other == name) {
            continue;
        }
        let data = scanned_image(root, kind).and_then(|it| value(it, "PIM_DP_IMAGE_DATA"));
        images.extend(data.and_then(base64).and_then(|bytes| associated::from_jpeg(name, bytes)));
    }
    images
}

fn associated_name(directory: &Directory) -> Option<&'static str> {
    let description = directory.text(tags::IMAGE_DESCRIPTION)?;
    let names = [("Label", "label"), ("Macro", "macro")];
    names.into_iter().find(|(word, _)| description.starts_with(word)).map(|(_, name)| name)
}

/// Row and column spacing of each level in millimetres, finest first.
fn pixel_spacings(slide: Node<'_, '_>) -> Vec<[f64; 2]> {
    let representations = attribute(slide, "PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE");
    let objects = representations.into_iter().flat_map(objects);
    let mut spacings: Vec<(u32, [f64; 2])> = objects
        .filter_map(|object| {
            let level =
                value(object, "PIIM_PIXEL_DATA_REPRESENTATION_NUMBER")?.trim().parse().ok()?;
            Some((level, spacing(value(object, "DICOM_PIXEL_SPACING")?)?))
        })
        .collect();
    spacings.sort_by_key(|(level, _)| *level);
    let mut spacings: Vec<_> = spacings.into_iter().map(|(_, spacing)| spacing).collect();
    if spacings.is_empty() {
        spacings.extend(value(slide, "DICOM_PIXEL_SPACING").and_then(spacing));
    }
    spacings
}

/// `"0.00025" "0.00025"`.
fn spacing(text: &str) -> Option<[f64; 2]> {
    let mut numbers = text.split('"').filter_map(decimal).filter(|&mm| 0.0 < mm);
    Some([numbers.next()?, numbers.next()?])
}

fn scanned_image<'a, 'i>(root: Node<'a, 'i>, kind: &str) -> Option<Node<'a, 'i>> {
    let images = attribute(root, "PIM_DP_SCANNED_IMAGES")?;
    objects(images).find(|&image| value(image, "PIM_DP_IMAGE_TYPE").map(str::trim) == Some(kind))
}

fn attribute<'a, 'i>(object: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    object.children().find(|it| it.has_tag_name("Attribute") && it.attribute("Name") == Some(name))
}

fn value<'a>(object: Node<'a, '_>, name: &str) -> Option<&'a str> {
    attribute(object, name)?.text()
}

/// The objects of an attribute that is an array.
fn objects<'a, 'i: 'a>(attribute: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    let arrays = attribute.children().filter(|it| it.has_tag_name("Array"));
    arrays.flat_map(|it| it.children()).filter(|it| it.has_tag_name("DataObject"))
}

/// Every attribute that is a text, and with `deep` those one array down.
fn add_attributes(
    properties: &mut BTreeMap<String, String>,
    prefix: &str,
    object: Node<'_, '_>,
    deep: bool,
) {
    for attribute in object.children().filter(|it| it.has_tag_name("Attribute")) {
        let Some(name) = attribute.attribute("Name").filter(|it| *it != "PIM_DP_IMAGE_DATA") else {
            continue;
        };
        let mut objects = objects(attribute).peekable();
        if objects.peek().is_none() {
            let text = attribute.text().unwrap_or_default().trim().to_owned();
            properties.insert(format!("{prefix}.{name}"), text);
        } else if deep {
            for (index, object) in objects.enumerate() {
                add_attributes(properties, &format!("{prefix}.{name}[{index}]"), object, false);
            }
        }
    }
}
