//! What is wrong or odd with a labelled folder, and what is done about it.

use std::collections::BTreeSet;

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// The user's: no training begins before the folder is mended.
    Mend,
    /// With consent training goes on without these images or rows.
    LeaveOut,
    /// Nobody's: training goes on, and the user should know.
    Note,
}

/// One thing that a check of a folder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found, naming the files.
    pub what: String,
    /// What is done about it.
    pub done: String,
    /// Whose move it is.
    pub remedy: Remedy,
}

impl Finding {
    pub(crate) fn mend(what: impl Into<String>) -> Self {
        let done = "mend the folder, then check it again".to_owned();
        Self { what: what.into(), done, remedy: Remedy::Mend }
    }

    pub(crate) fn note(what: impl Into<String>, done: impl Into<String>) -> Self {
        Self { what: what.into(), done: done.into(), remedy: Remedy::Note }
    }

    pub(crate) fn leave_out(what: impl Into<String>, done: impl Into<String>) -> Self {
        Self { what: what.into(), done: done.into(), remedy: Remedy::LeaveOut }
    }

    /// Both halves as one sentence.
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}.", self.what, self.done)
    }
}

/// Findings so far, and the images that training can do without.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) all: Vec<Finding>,
    /// Indices into the images of the listing.
    pub(crate) left_out: BTreeSet<usize>,
}

impl Findings {
    pub(crate) fn mend(&mut self, what: impl Into<String>) {
        self.all.push(Finding::mend(what));
    }

    pub(crate) fn note(&mut self, what: impl Into<String>, done: impl Into<String>) {
        self.all.push(Finding::note(what, done));
    }

    pub(crate) fn leave_out(
        &mut self,
        what: impl Into<String>,
        done: impl Into<String>,
        images: impl IntoIterator<Item = usize>,
    ) {
        self.all.push(Finding::leave_out(what, done));
        self.left_out.extend(images);
    }

    /// What keeps the folder as it is from being used.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.all
            .iter()
            .filter(|it| it.remedy != Remedy::Note)
            .map(|finding| finding.what.clone())
            .collect()
    }
}
