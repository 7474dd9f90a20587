//! How model px lie on a slide.

use domain::coords::Level0Rect;
use domain::scale::Mpp;

/// Relative difference of two resolutions below which pixels are taken as they are.
const SAME_RESOLUTION: f64 = 0.05;

/// Level-0 px per model px, across and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ModelScale {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl ModelScale {
    /// The scale at which a slide of `slide` µm/px reaches `model_mpp`, and what the user should know about it.
    /// A slide that is not calibrated is taken pixel for pixel.
    pub(crate) fn of(slide: Option<Mpp>, model_mpp: f64) -> (Self, Vec<String>) {
        let Some(slide) = slide else {
            let note = format!(
                "The slide is not calibrated: its pixels were taken as {model_mpp:.3} µm each."
            );
            return (Self { x: 1.0, y: 1.0 }, vec![note]);
        };
        let snapped = |slide: f64| {
            let ratio = model_mpp / slide;
            if (ratio - 1.0).abs() < SAME_RESOLUTION { 1.0 } else { ratio }
        };
        let scale = Self { x: snapped(slide.x()), y: snapped(slide.y()) };
        let is_enlarged = scale.x.min(scale.y) < 1.0;
        let note = is_enlarged.then(|| {
            format!(
                "The slide ({:.3} µm/px) is coarser than the model's resolution ({model_mpp:.3} µm/px) and was enlarged.",
                slide.mean()
            )
        });
        (scale, note.into_iter().collect())
    }

    /// The level-0 rectangle of a rectangle in model px.
    pub(crate) fn level0_from_model(self, x: f64, y: f64, width: f64, height: f64) -> Level0Rect {
        Level0Rect { x: x * self.x, y: y * self.y, width: width * self.x, height: height * self.y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slide_without_calibration_is_taken_pixel_for_pixel_and_says_so() {
        let (scale, notes) = ModelScale::of(None, 0.25);
        assert_eq!(scale, ModelScale { x: 1.0, y: 1.0 });
        assert!(notes[0].contains("not calibrated"));
    }

    #[test]
    fn a_finer_slide_is_reduced_in_silence() {
        let (scale, notes) = ModelScale::of(Mpp::new(0.25, 0.25), 0.5);
        assert_eq!((scale.x, notes.len()), (2.0, 0));
    }

    #[test]
    fn a_coarser_slide_is_enlarged_and_says_so() {
        let (scale, notes) = ModelScale::of(Mpp::new(0.5, 0.5), 0.25);
        assert_eq!(scale.x, 0.5);
        assert!(notes[0].contains("coarser"));
    }

    #[test]
    fn nearly_the_same_resolution_is_not_resampled() {
        assert_eq!(ModelScale::of(Mpp::new(0.2521, 0.2521), 0.25).0.x, 1.0);
    }
}
