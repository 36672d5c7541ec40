//! `status` and `explain`: what a running watchdog believes.

use std::io;

use serde::Deserialize;

use super::api::Api;
use super::{Format, Outcome, block_on, print};
use crate::engine::moment::words;
use crate::engine::sample::Word;
use crate::engine::tell::network_path;
use crate::engine::{TargetId, Wall};

/// Show every session of a running watchdog, worst first; exit code 1 if one fails.
///
/// MODE says what it may do about a session, or that it is paused; PENDING what runs, waits for a person or is held back.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog status
  wa-watchdog status --url http://127.0.0.1:9877 --format json")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    api: Api,
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

/// What `status` reads of `/api/v1/targets`.
#[derive(Debug, Deserialize)]
struct Listing {
    at: Wall,
    pause: Option<Pause>,
    storm: bool,
    paths: Vec<Path>,
    targets: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    target: String,
    state: Option<String>,
    since: Option<Wall>,
    verdict: String,
    pattern: Option<String>,
    evidence: Option<String>,
    missing: Option<String>,
    mode: String,
    paused: bool,
    pending: Option<String>,
}

/// A network path.
#[derive(Debug, Deserialize)]
struct Path {
    #[serde(rename = "path")]
    name: String,
    up: bool,
    why: Option<Word>,
}

/// The pause of all targets.
#[derive(Debug, Deserialize)]
struct Pause {
    who: String,
    reason: String,
    until: Option<Wall>,
}

#[derive(Debug, Deserialize)]
struct Explained {
    explain: Vec<String>,
}

/// Prints the table.
pub(super) fn status(args: &StatusArgs) -> anyhow::Result<Outcome> {
    let text = block_on(args.api.text("/api/v1/targets"))?;
    let mut listing: Listing = serde_json::from_str(&text)?;
    let is_failing = listing.targets.iter().any(|row| row.verdict == "failing");
    match args.format {
        Format::Json => print::line(text.trim_end())?,
        Format::Text => {
            listing.targets.sort_by_key(|row| (weight(&row.verdict), row.target.clone()));
            for line in lay_out(&listing) {
                print::line(&line)?;
            }
        }
    }
    Ok(if is_failing { Outcome::NotWell } else { Outcome::Well })
}

/// Prints the explanation.
pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let text = block_on(args.api.text(&format!("/api/v1/targets/{}", args.target.0)))?;
    match args.format {
        Format::Json => print::line(text.trim_end())?,
        Format::Text => {
            for line in serde_json::from_str::<Explained>(&text)?.explain {
                print::line(&line)?;
            }
        }
    }
    Ok(Outcome::Well)
}

fn weight(verdict: &str) -> u8 {
    match verdict {
        "failing" => 0,
        "suspect" => 1,
        _ => 2,
    }
}

/// What holds for all targets.
fn weather(listing: &Listing) -> Vec<String> {
    let pause = listing.pause.as_ref().map(|Pause { who, reason, until }| {
        let until = until.map_or_else(|| String::from("until it is resumed"), |until| format!("until {until}"));
        format!("all targets are paused by {who} {until}: {reason}")
    });
    let storm =
        listing.storm.then(|| String::from("a storm is on: many targets turned bad together, so nothing is done"));
    let down = listing.paths.iter().filter(|path| !path.up);
    let paths = down.map(|path| network_path(&path.name, path.why.as_ref()));
    pause.into_iter().chain(storm).chain(paths).collect()
}

fn lay_out(listing: &Listing) -> Vec<String> {
    let colours = print::colours(&io::stdout());
    let row = |row: &Row| {
        let since = row.since.map_or_else(String::new, |since| words(listing.at.since(since)));
        let pattern = row.pattern.clone().unwrap_or_default();
        let state = row.state.clone().unwrap_or_else(|| String::from("-"));
        vec![
            row.target.clone(),
            state,
            since,
            row.verdict.clone(),
            pattern,
            if row.paused { String::from("paused") } else { row.mode.clone() },
            row.pending.clone().unwrap_or_default(),
            row.evidence.clone().or_else(|| row.missing.clone()).unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = listing.targets.iter().map(row).collect();
    let mut lines = print::table(&["TARGET", "STATE", "FOR", "VERDICT", "PATTERN", "MODE", "PENDING", "WHY"], &rows);
    for (line, row) in lines.iter_mut().skip(1).zip(&listing.targets) {
        let ink = match weight(&row.verdict) {
            0 => print::Ink::Red,
            1 => print::Ink::Yellow,
            _ => print::Ink::Green,
        };
        *line = print::ink(line, ink, colours);
    }
    lines.extend(weather(listing).into_iter().map(|line| print::ink(&line, print::Ink::Yellow, colours)));
    lines
}
