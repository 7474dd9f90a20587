//! What a slide says about itself, under OpenSlide's names.

use std::collections::BTreeMap;

use domain::coords::PixelSize;

use crate::format::Opened;
use crate::slide::{AssociatedImage, Level};
use crate::tiff_file::{Directory, tags};

/// `openslide.*`, added to what the format found. Only stored levels are listed, so that their indices are OpenSlide's.
pub(crate) fn complete(
    opened: &Opened,
    levels: &[Level],
    associated: &[AssociatedImage],
) -> BTreeMap<String, String> {
    let mut properties = opened.properties.clone();
    let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
    set("openslide.vendor", opened.format.to_owned());
    if let Some(mpp) = opened.mpp {
        set("openslide.mpp-x", number(mpp.x()));
        set("openslide.mpp-y", number(mpp.y()));
    }
    if let Some(power) = opened.objective_power {
        set("openslide.objective-power", number(power));
    }
    if let Some(icc) = &opened.icc {
        set("openslide.icc-size", icc.length().to_string());
    }
    let stored = levels.iter().filter(|level| !level.is_virtual);
    set("openslide.level-count", stored.clone().count().to_string());
    for (index, level) in stored.enumerate() {
        let key = format!("openslide.level[{index}]");
        set(&format!("{key}.downsample"), number(level.downsample.get()));
        set_size(&mut set, &format!("{key}."), level.size);
        set_size(&mut set, &format!("{key}.tile-"), level.stored_tile);
    }
    for image in associated {
        set_size(&mut set, &format!("openslide.associated.{}.", image.name), image.size);
    }
    properties
}

fn set_size<T>(set: &mut impl FnMut(&str, String) -> T, prefix: &str, size: PixelSize) {
    set(&format!("{prefix}width"), size.width.to_string());
    set(&format!("{prefix}height"), size.height.to_string());
}

/// The descriptive tags of a slide's first directory.
pub(crate) fn tiff_properties(directory: &Directory) -> BTreeMap<String, String> {
    let texts = [
        tags::IMAGE_DESCRIPTION,
        tags::MAKE,
        tags::MODEL,
        tags::SOFTWARE,
        tags::DATE_TIME,
        tags::ARTIST,
        tags::HOST_COMPUTER,
        tags::COPYRIGHT,
        tags::DOCUMENT_NAME,
    ];
    let mut properties: BTreeMap<String, String> = texts
        .iter()
        .filter_map(|&tag| Some((format!("tiff.{}", tag.1), directory.text(tag)?)))
        .collect();
    let reals = [tags::X_RESOLUTION, tags::Y_RESOLUTION, tags::X_POSITION, tags::Y_POSITION];
    for tag in reals {
        if let Some(value) = directory.real(tag) {
            properties.insert(format!("tiff.{}", tag.1), number(value));
        }
    }
    let unit = match directory.unsigned(tags::RESOLUTION_UNIT) {
        Ok(None | Some(2)) => "inch",
        Ok(Some(1)) => "none",
        Ok(Some(3)) => "centimeter",
        _ => "unknown",
    };
    properties.insert("tiff.ResolutionUnit".to_owned(), unit.to_owned());
    if let Some(description) = directory.text(tags::IMAGE_DESCRIPTION) {
        properties.insert("openslide.comment".to_owned(), description);
    }
    properties
}

/// As few digits as give the same number back.
pub(crate) fn number(value: f64) -> String {
    value.to_string()
}
