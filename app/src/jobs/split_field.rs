//! The visible field, read and taken apart into its bands.

use std::sync::Arc;

use domain::bands::BandEdges;
use domain::color::ColorTable;
use domain::coords::{LevelRect, PixelSize};
use domain::id::{TILE_PX, TileKey};
use domain::pixels::Pixels;
use domain::progress::CancelToken;
use model::lens::Band;
use model::lens::image_bands::LensError;
use model::lens::picture::PictureBands;
use render::band_compute::{BandCompute, OuterBands};
use render::frame::BandPicture;
use slide::Slide;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::lens::{Field, SeenBands, band_word};

/// `gpu` or `cpu` names what takes pictures apart, whatever the adapter is.
pub(crate) const LENS_VARIABLE: &str = "SLIDELIGHT_LENS";

/// Whether compute shaders take pictures apart: on a graphics processor, since a software adapter runs them slower than the processor
/// transforms, and where `wish`, the value of [`LENS_VARIABLE`], asks for it.
pub(crate) fn is_left_to_shaders(wish: Option<&str>, is_software: bool) -> bool {
    match wish {
        Some("gpu") => true,
        Some("cpu") => false,
        _ => !is_software,
    }
}

pub(super) fn start(field: Field, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let table = state.view.color_table().cloned();
    let compute = runner.band_compute.clone();
    let title = "Taking the picture apart".to_owned();
    runner.start(state, JobKind::SplitField, "split-field", title, move |_progress, cancel| {
        let failed = |error: String| {
            JobError::Failed(format!("The picture cannot be taken apart into bands: {error}"))
        };
        let pixels = read(&slide, &field, table.as_deref(), cancel)?;
        cancel.check()?;
        let bands = bands_of(&pixels, field.edges, compute.as_deref());
        let bands = bands.map_err(|error| failed(error.to_string()))?;
        cancel.check()?;
        let picture = |band: Band| {
            let drawn = BandPicture::new(pixels.size(), field.area, bands.planes(band));
            let problem = || failed(format!("the {} band has no area", band_word(band)));
            Ok((band, Arc::new(drawn.ok_or_else(problem)?), bands.amplitude(band)))
        };
        let bands = Band::ALL.into_iter().map(picture).collect::<Result<_, JobError>>()?;
        Ok(Outcome::FieldSplit(SeenBands { field, bands }))
    });
}

/// By compute shaders where there are any and the field fits them, else by the processor.
fn bands_of(
    pixels: &Pixels,
    edges: BandEdges,
    compute: Option<&BandCompute>,
) -> Result<PictureBands, LensError> {
    match compute.map(|compute| compute.split(pixels, edges)) {
        Some(Ok(OuterBands { low, high })) => return PictureBands::of_outer(pixels, low, high),
        Some(Err(error)) => tracing::info!(%error, "the processor takes the field apart instead"),
        None => {}
    }
    PictureBands::of(pixels, edges)
}

/// The field as it is displayed.
fn read(
    slide: &Slide,
    field: &Field,
    table: Option<&ColorTable>,
    cancel: &CancelToken,
) -> Result<Pixels, JobError> {
    let LevelRect { size, .. } = field.rect;
    let mut pixels = Pixels::filled(size, [255; 4]);
    for key in &field.tiles {
        cancel.check()?;
        let read = slide.read_tile_of_channels(*key, &field.channels);
        let tile =
            read.map_err(|error| JobError::Failed(format!("Cannot read the field: {error}")))?;
        copy(&tile.pixels, *key, &mut pixels, field.rect);
    }
    if let Some(table) = table {
        for pixel in pixels.rgba_mut().as_chunks_mut::<4>().0 {
            let [r, g, b, alpha] = *pixel;
            let [r, g, b] = table.corrected([r, g, b]);
            *pixel = [r, g, b, alpha];
        }
    }
    Ok(pixels)
}

/// Copies what a tile shares with `rect` of its level.
fn copy(tile: &Pixels, key: TileKey, to: &mut Pixels, rect: LevelRect) {
    let origin = |index: u32| i64::from(index) * i64::from(TILE_PX);
    let (left, top) = (origin(key.col), origin(key.row));
    let PixelSize { width, .. } = rect.size;
    let columns = shared(left, tile.size().width, rect.x, width);
    for y in shared(top, tile.size().height, rect.y, rect.size.height) {
        let at =
            |x: i64, y: i64, width: u32| usize::try_from(y * i64::from(width) + x).unwrap_or(0) * 4;
        let n = usize::try_from(columns.end - columns.start).unwrap_or(0) * 4;
        let from = at(columns.start - left, y - top, tile.size().width);
        let into = at(columns.start - rect.x, y - rect.y, width);
        let row = tile.rgba().get(from..from + n);
        if let (Some(row), Some(into)) = (row, to.rgba_mut().get_mut(into..into + n)) {
            into.copy_from_slice(row);
        }
    }
}

/// What two spans of pixels have in common, empty if they have nothing.
fn shared(a: i64, a_length: u32, b: i64, b_length: u32) -> std::ops::Range<i64> {
    let start = a.max(b);
    start..(a + i64::from(a_length)).min(b + i64::from(b_length)).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::LevelIndex;
    use render::headless::Headless;

    /// Stripes of every width.
    fn picture(width: u32, height: u32) -> Pixels {
        let value = |at: u32| ((at % width).pow(2) % 256) as u8;
        let rgba = (0..width * height).flat_map(|at| [value(at), value(at + 9), 90, 255]);
        Pixels::new(PixelSize { width, height }, rgba.collect()).unwrap()
    }

    #[test]
    fn shaders_are_for_graphics_processors_unless_someone_wishes_otherwise() {
        assert!(is_left_to_shaders(None, false) && is_left_to_shaders(Some(""), false));
        assert!(!is_left_to_shaders(None, true) && is_left_to_shaders(Some("gpu"), true));
        assert!(!is_left_to_shaders(Some("cpu"), false));
    }

    #[test]
    fn shaders_take_the_fields_apart_that_fit_and_the_processor_the_others() {
        let headless = match Headless::new() {
            Ok(headless) => headless,
            Err(error) => return eprintln!("SKIPPED: {error}"),
        };
        let compute = BandCompute::new(headless.device().clone(), headless.queue().clone());
        let edges = BandEdges::default();
        for (width, fits) in [(86, true), (87, false)] {
            let pixels = picture(width, 61);
            let expected = bands_of(&pixels, edges, None).unwrap();
            let found = bands_of(&pixels, edges, Some(&compute)).unwrap();
            for band in Band::ALL {
                let pairs = found.planes(band).iter().zip(expected.planes(band));
                let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart < 1e-3, "{width}: {apart}");
            }
            assert_eq!(found != expected, fits, "rounding tells who it was");
        }
    }

    #[test]
    fn tiles_land_where_the_field_has_them() {
        let tile = Pixels::filled(PixelSize { width: 512, height: 512 }, [9; 4]);
        let rect = LevelRect { x: 500, y: 510, size: PixelSize { width: 20, height: 4 } };
        let mut field = Pixels::filled(rect.size, [0; 4]);
        copy(&tile, TileKey { level: LevelIndex(0), col: 0, row: 1 }, &mut field, rect);
        let is_copied = |x, y| field.get(x, y) == Some([9; 4]);
        assert!(is_copied(0, 2) && is_copied(11, 3));
        assert!(!is_copied(12, 2) && !is_copied(0, 1));
        copy(&tile, TileKey { level: LevelIndex(0), col: 5, row: 5 }, &mut field, rect);
    }
}
