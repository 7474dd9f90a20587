//! What the network is shown of a tile: a random part, perhaps mirrored, as patches (MODELS 10.4).

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::autoencoder::AutoencoderConfig;
use super::tiles::Tile;
use crate::bag::resample::{AxisTaps, resample};

/// Mean and standard deviation of pixels on `0.0..=1.0`: those of ImageNet, as He et al. keep them.
pub(crate) const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// See [`MEAN`].
pub(crate) const STD: [f32; 3] = [0.229, 0.224, 0.225];
/// Width by height of a crop at the outside, as a natural logarithm.
const RATIO: f64 = 0.287_682_072_451_780_9; // 4 / 3
/// Draws of a crop that may reach past the tile before the whole tile is taken.
const DRAWS: usize = 10;

/// A part of a tile, px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crop {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    is_mirrored: bool,
}

impl Crop {
    /// All of a tile.
    pub(super) fn whole(side: usize) -> Self {
        Self { left: 0, top: 0, width: side, height: side, is_mirrored: false }
    }

    /// A part of at least `least` of a tile's area, 3:4 to 4:3.
    pub(super) fn draw(side: usize, least: f64, flip: bool, rng: &mut ChaCha8Rng) -> Self {
        let mut crop = Self::whole(side);
        for _ in 0..DRAWS {
            let area = rng.random_range(least..=1.0) * (side * side) as f64;
            let ratio = rng.random_range(-RATIO..=RATIO).exp();
            let round = |length: f64| length.round().max(1.0) as usize;
            let (width, height) = (round((area * ratio).sqrt()), round((area / ratio).sqrt()));
            if width <= side && height <= side {
                let left = rng.random_range(0..=side - width);
                let top = rng.random_range(0..=side - height);
                crop = Self { left, top, width, height, is_mirrored: false };
                break;
            }
        }
        crop.is_mirrored = flip && rng.random_bool(0.5);
        crop
    }

    /// The part of `tile` as RGB of `img` px.
    fn rgb(self, tile: &Tile, img: usize) -> Vec<u8> {
        let (across, down) = (self.width as f64 / img as f64, self.height as f64 / img as f64);
        let columns = AxisTaps::new(img, self.left as f64 / across, across, tile.side, 0);
        let rows = AxisTaps::new(img, 0.0, down, self.height, 0);
        let lines = &tile.rgb[self.top * tile.side * 3..][..self.height * tile.side * 3];
        resample::<3>(lines, tile.side, &columns, &rows, 0)
    }

    /// The part of `tile` as patches `[L, patch * patch * 3]`, pixel by pixel, into `to`.
    pub(super) fn patches(self, tile: &Tile, config: &AutoencoderConfig, to: &mut [f32]) {
        let rgb = self.rgb(tile, config.img);
        let pixels = rgb.as_chunks::<3>().0;
        let (img, side) = (config.img, config.patch);
        let per_row = img / side;
        for (at, patch) in to.chunks_exact_mut(side * side * 3).enumerate() {
            let (top, left) = (at / per_row * side, at % per_row * side);
            for (place, to) in patch.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let (y, x) = (top + place / side, left + place % side);
                let x = if self.is_mirrored { img - 1 - x } else { x };
                *to = normalized(pixels[y * img + x]);
            }
        }
    }
}

/// A pixel as the network sees it.
pub(super) fn normalized(rgb: [u8; 3]) -> [f32; 3] {
    std::array::from_fn(|color| (f32::from(rgb[color]) / 255.0 - MEAN[color]) / STD[color])
}

/// The pixel that the network sees as `value`.
pub(super) fn restored(value: [f32; 3]) -> [u8; 3] {
    std::array::from_fn(|color| {
        (255.0 * (value[color] * STD[color] + MEAN[color])).round().clamp(0.0, 255.0) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn tile(side: usize) -> Tile {
        let pixel = |at: usize| [(at % side) as u8, (at / side) as u8, 7];
        Tile { side, rgb: (0..side * side).flat_map(pixel).collect() }
    }

    fn config() -> AutoencoderConfig {
        AutoencoderConfig { img: 4, patch: 2, ..AutoencoderConfig::small() }
    }

    fn pixels(crop: Crop, side: usize) -> Vec<[u8; 3]> {
        let mut patches = vec![0.0; 48];
        crop.patches(&tile(side), &config(), &mut patches);
        patches.as_chunks::<3>().0.iter().map(|it| restored(*it)).collect()
    }

    #[test]
    fn patches_are_squares_row_by_row() {
        let columns: Vec<u8> = pixels(Crop::whole(4), 4).iter().map(|it| it[0]).collect();
        assert_eq!(columns[..8], [0, 1, 0, 1, 2, 3, 2, 3]);
        let rows: Vec<u8> = pixels(Crop::whole(4), 4).iter().map(|it| it[1]).collect();
        assert_eq!(rows[..8], [0, 0, 1, 1, 0, 0, 1, 1]);
        let mirrored = Crop { is_mirrored: true, ..Crop::whole(4) };
        assert_eq!(pixels(mirrored, 4)[0], [3, 0, 7]);
    }

    #[test]
    fn a_crop_is_resized_to_the_image() {
        let crop = Crop { left: 8, top: 4, width: 8, height: 4, is_mirrored: false };
        let found = pixels(crop, 16);
        assert_eq!((found[0], found[15]), ([9, 4, 7], [15, 7, 7]));
    }

    #[test]
    fn crops_lie_in_the_tile_and_are_large_enough() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut n_mirrored = 0;
        for _ in 0..500 {
            let crop = Crop::draw(50, 0.2, true, &mut rng);
            assert!(crop.left + crop.width <= 50 && crop.top + crop.height <= 50);
            assert!(470 <= crop.width * crop.height, "{crop:?}");
            n_mirrored += usize::from(crop.is_mirrored);
        }
        assert!((150..350).contains(&n_mirrored));
    }
}
