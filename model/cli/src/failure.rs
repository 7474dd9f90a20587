//! Why a command failed, one line a cause.

use std::fmt::Display;
use std::path::Path;

/// At least one cause, each in one line without a full stop.
#[derive(Debug)]
pub(crate) struct Failure(Vec<String>);

impl Failure {
    pub(crate) fn new(cause: &dyn Display) -> Self {
        Self(vec![one_line(&cause.to_string())])
    }

    /// Adds the path that the libraries leave out.
    pub(crate) fn at(path: &Path) -> impl Fn(&dyn Display) -> Self {
        let path = path.display().to_string();
        move |cause| Self::new(&format!("{cause} ({path})"))
    }

    /// The causes of several failures; `None` without any.
    pub(crate) fn of_all(failures: Vec<Self>) -> Option<Self> {
        let causes: Vec<String> = failures.into_iter().flat_map(|failure| failure.0).collect();
        (!causes.is_empty()).then_some(Self(causes))
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.0
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_of_several_lines_becomes_one_and_ends_with_the_path() {
        let failure = Failure::at(Path::new("a.svs"))(&"no tiles\n  at all");
        assert_eq!(failure.causes(), ["no tiles at all (a.svs)"]);
    }
}
