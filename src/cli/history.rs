//! `history`: what the ledger holds.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::site::{Misuse, Site};
use super::{Format, Outcome, print};
use crate::driver::clock;
use crate::engine::ledger::{Fact, LedgerEntry};
use crate::engine::moment::words;
use crate::engine::{TargetId, Wall};
use crate::store::{Query, Reader, Sorting};

/// Print what happened, from the ledger; the daemon may be running or not.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog history --config watchdog.toml --since 24h
  wa-watchdog history --ledger /var/lib/wa-watchdog/ledger.db --target shop --kind incident_opened --kind incident_closed
  wa-watchdog history --since 2026-02-04T00:00:00Z --format json")]
pub(super) struct Args {
    #[command(flatten)]
    site: Site,
    /// The ledger file, in place of the configuration's.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Only of this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only of these kinds.
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    kind: Vec<String>,
    /// Only from then on: a span back from now (`24h`), or a time.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    limit: u32,
    /// How they are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const KINDS: [&str; 5] = ["state_changed", "verdict_changed", "incident_opened", "pattern_changed", "incident_closed"];

/// Prints the newest entries, oldest first.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let path = match &args.ledger {
        Some(path) => path.clone(),
        None => args.site.settings(env)?.store.path,
    };
    let reader = Reader::open(&path).with_context(|| format!("cannot read the ledger {}", path.display()))?;
    let now = clock::machine()().wall;
    let target = args.target.as_deref().map(TargetId::new).transpose().map_err(|error| Misuse(error.to_string()))?;
    let since = args.since.as_deref().map(|text| when(text, now)).transpose()?;
    let query = Query {
        target,
        kinds: args.kind.clone(),
        since,
        limit: Some(args.limit),
        sorting: Sorting::NewestFirst,
        ..Query::default()
    };
    let mut newest = Vec::new();
    reader.for_each(&query, |_, entry| {
        newest.push(entry);
        ControlFlow::Continue(())
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    let colours = print::colours(&io::stdout());
    for entry in newest.iter().rev() {
        match args.format {
            Format::Text => writeln!(out, "{}", sentence(entry, colours))?,
            Format::Json => writeln!(out, "{}", serde_json::to_string(entry)?)?,
        }
    }
    out.flush()?;
    Ok(Outcome::Well)
}

fn when(text: &str, now: Wall) -> Result<Wall, Misuse> {
    let back = |span: Duration| {
        Wall::from_millis(now.millis().saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    };
    humantime::parse_duration(text).map(back).ok().or_else(|| text.parse().ok()).ok_or_else(|| {
        Misuse(format!("--since {text:?} is neither a span like 24h nor a time like 2026-02-04T09:00:00Z"))
    })
}

fn sentence(entry: &LedgerEntry, colours: bool) -> String {
    use print::Ink::{Dim, Green, Red, Yellow};
    let (ink, what) = match &entry.fact {
        Fact::StateChanged { from, to, word } => {
            let from = from.map_or("first seen", |state| state.as_str());
            let word = word.as_ref().map_or_else(String::new, |word| format!(" (\"{word}\")"));
            (Dim, format!("{from} -> {to}{word}"))
        }
        Fact::VerdictChanged { verdict, pattern, why } => {
            let pattern = pattern.map_or_else(String::new, |pattern| format!(" {pattern}: {why}"));
            (Dim, format!("{verdict}{pattern}"))
        }
        Fact::IncidentOpened { incident, pattern, remedy, evidence } => {
            (Red, format!("incident {incident} opened, {pattern}: {} (fits first: {remedy})", evidence.sentence))
        }
        Fact::PatternChanged { incident, from, to, remedy, evidence } => {
            (Yellow, format!("incident {incident} is no {from} but {to}: {} (fits first: {remedy})", evidence.sentence))
        }
        Fact::IncidentClosed { incident, pattern, opened, how } => (
            Green,
            format!("incident {incident} closed, {pattern} {} after {}", how.as_str(), words(entry.at.since(*opened))),
        ),
        _ => (Dim, String::new()),
    };
    format!("{}  {}  {}", entry.at, entry.target, print::ink(&what, ink, colours))
}
