//! A corrected mask from the review into a labelled folder.

use std::path::PathBuf;

use model::data::corrected::{self, Correction, SendError, Sent};

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::sending::Sending;

pub(super) fn start(sending: Sending, state: &mut State, runner: &mut Runner) {
    let (Some(slide), Some(facts)) = (state.slide.clone(), state.view.facts.clone()) else {
        return;
    };
    let lesions = corrected::lesions(state.review.review.annotations(), &sending.class);
    let folder = PathBuf::from(sending.folder.trim());
    let title = format!("Sending {}", facts.name());
    runner.start(state, JobKind::Send, "send", title, move |progress, cancel| {
        progress.stage("Writing the mask");
        let failed = |error: SendError| match error {
            SendError::Cancelled(cancelled) => cancelled.into(),
            error => JobError::Failed(format!("Nothing was sent: {error}: {}", folder.display())),
        };
        let lesions = lesions.map_err(failed)?;
        let patient = Some(sending.patient.trim()).filter(|it| !it.is_empty());
        let correction =
            Correction { path: &facts.path, slide: &slide, lesions: &lesions, patient };
        let sent = corrected::send(&folder, &correction, (progress, cancel)).map_err(failed)?;
        Ok(Outcome::Sent(sent))
    });
}

/// What to tell about it.
pub(super) fn said(sent: &Sent) -> String {
    let Sent { file, mask, is_new } = sent;
    let image = if *is_new {
        format!("{file} was copied into the folder and labelled positive")
    } else {
        format!("The folder's {file} has this mask from now on")
    };
    format!("{image}. Cam-seg learns from it in the next training.\n{}", mask.display())
}
