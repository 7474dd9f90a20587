//! Counts as bars.

use egui::{Color32, Mesh, Rect, lerp, pos2};

/// Bars of square roots that fill `place`: the many values of a background would leave nothing to see of the few others.
/// `color` is asked with the part of `0.0..=1.0` that a bar stands for: where it begins and ends.
///
/// One mesh, since single rectangles would be smoothed at their edges and show as stripes.
#[expect(clippy::cast_precision_loss, reason = "bars are a few points high")]
pub(crate) fn bars(place: Rect, counts: &[u64], color: impl Fn(f32, f32) -> Color32) -> Mesh {
    let n_bins = counts.len() as f32;
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f32;
    let mut mesh = Mesh::default();
    for (bin, &count) in counts.iter().enumerate() {
        let (from, to) = (bin as f32 / n_bins, (bin + 1) as f32 / n_bins);
        let top = lerp(place.bottom()..=place.top(), (count as f32 / most).sqrt());
        let x = |value: f32| lerp(place.x_range(), value);
        let bar = Rect::from_min_max(pos2(x(from), top), pos2(x(to), place.bottom()));
        mesh.add_colored_rect(bar, color(from, to));
    }
    mesh
}
