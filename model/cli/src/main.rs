//! `slidelight-cli`: the same services as the window, without one.

fn main() {}
