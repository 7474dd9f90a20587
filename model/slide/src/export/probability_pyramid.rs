//! Lesion probabilities of a slide of any size as a tiled pyramid: `<stem>.refined.tif`.
//!
//! 8-bit gray, 255 = 1; every level is half of the one before, the mean of 2 x 2 pixels. Rows come from the top while
//! they are computed. Opens like any other slide.

use std::path::Path;

use domain::coords::{Level0Rect, PixelSize};
use serde_json::Value as Json;

use super::atomic::Staged;
use super::frame::{self, Framed};
use super::pyramid::{Halving, Place, Plan, Pyramid};
use super::{ExportError, SlideFacts, heatmap_tiff};

/// What messages call the file.
const NOUN: &str = "refined map";

/// What a pyramid is a map of.
#[derive(Clone, Debug)]
pub struct PyramidFacts<'a> {
    /// The slide it belongs to.
    pub slide: SlideFacts,
    /// Name of the model.
    pub model: &'a str,
    /// Pixels of the finest level.
    pub size: PixelSize,
    /// Where they lie.
    pub frame: Level0Rect,
}

/// A pyramid in the making. Dropped before [`Self::finish`] it leaves nothing.
#[derive(Debug)]
pub struct ProbabilityPyramid(Pyramid<u8>);

impl ProbabilityPyramid {
    /// Begins a file that will be called `target`.
    ///
    /// # Errors
    /// If its folder is missing, not writable or full.
    pub fn begin(target: &Path, facts: &PyramidFacts<'_>) -> Result<Self, ExportError> {
        Pyramid::begin(target, plan(facts)).map(Self)
    }

    /// Adds the next row of the finest level; values outside `0.0..=1.0` are clamped.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn add_row(&mut self, probabilities: &[f32]) -> Result<(), ExportError> {
        self.0.add_row(probabilities.iter().map(|it| byte(*it)).collect())
    }

    /// Completes the file; rows that were not added are 0.
    ///
    /// # Errors
    /// If the disk is full, or the file does not read back as it was written.
    pub fn finish(self) -> Result<Staged, ExportError> {
        self.0.finish()
    }
}

fn plan(facts: &PyramidFacts<'_>) -> Plan {
    let framed = Framed { slide: &facts.slide, model: facts.model, frame: facts.frame };
    let json = Json::Object(frame::frame(&framed, facts.size)).to_string();
    let per_cm = |pixels: u32, length_um: f64| f64::from(pixels) * 1e4 / length_um;
    let resolution = facts.slide.mpp.map(|mpp| {
        [
            per_cm(facts.size.width, facts.frame.width * mpp.x()),
            per_cm(facts.size.height, facts.frame.height * mpp.y()),
        ]
    });
    Plan {
        noun: NOUN,
        size: facts.size,
        halving: Halving::Mean,
        place: Place::Chain,
        description: heatmap_tiff::ascii(&json),
        resolution,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn byte(probability: f32) -> u8 {
    (probability * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::super::tiff_writer::TiffWriter;
    use super::*;
    use crate::Slide;
    use crate::number::to_u32;
    use domain::coords::LevelRect;
    use domain::id::{LevelIndex, SlideId};
    use domain::scale::Mpp;
    use std::path::PathBuf;

    fn facts(width: u32, height: u32) -> PyramidFacts<'static> {
        let size = PixelSize { width, height };
        let frame = Level0Rect {
            x: 0.0,
            y: 0.0,
            width: 2.0 * f64::from(width),
            height: 2.0 * f64::from(height),
        };
        let slide = SlideFacts {
            id: SlideId("f00d".to_owned()),
            size: PixelSize { width: 2 * width, height: 2 * height },
            mpp: Mpp::new(0.25, 0.25),
            bounds: None,
        };
        PyramidFacts { slide, model: "test", size, frame }
    }

    fn value(x: u32, y: u32) -> f32 {
        ((x * 7 + y * 13) % 256) as f32 / 255.0
    }

    fn written(folder: &Path, facts: &PyramidFacts<'_>) -> PathBuf {
        let target = folder.join("case.refined.tif");
        let mut pyramid = ProbabilityPyramid::begin(&target, facts).unwrap();
        for y in 0..facts.size.height {
            let row: Vec<f32> = (0..facts.size.width).map(|x| value(x, y)).collect();
            pyramid.add_row(&row).unwrap();
        }
        pyramid.finish().unwrap().publish().unwrap()
    }

    #[test]
    fn a_pyramid_opens_as_a_slide_with_every_value_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (width, height) = (1301, 777);
        let slide = Slide::open(&written(folder.path(), &facts(width, height))).unwrap();
        let sizes: Vec<[u32; 2]> =
            slide.levels().iter().map(|it| [it.size.width, it.size.height]).collect();
        assert_eq!(sizes[..3], [[1301, 777], [651, 389], [326, 195]]);
        assert!((slide.mpp().unwrap().x() - 0.5).abs() < 1e-3, "two slide pixels each");
        let rect = LevelRect { x: 0, y: 0, size: PixelSize { width, height } };
        let region = slide.read_region(LevelIndex(0), rect).unwrap();
        assert_eq!(region.damaged_tiles, 0);
        for (i, pixel) in region.pixels.rgba().chunks_exact(4).enumerate() {
            let (x, y) = (to_u32(i) % width, to_u32(i) / width);
            assert_eq!(pixel[0], byte(value(x, y)), "{x}, {y}");
        }
        let size = PixelSize { width: 651, height: 389 };
        let coarse = slide.read_region(LevelIndex(1), LevelRect { x: 0, y: 0, size }).unwrap();
        let sum: f32 = [(10, 4), (11, 4), (10, 5), (11, 5)].map(|(x, y)| value(x, y)).iter().sum();
        let found = coarse.pixels.get(5, 2).unwrap()[0];
        assert!((f32::from(found) - sum / 4.0 * 255.0).abs() <= 1.0);
        let corner = coarse.pixels.get(650, 388).unwrap()[0];
        assert_eq!(corner, byte(value(1300, 776)), "an odd corner stands for itself");
    }

    #[test]
    fn offsets_are_wide_where_the_file_may_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let (target, facts) = (folder.path().join("big.tif"), facts(700, 600));
        let file = TiffWriter::begin(&target, 1 << 33).unwrap();
        let mut pyramid = ProbabilityPyramid(Pyramid::in_file(file, &target, plan(&facts)));
        pyramid.add_row(&vec![1.0; 700]).unwrap();
        let path = pyramid.finish().unwrap().publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[2], 43, "BigTIFF");
        let slide = Slide::open(&path).unwrap();
        let rect = LevelRect { x: 699, y: 0, size: PixelSize { width: 1, height: 2 } };
        let region = slide.read_region(LevelIndex(0), rect).unwrap();
        assert_eq!(region.pixels.rgba(), [255, 255, 255, 255, 0, 0, 0, 255]);
    }

    #[test]
    fn the_description_says_where_the_map_lies() {
        let folder = tempfile::tempdir().unwrap();
        let slide = Slide::open(&written(folder.path(), &facts(40, 30))).unwrap();
        let text = &slide.properties()["tiff.ImageDescription"];
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(json["width"], 80.0);
        assert_eq!(json["downsample"]["x"], 2.0);
        assert_eq!(json["slide"]["id"], "f00d");
    }

    #[test]
    fn an_unfinished_pyramid_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.tif");
        drop(ProbabilityPyramid::begin(&target, &facts(600, 20)).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
