//! The command line: what a person types, and what it prints.
//!
//! Exit codes: 0 well, 1 not well (a session fails, a daemon does not answer), 2 wrong use or a bad configuration.

mod api;
mod check;
mod completions;
mod demo;
mod dialects;
mod doctor;
mod health;
mod history;
mod man;
mod operate;
mod print;
mod probe;
mod pulse;
mod record;
mod replay;
mod reset_all_users;
mod run;
mod site;
#[cfg(test)]
mod tests;
mod watch;
mod when;
mod wipe;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    Well,
    /// Exit code 1.
    NotWell,
    /// Exit code 2.
    Misused,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Words for people. An empty variable in the environment means the default, as one that is not set.
    #[default]
    #[value(alias = "", help = "Words for people")]
    Text,
    /// JSON for programs.
    Json,
}

/// Watches WhatsApp sessions, names what is wrong with evidence, and exports Prometheus metrics.
///
/// It stands beside a self-hosted session service (whatsapp-web.js, Baileys, WAHA, Evolution API and others) or a WasenderAPI
/// account, asks each session how it is, and says what fails, why it believes so, and which remedy fits. It acts only where
/// its configuration says so, within budgets, the gentlest remedy first; a person can pause it, release what it proposes, and order
/// a restart or a reset.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    /// What is logged to standard error: a level, or levels by module (`info`, `wa_watchdog=debug`).
    #[arg(long, global = true, env = "WA_WATCHDOG_LOG", default_value = LOG_DEFAULT, value_parser = log_filter, value_name = "FILTER")]
    log: String,
    /// How it is logged.
    #[arg(long, global = true, env = "WA_WATCHDOG_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: Format,
    /// When there are colours.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: print::Colour,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  wa-watchdog demo --for 60s                                   see it at work, with nothing but this program
  wa-watchdog run --service http://whatsapp-service:3001       watch one self-hosted session, no file needed
  wa-watchdog run --wasender 16548 --token-file token          watch one WasenderAPI session
  wa-watchdog check --config watchdog.toml --live              check a configuration and ask every gateway once
  wa-watchdog doctor shop                                      look at all that can be wrong around one session
  wa-watchdog record export --since 2h > incident.jsonl        what the daemon saw, without its secrets
  wa-watchdog replay incident.jsonl                            judge a recording as the daemon would have
  wa-watchdog explain shop                                     what is believed, why, what was done, and what waits for you
  wa-watchdog pause --all --reason deploy --for 30min          let it watch and do nothing for a while

Exit codes: 0 well, 1 not well, 2 wrong use or bad configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Probe(probe::Args),
    Doctor(doctor::Args),
    Status(watch::StatusArgs),
    Explain(watch::ExplainArgs),
    History(history::Args),
    Pause(operate::PauseArgs),
    Resume(operate::ResumeArgs),
    Approve(operate::ApproveArgs),
    Ack(operate::AckArgs),
    Reconnect(operate::ReconnectArgs),
    Restart(operate::RestartArgs),
    Reset(operate::ResetArgs),
    Restore(operate::RestoreArgs),
    ResetAllUsers(reset_all_users::Args),
    Replay(replay::Args),
    Record(record::Args),
    Dialects(dialects::Args),
    Demo(demo::Args),
    Healthcheck(health::Args),
    Wipe(wipe::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What this program is called.
const PROGRAM: &str = "wa-watchdog";
/// What is logged when nobody says.
const LOG_DEFAULT: &str = "info";

/// Takes an empty filter for the default: a variable that is set to nothing, as Compose files do it, says nothing.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
fn log_filter(text: &str) -> Result<String, Infallible> {
    Ok(String::from(if text.trim().is_empty() { LOG_DEFAULT } else { text }))
}

/// Parses the command line, runs the command, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no mistakes: clap knows which is which.
        Err(error) => {
            let code = if error.use_stderr() { Outcome::Misused } else { Outcome::Well };
            // Nobody may read it to its end (`--help | head`): that is no mistake either.
            drop(error.print());
            return code.into();
        }
    };
    print::want(cli.color);
    if let Err(error) = start_log(&cli.log, cli.log_format) {
        return report(&site::Misuse(format!("--log: {error}")).into()).into();
    }
    crate::http::install_tls();
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let done = match cli.command {
        Command::Run(args) => run::run(args, env),
        Command::Check(args) => check::run(&args, &env),
        Command::Probe(args) => probe::run(&args, &env),
        Command::Doctor(args) => doctor::run(&args, &env),
        Command::Status(args) => watch::status(&args),
        Command::Explain(args) => watch::explain(&args),
        Command::History(args) => history::run(&args, &env),
        Command::Pause(args) => operate::pause(&args, &env),
        Command::Resume(args) => operate::resume(&args, &env),
        Command::Approve(args) => operate::approve(&args, &env),
        Command::Ack(args) => operate::ack(&args, &env),
        Command::Reconnect(args) => operate::reconnect(&args, &env),
        Command::Restart(args) => operate::restart(&args, &env),
        Command::Reset(args) => operate::reset(&args, &env),
        Command::Restore(args) => operate::restore(&args, &env),
        Command::ResetAllUsers(args) => reset_all_users::run(&args),
        Command::Replay(args) => replay::run(&args, &env),
        Command::Record(args) => record::run(&args, &env),
        Command::Dialects(args) => dialects::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Healthcheck(args) => health::run(&args, &env),
        Command::Wipe(args) => wipe::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    done.unwrap_or_else(|error| report(&error)).into()
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Well => Self::SUCCESS,
            Outcome::NotWell => Self::from(1),
            Outcome::Misused => Self::from(2),
        }
    }
}

fn start_log(filter: &str, format: Format) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: EnvFilter = filter.parse()?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(print::colours(&std::io::stderr()));
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Prints an error with its causes, once, and returns what it comes to: a broken pipe is nobody's fault.
fn report(error: &anyhow::Error) -> Outcome {
    if print::is_broken_pipe(error) {
        return Outcome::Well;
    }
    print::complain(&format!("error: {error:#}"));
    if error.is::<site::Misuse>() { Outcome::Misused } else { Outcome::NotWell }
}

/// Runs a future to its end on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One thread: the work is waiting, and handing each poll to another thread costs more than the poll. What blocks (tokens,
    // pages of metrics, name look-ups) has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    // What still runs by now was told to stop and had its time.
    runtime.shutdown_background();
    done
}
