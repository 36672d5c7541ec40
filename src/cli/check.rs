//! `check`: a configuration, and with `--live` the gateways behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::probe::{ask_all, tell};
use super::site::{Site, list};
use super::{Format, Outcome, block_on, print};
use crate::config::{Problem, Settings, Target};
use crate::driver::clock;
use crate::engine::sample::SessionState;
use crate::http::Http;
use crate::source::{Endpoints, Poller};

/// Most gateways that are asked at the same time.
const AT_ONCE: usize = 32;

/// Check a configuration: every problem at once, each with file, line, key, what is wrong and what to do.
///
/// With --live it also asks every gateway once and says what it heard. Exit code 2 on a bad configuration, 1 if a gateway was
/// not understood.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog check --config watchdog.toml
  wa-watchdog check --config watchdog.toml --live
  wa-watchdog check --service http://whatsapp-service:3001 --live")]
pub(super) struct Args {
    #[command(flatten)]
    site: Site,
    /// Ask every gateway once, and say what it answered.
    #[arg(long)]
    live: bool,
    /// How it is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Checks and says.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let settings = match args.site.load(env) {
        Ok(settings) => settings,
        Err(problems) => {
            print_problems(args.format, &problems)?;
            return Ok(Outcome::Misused);
        }
    };
    print_good(args.format, &settings)?;
    if !args.live {
        return Ok(Outcome::Well);
    }
    let format = args.format;
    let all_heard = block_on(ask_targets(settings, format))?;
    Ok(if all_heard { Outcome::Well } else { Outcome::NotWell })
}

fn print_problems(format: Format, problems: &[Problem]) -> anyhow::Result<()> {
    match format {
        Format::Text => print::complain(&list(problems)),
        Format::Json => {
            for problem in problems {
                print::line(&serde_json::to_string(problem)?)?;
            }
        }
    }
    Ok(())
}

fn print_good(format: Format, settings: &Settings) -> anyhow::Result<()> {
    match format {
        Format::Text => {
            for warning in &settings.warnings {
                print::complain(&format!("warning: {warning}"));
            }
            let targets = settings.targets.len();
            print::line(&format!(
                "the configuration is good: {targets} target{}",
                if targets == 1 { "" } else { "s" }
            ))?;
        }
        Format::Json => {
            let warnings = &settings.warnings;
            print::line(&json!({ "good": true, "targets": settings.targets.len(), "warnings": warnings }).to_string())?;
        }
    }
    Ok(())
}

/// Asks every gateway once; true if each was understood and knows its session.
async fn ask_targets(settings: Settings, format: Format) -> anyhow::Result<bool> {
    let poller = Poller::new(Http::new()?, clock::machine());
    let mut waiting = settings.targets.into_values();
    let mut asked = JoinSet::new();
    let mut heard: BTreeMap<String, (bool, Vec<String>)> = BTreeMap::new();
    loop {
        while asked.len() < AT_ONCE
            && let Some(target) = waiting.next()
        {
            asked.spawn(ask(poller.clone(), target));
        }
        let Some(done) = asked.join_next().await else { break };
        let (name, is_good, lines) = done?;
        heard.insert(name, (is_good, lines));
    }
    for (name, (is_good, lines)) in &heard {
        match format {
            Format::Text => {
                let mark = if *is_good { "ok " } else { "BAD" };
                print::line(&format!("{mark} {name}: {}", lines.join("; ")))?;
            }
            Format::Json => print::line(&json!({ "target": name, "good": is_good, "heard": lines }).to_string())?,
        }
    }
    Ok(heard.values().all(|(is_good, _)| *is_good))
}

async fn ask(poller: Poller, target: Arc<Target>) -> (String, bool, Vec<String>) {
    let name = target.id.to_string();
    match ask_all(&poller, &Endpoints::of(target)).await {
        Ok(heard) => {
            let answer = heard.first().and_then(|(_, sample)| sample.answer());
            let is_good = answer.is_some_and(|answer| answer.state != SessionState::Unknown);
            (name, is_good, heard.iter().flat_map(|(ask, sample)| tell(*ask, sample)).collect())
        }
        Err(error) => (name, false, vec![error.to_string()]),
    }
}
