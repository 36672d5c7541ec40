//! `man`: the pages of the manual.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, Outcome, print};

/// Print the manual's page, or write the pages of all commands into a folder.
///
/// The pages are made from the same words as --help. `man` finds those in a folder `man1` below the ones that `manpath` names.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog man | man -l -
  wa-watchdog man --output ~/.local/share/man/man1             then: man wa-watchdog, man wa-watchdog-explain")]
pub(super) struct Args {
    /// Write one page for each command into this folder, which is made where it does not exist.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints the page, or writes them all.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let command = Cli::command();
    let Some(folder) = &args.output else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        print::line(String::from_utf8_lossy(&page).trim_end())?;
        return Ok(Outcome::Well);
    };
    let failed = || format!("cannot write the pages into {}", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(command, folder).with_context(failed)?;
    Ok(Outcome::Well)
}
