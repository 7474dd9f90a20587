//! The C library OpenSlide, looked for while the program runs: it opens the formats that this project does not read itself.
//!
//! The program builds and works without it. Calls and their contracts follow `openslide.h` of OpenSlide 4.
//! This is the only package that contains unsafe code; nothing unsafe is visible outside.

mod functions;
mod pixels;
mod slide;

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::sync::Arc;

use functions::Functions;
pub use slide::Slide;

/// What the library is called on each system, newest first.
const NAMES: &[&str] = if cfg!(target_os = "macos") {
    &[
        "libopenslide.1.dylib",
        "/opt/homebrew/lib/libopenslide.1.dylib",
        "/usr/local/lib/libopenslide.1.dylib",
        "libopenslide.0.dylib",
    ]
} else if cfg!(windows) {
    &["libopenslide-1.dll", "libopenslide-0.dll"]
} else {
    &["libopenslide.so.1", "libopenslide.so.0"]
};

/// Why the library could not do something, in its own words or the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// The loaded library. It stays loaded as long as a clone or a slide of it lives.
#[derive(Clone)]
pub struct Library {
    functions: Arc<Functions>,
}

impl fmt::Debug for Library {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Library").field("version", &self.version()).finish()
    }
}

impl Library {
    /// Loads the library from `path`, or by its usual names.
    ///
    /// # Errors
    /// If it is not found, or lacks a function.
    pub fn load(path: Option<&OsStr>) -> Result<Self, Error> {
        let names: Vec<&OsStr> = match path {
            Some(path) => vec![path],
            None => NAMES.iter().map(OsStr::new).collect(),
        };
        let mut failure = Error("no name to look for".to_owned());
        for name in names {
            match Functions::load(name) {
                Ok(functions) => return Ok(Self { functions: Arc::new(functions) }),
                Err(error) => failure = Error(error.to_string()),
            }
        }
        Err(failure)
    }

    /// The library's version, such as `4.0.1`.
    pub fn version(&self) -> String {
        // SAFETY: the function takes nothing and answers with a string that lives as long as the library.
        let version = unsafe { (self.functions.version)() };
        text(version)
    }
}

/// A copy of a string of the library; empty if there is none.
fn text(string: *const std::ffi::c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: every string of the library ends with a zero and outlives this call; it was checked not to be null.
    let string = unsafe { CStr::from_ptr(string) };
    string.to_string_lossy().into_owned()
}
