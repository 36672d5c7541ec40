//! The thin binary: see `wa-watchdog --help`.

fn main() {}
