//! Bands of spatial frequency: where they meet, and the mirrored margin around a picture that is taken apart.
//!
//! Frequencies are radial and relative to the picture's Nyquist frequency (half a cycle per pixel on an axis), so that 1 is the finest
//! stripe along an axis and the diagonal reaches `sqrt(2)`.

/// Pixels by which a picture is mirrored at each edge, where it has as many.
const MARGIN_MAX: usize = 32;

/// Where the bands meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandEdges {
    /// Where the low band ends, relative to Nyquist.
    pub low: f64,
    /// Where the high band begins, relative to Nyquist.
    pub high: f64,
    /// Full width of the raised-cosine transition at both edges; 0 cuts hard, which rings.
    pub soft: f64,
}

impl Default for BandEdges {
    fn default() -> Self {
        Self { low: 0.2, high: 0.8, soft: 0.0 }
    }
}

impl BandEdges {
    /// Whether 0 <= low <= high, and the transition has a width of 0 or more.
    pub fn is_in_order(self) -> bool {
        0.0 <= self.low && self.low <= self.high && 0.0 <= self.soft
    }

    /// Shares of the low and the high band at a frequency, `0.0..=1.0` each; the middle band has the rest.
    pub fn shares(self, frequency: f64) -> (f64, f64) {
        let above = |edge: f64| {
            let at = ((frequency - (edge - self.soft / 2.0)) / self.soft).clamp(0.0, 1.0);
            0.5 - 0.5 * (std::f64::consts::PI * at).cos()
        };
        if self.soft > 0.0 {
            (1.0 - above(self.low), above(self.high))
        } else {
            let is = |it| f64::from(u8::from(it));
            (is(frequency < self.low), is(frequency > self.high))
        }
    }
}

/// Radial frequency of a bin, relative to Nyquist; each axis is its bin and the transform's length.
pub fn radius(y: (usize, usize), x: (usize, usize)) -> f64 {
    let cycles_per_pixel = |(bin, length): (usize, usize)| {
        let bin = if 2 * bin > length { length - bin } else { bin };
        bin as f64 / length as f64
    };
    let (fy, fx) = (cycles_per_pixel(y), cycles_per_pixel(x));
    (fx * fx + fy * fy).sqrt() / 0.5
}

/// Pixels by which a side is mirrored at both ends: a transform takes its left edge for the neighbour of its right one.
pub fn margin(side: usize) -> usize {
    MARGIN_MAX.min(side.saturating_sub(1))
}

/// Length of the transform along a side: the side with both margins.
pub fn transform_length(side: usize) -> usize {
    side + 2 * margin(side)
}

/// Whether a length has no prime factors but 2, 3 and 5, which every transform is fast at.
pub fn is_smooth(length: usize) -> bool {
    let rest = [2, 3, 5].into_iter().fold(length, |mut rest, factor| {
        while rest != 0 && rest.is_multiple_of(factor) {
            rest /= factor;
        }
        rest
    });
    rest == 1
}

/// The least side of `side` or more whose transform is smooth; `most` if there is none up to it.
pub fn side_with_smooth_transform(side: usize, most: usize) -> usize {
    (side..=most).find(|it| is_smooth(transform_length(*it))).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_within_a_band_and_halves_at_a_soft_edge() {
        let hard = BandEdges::default();
        assert_eq!([0.0, 0.5, 1.4].map(|it| hard.shares(it)), [(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)]);
        let soft = BandEdges { soft: 0.1, ..hard };
        assert_eq!([0.1, 0.5, 1.0].map(|it| soft.shares(it)), [(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)]);
        assert!((soft.shares(0.2).0 - 0.5).abs() < 1e-9 && (soft.shares(0.8).1 - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_finest_stripe_has_radius_one_and_a_chessboard_more() {
        assert_eq!(radius((0, 8), (4, 8)), 1.0);
        assert_eq!(radius((7, 8), (0, 8)), radius((1, 8), (0, 8)));
        assert!((radius((4, 8), (4, 8)) - std::f64::consts::SQRT_2).abs() < 1e-12);
    }

    #[test]
    fn sides_grow_to_the_next_smooth_transform_and_no_further_than_they_may() {
        assert_eq!([1, 2, 9, 448].map(transform_length), [1, 4, 25, 512]);
        assert!([1, 2, 30, 243, 2000].into_iter().all(is_smooth));
        assert!(![0, 7, 22, 2048 * 31].into_iter().any(is_smooth));
        assert_eq!(side_with_smooth_transform(1920, 40_000), 1936);
        assert_eq!(side_with_smooth_transform(1936, 40_000), 1936);
        assert_eq!(side_with_smooth_transform(1920, 1930), 1930);
    }
}
