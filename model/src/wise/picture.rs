//! What the network makes of hidden patches, as a picture: a row for each tile, which shows it, what is left of it, and the guess.

use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::Result;
use domain::coords::PixelSize;
use domain::pixels::Pixels;

use super::autoencoder::AutoencoderConfig;
use super::crop::restored;
use super::learner::Seen;
use crate::nn::storage::to_vec;
use crate::train::run_folder::PICTURES;

/// Between two pictures, px.
const GAP: usize = 4;
/// The color of a hidden patch.
const HIDDEN: [u8; 3] = [128; 3];
const OPAQUE: u8 = 255;

/// Where the run in `run_dir` keeps its picture of an epoch, counted from 1, if it made one.
pub fn picture_path(run_dir: &Path, epoch: usize) -> PathBuf {
    run_dir.join(PICTURES).join(format!("{epoch:04}.png"))
}

/// Which rows of pixels of a picture of that size show which tile.
pub fn rows_of_tiles(size: PixelSize) -> Vec<Range<u32>> {
    let gap = GAP as u32;
    let img = size.width.saturating_sub(2 * gap) / 3;
    let n = (size.height + gap) / (img + gap);
    (0..n).map(|tile| tile * (img + gap)..tile * (img + gap) + img).collect()
}

/// Tile, what was seen of it, and the guess beside each other, a row for each tile.
///
/// # Errors
/// If the tensors are not of that network.
pub(super) fn sheet(seen: &Seen, config: &AutoencoderConfig) -> Result<Pixels> {
    let (b, length, values) = seen.patches.dims3()?;
    let patches: Vec<f32> = to_vec(&seen.patches)?;
    let guesses: Vec<f32> = to_vec(&seen.guess.patches)?;
    let img = config.img;
    let (width, height) = (3 * img + 2 * GAP, b * (img + GAP) - GAP.min(b * GAP));
    let size = PixelSize { width: width as u32, height: height as u32 };
    let mut sheet = Pixels::filled(size, [255; 4]);
    let mut put = |patch: (usize, usize), column: usize, pixels: Vec<[u8; 3]>| {
        let (image, at) = patch;
        let (side, per_row) = (config.patch, img / config.patch);
        let (top, left) = (image * (img + GAP) + at / per_row * side, at % per_row * side);
        for (place, [r, g, b]) in pixels.into_iter().enumerate() {
            let x = column * (img + GAP) + left + place % side;
            let at = 4 * ((top + place / side) * width + x);
            sheet.rgba_mut()[at..at + 4].copy_from_slice(&[r, g, b, OPAQUE]);
        }
    };
    for image in 0..b {
        let hidden = seen.order.hidden(image);
        for (at, is_hidden) in hidden.into_iter().enumerate() {
            let values = (image * length + at) * values..(image * length + at + 1) * values;
            let truth = colors(&patches[values.clone()]);
            let guess = colors(&placed(&guesses[values.clone()], &patches[values]));
            put((image, at), 0, truth.clone());
            put((image, at), 1, if is_hidden { vec![HIDDEN; truth.len()] } else { truth.clone() });
            put((image, at), 2, if is_hidden { guess } else { truth });
        }
    }
    Ok(sheet)
}

fn colors(patch: &[f32]) -> Vec<[u8; 3]> {
    patch.as_chunks::<3>().0.iter().map(|pixel| restored(*pixel)).collect()
}

/// A guess, which is standardized, with the mean and deviation of the true patch: the network is not asked for these.
fn placed(guess: &[f32], truth: &[f32]) -> Vec<f32> {
    let n = truth.len() as f32;
    let mean = truth.iter().sum::<f32>() / n;
    let square: f32 = truth.iter().map(|it| (it - mean).powi(2)).sum();
    let deviation = (square / (n - 1.0)).sqrt();
    guess.iter().map(|it| it * deviation + mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_found_in_a_picture_by_its_size() {
        let rows = |width, height| rows_of_tiles(PixelSize { width, height });
        assert_eq!(rows(296, 196), [0..96, 100..196]);
        assert_eq!(rows(56, 16), vec![Range { start: 0, end: 16 }]);
        assert!(rows(0, 0).len() <= 1);
    }
}
