//! How much of the tissue a heatmap marks, for every *t* from one preparation.

use crate::coords::Level0Px;
use crate::heatmap::Heatmap;
use crate::mask::{BinaryMask, BinaryThreshold};

/// Values of a heatmap where there is tissue. A heatmap is smooth and reaches past the tissue; what it marks there is no
/// part of this share.
#[derive(Clone, Debug)]
pub struct TissueShare {
    /// At the center of every tissue pixel of the mask, ascending.
    values: Vec<f32>,
}

impl TissueShare {
    /// Samples `heatmap` under every pixel of `tissue`.
    pub fn new(heatmap: &Heatmap, tissue: &BinaryMask) -> Self {
        let (size, frame) = (tissue.size(), tissue.frame());
        let side = |length: f64, n: u32| length / f64::from(n.max(1));
        let (width, height) = (side(frame.width, size.width), side(frame.height, size.height));
        let pixels =
            (0..size.height).flat_map(|row| (0..size.width).map(move |column| (row, column)));
        let of_tissue = pixels.zip(tissue.bits()).filter(|(_, is_tissue)| **is_tissue);
        let mut values: Vec<f32> = of_tissue
            .map(|((row, column), _)| {
                heatmap.sample(Level0Px {
                    x: frame.x + (f64::from(column) + 0.5) * width,
                    y: frame.y + (f64::from(row) + 0.5) * height,
                })
            })
            .collect();
        values.sort_unstable_by(f32::total_cmp);
        Self { values }
    }

    /// Share of the tissue where the heatmap exceeds `threshold`, `0.0..=1.0`; `None` without tissue.
    #[expect(clippy::cast_precision_loss, reason = "pixels of a thumbnail")]
    pub fn at(&self, threshold: BinaryThreshold) -> Option<f64> {
        let below = self.values.partition_point(|value| !threshold.is_exceeded_by(*value));
        let n = self.values.len();
        (0 < n).then(|| (n - below) as f64 / n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coords::{Level0Rect, PixelSize};

    const FRAME: Level0Rect = Level0Rect { x: 0.0, y: 0.0, width: 40.0, height: 10.0 };

    fn share(tissue: [bool; 4], t: f32) -> Option<f64> {
        let size = PixelSize { width: 4, height: 1 };
        let heatmap = Heatmap::new(size, vec![0.9, 0.9, 0.2, 0.0], FRAME).unwrap();
        let tissue = BinaryMask::new(size, tissue.to_vec(), FRAME).unwrap();
        TissueShare::new(&heatmap, &tissue).at(BinaryThreshold::clamped(t))
    }

    #[test]
    fn what_is_marked_beside_the_tissue_does_not_count() {
        assert_eq!(share([false, true, true, true], 0.5), Some(1.0 / 3.0));
        assert_eq!(share([true, false, false, false], 0.5), Some(1.0));
        assert_eq!(share([false, false, true, true], 0.5), Some(0.0));
    }

    #[test]
    fn equal_values_are_not_exceeded_and_no_tissue_has_no_share() {
        assert_eq!(share([true; 4], 0.2), Some(0.5));
        assert_eq!(share([true; 4], 0.1), Some(0.75));
        assert_eq!(share([false; 4], 0.1), None);
    }
}
