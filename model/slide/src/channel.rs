//! Channels of fluorescence and other pictures that are not red, green and blue: what they are and how they are shown.
//!
//! A slide with channels is shown as their sum: each channel's window of values, from black to its colour. Windows are
//! found once, from the coarsest stored level, when pixels or channels are first asked for; a viewer may ask for tiles in
//! windows and colours of its own ([`Slide::read_tile_of_channels`](crate::Slide::read_tile_of_channels)).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use domain::coords::{LevelRect, PixelSize};
use domain::pixels::Pixels;

use crate::SlideError;
use crate::number::to_usize;
use crate::tile::{Placement, Tile, TileSource};

/// How many channels a picture of many begins with; more would add up to white.
const MAX_SHOWN: usize = 6;
/// Tiles that are looked at for the windows.
const MAX_SAMPLED_TILES: u64 = 64;
/// Parts of a [`Channel`]'s histogram.
const HISTOGRAM_BINS: u16 = 64;
/// The share of values that a window cuts off at its lower and upper end.
const CUT_OFF: (f64, f64) = (0.01, 0.002);
/// Blue, green, red, yellow, magenta, cyan: nuclei are the first channel of most panels.
const COLORS: [[u8; 3]; MAX_SHOWN] =
    [[0, 80, 255], [0, 255, 0], [255, 0, 0], [255, 255, 0], [255, 0, 255], [0, 255, 255]];

/// Values that are shown from black to full colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// This and everything below is black.
    pub low: f32,
    /// This and everything above is the full colour.
    pub high: f32,
}

/// One channel of a slide.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// The stain or marker, or `Channel 1` where the file names none.
    pub name: String,
    /// Red, green and blue at the upper end of the window.
    pub color: [u8; 3],
    /// The values shown, in the units of the file.
    pub window: Window,
    /// Whether the channel is part of the picture.
    pub is_shown: bool,
    /// The smallest and the largest value of the coarsest level.
    pub range: Window,
    /// How often values of the coarsest level fall into equal parts of the range.
    pub histogram: Vec<u64>,
}

/// How channels make up a picture, with a number that tells one way from another in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) channels: &'a [Channel],
    pub(crate) id: u64,
}

impl<'a> Look<'a> {
    pub(crate) fn new(channels: &'a [Channel]) -> Self {
        let mut hasher = DefaultHasher::new();
        for channel in channels {
            let Window { low, high } = channel.window;
            (channel.is_shown, channel.color, low.to_bits(), high.to_bits()).hash(&mut hasher);
        }
        Self { channels, id: hasher.finish() }
    }
}

/// Values of one channel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelValues {
    /// Size in pixels of the level.
    pub size: PixelSize,
    /// As in the file; `NaN` outside the slide and where nothing is stored.
    pub values: Vec<f32>,
}

impl ChannelValues {
    /// Nothing yet.
    pub(crate) fn empty(size: PixelSize) -> Self {
        Self { size, values: vec![f32::NAN; to_usize(size.area())] }
    }

    /// Puts the shown part of a tile, `tile_width` wide, where it belongs in values that begin at `rect`.
    pub(crate) fn copy(&mut self, tile: &[f32], tile_width: u32, at: Placement, rect: LevelRect) {
        let (x, y) = (at.x.saturating_sub(rect.x), at.y.saturating_sub(rect.y));
        let width = i64::from(self.size.width);
        let columns =
            x.clamp(0, width)..x.saturating_add(at.part.size.width.into()).clamp(0, width);
        let to_stride = to_usize(self.size.width).max(1);
        let rows =
            tile.chunks_exact(to_usize(tile_width).max(1)).take(to_usize(at.part.size.height));
        for (row, from) in (y..).zip(rows) {
            let Ok(row) = usize::try_from(row) else { continue };
            let Some(to) = self.values.chunks_exact_mut(to_stride).nth(row) else { return };
            let to = to.get_mut(to_usize(columns.start)..to_usize(columns.end));
            let from = from.get(to_usize(columns.start - x)..to_usize(columns.end - x));
            if let (Some(to), Some(from)) = (to, from) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// What a file says about a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChannelName {
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    /// Its colour, if the file gives it one.
    pub(crate) color: Option<[u8; 3]>,
}

/// A stored tile of one channel.
#[derive(Debug)]
pub(crate) struct PlaneTile {
    /// As wide as the tile; `None` where nothing, or nothing readable, is stored.
    pub(crate) values: Option<Vec<f32>>,
    /// Whether it was lost or is only partly right.
    pub(crate) n_damaged: u32,
}

/// One resolution of one channel as a plain grid of tiles.
pub(crate) trait PlaneSource: std::fmt::Debug + Send + Sync {
    /// Size in pixels.
    fn size(&self) -> PixelSize;

    /// Size of a stored tile.
    fn tile_size(&self) -> PixelSize;

    /// Reads and decodes one tile; damage is counted in the tile.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    fn read(&self, col: u32, row: u32) -> Result<PlaneTile, SlideError>;
}

/// All channels of one resolution, in order.
pub(crate) type Planes = Arc<[Box<dyn PlaneSource>]>;

/// The channels of a slide over all its stored levels.
#[derive(Debug)]
pub(crate) struct Channels {
    names: Vec<ChannelName>,
    /// Finest first.
    pub(crate) levels: Vec<Planes>,
    shown: OnceLock<Vec<Channel>>,
}

impl Channels {
    /// Every level holds as many planes as there are names, of one size and one tile size.
    ///
    /// # Errors
    /// If they do not.
    pub(crate) fn new(
        names: Vec<ChannelName>,
        levels: Vec<Vec<Box<dyn PlaneSource>>>,
    ) -> Result<Arc<Self>, SlideError> {
        for planes in &levels {
            let mut sizes = planes.iter().map(|plane| (plane.size(), plane.tile_size()));
            let first = sizes.next();
            if planes.len() != names.len() || sizes.any(|size| Some(size) != first) {
                let problem = "channels that differ in their levels, sizes or tiles";
                return Err(SlideError::Unsupported(problem.to_owned()));
            }
        }
        let levels = levels.into_iter().map(Arc::from).collect();
        Ok(Arc::new(Self { names, levels, shown: OnceLock::new() }))
    }

    /// The levels as pictures.
    pub(crate) fn sources(self: &Arc<Self>) -> Vec<Box<dyn TileSource>> {
        let source = |planes: &Planes| -> Box<dyn TileSource> {
            Box::new(Composite { planes: Arc::clone(planes), channels: Arc::clone(self) })
        };
        self.levels.iter().map(source).collect()
    }

    /// The channels and how they are shown at first.
    pub(crate) fn shown(&self) -> &[Channel] {
        self.shown.get_or_init(|| {
            let has_colors = self.has_colors();
            (0..self.names.len()).map(|index| self.describe(index, has_colors)).collect()
        })
    }

    /// Writers that know no colours give every channel the same one, mostly white.
    fn has_colors(&self) -> bool {
        let mut colors: Vec<_> = self.names.iter().filter_map(|name| name.color).collect();
        colors.sort_unstable();
        colors.dedup();
        1 < colors.len()
    }

    fn describe(&self, index: usize, has_colors: bool) -> Channel {
        let name = self.names.get(index).cloned().unwrap_or_default();
        let usual = match self.names.len() {
            1 => [255, 255, 255],
            _ => COLORS.iter().cycle().nth(index).copied().unwrap_or([255, 255, 255]),
        };
        let values = self.sampled(index);
        let range = range(&values);
        Channel {
            name: name.name.unwrap_or_else(|| format!("Channel {}", index + 1)),
            color: name.color.filter(|_| has_colors).unwrap_or(usual),
            window: window(&values),
            is_shown: index < MAX_SHOWN,
            range,
            histogram: histogram(&values, range),
        }
    }

    /// Values of the coarsest level in order.
    fn sampled(&self, channel: usize) -> Vec<f32> {
        let plane = self.levels.last().and_then(|planes| planes.get(channel));
        let mut values = plane.map(|plane| sample(plane.as_ref())).unwrap_or_default();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f32::total_cmp);
        values
    }

    /// One stored tile of a level as a picture.
    pub(crate) fn compose(
        &self,
        level: usize,
        look: Look<'_>,
        col: u32,
        row: u32,
    ) -> Result<Tile, SlideError> {
        let planes = self.levels.get(level).map_or(&[][..], AsRef::as_ref);
        composed(planes, look.channels, col, row)
    }
}

/// The window that leaves out the extremes of `values` in order.
fn window(values: &[f32]) -> Window {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length is a length"
    )]
    let at =
        |share: f64| values.get((share * values.len().saturating_sub(1) as f64) as usize).copied();
    let low = at(CUT_OFF.0).unwrap_or(0.0);
    let high = at(1.0 - CUT_OFF.1).filter(|&high| low < high).unwrap_or(low + 1.0);
    Window { low, high }
}

/// The ends of `values` in order.
fn range(values: &[f32]) -> Window {
    let low = values.first().copied().unwrap_or(0.0);
    let high = values.last().copied().filter(|&high| low < high).unwrap_or(low + 1.0);
    Window { low, high }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts saturate, and what lies outside is counted in the last part"
)]
fn histogram(values: &[f32], range: Window) -> Vec<u64> {
    let mut counts = vec![0; usize::from(HISTOGRAM_BINS)];
    let scale = f32::from(HISTOGRAM_BINS) / (range.high - range.low);
    for value in values {
        let bin = ((value - range.low) * scale) as usize;
        if let Some(count) = counts.get_mut(bin.min(usize::from(HISTOGRAM_BINS) - 1)) {
            *count += 1;
        }
    }
    counts
}

/// Values of tiles spread over a plane.
fn sample(plane: &dyn PlaneSource) -> Vec<f32> {
    let (size, tile) = (plane.size(), plane.tile_size());
    let across = u64::from(size.width.div_ceil(tile.width.max(1)));
    let n_tiles = across * u64::from(size.height.div_ceil(tile.height.max(1)));
    let step = n_tiles.div_ceil(MAX_SAMPLED_TILES).max(1);
    let mut values = Vec::new();
    let mut index = step / 2;
    while index < n_tiles {
        let (col, row) = (index % across, index / across);
        let tile = u32::try_from(col).and_then(|col| Ok((col, u32::try_from(row)?)));
        if let Ok(Ok(tile)) = tile.map(|(col, row)| plane.read(col, row)) {
            values.extend(tile.values.unwrap_or_default());
        }
        index += step;
    }
    values
}

/// One level as a picture: the sum of the channels that are shown.
#[derive(Debug)]
struct Composite {
    planes: Planes,
    channels: Arc<Channels>,
}

impl TileSource for Composite {
    fn size(&self) -> PixelSize {
        self.planes.first().map_or(PixelSize::default(), |plane| plane.size())
    }

    fn tile_size(&self) -> PixelSize {
        self.planes.first().map_or(PixelSize::default(), |plane| plane.tile_size())
    }

    fn is_gapless(&self) -> bool {
        true
    }

    fn read(&self, col: u32, row: u32) -> Result<Tile, SlideError> {
        composed(&self.planes, self.channels.shown(), col, row)
    }
}

/// The sum of the channels that are shown; black where none is.
fn composed(
    planes: &[Box<dyn PlaneSource>],
    channels: &[Channel],
    col: u32,
    row: u32,
) -> Result<Tile, SlideError> {
    let size = planes.first().map_or(PixelSize::default(), |plane| plane.tile_size());
    let mut shown = planes.iter().zip(channels).filter(|(_, channel)| channel.is_shown).peekable();
    if shown.peek().is_none() {
        return Ok(Tile::intact(Pixels::filled(size, [0, 0, 0, 255])));
    }
    let mut sums: Vec<[f32; 3]> = Vec::new();
    let mut n_damaged = 0;
    for (plane, channel) in shown {
        let tile = plane.read(col, row)?;
        n_damaged += tile.n_damaged;
        let Some(values) = tile.values else { continue };
        sums.resize(values.len().max(sums.len()), [0.0; 3]);
        add(&mut sums, &values, channel);
    }
    let width = size.width;
    let height = u32::try_from(sums.len() / to_usize(width).max(1)).unwrap_or(0);
    let rgba = sums.iter().flat_map(|&[r, g, b]| [byte(r), byte(g), byte(b), 255]).collect();
    let pixels = Pixels::new(PixelSize { width, height }, rgba).filter(|_| 0 < height);
    Ok(Tile { pixels, n_damaged })
}

fn add(sums: &mut [[f32; 3]], values: &[f32], channel: &Channel) {
    let Window { low, high } = channel.window;
    // A window without a width is a step.
    let scale = 1.0 / (high - low).max(f32::MIN_POSITIVE);
    let color = channel.color.map(f32::from);
    for (sum, value) in sums.iter_mut().zip(values) {
        let share = ((value - low) * scale).clamp(0.0, 1.0);
        let share = if share.is_nan() { 0.0 } else { share };
        for (sum, full) in sum.iter_mut().zip(color) {
            *sum += share * full;
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Ramp;

    impl PlaneSource for Ramp {
        fn size(&self) -> PixelSize {
            PixelSize { width: 10, height: 100 }
        }

        fn tile_size(&self) -> PixelSize {
            self.size()
        }

        fn read(&self, _col: u32, _row: u32) -> Result<PlaneTile, SlideError> {
            let mut values: Vec<f32> = (0..1000_u16).map(f32::from).collect();
            values[500] = f32::NAN;
            Ok(PlaneTile { values: Some(values), n_damaged: 0 })
        }
    }

    fn channels(names: Vec<ChannelName>) -> Arc<Channels> {
        let planes = names.iter().map(|_| -> Box<dyn PlaneSource> { Box::new(Ramp) }).collect();
        Channels::new(names, vec![planes]).unwrap()
    }

    #[test]
    fn a_window_leaves_the_extremes_out() {
        let channels = channels(vec![ChannelName::default()]);
        assert_eq!(channels.shown()[0].window, Window { low: 9.0, high: 997.0 });
        assert_eq!(channels.shown()[0].color, [255; 3]);
        assert_eq!(channels.shown()[0].name, "Channel 1");
    }

    #[test]
    fn channels_add_up_in_their_colours() {
        let name = |color| ChannelName { name: None, color: Some(color) };
        let channels = channels(vec![name([255, 0, 0]), name([0, 0, 255])]);
        let tile = channels.sources()[0].read(0, 0).unwrap();
        let pixels = tile.pixels.unwrap();
        assert_eq!(pixels.get(0, 0), Some([0, 0, 0, 255]));
        assert_eq!(pixels.get(9, 99), Some([255, 0, 255, 255]));
        assert_eq!(pixels.get(0, 50), Some([0, 0, 0, 255]));
    }

    #[test]
    fn one_colour_for_all_is_no_colour() {
        let white = ChannelName { name: None, color: Some([255; 3]) };
        let channels = channels(vec![white.clone(), white]);
        assert_eq!(channels.shown()[0].color, COLORS[0]);
        assert_eq!(channels.shown()[1].color, COLORS[1]);
    }
}
