//! `check`: a configuration, and with `--live` the gateways behind it.

mod discovered;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::probe::{ask_all, tell};
use super::site::{Site, list};
use super::{Format, Outcome, block_on, print};
use crate::config::{Problem, Settings, Target};
use crate::driver::clock;
use crate::engine::Wall;
use crate::engine::sample::SessionState;
use crate::http::Http;
use crate::remedy::{self, Finding};
use crate::source::{Endpoints, Poller};

/// Most gateways that are asked at the same time.
const AT_ONCE: usize = 32;

/// Check a configuration: every problem at once, each with file, line, key, what is wrong and what to do.
///
/// With --live it also asks every gateway once and says what it heard, asks every discovery once and lists what it would watch, and looks at every hook whether it could act now: rights,
/// names, mounts, what a proxy denies. Nothing is stopped, started or changed. Exit code 2 on a bad configuration, 1 if a gateway
/// was not understood, a hook could not act, or a discovery did not tell what can be watched.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog check --config watchdog.toml
  wa-watchdog check --config watchdog.toml --live
  wa-watchdog check --service http://whatsapp-service:3001 --live")]
pub(super) struct Args {
    #[command(flatten)]
    site: Site,
    /// Ask every gateway and every discovery once, and look at every hook whether it could act.
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
            for line in discovered::describe(&settings.discoveries) {
                print::line(&line)?;
            }
        }
        Format::Json => {
            let warnings = &settings.warnings;
            let (targets, discoveries) = (settings.targets.len(), discovered::as_json(&settings.discoveries));
            let said = json!({ "good": true, "targets": targets, "discoveries": discoveries, "warnings": warnings });
            print::line(&said.to_string())?;
        }
    }
    Ok(())
}

/// Asks every gateway once; true if each was understood and knows its session.
async fn ask_targets(settings: Settings, format: Format) -> anyhow::Result<bool> {
    let http = Http::new()?;
    let mut progress = print::Progress::new();
    let all_told = discovered::ask_all(&settings, &http, format).await?;
    let of = settings.targets.len();
    let poller = Poller::new(http.clone(), clock::machine());
    let mut waiting = settings.targets.into_values();
    let mut asked = JoinSet::new();
    let mut heard: BTreeMap<String, Heard> = BTreeMap::new();
    loop {
        while asked.len() < AT_ONCE
            && let Some(target) = waiting.next()
        {
            asked.spawn(ask(poller.clone(), http.clone(), target));
        }
        let so_far = format!("{} of {of} gateways asked", heard.len());
        progress.show(|| so_far.clone());
        let Some(done) = progress.during(&so_far, asked.join_next()).await else { break };
        let (name, answer) = done?;
        heard.insert(name, answer);
    }
    progress.clear();
    for (name, answer) in &heard {
        match format {
            Format::Text => answer.print(name)?,
            Format::Json => print::line(&answer.json(name).to_string())?,
        }
    }
    Ok(all_told && heard.values().all(Heard::is_good))
}

/// What was found out about a target.
struct Heard {
    is_understood: bool,
    lines: Vec<String>,
    hooks: Vec<Finding>,
}

impl Heard {
    fn is_good(&self) -> bool {
        self.is_understood && self.hooks.iter().all(|finding| finding.is_well != Some(false))
    }

    fn print(&self, name: &str) -> anyhow::Result<()> {
        told(Some(self.is_understood), &format!("{name}: {}", self.lines.join("; ")))?;
        for Finding { remedy, is_well, what } in &self.hooks {
            told(*is_well, &format!("{name}: {remedy}: {what}"))?;
        }
        Ok(())
    }

    fn json(&self, name: &str) -> Value {
        let hook =
            |finding: &Finding| json!({ "remedy": finding.remedy, "good": finding.is_well, "what": finding.what });
        let hooks: Vec<Value> = self.hooks.iter().map(hook).collect();
        json!({ "target": name, "good": self.is_good(), "heard": self.lines, "hooks": hooks })
    }
}

/// Prints what was found behind a mark of three letters.
fn told(is_well: Option<bool>, what: &str) -> io::Result<()> {
    let (mark, ink) = match is_well {
        Some(true) => ("ok ", print::Ink::Green),
        Some(false) => ("BAD", print::Ink::Red),
        None => ("?  ", print::Ink::Dim),
    };
    let mark_inked = print::ink(mark, ink, print::colours(&io::stdout()));
    let lines = print::hang(&format!("{mark} {what}"), 4, print::Window::width());
    lines.iter().enumerate().try_for_each(|(number, line)| match line.strip_prefix(mark) {
        Some(rest) if number == 0 => print::line(&format!("{mark_inked}{rest}")),
        Some(_) | None => print::line(line),
    })
}

async fn ask(poller: Poller, http: Http, target: Arc<Target>) -> (String, Heard) {
    let clock = clock::machine();
    let wall: Arc<dyn Fn() -> Wall + Send + Sync> = Arc::new(move || clock().wall);
    let hooks = remedy::preflight(&target, &http, &wall).await;
    let (name, is_understood, lines) = ask_gateway(poller, target).await;
    (name, Heard { is_understood, lines, hooks })
}

async fn ask_gateway(poller: Poller, target: Arc<Target>) -> (String, bool, Vec<String>) {
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
