//! Hamamatsu NDPI: a TIFF whose levels are single JPEG streams, cut into tiles at their restart markers.
//!
//! A directory's lens tells what it is: a magnification for a level, -1 for the macro, -2 for a map of the scan. Levels
//! step by two or four; OpenSlide halves in between, so the same levels are computed here.

use std::collections::BTreeMap;

use super::Opened;
use super::associated;
use super::resolution::stated_mpp;
use super::text::fields;
use crate::SlideError;
use crate::properties::{number, tiff_properties};
use crate::tiff_file::{Directory, RestartTiles, TiffFile, TiffImage, tags};
use crate::tile::TileSource;

const MACRO_LENS: f64 = -1.0;

/// Whether the first directory carries the vendor's version tag.
pub(super) fn is_ndpi(tiff: &TiffFile) -> bool {
    tiff.first().has(tags::NDPI_VERSION)
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let in_focus = |it: &&Directory| it.integer(tags::NDPI_FOCAL_PLANE).unwrap_or(0) == 0;
    let lens = |it: &Directory| it.real(tags::NDPI_SOURCE_LENS);
    let mut levels: Vec<(&Directory, Box<dyn TileSource>)> = Vec::new();
    for directory in tiff.directories.iter().filter(in_focus) {
        if lens(directory).is_some_and(|it| 0.0 < it) {
            levels.push((directory, level(directory)?));
        }
    }
    levels.sort_by_key(|(_, level)| std::cmp::Reverse(level.size().area()));
    levels.dedup_by_key(|(_, level)| level.size());
    let Some(finest) = levels.first().map(|(directory, _)| *directory) else {
        return Err(SlideError::malformed("NDPI", "there is no directory with a lens"));
    };
    let overview = tiff.directories.iter().find(|it| lens(it) == Some(MACRO_LENS));
    let mut properties = tiff_properties(finest);
    properties.extend(vendor_properties(finest));
    Ok(Opened {
        mpp: stated_mpp(finest),
        objective_power: lens(finest),
        icc: finest.blob(tags::ICC_PROFILE),
        associated: overview
            .and_then(|it| associated::from_directory("macro", it))
            .into_iter()
            .collect(),
        properties,
        fingerprint: tiff.tables.clone(),
        has_half_levels: true,
        ..Opened::new("hamamatsu", levels.into_iter().map(|(_, level)| level).collect())
    })
}

/// Tiles between restart markers, or one tile where there are none.
fn level(directory: &Directory) -> Result<Box<dyn TileSource>, SlideError> {
    match RestartTiles::new(directory)? {
        Some(tiles) => Ok(Box::new(tiles)),
        None => Ok(Box::new(TiffImage::new(directory)?)),
    }
}

fn vendor_properties(finest: &Directory) -> BTreeMap<String, String> {
    let map = finest.text(tags::NDPI_PROPERTY_MAP).unwrap_or_default();
    let mut properties: BTreeMap<String, String> =
        fields(map.lines()).map(|(key, value)| (format!("hamamatsu.{key}"), value)).collect();
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            properties.insert(format!("hamamatsu.{key}"), value);
        }
    };
    let whole = |tag| finest.integer(tag).map(|it| it.to_string());
    set("SourceLens", finest.real(tags::NDPI_SOURCE_LENS).map(number));
    set("XOffsetFromSlideCentre", whole(tags::NDPI_X_OFFSET));
    set("YOffsetFromSlideCentre", whole(tags::NDPI_Y_OFFSET));
    set("Reference", finest.text(tags::NDPI_REFERENCE));
    properties
}
