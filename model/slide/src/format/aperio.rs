//! Aperio SVS: a TIFF whose description begins with `Aperio`.
//!
//! Tiled directories are levels. Of the strip directories the second in the file is the thumbnail; label and macro are
//! told by their subfile type, 1 and 9. The description is `header | key = value | key = value`.

use std::collections::BTreeMap;

use domain::scale::Mpp;

use super::Opened;
use super::associated::{self, Associated};
use super::text::{decimal, fields};
use crate::SlideError;
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource;

/// Whether the first directory says so and is tiled.
pub(super) fn is_aperio(tiff: &TiffFile) -> bool {
    tiff.first().has(tags::TILE_WIDTH)
        && tiff.first().text(tags::IMAGE_DESCRIPTION).is_some_and(|it| it.starts_with("Aperio"))
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let mut levels: Vec<TiffImage> = Vec::new();
    let mut associated = Vec::new();
    for (index, directory) in tiff.directories.iter().enumerate() {
        if directory.has(tags::TILE_WIDTH) {
            levels.push(TiffImage::new(directory)?);
        } else {
            associated.extend(associated_image(index, directory));
        }
    }
    levels.sort_by_key(|level| std::cmp::Reverse(level.size().area()));
    if levels.is_sorted_by(|finer, coarser| coarser.size() != finer.size()) {
        let description = tiff.first().text(tags::IMAGE_DESCRIPTION);
        let fields = description_fields(&description.unwrap_or_default());
        return Ok(opened(levels, associated, &fields, tiff));
    }
    Err(SlideError::Unsupported(
        "Aperio slides with several pictures of one size (fluorescence channels)".to_owned(),
    ))
}

fn opened(
    levels: Vec<TiffImage>,
    associated: Vec<Associated>,
    fields: &BTreeMap<String, String>,
    tiff: TiffFile,
) -> Opened {
    let mut properties = tiff_properties(tiff.first());
    properties.extend(fields.iter().map(|(key, value)| (format!("aperio.{key}"), value.clone())));
    let mpp = fields.get("MPP").and_then(|text| decimal(text)).and_then(|mpp| Mpp::new(mpp, mpp));
    let power = fields.get("AppMag").and_then(|text| decimal(text)).filter(|&power| 0.0 < power);
    let levels = levels.into_iter().map(|it| -> Box<dyn TileSource> { Box::new(it) }).collect();
    Opened {
        associated,
        mpp,
        objective_power: power,
        icc: tiff.first().blob(tags::ICC_PROFILE),
        properties,
        fingerprint: tiff.tables,
        ..Opened::new("aperio", levels)
    }
}

/// Thumbnail, label or macro; `None` for anything else, or if it cannot be read.
fn associated_image(index: usize, directory: &Directory) -> Option<Associated> {
    let name = match directory.unsigned(tags::SUBFILE_TYPE).ok().flatten() {
        _ if index == 1 => "thumbnail",
        Some(1) => "label",
        Some(9) => "macro",
        _ => return None,
    };
    associated::from_directory(name, directory)
}

/// The `key = value` parts of a description `header | key = value | ...`.
fn description_fields(description: &str) -> BTreeMap<String, String> {
    fields(description.split('|').skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_and_trimmed() {
        let fields = description_fields(
            "Aperio Image Library v1\r\n46000x32914 Q=30|AppMag = 20|MPP = 0,4990|x",
        );
        assert_eq!(fields.len(), 2);
        assert_eq!(fields["AppMag"], "20");
        assert_eq!(decimal(&fields["MPP"]), Some(0.499));
    }

    #[test]
    fn a_scale_of_zero_is_no_scale() {
        assert_eq!(decimal("0,0000").and_then(|mpp| Mpp::new(mpp, mpp)), None);
    }
}
