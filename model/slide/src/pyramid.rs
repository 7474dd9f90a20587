//! Levels the file does not hold: each halves the next finer one by averaging areas.

use domain::coords::{Downsample, PixelSize};
use domain::id::TILE_PX;
use domain::pixels::Pixels;

use crate::number::to_usize;
use crate::slide::Level;

/// How much a virtual level shrinks the next finer one.
pub(crate) const STEP: u32 = 2;

/// The file skips an octave where the next level is coarser than this many times the one before.
const GAP: f64 = 3.0;

/// Adds virtual levels below `levels` until one fits into a single display tile.
pub(crate) fn add_virtual_levels(levels: &mut Vec<Level>) {
    let fits = |size: PixelSize| size.width <= TILE_PX && size.height <= TILE_PX;
    while let Some(coarsest) = levels.last().filter(|level| !fits(level.size)) {
        let Some(half) = half(coarsest) else { return };
        levels.push(half);
    }
}

/// Puts virtual levels where stored ones are more than an octave apart.
pub(crate) fn fill_octaves<T>(
    levels: Vec<Level>,
    sources: Vec<Option<T>>,
) -> (Vec<Level>, Vec<Option<T>>) {
    let mut filled: (Vec<Level>, Vec<Option<T>>) = (Vec::new(), Vec::new());
    for (level, source) in levels.into_iter().zip(sources) {
        while let Some(finer) = filled.0.last() {
            let gap = level.downsample.get() / finer.downsample.get();
            let Some(half) = half(finer).filter(|_| GAP < gap) else { break };
            filled.0.push(half);
            filled.1.push(None);
        }
        filled.0.push(level);
        filled.1.push(source);
    }
    filled
}

/// The virtual level that halves `finer`.
fn half(finer: &Level) -> Option<Level> {
    Some(Level {
        size: PixelSize {
            width: finer.size.width.div_ceil(STEP),
            height: finer.size.height.div_ceil(STEP),
        },
        downsample: Downsample::new(finer.downsample.get() * f64::from(STEP))?,
        stored_tile: PixelSize { width: TILE_PX, height: TILE_PX },
        is_virtual: true,
    })
}

/// Halves a picture. Every pixel is the mean of the 2 x 2 pixels under it, at an odd edge of those there are; colours
/// count by their alpha, and pixels that are wholly clear stay white.
pub(crate) fn halved(fine: &Pixels) -> Pixels {
    let size = PixelSize {
        width: fine.size().width.div_ceil(STEP),
        height: fine.size().height.div_ceil(STEP),
    };
    let mut coarse = Pixels::filled(size, [255, 255, 255, 0]);
    let fine_stride = to_usize(fine.size().width) * 4;
    let coarse_stride = to_usize(size.width) * 4;
    if coarse_stride == 0 {
        return coarse;
    }
    let pairs = fine.rgba().chunks(fine_stride * 2);
    for (pair, to) in pairs.zip(coarse.rgba_mut().chunks_exact_mut(coarse_stride)) {
        let (upper, lower) = pair.split_at_checked(fine_stride).unwrap_or((pair, &[]));
        let lower = if lower.is_empty() { upper } else { lower };
        halve_row(upper, lower, to);
    }
    coarse
}

fn halve_row(upper: &[u8], lower: &[u8], to: &mut [u8]) {
    // Sums of four that end in a half go down in even columns and up in odd ones: no drift towards white over levels.
    let mut round = 1;
    for ((upper, lower), to) in upper.chunks(8).zip(lower.chunks(8)).zip(to.chunks_exact_mut(4)) {
        let quad = match (upper, lower) {
            (&[a, b, c, d, e, f, g, h], &[i, j, k, l, m, n, o, p]) => {
                [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
            }
            (&[a, b, c, d], &[i, j, k, l]) => {
                [[a, b, c, d], [a, b, c, d], [i, j, k, l], [i, j, k, l]]
            }
            _ => continue,
        };
        to.copy_from_slice(&mean(quad, round));
        round = 3 - round;
    }
}

fn mean(quad: [[u8; 4]; 4], round: u32) -> [u8; 4] {
    let sum = |channel: fn(&[u8; 4]) -> u32| quad.iter().map(channel).sum::<u32>();
    let alphas = sum(|&[.., a]| u32::from(a));
    let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
    if alphas == 4 * 255 {
        return [
            byte((sum(|&[r, ..]| u32::from(r)) + round) / 4),
            byte((sum(|&[_, g, ..]| u32::from(g)) + round) / 4),
            byte((sum(|&[_, _, b, _]| u32::from(b)) + round) / 4),
            255,
        ];
    }
    if alphas == 0 {
        return [255, 255, 255, 0];
    }
    let weighted = |total: u32| byte((total + alphas / 2) / alphas);
    [
        weighted(sum(|&[r, .., a]| u32::from(r) * u32::from(a))),
        weighted(sum(|&[_, g, _, a]| u32::from(g) * u32::from(a))),
        weighted(sum(|&[_, _, b, a]| u32::from(b) * u32::from(a))),
        byte((alphas + 2) / 4),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(width: u32, height: u32) -> Level {
        let size = PixelSize { width, height };
        Level { size, downsample: Downsample::ONE, stored_tile: size, is_virtual: false }
    }

    #[test]
    fn levels_are_added_until_one_fits_a_display_tile() {
        let mut levels = vec![level(2220, 2967)];
        add_virtual_levels(&mut levels);
        let sizes: Vec<_> = levels.iter().map(|it| (it.size.width, it.size.height)).collect();
        assert_eq!(sizes, [(2220, 2967), (1110, 1484), (555, 742), (278, 371)]);
        assert!((levels[3].downsample.get() - 8.0).abs() < 1e-12);
        let mut small = vec![level(512, 512)];
        add_virtual_levels(&mut small);
        assert_eq!(small.len(), 1);
    }

    #[test]
    fn octaves_that_the_file_skips_are_filled() {
        let stored = |width, downsample| {
            let downsample = Downsample::new(downsample).unwrap();
            Level { downsample, ..level(width, width) }
        };
        let levels = vec![stored(4096, 1.0), stored(1024, 4.0), stored(512, 8.0)];
        let (levels, sources) = fill_octaves(levels, vec![Some('a'), Some('b'), Some('c')]);
        let widths: Vec<_> = levels.iter().map(|it| (it.size.width, it.is_virtual)).collect();
        assert_eq!(widths, [(4096, false), (2048, true), (1024, false), (512, false)]);
        assert_eq!(sources, [Some('a'), None, Some('b'), Some('c')]);
    }

    #[test]
    fn an_odd_edge_averages_the_pixels_there_are() {
        let rgba: Vec<u8> = [0, 100, 50, 20, 40, 90].iter().flat_map(|&v| [v, v, v, 255]).collect();
        let fine = Pixels::new(PixelSize { width: 3, height: 2 }, rgba).unwrap();
        let coarse = halved(&fine);
        assert_eq!(coarse.size(), PixelSize { width: 2, height: 1 });
        assert_eq!(coarse.get(0, 0), Some([40, 40, 40, 255]));
        assert_eq!(coarse.get(1, 0), Some([70, 70, 70, 255]));
    }

    #[test]
    fn clear_pixels_do_not_bleach_their_neighbours() {
        let mut fine = Pixels::filled(PixelSize { width: 2, height: 2 }, [255, 255, 255, 0]);
        fine.rgba_mut()[..4].copy_from_slice(&[10, 20, 30, 255]);
        assert_eq!(halved(&fine).get(0, 0), Some([10, 20, 30, 64]));
        let clear = Pixels::filled(PixelSize { width: 2, height: 2 }, [0, 0, 0, 0]);
        assert_eq!(halved(&clear).get(0, 0), Some([255, 255, 255, 0]));
    }

    #[test]
    fn halving_again_and_again_does_not_drift() {
        let side = 256_u32;
        let noise = (0..side * side).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let rgba: Vec<u8> = noise.flat_map(|v| [v, v, v, 255]).collect();
        let mean = |pixels: &Pixels| {
            let n_pixels = pixels.size().area() as f64;
            pixels.rgba().iter().step_by(4).map(|&v| f64::from(v)).sum::<f64>() / n_pixels
        };
        let mut pixels = Pixels::new(PixelSize { width: side, height: side }, rgba).unwrap();
        let before = mean(&pixels);
        for _ in 0..6 {
            pixels = halved(&pixels);
        }
        assert!((mean(&pixels) - before).abs() < 0.5, "{before} became {}", mean(&pixels));
    }
}
