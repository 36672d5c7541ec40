//! `record`: what the daemon recorded.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::site::{Misuse, Site};
use super::when::when;
use super::{Format, Outcome, print};
use crate::driver::clock;
use crate::engine::{TargetId, Wall};
use crate::recorder::{self, Exported, Listed, Period, Progress, Unexported};

/// Look at what the daemon recorded, and export a time of it for `replay`.
///
/// The daemon records every answer, log line and reading, always: any incident can be judged again, also by another policy, before
/// it is trusted. Keys, QR texts and phone numbers are never written: stand-ins take their place. The section `recorder` of the
/// configuration says where, how long and how much. The daemon may be running or not.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "Examples:
  wa-watchdog record list
  wa-watchdog record export --since 2h --output incident.jsonl && wa-watchdog replay incident.jsonl
  wa-watchdog record export --since 2026-02-04T09:00:00Z --until 2026-02-04T10:00:00Z --target shop | gzip > shop.jsonl.gz
  wa-watchdog record export --since 24h | wa-watchdog replay --config stricter.toml -";

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    Export(ExportArgs),
    List(ListArgs),
}

/// Export a time as a plain recording: one that `replay` opens, and that a person can read.
///
/// Everything stands in it in full and in the order in which the daemon saw it, one observation a line. Where the daemon was in
/// mode observe the whole time, a replay of it says what the daemon said, word for word. One that begins in the middle of an
/// incident judges it anew from there: begin some minutes before.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// Only from then on: a span back from now (`2h`), a time, or a day in UTC.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only until then.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only these targets.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    target: Vec<String>,
    /// Where to write it; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// List the segments of the recordings: from when to when, whose, how much.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// How they are printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Where the recordings are.
#[derive(Clone, Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    site: Site,
    /// The folder of the recordings, in place of the configuration's.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Lists or exports.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    match &args.what {
        What::Export(args) => export(args, env),
        What::List(args) => list(args, env),
    }
}

fn export(args: &ExportArgs, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let now = clock::machine()().wall;
    let time = |flag: &str, text: &Option<String>| text.as_deref().map(|text| when(flag, text, now)).transpose();
    let targets = args.target.iter().map(|name| TargetId::new(name).map_err(|error| Misuse(error.to_string())));
    let period = Period {
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        targets: targets.collect::<Result<_, _>>()?,
    };
    let dir = args.place.dir(env)?;
    let mut progress = print::Progress::new();
    let exported = if args.output == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        recorder::export(&dir, &period, &mut out, &mut |so_far| progress.show(|| so_many(so_far)))
    } else {
        to_file(&args.output, |out| {
            recorder::export(&dir, &period, out, &mut |so_far| progress.show(|| so_many(so_far)))
        })?
    };
    progress.clear();
    let exported = match exported {
        Err(error @ Unexported::Nothing(_)) => {
            print::complain(&format!("error: {error}"));
            return Ok(Outcome::NotWell);
        }
        exported => exported?,
    };
    if io::stderr().is_terminal() || args.output != Path::new("-") {
        print::complain(&told(&exported));
    }
    Ok(Outcome::Well)
}

/// Writes a file beside the wanted one first: what is there by that name is whole.
fn to_file<T, E>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T, E>) -> anyhow::Result<Result<T, E>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let file = File::create(&fresh).with_context(|| format!("cannot write {}", fresh.display()))?;
    let written = write(&mut BufWriter::new(file));
    let done = if written.is_ok() { fs::rename(&fresh, path) } else { fs::remove_file(&fresh) };
    done.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(written)
}

fn told(exported: &Exported) -> String {
    let Exported { observations, span, starts, torn } = exported;
    let span = span.map_or_else(String::new, |(first, last)| format!(" from {first} to {last}"));
    let starts = match starts {
        0 => String::new(),
        1 => ", 1 start of the watchdog among them".to_owned(),
        starts => format!(", {starts} starts of the watchdog among them"),
    };
    let torn = if *torn == 0 { String::new() } else { format!(", {torn} lines were torn and left out") };
    format!("{observations} observations{span}{starts}{torn}")
}

fn list(args: &ListArgs, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let dir = args.place.dir(env)?;
    let mut progress = print::Progress::new();
    let mut segments = Vec::new();
    recorder::list(&dir, &mut |listed, so_far| {
        progress.show(|| so_many(so_far));
        segments.push(listed);
    })?;
    progress.clear();
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => {
            for listed in &segments {
                writeln!(out, "{}", json(listed))?;
            }
        }
        Format::Text => {
            let head = ["FROM", "TO", "TARGETS", "SAMPLES", "BYTES", "FILE"];
            for line in print::table(&head, &segments.iter().map(row).collect::<Vec<_>>()) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    Ok(if segments.is_empty() { Outcome::NotWell } else { Outcome::Well })
}

fn row(listed: &Listed) -> Vec<String> {
    let time =
        |pick: fn((Wall, Wall)) -> Wall| listed.span.map_or_else(|| "-".to_owned(), |span| pick(span).to_string());
    let start = if listed.is_start { " (start)" } else { "" };
    let name = listed.path.file_name().unwrap_or_default().to_string_lossy();
    vec![
        time(|(first, _)| first),
        time(|(_, last)| last),
        listed.observations.len().to_string(),
        listed.observations.values().sum::<u64>().to_string(),
        listed.bytes.to_string(),
        format!("{name}{start}"),
    ]
}

fn json(listed: &Listed) -> serde_json::Value {
    serde_json::json!({
        "file": listed.path.display().to_string(),
        "from": listed.span.map(|(first, _)| first),
        "to": listed.span.map(|(_, last)| last),
        "started": listed.is_start,
        "targets": listed.observations,
        "samples": listed.observations.values().sum::<u64>(),
        "bytes": listed.bytes,
        "torn": listed.torn,
    })
}

impl Place {
    fn dir(&self, env: &BTreeMap<String, String>) -> Result<PathBuf, Misuse> {
        match &self.dir {
            Some(dir) => Ok(dir.clone()),
            None => Ok(self.site.settings(env)?.recorder.dir),
        }
    }
}

fn so_many(so_far: Progress) -> String {
    format!("{} of {} segments", so_far.segments, so_far.of)
}
