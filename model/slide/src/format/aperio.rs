//! Aperio SVS: a TIFF whose description begins with `Aperio`.
//!
//! Tiled directories are levels. Of the strip directories the second in the file is the thumbnail; label and macro are
//! told by their subfile type, 1 and 9. The description is `header | key = value | key = value`.

use std::collections::BTreeMap;

use domain::scale::Mpp;

use super::Opened;
use crate::SlideError;
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource;

/// Whether the first directory says so and is tiled.
pub(super) fn is_aperio(tiff: &TiffFile) -> bool {
    tiff.directories.first().is_some_and(|first| {
        first.has(tags::TILE_WIDTH)
            && first.text(tags::IMAGE_DESCRIPTION).is_some_and(|text| text.starts_with("Aperio"))
    })
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let mut levels: Vec<TiffImage> = Vec::new();
    let mut associated = Vec::new();
    for (index, directory) in tiff.directories.iter().enumerate() {
        if directory.has(tags::TILE_WIDTH) {
            levels.push(TiffImage::new(directory)?);
        } else if let Some((name, image)) = associated_image(index, directory) {
            associated.push((name.to_owned(), image));
        }
    }
    levels.sort_by_key(|level| std::cmp::Reverse(level.size().area()));
    if levels.is_sorted_by(|finer, coarser| coarser.size() != finer.size()) {
        let description = tiff.directories.first().and_then(|it| it.text(tags::IMAGE_DESCRIPTION));
        let fields = fields(&description.unwrap_or_default());
        return Ok(opened(levels, associated, &fields, tiff));
    }
    Err(SlideError::Unsupported(
        "Aperio slides with several pictures of one size (fluorescence channels)".to_owned(),
    ))
}

fn opened(
    levels: Vec<TiffImage>,
    associated: Vec<(String, Box<dyn TileSource>)>,
    fields: &BTreeMap<String, String>,
    tiff: TiffFile,
) -> Opened {
    let mut properties = tiff.directories.first().map(tiff_properties).unwrap_or_default();
    properties.extend(fields.iter().map(|(key, value)| (format!("aperio.{key}"), value.clone())));
    let mpp = fields.get("MPP").and_then(|text| decimal(text)).and_then(|mpp| Mpp::new(mpp, mpp));
    let power = fields.get("AppMag").and_then(|text| decimal(text)).filter(|&power| 0.0 < power);
    let levels = levels.into_iter().map(|it| -> Box<dyn TileSource> { Box::new(it) }).collect();
    Opened {
        associated,
        mpp,
        objective_power: power,
        icc: tiff.directories.first().and_then(|first| first.blob(tags::ICC_PROFILE)),
        properties,
        fingerprint: tiff.tables,
        ..Opened::new("aperio", levels)
    }
}

/// Thumbnail, label or macro; `None` for anything else, or if it cannot be read.
fn associated_image(
    index: usize,
    directory: &Directory,
) -> Option<(&'static str, Box<dyn TileSource>)> {
    let name = match directory.unsigned(tags::SUBFILE_TYPE).ok().flatten() {
        _ if index == 1 => "thumbnail",
        Some(1) => "label",
        Some(9) => "macro",
        _ => return None,
    };
    match TiffImage::new(directory) {
        Ok(image) => Some((name, Box::new(image))),
        Err(error) => {
            tracing::warn!("the {name} was left out: {error}");
            None
        }
    }
}

/// The `key = value` parts of a description.
fn fields(description: &str) -> BTreeMap<String, String> {
    description
        .split('|')
        .skip(1)
        .filter_map(|field| field.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// A number written with a decimal point or, by scanners with European settings, a comma.
fn decimal(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_and_trimmed() {
        let fields =
            fields("Aperio Image Library v1\r\n46000x32914 Q=30|AppMag = 20|MPP = 0,4990|x");
        assert_eq!(fields.len(), 2);
        assert_eq!(fields["AppMag"], "20");
        assert_eq!(decimal(&fields["MPP"]), Some(0.499));
    }

    #[test]
    fn a_scale_of_zero_is_no_scale() {
        assert_eq!(decimal("0,0000").and_then(|mpp| Mpp::new(mpp, mpp)), None);
        assert_eq!(decimal("NaN"), None);
    }
}
