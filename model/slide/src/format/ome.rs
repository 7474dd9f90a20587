//! OME-TIFF: an XML in the first description says which directory holds which channel, depth and time.
//!
//! Coarser levels are the sub-directories of each plane. The first image that is neither label nor macro is the slide, else the
//! first of all; its middle focal plane at the first time is shown unless another is asked for. Planes in other files are left out.

use std::collections::BTreeMap;

use domain::scale::Mpp;
use roxmltree::{Document, Node};

use super::associated::{self, Associated};
use super::resolution::stated_mpp;
use super::text::{decimal, parse_xml};
use super::{Candidate, Opened, levels};
use crate::SlideError;
use crate::channel::ChannelName;
use crate::limits::MAX_DIRECTORIES;
use crate::number::to_usize;
use crate::properties::tiff_properties;
use crate::stack::Stack;
use crate::tiff_file::{Directory, TiffFile, TiffImage, tags};
use crate::tile::TileSource as _;

const FORMAT: &str = "OME-TIFF";

/// Whether the first description is OME's and lists planes.
pub(super) fn is_ome(tiff: &TiffFile) -> bool {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    description.contains("<OME") && description.contains("<Pixels")
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile, candidate: &Candidate<'_>) -> Result<Opened, SlideError> {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    let document = parse_xml(FORMAT, &description)?;
    let images: Vec<Image<'_>> =
        children(document.root_element(), "Image").filter_map(Image::parse).collect();
    let main = images.iter().find(|it| it.associated_name().is_none()).or(images.first());
    let main = main.ok_or_else(|| SlideError::malformed(FORMAT, "no image is described"))?;
    let stack = Stack::new(main.sizes.z, main.sizes.t, candidate.position);
    let planes = main.planes(&document);
    let directory = |channel: u32| {
        let plane = Plane { c: channel, z: stack.shown.focal_plane, t: stack.shown.time_point };
        planes.get(&plane).and_then(|&index| tiff.directories.get(index))
    };
    let channels: Vec<&Directory> = (0..main.sizes.c).filter_map(directory).collect();
    let Some(&first) = channels.first() else {
        return Err(SlideError::malformed(FORMAT, "its planes lie in other files, or nowhere"));
    };
    let mut properties = tiff_properties(first);
    properties.extend(main.properties());
    Ok(Opened {
        mpp: main.mpp().or_else(|| stated_mpp(first)),
        objective_power: objective_power(&document),
        icc: first.blob(tags::ICC_PROFILE),
        associated: associated_images(&tiff, (&images, main), &document),
        properties,
        fingerprint: tiff.tables.clone(),
        stack,
        ..levels_of(&channels, main.channel_names())?
    })
}

/// Each channel's directory and its sub-directories, level by level.
fn levels_of(channels: &[&Directory], names: Vec<ChannelName>) -> Result<Opened, SlideError> {
    let mut by_level: Vec<Vec<TiffImage>> = Vec::new();
    for directory in channels {
        let mut images = vec![TiffImage::new(directory)?];
        images.extend(directory.children().iter().filter_map(|it| TiffImage::new(it).ok()));
        images.sort_by_key(|image| std::cmp::Reverse(image.size().area()));
        images.dedup_by_key(|image| image.size());
        for (level, image) in images.into_iter().enumerate() {
            match by_level.get_mut(level) {
                Some(images) => images.push(image),
                None => by_level.push(vec![image]),
            }
        }
    }
    if let [_] = channels {
        return levels::of_images("ome-tiff", names, by_level.into_iter().flatten().collect());
    }
    levels::channels("ome-tiff", names, by_level)
}

fn associated_images(
    tiff: &TiffFile,
    (images, main): (&[Image<'_>], &Image<'_>),
    document: &Document<'_>,
) -> Vec<Associated> {
    let others = images.iter().filter(|image| !std::ptr::eq(*image, main));
    let picture = |image: &Image<'_>| {
        let name = image.associated_name()?;
        let index = *image.planes(document).values().min()?;
        associated::from_directory(name, tiff.directories.get(index)?)
    };
    others.filter_map(picture).collect()
}

/// Numbers of channels (of samples side by side together), focal planes and times.
#[derive(Clone, Copy)]
struct Sizes {
    c: u32,
    z: u32,
    t: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Plane {
    c: u32,
    z: u32,
    t: u32,
}

struct Image<'a> {
    node: Node<'a, 'a>,
    pixels: Node<'a, 'a>,
    sizes: Sizes,
}

impl<'a> Image<'a> {
    fn parse(node: Node<'a, 'a>) -> Option<Self> {
        let pixels = child(node, "Pixels")?;
        let size = |key| number(pixels, key).unwrap_or(1).max(1);
        let beside = child(pixels, "Channel").and_then(|it| number(it, "SamplesPerPixel"));
        let c = size("SizeC") / beside.unwrap_or(1).max(1);
        let sizes = Sizes { c: c.max(1), z: size("SizeZ"), t: size("SizeT") };
        Some(Self { node, pixels, sizes })
    }

    fn associated_name(&self) -> Option<&'static str> {
        let name = self.node.attribute("Name")?.to_lowercase();
        ["label", "macro", "thumbnail"].into_iter().find(|it| name.starts_with(it))
    }

    /// The directory of each plane.
    fn planes(&self, document: &Document<'_>) -> BTreeMap<Plane, usize> {
        let own = document.root_element().attribute("UUID");
        let mut planes = BTreeMap::new();
        for data in children(self.pixels, "TiffData") {
            let file = child(data, "UUID").and_then(|it| it.text()).map(str::trim);
            if file.is_some() && own.is_some() && file != own {
                continue;
            }
            let first = ["FirstC", "FirstZ", "FirstT"].map(|key| number(data, key).unwrap_or(0));
            let directory = number(data, "IFD");
            let all = to_usize(self.sizes.c)
                .saturating_mul(to_usize(self.sizes.z))
                .saturating_mul(to_usize(self.sizes.t));
            let default = if directory.is_some() { 1 } else { all };
            let count = number(data, "PlaneCount").map_or(default, to_usize).min(MAX_DIRECTORIES);
            let start = to_usize(directory.unwrap_or(0));
            for (offset, plane) in self.planes_from(first).take(count).enumerate() {
                planes.insert(plane, start.saturating_add(offset));
            }
        }
        planes
    }

    /// Planes in the order of the file, from one on.
    fn planes_from(&self, [c, z, t]: [u32; 3]) -> impl Iterator<Item = Plane> {
        let order = self.pixels.attribute("DimensionOrder").unwrap_or("XYCZT");
        let Sizes { c: n_c, z: n_z, t: n_t } = self.sizes;
        let axes: Vec<(char, u32)> = order
            .chars()
            .filter_map(|axis| {
                Some((
                    axis,
                    match axis {
                        'C' => n_c,
                        'Z' => n_z,
                        'T' => n_t,
                        _ => return None,
                    },
                ))
            })
            .collect();
        let mut next = Some(Plane { c, z, t });
        std::iter::from_fn(move || {
            let plane = next?;
            next = step(plane, &axes);
            Some(plane)
        })
    }

    fn mpp(&self) -> Option<Mpp> {
        let side = |size: &str, unit: &str| {
            let um = match self.pixels.attribute(unit).unwrap_or("µm") {
                "nm" => 1e-3,
                "mm" => 1e3,
                "cm" => 1e4,
                "µm" | "um" | "micron" => 1.0,
                _ => return None,
            };
            Some(self.pixels.attribute(size).and_then(decimal)? * um)
        };
        let x = side("PhysicalSizeX", "PhysicalSizeXUnit")?;
        Mpp::new(x, side("PhysicalSizeY", "PhysicalSizeYUnit").unwrap_or(x))
    }

    fn channel_names(&self) -> Vec<ChannelName> {
        let name = |channel: Node<'_, '_>| ChannelName {
            name: channel
                .attribute("Name")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .map(str::to_owned),
            color: channel.attribute("Color").and_then(|it| it.parse().ok()).map(color),
        };
        children(self.pixels, "Channel").map(name).collect()
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let of_pixels = ["SizeC", "SizeZ", "SizeT", "Type", "DimensionOrder"];
        let mut properties: BTreeMap<String, String> = of_pixels
            .into_iter()
            .filter_map(|key| Some((format!("ome.{key}"), self.pixels.attribute(key)?.to_owned())))
            .collect();
        for (index, channel) in children(self.pixels, "Channel").enumerate() {
            if let Some(name) = channel.attribute("Name") {
                properties.insert(format!("ome.Channel[{index}].Name"), name.to_owned());
            }
        }
        properties
    }
}

/// The plane after `plane`, the first axis running fastest; `None` after the last.
fn step(mut plane: Plane, axes: &[(char, u32)]) -> Option<Plane> {
    for &(axis, size) in axes {
        let index = match axis {
            'C' => &mut plane.c,
            'Z' => &mut plane.z,
            _ => &mut plane.t,
        };
        *index = index.checked_add(1)?;
        if *index < size {
            return Some(plane);
        }
        *index = 0;
    }
    None
}

/// Red, green, blue and alpha in one signed number.
fn color(rgba: i32) -> [u8; 3] {
    let [r, g, b, _] = rgba.to_be_bytes();
    [r, g, b]
}

fn objective_power(document: &Document<'_>) -> Option<f64> {
    let objective = document.descendants().find(|it| it.tag_name().name() == "Objective")?;
    objective.attribute("NominalMagnification").and_then(decimal).filter(|&power| 0.0 < power)
}

fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |it| it.tag_name().name() == name)
}

fn child<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

fn number(node: Node<'_, '_>, key: &str) -> Option<u32> {
    node.attribute(key)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_follow_the_order_of_dimensions() {
        let axes = [('Z', 2), ('C', 3), ('T', 1)];
        let mut plane = Plane { c: 0, z: 0, t: 0 };
        let mut seen = vec![(plane.c, plane.z)];
        while let Some(next) = step(plane, &axes) {
            plane = next;
            seen.push((plane.c, plane.z));
        }
        assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
    }

    #[test]
    fn colours_are_signed_numbers() {
        assert_eq!(color(-1), [255; 3]);
        assert_eq!(color(0x00FF_00FF), [0, 255, 0]);
        assert_eq!(color(-16_776_961), [255, 0, 0]);
    }
}
