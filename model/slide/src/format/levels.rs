//! Directories as levels: of plain colours, or of channels.

use std::sync::Arc;

use super::Opened;
use crate::SlideError;
use crate::channel::{ChannelName, Channels, PlaneSource};
use crate::tiff_file::{TiffImage, TiffPlane};
use crate::tile::TileSource;

/// A slide of levels that are pictures by themselves.
pub(super) fn pictures(format: &'static str, levels: Vec<TiffImage>) -> Opened {
    let boxed = |image| -> Box<dyn TileSource> { Box::new(image) };
    Opened::new(format, levels.into_iter().map(boxed).collect())
}

/// A slide of channels; `levels` holds the images of each level, whose samples are the channels in order. Levels that
/// lack a channel end the pyramid.
pub(super) fn channels(
    format: &'static str,
    names: Vec<ChannelName>,
    levels: Vec<Vec<TiffImage>>,
) -> Result<Opened, SlideError> {
    let planes = |images: Vec<TiffImage>| -> Vec<Box<dyn PlaneSource>> {
        images.into_iter().flat_map(TiffPlane::all).collect()
    };
    let mut levels: Vec<_> = levels.into_iter().map(planes).collect();
    let n_channels = levels.first().map_or(0, Vec::len);
    let n_whole = levels.iter().take_while(|planes| planes.len() == n_channels).count();
    levels.truncate(n_whole);
    let mut names = names;
    names.resize(n_channels, ChannelName::default());
    let channels = Channels::new(names, levels)?;
    let sources = channels.sources();
    Ok(Opened { channels: Some(Arc::clone(&channels)), ..Opened::new(format, sources) })
}

/// One image a level, as a picture if it is one and as channels if not.
pub(super) fn of_images(
    format: &'static str,
    names: Vec<ChannelName>,
    levels: Vec<TiffImage>,
) -> Result<Opened, SlideError> {
    if levels.first().is_some_and(TiffImage::is_picture) {
        return Ok(pictures(format, levels));
    }
    channels(format, names, levels.into_iter().map(|image| vec![image]).collect())
}
