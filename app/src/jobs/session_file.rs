//! The session on disk: `session.json` in the user's configuration folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use etcetera::AppStrategy as _;

use super::runner::Runner;
use super::{JobError, Outcome};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::session::Session;

const FILE_NAME: &str = "session.json";

fn folders() -> Option<impl etcetera::AppStrategy> {
    etcetera::choose_app_strategy(etcetera::AppStrategyArgs {
        top_level_domain: "org".to_owned(),
        author: "Slidelight".to_owned(),
        app_name: "slidelight".to_owned(),
    })
    .ok()
}

/// The session as it was left; a missing or unreadable file is an empty session.
pub(crate) fn load() -> Session {
    folders().map(|folders| read(&folders.config_dir())).unwrap_or_default()
}

/// The user's folder for data of this program, if the system has one.
pub(super) fn data_folder() -> Option<PathBuf> {
    folders().map(|folders| folders.data_dir())
}

fn read(folder: &Path) -> Session {
    let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Saves the session aside, then renames it.
pub(super) fn start_save(state: &mut State, runner: &mut Runner) {
    let session = state.session.clone();
    runner.start(
        state,
        JobKind::Silent,
        "save-session",
        String::new(),
        move |_progress, _cancel| {
            if let Some(folders) = folders() {
                let folder = folders.config_dir();
                write(&folder, &session).map_err(|error| {
                    let folder = folder.display();
                    JobError::Failed(format!("Recent slides cannot be saved: {error}: {folder}"))
                })?;
            }
            Ok(Outcome::SessionSaved)
        },
    );
}

fn write(folder: &Path, session: &Session) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    aside.write_all(serde_json::to_string_pretty(session)?.as_bytes())?;
    aside.persist(folder.join(FILE_NAME))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_comes_back_and_a_damaged_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = Session::default();
        session.remember(Path::new("/slides/a.svs"));
        write(folder.path(), &session).unwrap();
        assert_eq!(read(folder.path()), session);
        std::fs::write(folder.path().join(FILE_NAME), "{").unwrap();
        assert_eq!(read(folder.path()), Session::default());
    }
}
