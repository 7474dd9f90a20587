//! Akoya QPTIFF, once of Perkin Elmer: a directory for every channel of every level, each with an XML description.
//!
//! `FullResolution` directories come first, one a channel or one of RGB; `ReducedResolution` ones follow, level by level
//! in the same order. `Thumbnail`, `Overview` (the macro) and `Label` are pictures beside the slide.

use super::associated::{self, Associated};
use super::resolution::stated_mpp;
use super::text::{decimal, parse_xml};
use super::{Opened, levels};
use crate::SlideError;
use crate::channel::ChannelName;
use crate::properties::tiff_properties;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource as _;

const FORMAT: &str = "QPTIFF";

/// Whether the first directory says so.
pub(super) fn is_qptiff(tiff: &TiffFile) -> bool {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION);
    description.is_some_and(|text| text.contains("PerkinElmer-QPI-ImageDescription"))
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let mut by_level: Vec<Vec<TiffImage>> = Vec::new();
    let mut names = Vec::new();
    let mut pictures = Vec::new();
    let mut power = None;
    for directory in &tiff.directories {
        let page = Page::parse(directory)?;
        match page.kind.as_str() {
            "FullResolution" | "ReducedResolution" => {
                let image = TiffImage::new(directory)?;
                if page.kind == "FullResolution" {
                    names.push(page.channel);
                    power = power.or(page.power);
                }
                let level = by_level
                    .iter_mut()
                    .find(|level| level.first().is_some_and(|first| first.size() == image.size()));
                match level {
                    Some(level) => level.push(image),
                    None => by_level.push(vec![image]),
                }
            }
            kind => pictures.extend(picture(kind, directory)),
        }
    }
    by_level.sort_by_key(|level| std::cmp::Reverse(level.first().map_or(0, |it| it.size().area())));
    if names.is_empty() {
        return Err(SlideError::malformed(FORMAT, "there is no image of full resolution"));
    }
    let is_single = by_level.iter().all(|level| level.len() == 1);
    let opened = if is_single {
        levels::of_images("qptiff", names, by_level.into_iter().flatten().collect())?
    } else {
        levels::channels("qptiff", names, by_level)?
    };
    Ok(Opened {
        mpp: stated_mpp(tiff.first()),
        objective_power: power,
        icc: tiff.first().blob(tags::ICC_PROFILE),
        associated: pictures,
        properties: tiff_properties(tiff.first()),
        fingerprint: tiff.tables.clone(),
        ..opened
    })
}

fn picture(kind: &str, directory: &Directory) -> Option<Associated> {
    let names = [("Thumbnail", "thumbnail"), ("Overview", "macro"), ("Label", "label")];
    let (_, name) = names.into_iter().find(|(word, _)| *word == kind)?;
    associated::from_directory(name, directory)
}

/// What one description says.
struct Page {
    kind: String,
    channel: ChannelName,
    power: Option<f64>,
}

impl Page {
    fn parse(directory: &Directory) -> Result<Self, SlideError> {
        let description = directory.text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
        let document = parse_xml(FORMAT, &description)?;
        let text = |name: &str| {
            let node = document.root_element().children().find(|it| it.has_tag_name(name))?;
            node.text().map(str::trim).filter(|it| !it.is_empty())
        };
        let power = text("Objective").map(|it| it.trim_end_matches(['x', 'X'])).and_then(decimal);
        Ok(Self {
            kind: text("ImageType").unwrap_or_default().to_owned(),
            channel: ChannelName {
                name: text("Name").map(str::to_owned),
                color: text("Color").and_then(color),
            },
            power: power.filter(|&power| 0.0 < power),
        })
    }
}

/// `255,128,0`.
fn color(text: &str) -> Option<[u8; 3]> {
    let numbers: Vec<u8> = text.split(',').filter_map(|it| it.trim().parse().ok()).collect();
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_three_numbers() {
        assert_eq!(color("255, 128,0"), Some([255, 128, 0]));
        assert_eq!(color("255,128"), None);
        assert_eq!(color("red"), None);
    }
}
