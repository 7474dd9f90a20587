//! Micrometres per pixel out of TIFF's resolution tags.

use domain::scale::Mpp;

use crate::tiff_file::{Directory, tags};

/// The coarsest scale that a resolution tag is believed for, in micrometres per pixel. Most plain pictures claim 72,
/// 96 or 300 dots per inch, which is 350 to 85.
const COARSEST_MPP: f64 = 10.0;

/// The scale that the resolution tags state, if it can be a scanner's.
pub(super) fn stated_mpp(directory: &Directory) -> Option<Mpp> {
    let um_per_unit = match directory.unsigned(tags::RESOLUTION_UNIT).ok()?? {
        2 => 25_400.0,
        3 => 10_000.0,
        _ => return None,
    };
    let mpp = |tag| Some(um_per_unit / directory.real(tag)?);
    Mpp::new(mpp(tags::X_RESOLUTION)?, mpp(tags::Y_RESOLUTION)?)
        .filter(|mpp| mpp.x() <= COARSEST_MPP && mpp.y() <= COARSEST_MPP)
}
