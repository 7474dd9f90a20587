//! Where counted values part into low and high (Otsu 1979).

/// The bin up to which values are low, by Otsu's rule: the largest variance between both sides. `None`
/// if fewer than two bins hold
/// anything; of several cuts equally good the lowest.
#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
pub fn otsu(counts: &[u64]) -> Option<usize> {
    let weighted = |(bin, n): (usize, &u64)| bin as f64 * *n as f64;
    let total: f64 = counts.iter().map(|n| *n as f64).sum();
    let total_weight: f64 = counts.iter().enumerate().map(weighted).sum();
    let (mut low, mut low_weight, mut best) = (0.0, 0.0, None);
    for (bin, n) in counts.iter().enumerate() {
        low += *n as f64;
        low_weight += weighted((bin, n));
        let high = total - low;
        if 0.0 < low && 0.0 < high {
            let gap = low_weight / low - (total_weight - low_weight) / high;
            let between = low * high * gap * gap;
            if best.is_none_or(|(_, most)| most < between) {
                best = Some((bin, between));
            }
        }
    }
    best.map(|(bin, _)| bin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn otsu_cuts_between_two_heaps_and_not_at_all_through_one() {
        assert_eq!(otsu(&[5, 9, 5, 0, 0, 0, 4, 8, 4]), Some(2));
        assert_eq!(otsu(&[0, 7, 0]), None);
        assert_eq!(otsu(&[]), None);
    }
}
