//! The two streams: answers on stdout, everything else on stderr.

use std::io::Write as _;

use crate::failure::Failure;

/// Prints one JSON object, the only thing on stdout.
pub(crate) fn answer_json(object: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(object).map_err(|error| Failure::new(&error))?;
    answer(&text)
}

/// Prints an answer for people.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| Failure::new(&format!("cannot write to stdout: {error}")))
}

/// A line on stderr. A closed stderr leaves nobody to tell.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap_or_default();
}
