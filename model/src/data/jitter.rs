//! Colour and orientation changes of a training image's pixels, against stain and scanner differences.
//!
//! Orientation is changed within each patch; the order of patches is varied apart, on the grid.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// One drawn change, the same for every patch of an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PixelJitter {
    /// Turns added to the hue.
    hue: f32,
    saturation: f32,
    /// Exponent on transmitted light: stain strength.
    density: f32,
    brightness: f32,
    contrast: f32,
    /// Which of the eight flips and quarter turns.
    orientation: u8,
}

impl PixelJitter {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            hue: rng.random_range(-0.04..0.04),
            saturation: rng.random_range(0.7..1.35),
            density: rng.random_range(0.8..1.25),
            brightness: rng.random_range(0.9..1.08),
            contrast: rng.random_range(0.85..1.15),
            orientation: rng.random_range(0..8),
        }
    }

    /// Changes square RGB patches of `side` pixels in place.
    pub(crate) fn apply(&self, rgb: &mut [u8], side: usize) {
        for patch in rgb.chunks_exact_mut(side * side * 3) {
            self.orient(patch, side);
        }
        let mut colors: Vec<[f32; 3]> =
            rgb.as_chunks::<3>().0.iter().map(|pixel| self.recolored(*pixel)).collect();
        let mean = colors.iter().flatten().map(|it| f64::from(*it)).sum::<f64>()
            / (3 * colors.len()).max(1) as f64;
        for color in colors.iter_mut().flatten() {
            *color = (*color - mean as f32) * self.contrast + mean as f32;
        }
        for (pixel, color) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(colors) {
            *pixel = color.map(|it| it.clamp(0.0, 255.0) as u8);
        }
    }

    fn recolored(&self, pixel: [u8; 3]) -> [f32; 3] {
        let [hue, saturation, value] = hsv_from_rgb(pixel.map(f32::from));
        let hue = (hue + self.hue).rem_euclid(1.0);
        let rgb = rgb_from_hsv([hue, (saturation * self.saturation).min(1.0), value]);
        rgb.map(|it| 255.0 * (it.max(1.0) / 255.0).powf(self.density) * self.brightness)
    }

    fn orient(&self, patch: &mut [u8], side: usize) {
        let source = patch.to_vec();
        let last = side - 1;
        for y in 0..side {
            for x in 0..side {
                let (mut from_x, mut from_y) = (x, y);
                if self.orientation & 1 != 0 {
                    from_x = last - from_x;
                }
                if self.orientation & 2 != 0 {
                    from_y = last - from_y;
                }
                if self.orientation & 4 != 0 {
                    (from_x, from_y) = (from_y, from_x);
                }
                let (to, from) = ((y * side + x) * 3, (from_y * side + from_x) * 3);
                patch[to..to + 3].copy_from_slice(&source[from..from + 3]);
            }
        }
    }
}

/// RGB in `0.0..=255.0` to hue in turns, saturation in `0.0..=1.0`, value in `0.0..=255.0`.
fn hsv_from_rgb([r, g, b]: [f32; 3]) -> [f32; 3] {
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if chroma == 0.0 {
        return [0.0, 0.0, value];
    }
    let sixth = if value == r {
        ((g - b) / chroma).rem_euclid(6.0)
    } else if value == g {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    [sixth / 6.0, chroma / value, value]
}

/// The inverse of [`hsv_from_rgb`].
fn rgb_from_hsv([hue, saturation, value]: [f32; 3]) -> [f32; 3] {
    [5.0_f32, 3.0, 1.0].map(|n| {
        let k = (n + hue * 6.0).rem_euclid(6.0);
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn hue_saturation_value_round_trips() {
        for rgb in [[200.0, 80.0, 160.0], [0.0, 0.0, 0.0], [255.0; 3], [10.0, 240.0, 30.0]] {
            let back = rgb_from_hsv(hsv_from_rgb(rgb));
            assert!(rgb.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-3), "{rgb:?} {back:?}");
        }
    }

    #[test]
    fn a_seed_fixes_the_change_and_seeds_differ() {
        let draw = |seed| PixelJitter::draw(&mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn the_eight_orientations_are_all_different_and_lose_no_pixel() {
        let patch: Vec<u8> = (0..27).collect();
        let mut seen = std::collections::BTreeSet::new();
        for orientation in 0..8 {
            let mut jitter = PixelJitter::draw(&mut ChaCha8Rng::seed_from_u64(0));
            jitter.orientation = orientation;
            let mut turned = patch.clone();
            jitter.orient(&mut turned, 3);
            let mut sorted = turned.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, patch);
            assert!(seen.insert(turned));
        }
    }
}
