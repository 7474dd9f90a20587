//! `slidelight`: the viewer.

fn main() {}
