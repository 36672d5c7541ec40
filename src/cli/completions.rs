//! `completions`: what a shell completes.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Outcome, PROGRAM, print};

/// Print a script that lets a shell complete commands and options.
///
/// Put it where your shell looks for such scripts, and open a new shell. It is made from the commands of this very version: print
/// it anew after an update.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog completions bash > ~/.local/share/bash-completion/completions/wa-watchdog
  wa-watchdog completions zsh > ~/.zfunc/_wa-watchdog          with fpath+=~/.zfunc before compinit in ~/.zshrc
  wa-watchdog completions fish > ~/.config/fish/completions/wa-watchdog.fish")]
pub(super) struct Args {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    // clap_complete splits the hyphen of our name in one place and not in the other, so that bash would complete nothing behind a
    // command (clap-rs/clap#6421). Where that is mended this changes nothing.
    let script = String::from_utf8_lossy(&script).replace("wa__subcmd__watchdog", "wa__watchdog");
    print::line(script.trim_end())?;
    Ok(Outcome::Well)
}
