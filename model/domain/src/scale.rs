//! Physical scale: micrometres exist only where the slide is calibrated.

use serde::{Deserialize, Serialize};

/// Micrometres per level-0 pixel, across and down. Finite and positive by construction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64)", into = "(f64, f64)")]
pub struct Mpp {
    x: f64,
    y: f64,
}

impl Mpp {
    /// Rejects zero, negative and non-finite values, and anything outside 0.01 to 100 um/px, which no
    /// slide scanner produces.
    pub fn new(x: f64, y: f64) -> Option<Self> {
        let plausible = |value: f64| (0.01..=100.0).contains(&value);
        (plausible(x) && plausible(y)).then_some(Self { x, y })
    }

    /// Micrometres per pixel across.
    pub fn x(self) -> f64 {
        self.x
    }

    /// Micrometres per pixel down.
    pub fn y(self) -> f64 {
        self.y
    }

    /// The geometric mean of both directions.
    pub fn mean(self) -> f64 {
        (self.x * self.y).sqrt()
    }

    /// The area of one level-0 pixel in square micrometres.
    pub fn pixel_area_um2(self) -> f64 {
        self.x * self.y
    }
}

impl TryFrom<(f64, f64)> for Mpp {
    type Error = String;

    fn try_from((x, y): (f64, f64)) -> Result<Self, String> {
        Self::new(x, y).ok_or_else(|| format!("{x} x {y} um/px is no plausible scale"))
    }
}

impl From<Mpp> for (f64, f64) {
    fn from(mpp: Mpp) -> Self {
        (mpp.x, mpp.y)
    }
}

/// An area, in square micrometres where the slide is calibrated and in level-0 pixels where not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Area {
    /// Square micrometres.
    Um2(f64),
    /// Level-0 pixels.
    Level0Px(f64),
}

impl Area {
    /// Level-0 pixels to square micrometres, where that is known.
    pub fn from_level0_px(level0_px: f64, mpp: Option<Mpp>) -> Self {
        match mpp {
            Some(mpp) => Self::Um2(level0_px * mpp.pixel_area_um2()),
            None => Self::Level0Px(level0_px),
        }
    }
}

impl std::fmt::Display for Area {
    /// `1.25 mm²` and `532 µm²` where calibrated, else `1234 px`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Um2(area) if 10_000.0 <= area => write!(f, "{:.3} mm²", area / 1e6),
            Self::Um2(area) => write!(f, "{area:.0} µm²"),
            Self::Level0Px(area) => write!(f, "{area:.0} px"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_or_absurd_scale_is_no_scale() {
        for (x, y) in [(0.0, 0.25), (0.25, f64::NAN), (-1.0, 1.0), (1e6, 1e6)] {
            assert_eq!(Mpp::new(x, y), None);
        }
    }

    #[test]
    fn area_is_metric_only_where_calibrated() {
        let mpp = Mpp::new(0.5, 0.5);
        assert_eq!(Area::from_level0_px(4e6, mpp).to_string(), "1.000 mm²");
        assert_eq!(Area::from_level0_px(400.0, mpp).to_string(), "100 µm²");
        assert_eq!(Area::from_level0_px(400.0, None).to_string(), "400 px");
    }
}
