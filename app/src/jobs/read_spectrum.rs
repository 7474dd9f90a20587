//! The patch under the pointer, read and turned into its spectrum.

use model::lens::radial_spectrum::radial_spectrum;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::lens::Patch;

pub(super) fn start(patch: Patch, state: &mut State, runner: &mut Runner) {
    let Some(slide) = state.slide.clone() else { return };
    let (kind, name) = (JobKind::ReadSpectrum, "read-spectrum");
    runner.start(state, kind, name, String::new(), move |_progress, cancel| {
        let read = slide.read_region(patch.level, patch.rect);
        let region = read.map_err(|error| {
            JobError::Failed(format!("The patch under the pointer cannot be read: {error}"))
        })?;
        cancel.check()?;
        Ok(Outcome::SpectrumRead(radial_spectrum(&region.pixels)))
    });
}
