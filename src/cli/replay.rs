//! `replay`: a recording judged as the daemon would have judged it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::site::{Misuse, list};
use super::{Format, Outcome, print};
use crate::config;
use crate::replay::{self, BadRecording, Difference, Line, News, Options, Progress, Replayed, Thresholds};

/// Read at once from a recording, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// Judge recordings through the same dialects, engine and policy as the daemon, in virtual time.
///
/// A recording is JSON Lines of raw answers. It is read as a stream: a year of one session takes seconds and little memory.
/// `record export` makes one of what the daemon saw.
///
/// A recording that names the mode of the watchdog that made it is judged in that mode, and says what the daemon said. Any other, and
/// every one that another policy is tried on, is judged as if mode were act, and as if a target that no configuration gives a hook had
/// one for every remedy: it shows what would have been done, and what would have been refused and why. Whether a remedy would have
/// helped nobody knows: the recording goes on as it was.
///
/// With --config it judges by another policy, and ends with a table of what that changes: the back-test before `act` is switched on.
///
/// Exit code 0 when replayed, 2 on a bad recording, which is named with its line.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog replay incident.jsonl
  wa-watchdog replay --format json monday.jsonl tuesday.jsonl
  wa-watchdog replay --config new.toml incident.jsonl            another policy, and what it changes
  wa-watchdog replay --config new.toml --beside old.toml incident.jsonl
  zcat incident.jsonl.gz | wa-watchdog replay -")]
pub(super) struct Args {
    /// Recordings; `-` reads standard input.
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// Take thresholds and hooks from this configuration: of its target of the same name, else its defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Compare it with this one, rather than with what the recordings say of themselves.
    #[arg(long, value_name = "FILE", requires = "config")]
    beside: Option<PathBuf>,
    /// How the outcome is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Replays every recording, each on its own.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let thresholds = |file: &PathBuf| {
        config::load(file, env).map(|settings| Thresholds::of(&settings)).map_err(|problems| Misuse(list(&problems)))
    };
    let instead = args.config.as_ref().map(thresholds).transpose()?;
    let beside = args.beside.as_ref().map(thresholds).transpose()?;
    let options = Options { instead, beside };
    let mut difference = Difference::default();
    for path in &args.recordings {
        let name = path.display().to_string();
        let file = (1 < args.recordings.len()).then_some(name.as_str());
        let mut printer =
            Printer { format: args.format, file, failed: None, to: io::BufWriter::new(io::stdout().lock()) };
        let (input, bytes) = open(path).map_err(|error| Misuse(format!("{name}: {error}")))?;
        let mut progress = ProgressLine::new(&name, bytes);
        let replayed = replay_one(input, &name, &options, &mut printer, &mut progress);
        progress.line.clear();
        let Replayed { summary, beside } = replayed.map_err(|bad| Misuse(bad.to_string()))?;
        printer.print(&Line::Summary(summary.clone()));
        printer.finish().context("cannot write the outcome")?;
        if let Some(before) = beside {
            difference.add(&Difference { before, after: summary });
        }
    }
    if options.instead.is_some() {
        let to = io::BufWriter::new(io::stdout().lock());
        let mut printer = Printer { format: args.format, file: None, failed: None, to };
        printer.print(&Line::Difference(difference));
        printer.finish().context("cannot write the outcome")?;
    }
    Ok(Outcome::Well)
}

fn replay_one(
    input: impl BufRead,
    name: &str,
    options: &Options,
    printer: &mut Printer<'_>,
    progress: &mut ProgressLine,
) -> Result<Replayed, BadRecording> {
    replay::replay(input, name, options, &mut |news| match news {
        News::Line(line) => {
            progress.line.clear();
            printer.print(&line);
        }
        News::Progress(so_far) => progress.show(so_far),
    })
}

fn open(path: &Path) -> io::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin())), None));
    }
    let file = File::open(path)?;
    let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
    Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, file)), bytes))
}

/// Prints lines, and remembers the first one that could not be.
struct Printer<'a> {
    format: Format,
    file: Option<&'a str>,
    failed: Option<io::Error>,
    to: io::BufWriter<io::StdoutLock<'static>>,
}

impl Printer<'_> {
    fn print(&mut self, line: &Line) {
        if self.failed.is_some() {
            return;
        }
        let printed = match self.format {
            Format::Text => line.write_text(self.file, &mut self.to),
            Format::Json => line.write_json(self.file, &mut self.to),
        };
        // A verdict is worth seeing at once, also where the recording still grows.
        self.failed = printed.and_then(|()| self.to.flush()).err();
    }

    fn finish(mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)?;
        self.to.flush()
    }
}

/// How far it has come, in a person's words.
struct ProgressLine {
    name: String,
    bytes: Option<u64>,
    line: print::Progress,
}

impl ProgressLine {
    fn new(name: &str, bytes: Option<u64>) -> Self {
        Self { name: name.to_owned(), bytes, line: print::Progress::new() }
    }

    fn show(&mut self, so_far: Progress) {
        let Self { name, bytes, line } = self;
        let share = bytes.and_then(|bytes| so_far.bytes.saturating_mul(100).checked_div(bytes));
        let share = share.map_or_else(String::new, |percent| format!(", {percent} %"));
        line.show(|| format!("{name}: {} lines{share}", so_far.lines));
    }
}
