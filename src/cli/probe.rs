//! `probe`: one target asked once, and everything that it said.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Duration;

use super::site::{Misuse, Site};
use super::{Outcome, block_on, print};
use crate::config::Target;
use crate::driver::clock;
use crate::engine::sample::{Answer, Deep, Reply, SessionState};
use crate::engine::{Ask, Sample};
use crate::http::Http;
use crate::source::{Endpoints, Poller, Unasked};

/// Ask one target once and show every piece of evidence; exit code 1 if it is not connected.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog probe shop --config watchdog.toml
  wa-watchdog probe --service http://whatsapp-service:3001

A session that is connected is asked its deep probe too, one that wants a scan its QR endpoint, where the dialect has them.
Do not probe in the first seconds after a start of the service: some gateways unpair on an early question.")]
pub(super) struct Args {
    /// Its name; may be left out where there is only one.
    target: Option<String>,
    #[command(flatten)]
    site: Site,
}

/// Asks and prints.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let settings = args.site.settings(env)?;
    let target = match (&args.target, settings.targets.len()) {
        (Some(name), _) => settings.targets.get(name.as_str()).cloned(),
        (None, 1) => settings.targets.values().next().cloned(),
        (None, _) => None,
    };
    let known: Vec<&str> = settings.targets.keys().map(crate::engine::TargetId::as_str).collect();
    let target = target.ok_or_else(|| Misuse(format!("name one of the targets: {}", known.join(", "))))?;
    let is_connected = block_on(ask(target))?;
    Ok(if is_connected { Outcome::Well } else { Outcome::NotWell })
}

async fn ask(target: Arc<Target>) -> anyhow::Result<bool> {
    let poller = Poller::new(Http::new()?, clock::machine());
    let asking = format!("asking {}", target.id);
    let heard = print::during(&asking, ask_all(&poller, &Endpoints::of(target))).await?;
    for (ask, sample) in &heard {
        for line in tell(*ask, sample) {
            print::paragraph(&line, 4)?;
        }
    }
    Ok(heard.first().and_then(|(_, sample)| state(sample)) == Some(SessionState::Connected))
}

/// Asks a target everything that makes sense to ask in its state, the status first. Also `check --live` asks so.
pub(super) async fn ask_all(poller: &Poller, endpoints: &Endpoints) -> Result<Vec<(Ask, Sample)>, Unasked> {
    let status = poller.ask(endpoints, Ask::Status).await?.sample;
    let more = match state(&status) {
        Some(SessionState::Connected) => Some(Ask::Deep),
        Some(SessionState::NeedsScan) => Some(Ask::Qr),
        Some(_) | None => None,
    };
    let mut heard = vec![(Ask::Status, status)];
    if let Some(ask) = more.filter(|ask| endpoints.has(*ask)) {
        heard.push((ask, poller.ask(endpoints, ask).await?.sample));
    }
    Ok(heard)
}

fn state(sample: &Sample) -> Option<SessionState> {
    sample.answer().map(|answer| answer.state)
}

/// Tells a sample in words, a line a fact. Also `check --live` speaks so.
pub(super) fn tell(ask: Ask, sample: &Sample) -> Vec<String> {
    let what = match ask {
        Ask::Status => "status",
        Ask::Deep => "deep probe",
        Ask::Qr => "QR endpoint",
    };
    match sample {
        Sample::Poll { reply, latency } => tell_reply(what, reply, *latency),
        Sample::Deep(Deep::Passed) => vec![format!("{what}: passed")],
        Sample::Deep(Deep::Failed(word)) => vec![format!("{what}: failed ({word})")],
        Sample::Deep(Deep::TimedOut) => vec![format!("{what}: no answer in time")],
        Sample::Deep(Deep::Unclear) => vec![format!("{what}: proves nothing, either way")],
        Sample::Qr(Some(_)) => vec![format!("{what}: shows a code (not printed: whoever scans it owns the session)")],
        Sample::Qr(None) => vec![format!("{what}: shows no code")],
        Sample::Memory(_)
        | Sample::Signal(_)
        | Sample::Pushed(_)
        | Sample::Activity(_)
        | Sample::Runtime(_)
        | Sample::Alert(_) => Vec::new(),
    }
}

fn tell_reply(what: &str, reply: &Reply, latency: Duration) -> Vec<String> {
    let took = format!("in {} ms", latency.as_millis());
    match reply {
        Reply::Answer(answer) => tell_answer(what, answer, &took),
        Reply::NoAnswer(failure) => vec![format!("{what}: no answer {took}: {failure}")],
        Reply::Missing(word) => {
            vec![format!("{what}: the gateway answers {took} that this session does not exist ({word})")]
        }
        Reply::Refused { status, of_session } => {
            let whose = if *of_session { "the session's own key" } else { "our credentials" };
            vec![format!("{what}: {whose} refused {took} (HTTP {status})")]
        }
        Reply::Unasked(why) => vec![format!("{what}: not asked: {why}")],
        Reply::Throttled { retry_after } => {
            let back =
                retry_after.map_or_else(String::new, |wait| format!(", asks to come back in {} s", wait.as_secs()));
            vec![format!("{what}: asked too often {took} (HTTP 429{back})")]
        }
    }
}

fn tell_answer(what: &str, answer: &Answer, took: &str) -> Vec<String> {
    let word = answer.word.as_ref().map_or_else(String::new, |word| format!(" (its word: \"{word}\")"));
    let facts = &answer.facts;
    let mut lines = vec![format!("{what}: {}{word} {took}", answer.state)];
    let fact = |name: &str, value: Option<String>| value.map(|value| format!("  {name}: {value}"));
    lines.extend(fact("link", answer.phase.map(|phase| format!("{phase:?}").to_lowercase())));
    lines.extend(fact("last message", facts.last_message.map(|at| at.to_string())));
    lines.extend(fact("messages", facts.messages.map(|count| count.to_string())));
    lines.extend(fact("loading", facts.progress.map(|percent| format!("{percent} %"))));
    lines.extend(fact("started", facts.started.map(|at| at.to_string())));
    lines.extend(fact("version", facts.version.as_ref().map(ToString::to_string)));
    lines.extend(fact("QR code", facts.qr.map(|_| String::from("shown (not printed)"))));
    lines
}
