//! `status` and `explain`: what a running watchdog believes.

mod changes;
mod layout;
mod listing;
mod live;

use std::io;
use std::time::Duration;

use serde::Deserialize;

use self::layout::{Paper, lay_out};
use self::listing::Listing;
use super::api::Api;
use super::print::Ink;
use super::site::Misuse;
use super::{Format, Outcome, block_on, print};
use crate::engine::TargetId;

/// Asking more often than this shows nothing more.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// What a person reads who waits for the answer.
const WAITING: &str = "waiting for the watchdog";
/// What `--watch` means alone.
const EVERY_DEFAULT: &str = "2s";

/// Show every session of a running watchdog, worst first; exit code 1 if one fails.
///
/// MODE says what it may do about a session, or that it is paused; PENDING what runs, waits for a person or is held back.
///
/// On a terminal the table fits the window: WHY and PENDING wrap, then MODE, FOR, STATE, WHY and at last PENDING are left out, in
/// this order; a window narrower than 50 columns gets a short block for each session. Anywhere else it is as wide as it likes.
///
/// With --watch it draws the table anew every two seconds until Ctrl-C, also while the watchdog is away, and ends with exit code 0.
/// Where standard output is no terminal it prints a line for each change instead.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog status
  wa-watchdog status --watch
  wa-watchdog status --watch=10s | tee changes.log
  wa-watchdog status --url http://127.0.0.1:9877 --format json")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    api: Api,
    /// Show it again and again: every two seconds, or as often as is said.
    #[arg(
        long,
        value_name = "EVERY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EVERY_DEFAULT,
        value_parser = every
    )]
    watch: Option<Duration>,
    /// How it is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Explain one session of a running watchdog: its state, what is believed and why, what was done, what waits for a person, and what
/// would change that.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  wa-watchdog explain shop")]
pub(super) struct ExplainArgs {
    /// Its name.
    target: TargetName,
    #[command(flatten)]
    api: Api,
    /// How it is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The name of a target, checked before it stands in a path.
#[derive(Clone, Debug)]
pub(super) struct TargetName(pub(super) TargetId);

impl std::str::FromStr for TargetName {
    type Err = crate::engine::target::BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TargetId::new(text).map(Self)
    }
}

#[derive(Debug, Deserialize)]
struct Explained {
    explain: Vec<String>,
}

/// Prints the table, once or again and again.
pub(super) fn status(args: &StatusArgs) -> anyhow::Result<Outcome> {
    if let Some(every) = args.watch {
        return match args.format {
            Format::Text => block_on(live::watch(&args.api, every)),
            Format::Json => {
                Err(Misuse(String::from("--watch speaks to people; a program asks /api/v1/targets for JSON")).into())
            }
        };
    }
    let text = block_on(print::during(WAITING, args.api.text(listing::PATH)))?;
    let listing = Listing::parse(&text)?;
    match args.format {
        Format::Json => print::line(text.trim_end())?,
        Format::Text => {
            let paper = Paper { width: print::Window::width(), colours: print::colours(&io::stdout()) };
            for line in lay_out(&listing, paper).lines() {
                print::line(&line)?;
            }
        }
    }
    Ok(if listing.failing() == 0 { Outcome::Well } else { Outcome::NotWell })
}

/// Prints the explanation.
pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let text = block_on(print::during(WAITING, args.api.text(&format!("/api/v1/targets/{}", args.target.0))))?;
    match args.format {
        Format::Json => print::line(text.trim_end())?,
        Format::Text => {
            let (width, colours) = (print::Window::width(), print::colours(&io::stdout()));
            for line in serde_json::from_str::<Explained>(&text)?.explain {
                for part in print::hang(&line, 2, width) {
                    let told = meaning(&line).map_or_else(|| part.clone(), |ink| print::ink(&part, ink, colours));
                    print::line(&told)?;
                }
            }
        }
    }
    Ok(Outcome::Well)
}

/// What a line of the explanation begins with, and what that means.
const MEANINGS: [(&str, Ink); 4] =
    [("failing", Ink::Red), ("suspect", Ink::Yellow), ("a person must", Ink::Yellow), ("healthy", Ink::Green)];

fn meaning(line: &str) -> Option<Ink> {
    MEANINGS.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, ink)| *ink)
}

/// Reads how often.
fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < EVERY_MIN { Err(String::from("at least 100ms")) } else { Ok(every) }
}
