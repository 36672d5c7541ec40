//! The thin binary: see `wa-watchdog --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wa_watchdog::cli::main()
}
