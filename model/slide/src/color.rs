//! The scanner's own color profile (ICC.1:2022) as a table to sRGB.

use domain::color::ColorTable;
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, ParsingOptions, TransformOptions};

use crate::SlideError;
use crate::slide::Slide;

/// Bytes of a profile; the largest of scanners have some hundred KiB.
const MAX_PROFILE_BYTES: usize = 8 << 20;

impl Slide {
    /// What the scanner's colors look like, by the profile in the file; `None` if it has none, and of channels, whose
    /// colors are chosen and not scanned. Pixels that are read stay as they were scanned.
    ///
    /// # Errors
    /// If the profile cannot be read or is damaged, too large, or not one of red, green and blue.
    pub fn color_table(&self) -> Result<Option<ColorTable>, SlideError> {
        if self.channels.is_some() {
            return Ok(None);
        }
        self.icc_profile()?.map(|profile| color_table(&profile)).transpose()
    }
}

/// Samples a profile.
fn color_table(profile: &[u8]) -> Result<ColorTable, SlideError> {
    let bytes = profile.len() as u64;
    SlideError::check_limit("the bytes of a color profile", bytes, MAX_PROFILE_BYTES as u64)?;
    let nodes = SlideError::contain("color profile", || sampled(profile))?;
    ColorTable::new(nodes).ok_or_else(|| damaged("it yields no colors"))
}

/// sRGB at the nodes of a table, by the intent that the profile names.
fn sampled(profile: &[u8]) -> Result<Vec<[f32; 3]>, SlideError> {
    let wrong = |error: CmsError| damaged(&error.to_string());
    let limits = ParsingOptions { max_profile_size: MAX_PROFILE_BYTES + 1, ..Default::default() };
    let source = ColorProfile::new_from_slice_with_options(profile, limits).map_err(wrong)?;
    if source.color_space != DataColorSpace::Rgb {
        let problem = "a color profile of something else than red, green and blue";
        return Err(SlideError::Unsupported(problem.to_owned()));
    }
    let options =
        TransformOptions { rendering_intent: source.rendering_intent, ..Default::default() };
    let screen = ColorProfile::new_srgb();
    let transform =
        source.create_transform_f32(Layout::Rgb, &screen, Layout::Rgb, options).map_err(wrong)?;
    let scanned: Vec<f32> = ColorTable::scanned_colors().flatten().collect();
    let mut shown = vec![0.0; scanned.len()];
    transform.transform(&scanned, &mut shown).map_err(wrong)?;
    let (nodes, _) = shown.as_chunks::<3>();
    Ok(nodes.to_vec())
}

fn damaged(problem: &str) -> SlideError {
    SlideError::malformed("color profile", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile's bytes as a file holds them.
    fn encoded(profile: &ColorProfile) -> Vec<u8> {
        profile.encode().unwrap()
    }

    #[test]
    fn srgb_changes_no_color() {
        let table = color_table(&encoded(&ColorProfile::new_srgb())).unwrap();
        for value in 0..=255_u8 {
            let color = [value, 255 - value, value.wrapping_mul(3)];
            assert_eq!(table.corrected(color), color);
        }
    }

    /// What Little CMS 2.19 makes of Adobe RGB (1998). Where colors leave those of a screen the table bends between two
    /// nodes, and may be off by two steps of 255; elsewhere by one.
    #[test]
    fn a_wider_space_is_brought_to_srgb_as_by_little_cms() {
        let table = color_table(&encoded(&ColorProfile::new_adobe_rgb())).unwrap();
        for (scanned, expected, tolerance) in [
            ([0, 0, 0], [0, 0, 0], 0),
            ([255, 255, 255], [255, 255, 255], 0),
            ([128, 128, 128], [129, 129, 129], 1),
            ([200, 120, 180], [224, 121, 184], 1),
            ([90, 30, 120], [104, 24, 123], 1),
            ([250, 240, 245], [254, 240, 246], 2),
            ([230, 60, 90], [255, 57, 91], 2),
        ] {
            let found = table.corrected(scanned);
            let is_near = found.iter().zip(expected).all(|(&is, be)| is.abs_diff(be) <= tolerance);
            assert!(is_near, "{scanned:?} became {found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn a_profile_of_something_else_than_rgb_is_refused() {
        let error = color_table(&encoded(&ColorProfile::new_gray_with_gamma(2.2))).unwrap_err();
        assert!(matches!(error, SlideError::Unsupported(_)), "{error}");
    }

    #[test]
    fn a_broken_profile_is_an_error_and_no_panic() {
        let whole = encoded(&ColorProfile::new_display_p3());
        assert!(color_table(&[]).is_err());
        assert!(color_table(b"not a profile at all").is_err());
        assert!(color_table(&vec![0; MAX_PROFILE_BYTES + 1]).is_err());
        for length in (0..whole.len()).step_by(7) {
            assert!(color_table(&whole[..length]).is_err(), "cut at {length}");
        }
        // Any byte may lie; what comes out is a table or an error.
        for index in 0..whole.len() {
            let mut lying = whole.clone();
            lying[index] ^= 0xff;
            drop(color_table(&lying));
        }
    }
}
