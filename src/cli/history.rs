//! `history`: what the ledger holds.

mod paper;
mod sentences;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::pulse::{Beat, Pulse};
use super::site::{Misuse, Site};
use super::when::when;
use super::{Format, Outcome, block_on, print};
use crate::driver::clock;
use crate::engine::TargetId;
use crate::engine::ledger::LedgerEntry;
use crate::store::{Query, Reader, Sorting, StoreError};
use paper::{Paper, whom};
use sentences::Teller;

/// Following the ledger, it is read this often.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// Print what happened, from the ledger; the daemon may be running or not.
///
/// Times are UTC. On a terminal each day has a heading and long sentences wrap beside their time; anywhere else an entry is one line
/// that begins with its whole time.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog history --config watchdog.toml --since 24h
  wa-watchdog history --ledger /var/lib/wa-watchdog/ledger.db --target shop --kind incident_opened --kind incident_closed
  wa-watchdog history --target shop --kind intended --kind run_ended --kind verified --kind commanded
  wa-watchdog history --follow --target shop
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
    /// Go on with what happens from now on, until Ctrl-C.
    #[arg(long, visible_alias = "watch")]
    follow: bool,
    /// How they are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const KINDS: [&str; 20] = [
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
    "began",
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
    let mut printer = Printer::new(args.format);
    let newest = read(&reader, &query)?;
    let last = match newest.first() {
        Some((id, _)) => Some(*id),
        // Of what there is nothing fits; what comes after it may.
        None if args.follow => newest_number(&reader)?,
        None => None,
    };
    let entries: Vec<LedgerEntry> = newest.into_iter().rev().map(|(_, entry)| entry).collect();
    printer.print(&entries)?;
    if args.follow {
        let query = Query { limit: None, sorting: Sorting::OldestFirst, after: last, ..query };
        block_on(follow(&reader, query, &mut printer))?;
    }
    Ok(Outcome::Well)
}

/// Reads what fits, and tells a person who waits how much it is.
fn read(reader: &Reader, query: &Query) -> anyhow::Result<Vec<(i64, LedgerEntry)>> {
    let mut progress = print::Progress::new();
    let mut entries = Vec::new();
    reader.for_each(query, |id, entry| {
        entries.push((id, entry));
        progress.show(|| format!("{} entries read", entries.len()));
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// Prints what comes, until it is told to stop. A ledger that cannot be read is tried again: the disk may be busy, the daemon may
/// begin a new one.
async fn follow(reader: &Reader, mut query: Query, printer: &mut Printer) -> anyhow::Result<()> {
    let mut pulse = Pulse::new(FOLLOW_EVERY)?;
    let mut failure: Option<String> = None;
    loop {
        match pulse.next().await {
            Beat::Stop => return Ok(()),
            Beat::Suspend => Pulse::suspend(),
            Beat::Resized => {}
            Beat::Due => match news(reader, &mut query) {
                Ok(fresh) => {
                    failure = None;
                    let entries: Vec<LedgerEntry> = fresh.into_iter().map(|(_, entry)| entry).collect();
                    printer.print(&entries)?;
                }
                Err(error) => {
                    let why = error.to_string();
                    if failure.as_ref() != Some(&why) {
                        print::complain(&format!(
                            "the ledger cannot be read, trying again: {:#}",
                            anyhow::Error::new(error)
                        ));
                    }
                    failure = Some(why);
                }
            },
        }
    }
}

/// Returns what came since the last look. A ledger whose newest entry is older than what was read is another one, which took its
/// place: it is read from its beginning.
fn news(reader: &Reader, query: &mut Query) -> Result<Vec<(i64, LedgerEntry)>, StoreError> {
    let mut fresh = reader.query(query)?;
    if fresh.is_empty() && newest_number(reader)? < query.after {
        query.after = None;
        fresh = reader.query(query)?;
    }
    query.after = fresh.last().map(|(id, _)| *id).or(query.after);
    Ok(fresh)
}

/// Returns the number of the newest entry of all.
fn newest_number(reader: &Reader) -> Result<Option<i64>, StoreError> {
    let newest = reader.query(&Query { limit: Some(1), sorting: Sorting::NewestFirst, ..Query::default() })?;
    Ok(newest.first().map(|(id, _)| *id))
}

/// Prints entries, oldest first, as they are known.
#[derive(Debug)]
struct Printer {
    format: Format,
    teller: Teller,
    paper: Paper,
    colours: bool,
}

impl Printer {
    fn new(format: Format) -> Self {
        Self { format, teller: Teller::default(), paper: Paper::default(), colours: print::colours(&io::stdout()) }
    }

    fn print(&mut self, entries: &[LedgerEntry]) -> anyhow::Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        self.teller.look(entries.iter());
        let window = print::Window::width();
        self.paper.widen(entries.iter().map(|entry| whom(&entry.target)));
        for entry in entries {
            match self.format {
                Format::Json => writeln!(out, "{}", serde_json::to_string(entry)?)?,
                Format::Text => {
                    let Some((ink, what)) = self.teller.tell(entry) else { continue };
                    for line in self.paper.lay_out(entry.at, whom(&entry.target), (ink, &what), window, self.colours) {
                        writeln!(out, "{line}")?;
                    }
                }
            }
        }
        out.flush()?;
        Ok(())
    }
}
