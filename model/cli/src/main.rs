//! `slidelight-cli`: the same services as the window, without one.
//!
//! Answers go to stdout, with `--json` as one object; progress, warnings and causes go to stderr. Exit
//! status: 0 done, 1 failed, 2 wrong usage, 130 cancelled. See `docs/CLI.md`.

mod args;
mod command;
mod console;
mod failure;
mod progress;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use domain::progress::CancelToken;

use args::{Arguments, Command};
use failure::Failure;
use progress::ProgressLine;

/// The status of a process that was interrupted, by custom.
const CANCELLED: u8 = 130;

/// What every command is given besides its arguments.
#[derive(Debug)]
struct Session {
    cancel: CancelToken,
    progress: ProgressLine,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    model::memory::keep_freed_blocks();
    if let Err(error) = model::threads::keep_tensors_on_their_thread() {
        console::say(&format!("warning: tensors keep their own threads: {error}"));
    }
    let session = Session { cancel: CancelToken::default(), progress: ProgressLine::new() };
    let outcome =
        cancel_on_interrupt(&session.cancel).and_then(|()| run(arguments.command, &session));
    session.progress.clear();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if session.cancel.is_cancelled() => {
            console::say("cancelled");
            ExitCode::from(CANCELLED)
        }
        Err(failure) => {
            failure.causes().iter().for_each(|cause| console::say(&format!("error: {cause}")));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Info(args) => command::info::run(&args, session),
        Command::Region(args) => command::region::run(&args),
        Command::Predict(args) => command::predict::run(&args, session),
        Command::Preselect(args) => command::preselect::run(&args, session),
        Command::Annotations(args) => command::annotations::run(&args, session),
        Command::Train(args) => command::train::run(&args, session),
        Command::Pretrain(args) => command::pretrain::run(&args, session),
        Command::Eval(args) => command::eval::run(&args, session),
        Command::Models(args) => command::models::run(&args),
        Command::Encoders(args) => command::encoders::run(&args),
        Command::Fixture(args) => command::fixture::run(&args),
    }
}

/// The first interrupt asks the work to stop, the second does not wait for it.
fn cancel_on_interrupt(cancel: &CancelToken) -> Result<(), Failure> {
    let cancel = cancel.clone();
    let installed = ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            std::process::exit(i32::from(CANCELLED));
        }
        cancel.cancel();
    });
    installed.map_err(|error| Failure::new(&format!("cannot listen for interrupts: {error}")))
}

/// Warnings of the libraries; `RUST_LOG` asks for more or less.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}
