//! Plugins loaded and run by the host.

fn main() {}
