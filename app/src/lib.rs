//! The window: reads state, sends commands, runs jobs.
//!
//! - `state` is plain data, changed only by `command` and by finished `jobs`.
//! - `command::apply` is pure: it changes the state and answers with effects, which `jobs` performs.
//! - `tiles` decides which parts of the slide are read, `canvas` shows them, `ui` draws the rest.
//!
//! The window's thread reads no file and computes no tensor.

mod app;
mod canvas;
mod command;
mod jobs;
mod state;
mod tiles;
mod ui;

pub use app::{Options, run};
