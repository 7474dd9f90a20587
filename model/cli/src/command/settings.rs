//! Settings of a training that differ from the defaults: a file, then single ones.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;

/// Changes to settings in their order, each with the file it is from.
pub(super) type Changes<'a> = Vec<(Option<&'a Path>, Value)>;

/// Reads the file and appends the single settings.
pub(super) fn changes<'a>(
    file: Option<&'a Path>,
    single: &[Value],
) -> Result<Changes<'a>, Failure> {
    let mut changes = Vec::new();
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::at(file)(&format!("cannot read the training configuration: {error}"))
        })?;
        let patch =
            serde_json::from_str(&text).map_err(|error| Failure::at(file)(&refusal(&error)))?;
        changes.push((Some(file), patch));
    }
    changes.extend(single.iter().map(|patch| (None, patch.clone())));
    Ok(changes)
}

/// The settings with all changes.
pub(super) fn changed<T>(
    base: T,
    changes: Changes<'_>,
    change: impl Fn(&T, Value) -> Result<T, serde_json::Error>,
) -> Result<T, Failure> {
    changes.into_iter().try_fold(base, |base, (file, patch)| {
        change(&base, patch).map_err(|error| match file {
            Some(file) => Failure::at(file)(&refusal(&error)),
            None => Failure::new(&refusal(&error)),
        })
    })
}

fn refusal(error: &serde_json::Error) -> String {
    format!("the training configuration cannot be used: {error}")
}
