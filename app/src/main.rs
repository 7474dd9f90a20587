//! `slidelight [SLIDE]`: the viewer.

use std::path::PathBuf;
use std::process::ExitCode;

use app::Options;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    model::memory::keep_freed_blocks();
    if let Err(error) = model::threads::keep_tensors_on_their_thread() {
        tracing::warn!("tensors keep their own threads: {error}");
    }
    let slide = std::env::args_os().nth(1).map(PathBuf::from);
    match app::run(Options { slide }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the window could not be opened: {error:#}");
            ExitCode::FAILURE
        }
    }
}
