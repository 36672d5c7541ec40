//! A program to call.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::Exec;
use super::placeholder;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};

/// How long one try may take. With the grace it is shorter than any line of steps.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(20);
const TIMEOUT_DEFAULT: Duration = Duration::from_mins(2);
/// How long it gets to end after SIGTERM.
const KILL_GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
const KILL_GRACE_DEFAULT: Duration = Duration::from_secs(10);
/// How much of its output is kept.
const OUTPUT_BYTES: RangeInclusive<u64> = (1 << 10)..=(1 << 20);
const OUTPUT_BYTES_DEFAULT: usize = 64 << 10;
/// Most arguments, the program among them, and most variables.
const WORDS_MAX: usize = 64;
/// Longest argument or value of a variable, in bytes.
const WORD_BYTES_MAX: usize = 4096;
/// What the names of our own variables begin with.
const OURS: &str = "WA_WATCHDOG_";

/// Reads a program to call.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Exec> {
    let report = &mut *scope.report;
    let mut section = item.section(report)?;
    let hint = "write program and arguments, as in argv = [\"/usr/local/bin/restart-wa\", \"shop\"]";
    let argv = section.need(report, "argv", hint).and_then(|item| argv(&item, report, hint));
    let env = section.take("env").map_or(Some(BTreeMap::new()), |item| env(item, report));
    let timeout = section.take("timeout").map_or(Some(TIMEOUT_DEFAULT), |item| item.span(report, TIMEOUT));
    let kill_grace = section.take("kill_grace").map_or(Some(KILL_GRACE_DEFAULT), |item| item.span(report, KILL_GRACE));
    let output_bytes_max = output_max(&mut section, report);
    let idempotent = section.take("idempotent").map_or(Some(false), |item| item.flag(report));
    section.finish_with(report, elsewhere);
    Some(Exec {
        argv: argv?,
        env: env?,
        timeout: timeout?,
        kill_grace: kill_grace?,
        output_bytes_max: output_bytes_max?,
        idempotent: idempotent?,
    })
}

fn output_max(section: &mut Section, report: &mut Report) -> Option<usize> {
    let Some(item) = section.take("output_max") else { return Some(OUTPUT_BYTES_DEFAULT) };
    item.size(report, OUTPUT_BYTES).and_then(|bytes| usize::try_from(bytes).ok())
}

fn argv(item: &Item, report: &mut Report, hint: &str) -> Option<Vec<String>> {
    let items = item.words(report, hint)?;
    if items.is_empty() || WORDS_MAX < items.len() {
        item.refuse(report, format!("has {} words", items.len()), format!("{hint}; at most {WORDS_MAX}"));
        return None;
    }
    let argv: Vec<String> = items.iter().map(|item| word(item, report)).collect::<Option<_>>()?;
    if argv.iter().any(|word| placeholder::is_in(word)) {
        let hint = "a program gets the event on its standard input and in WA_WATCHDOG_… variables";
        item.warn(report, "has a placeholder, which is handed over as it is", hint);
    }
    let program = Path::new(argv.first()?);
    if !program.is_absolute() {
        let hint = "write its whole path, as in \"/usr/local/bin/restart-wa\"; no shell and no PATH looks for it";
        item.refuse(report, "names a program without its path", hint);
        return None;
    }
    weigh_program(program, item, report);
    Some(argv)
}

/// Reads an argument, which may be empty.
fn word(item: &Item, report: &mut Report) -> Option<String> {
    let text = item.as_text().filter(|text| text.len() <= WORD_BYTES_MAX && !text.contains('\0'));
    if text.is_none() {
        // Not repeated: a variable may hold anything.
        let hint = format!("write it in quotes, with {WORD_BYTES_MAX} bytes at most");
        item.refuse(report, "is not a text that a program can be given", hint);
    }
    text.map(str::to_owned)
}

fn env(item: Item, report: &mut Report) -> Option<BTreeMap<String, String>> {
    let mut section = item.section(report)?;
    let items = section.take_all();
    if WORDS_MAX < items.len() {
        let what = format!("has {} variables", items.len());
        report.refuse(&section.at, &section.key, what, format!("write at most {WORDS_MAX}"));
        return None;
    }
    let mut env = BTreeMap::new();
    for (name, item) in items {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.bytes().all(is_plain) || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            item.refuse(report, "is not the name of a variable", "use letters, digits and '_', as in LANG");
            return None;
        }
        if name.starts_with(OURS) {
            item.refuse(
                report,
                "is a name of the watchdog's own",
                format!("choose one that does not begin with {OURS}"),
            );
            return None;
        }
        env.insert(name, word(&item, report)?);
    }
    Some(env)
}

/// Warns of a program that could not be called as things are now: it may appear later, or live where the daemon will run.
#[cfg(unix)]
fn weigh_program(program: &Path, item: &Item, report: &mut Report) {
    use std::os::unix::fs::PermissionsExt as _;
    let (what, hint) = match program.metadata() {
        Err(error) => (
            format!("cannot be found here: {error}"),
            "the watchdog needs it where it runs, in its container as a rule",
        ),
        Ok(metadata) if !metadata.is_file() => ("is not a file".to_owned(), "name a program"),
        Ok(metadata) => match metadata.permissions().mode() {
            mode if mode & 0o111 == 0 => ("cannot be executed".to_owned(), "give the right: chmod +x"),
            mode if mode & 0o002 != 0 => {
                ("can be changed by everybody on this machine".to_owned(), "take the right away: chmod o-w")
            }
            _ => return,
        },
    };
    item.warn(report, what, hint);
}

#[cfg(not(unix))]
fn weigh_program(_program: &Path, _item: &Item, _report: &mut Report) {}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "command" | "cmd" | "shell" | "args" => {
            "write argv = [\"/path/to/program\", \"argument\"]: there is no shell, but a program may be one"
        }
        "tries" | "retries" => {
            "a program that ends with 75 is tried again, others where idempotent = true says that they may be"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
