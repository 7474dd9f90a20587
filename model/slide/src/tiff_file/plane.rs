//! One sample of a directory's pixels as a channel.

use std::sync::Arc;

use domain::coords::PixelSize;

use super::image::TiffImage;
use crate::SlideError;
use crate::channel::{PlaneSource, PlaneTile};
use crate::tile::TileSource as _;

/// A sample of every pixel of an image.
#[derive(Debug)]
pub(crate) struct TiffPlane {
    image: Arc<TiffImage>,
    sample: usize,
}

impl TiffPlane {
    /// All samples of an image as channels.
    pub(crate) fn all(image: TiffImage) -> Vec<Box<dyn PlaneSource>> {
        let image = Arc::new(image);
        let plane = |sample| -> Box<dyn PlaneSource> {
            Box::new(Self { image: Arc::clone(&image), sample })
        };
        (0..image.n_samples()).map(plane).collect()
    }
}

impl PlaneSource for TiffPlane {
    fn size(&self) -> PixelSize {
        self.image.size()
    }

    fn tile_size(&self) -> PixelSize {
        self.image.tile_size()
    }

    fn read(&self, col: u32, row: u32) -> Result<PlaneTile, SlideError> {
        match self.image.values(col, row, self.sample) {
            Ok(values) => Ok(PlaneTile { values, n_damaged: 0 }),
            Err(error @ SlideError::Io(_)) => Err(error),
            Err(damage) => {
                tracing::warn!("tile {col}, {row} of a channel is lost: {damage}");
                Ok(PlaneTile { values: None, n_damaged: 1 })
            }
        }
    }
}
