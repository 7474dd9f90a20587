//! Leica SCN: BigTIFF whose description lays scanned areas out on the glass.
//!
//! A `collection` is the whole canvas in nanometres. Each `image` is an area with its own pyramid of directories; the
//! one whose view is the whole collection is the macro. Level 0 is the canvas at the areas' resolution.

use std::collections::BTreeMap;

use domain::coords::{LevelRect, PixelSize};
use domain::scale::Mpp;
use roxmltree::{Document, Node};

use super::Opened;
use super::associated::{self, Associated};
use super::resolution::stated_mpp;
use super::text::{barcode, decimal, parse_xml};
use crate::SlideError;
use crate::limits::MAX_SIDE;
use crate::number::{nearest, to_u32, to_usize};
use crate::properties::tiff_properties;
use crate::tiff_file::{TiffFile, TiffImage, tags};
use crate::tile::{Placement, Tile, TileSource, grid_under};

const FORMAT: &str = "Leica SCN";

/// Whether the first directory says so.
pub(super) fn is_leica(tiff: &TiffFile) -> bool {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION);
    description.is_some_and(|text| text.contains("leica-microsystems.com/scn"))
}

/// Opens the slide.
pub(super) fn open(tiff: TiffFile) -> Result<Opened, SlideError> {
    let description = tiff.first().text(tags::IMAGE_DESCRIPTION).unwrap_or_default();
    let document = parse_xml(FORMAT, &description)?;
    let collection = Collection::parse(&document)?;
    let (overviews, scans): (Vec<_>, Vec<_>) =
        collection.images.iter().partition(|image| image.view == collection.view);
    let Some(&first) = scans.first() else {
        return Err(SlideError::malformed(FORMAT, "there is no image besides the macro"));
    };
    if first.n_channels > 1 {
        return Err(SlideError::Unsupported("Leica SCN with fluorescence channels".to_owned()));
    }
    let areas: Vec<&Image> = scans.into_iter().filter(|it| it.is_like(first)).collect();
    let levels = (0..first.dimensions.len())
        .map(|level| Canvas::new(&tiff, &collection.view, &areas, level))
        .collect::<Result<Vec<_>, _>>()?;
    let finest = tiff.directories.get(first.dimensions.first().map_or(0, |it| it.directory));
    let mut properties = finest.map(tiff_properties).unwrap_or_default();
    properties.extend(collection.properties);
    properties.extend(first.properties.clone());
    properties.extend(levels.first().map(Canvas::properties).unwrap_or_default());
    let stated = finest.and_then(stated_mpp);
    let from_view = first.nm_per_pixel(0).and_then(|nm| Mpp::new(nm / 1e3, nm / 1e3));
    Ok(Opened {
        mpp: stated.or(from_view),
        objective_power: first.objective,
        icc: finest.and_then(|it| it.blob(tags::ICC_PROFILE)),
        associated: overviews.first().and_then(|it| overview(&tiff, it)).into_iter().collect(),
        properties,
        fingerprint: tiff.tables,
        ..Opened::new(
            "leica",
            levels.into_iter().map(|it| -> Box<dyn TileSource> { Box::new(it) }).collect(),
        )
    })
}

fn overview(tiff: &TiffFile, image: &Image) -> Option<Associated> {
    let finest = image.dimensions.first()?;
    associated::from_directory("macro", tiff.directories.get(finest.directory)?)
}

/// A rectangle on the glass in nanometres.
#[derive(Clone, Copy, Debug, PartialEq)]
struct View {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

struct Collection {
    view: View,
    images: Vec<Image>,
    properties: BTreeMap<String, String>,
}

struct Image {
    view: View,
    /// Finest first.
    dimensions: Vec<Dimension>,
    n_channels: usize,
    objective: Option<f64>,
    properties: BTreeMap<String, String>,
}

/// One resolution of an area, or of one of its channels.
#[derive(Clone, Copy)]
struct Dimension {
    width: f64,
    directory: usize,
    channel: usize,
}

impl Collection {
    fn parse(document: &Document<'_>) -> Result<Self, SlideError> {
        let node = descendant(document.root_element(), "collection")
            .ok_or_else(|| SlideError::malformed(FORMAT, "there is no collection"))?;
        let view = view(node)
            .ok_or_else(|| SlideError::malformed(FORMAT, "the collection has no size"))?;
        let images: Vec<Image> = node
            .children()
            .filter(|it| it.has_tag_name(name(*it, "image")))
            .filter_map(Image::parse)
            .collect();
        let code = descendant(node, "barcode").and_then(|it| it.text()).map(barcode);
        let mut properties = BTreeMap::new();
        if let Some(code) = code.filter(|it| !it.is_empty()) {
            properties.insert("leica.barcode".to_owned(), code.clone());
            properties.insert("openslide.barcode".to_owned(), code);
        }
        Ok(Self { view, images, properties })
    }
}

impl Image {
    fn parse(node: Node<'_, '_>) -> Option<Self> {
        let pixels = descendant(node, "pixels")?;
        let number = |it: Node<'_, '_>, key| it.attribute(key).and_then(|text| text.parse().ok());
        let mut dimensions: Vec<Dimension> = pixels
            .children()
            .filter(|it| it.has_tag_name(name(*it, "dimension")))
            .filter(|it| number(*it, "z").unwrap_or(0_usize) == 0)
            .filter_map(|it| {
                let width = it.attribute("sizeX").and_then(decimal).filter(|&it| 1.0 <= it)?;
                let channel = number(it, "c").unwrap_or(0);
                Some(Dimension { width, directory: number(it, "ifd")?, channel })
            })
            .collect();
        dimensions.sort_by(|a, b| b.width.total_cmp(&a.width));
        let n_channels = dimensions.iter().map(|it| it.channel).max()?.saturating_add(1);
        Some(Self {
            view: view(descendant(node, "view")?)?,
            dimensions,
            n_channels,
            objective: text(node, "objective").and_then(decimal),
            properties: image_properties(node),
        })
    }

    fn nm_per_pixel(&self, level: usize) -> Option<f64> {
        self.dimensions.get(level).map(|it| self.view.width / it.width)
    }

    /// Whether both were scanned through the same lens, level by level.
    fn is_like(&self, other: &Self) -> bool {
        let scales = |it: &Self| it.nm_per_pixel(0).unwrap_or(0.0);
        self.dimensions.len() == other.dimensions.len()
            && (scales(self) / scales(other) - 1.0).abs() < 0.01
    }
}

fn image_properties(image: Node<'_, '_>) -> BTreeMap<String, String> {
    let device = descendant(image, "device");
    let of_device = |key| device.and_then(|it| it.attribute(key));
    [
        ("aperture", text(image, "numericalAperture")),
        ("creation-date", text(image, "creationDate")),
        ("device-model", of_device("model")),
        ("device-version", of_device("version")),
        ("illumination-source", text(image, "illuminationSource")),
        ("objective", text(image, "objective")),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((format!("leica.{key}"), value?.to_owned())))
    .collect()
}

/// A tag's name in the namespace of `node`: the version of the format is part of the namespace.
fn name<'a>(node: Node<'a, '_>, local: &'a str) -> roxmltree::ExpandedName<'a, 'a> {
    match node.tag_name().namespace() {
        Some(namespace) => (namespace, local).into(),
        None => local.into(),
    }
}

fn descendant<'a, 'i>(node: Node<'a, 'i>, local: &str) -> Option<Node<'a, 'i>> {
    node.descendants().find(|it| it.tag_name().name() == local)
}

fn text<'a>(node: Node<'a, '_>, local: &str) -> Option<&'a str> {
    descendant(node, local)?.text().map(str::trim)
}

fn view(node: Node<'_, '_>) -> Option<View> {
    let nm = |key| node.attribute(key).and_then(decimal);
    let (width, height) = (nm("sizeX")?, nm("sizeY")?);
    let (x, y) = (nm("offsetX").unwrap_or(0.0), nm("offsetY").unwrap_or(0.0));
    (0.0 < width && 0.0 < height).then_some(View { x, y, width, height })
}

/// One level: areas on an otherwise empty canvas.
#[derive(Debug)]
struct Canvas {
    size: PixelSize,
    areas: Vec<Area>,
}

#[derive(Debug)]
struct Area {
    image: TiffImage,
    x: i64,
    y: i64,
    /// Rows of stored tiles are counted through all areas.
    first_row: u32,
}

impl Canvas {
    fn new(
        tiff: &TiffFile,
        view: &View,
        images: &[&Image],
        level: usize,
    ) -> Result<Self, SlideError> {
        let mut areas = Vec::with_capacity(images.len());
        let mut first_row = 0_u32;
        let nm_per_pixel = images.first().and_then(|it| it.nm_per_pixel(level)).unwrap_or(1.0);
        for image in images {
            let directory =
                image.dimensions.get(level).and_then(|it| tiff.directories.get(it.directory));
            let missing =
                || SlideError::malformed(FORMAT, "an image names a directory that is not there");
            let area = Area {
                image: TiffImage::new(directory.ok_or_else(missing)?)?,
                x: nearest((image.view.x - view.x) / nm_per_pixel),
                y: nearest((image.view.y - view.y) / nm_per_pixel),
                first_row,
            };
            first_row = first_row.saturating_add(area.n_rows());
            areas.push(area);
        }
        let (width, height) = (
            nearest((view.width / nm_per_pixel).ceil()),
            nearest((view.height / nm_per_pixel).ceil()),
        );
        for side in [width, height] {
            SlideError::check_limit("the size of the canvas", side.unsigned_abs(), MAX_SIDE)?;
        }
        Ok(Self { size: PixelSize { width: to_u32(width), height: to_u32(height) }, areas })
    }

    /// Where on the canvas something was scanned.
    fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        let mut set = |key: String, value: i64| properties.insert(key, value.to_string());
        let right = |it: &Area| it.x.saturating_add(it.image.size().width.into());
        let bottom = |it: &Area| it.y.saturating_add(it.image.size().height.into());
        let x = self.areas.iter().map(|it| it.x).min().unwrap_or(0);
        let y = self.areas.iter().map(|it| it.y).min().unwrap_or(0);
        set("openslide.bounds-x".to_owned(), x);
        set("openslide.bounds-y".to_owned(), y);
        set(
            "openslide.bounds-width".to_owned(),
            self.areas.iter().map(right).max().unwrap_or(0).saturating_sub(x),
        );
        set(
            "openslide.bounds-height".to_owned(),
            self.areas.iter().map(bottom).max().unwrap_or(0).saturating_sub(y),
        );
        for (index, area) in self.areas.iter().enumerate() {
            let key = format!("openslide.region[{index}]");
            set(format!("{key}.x"), area.x);
            set(format!("{key}.y"), area.y);
            set(format!("{key}.width"), area.image.size().width.into());
            set(format!("{key}.height"), area.image.size().height.into());
        }
        properties
    }
}

impl Area {
    fn n_rows(&self) -> u32 {
        self.image.size().height.div_ceil(self.image.tile_size().height)
    }

    fn tiles_under(&self, rect: LevelRect) -> impl Iterator<Item = Placement> {
        let (x, y) = (rect.x.saturating_sub(self.x), rect.y.saturating_sub(self.y));
        let inside = LevelRect { x, y, size: rect.size };
        grid_under(self.image.size(), self.image.tile_size(), inside).map(|it| Placement {
            row: it.row.saturating_add(self.first_row),
            x: it.x.saturating_add(self.x),
            y: it.y.saturating_add(self.y),
            ..it
        })
    }
}

impl TileSource for Canvas {
    fn size(&self) -> PixelSize {
        self.size
    }

    fn tile_size(&self) -> PixelSize {
        self.areas.first().map_or(self.size, |area| area.image.tile_size())
    }

    fn tiles_under(&self, rect: LevelRect) -> Box<dyn Iterator<Item = Placement> + '_> {
        Box::new(self.areas.iter().flat_map(move |area| area.tiles_under(rect)))
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        let index = self.areas.partition_point(|area| area.first_row <= row);
        match index.checked_sub(1).and_then(|index| self.areas.get(to_usize(index))) {
            Some(area) => area.image.read(col, row - area.first_row),
            None => Ok(Tile::background()),
        }
    }
}
