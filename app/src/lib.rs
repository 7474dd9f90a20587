//! The window: reads state, sends commands, runs jobs.
