//! `history`: what the ledger holds.

mod sentences;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;

use super::site::{Misuse, Site};
use super::when::when;
use super::{Format, Outcome, print};
use crate::driver::clock;
use crate::engine::TargetId;
use crate::store::{Query, Reader, Sorting};
use sentences::Teller;

/// Print what happened, from the ledger; the daemon may be running or not.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog history --config watchdog.toml --since 24h
  wa-watchdog history --ledger /var/lib/wa-watchdog/ledger.db --target shop --kind incident_opened --kind incident_closed
  wa-watchdog history --target shop --kind intended --kind run_ended --kind verified --kind commanded
  wa-watchdog history --since 2026-02-04 --format json")]
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
    /// Only from then on: a span back from now (`24h`), a time, or a day in UTC.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    limit: u32,
    /// How they are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const KINDS: [&str; 19] = [
    "state_changed",
    "verdict_changed",
    "incident_opened",
    "pattern_changed",
    "incident_closed",
    "intended",
    "step_started",
    "step_ended",
    "run_ended",
    "verified",
    "refused",
    "proposed",
    "commanded",
    "handed_off",
    "foreign_restart",
    "version_changed",
    "path",
    "small_limit",
    "storm",
];

/// Prints the newest entries, oldest first.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let path = match &args.ledger {
        Some(path) => path.clone(),
        None => args.site.settings(env)?.store.path,
    };
    let reader = Reader::open(&path).with_context(|| format!("cannot read the ledger {}", path.display()))?;
    let now = clock::machine()().wall;
    let target = args.target.as_deref().map(TargetId::new).transpose().map_err(|error| Misuse(error.to_string()))?;
    let since = args.since.as_deref().map(|text| when("--since", text, now)).transpose()?;
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
    let mut teller = Teller::of(newest.iter().rev());
    for entry in newest.iter().rev() {
        match args.format {
            Format::Text => {
                if let Some((ink, what)) = teller.tell(entry) {
                    writeln!(out, "{}  {}  {}", entry.at, whom(&entry.target), print::ink(&what, ink, colours))?;
                }
            }
            Format::Json => writeln!(out, "{}", serde_json::to_string(entry)?)?,
        }
    }
    out.flush()?;
    Ok(Outcome::Well)
}

/// Names the target; `all` where it is about all of them.
fn whom(target: &TargetId) -> &str {
    if *target == TargetId::all() { "all" } else { target.as_str() }
}
