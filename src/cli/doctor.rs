//! `doctor`: everything around one session that can be looked at without changing anything.

mod container;
mod containers;
mod finding;
mod gateway;
mod house;
mod network;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use serde_json::json;

use self::finding::{Finding, Line};
use super::api::Api;
use super::site::{Misuse, Site};
use super::{Format, Outcome, block_on, print};
use crate::config::{Settings, Target};
use crate::driver::clock;
use crate::engine::moment::Wall;
use crate::http::Http;

/// Look at everything that can be wrong around one session, and say what to do about each.
///
/// It asks the gateway, looks at its container where a docker hook or memory.docker names one, tries the ways to WhatsApp, and reads how often
/// resets were needed. It changes nothing. What it could not look at is said, and counts neither as well nor as not well.
/// The network is tried from where this program runs: beside the service that is the same way, elsewhere it may be another.
///
/// Exit codes: 0 nothing is wrong, 1 something is, 2 wrong use.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog doctor shop --config watchdog.toml
  wa-watchdog doctor shop --config watchdog.toml --newest 1.34.2 --format json
  wa-watchdog doctor --service http://whatsapp-service:3001

Values of the service's environment are never shown, for they may hold secrets: of a URL its host alone.")]
pub(super) struct Args {
    /// Its name; may be left out where there is only one.
    target: Option<String>,
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    api: Api,
    /// The newest version of the service; without it versions are not compared.
    #[arg(long, value_name = "VERSION")]
    newest: Option<String>,
    /// Where WhatsApp is.
    #[arg(long, value_name = "URL", default_value = "https://web.whatsapp.com/")]
    whatsapp: Url,
    /// How it is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The longest mark of a line.
const MARK_COLUMNS: usize = 14;

/// What every part of the list needs.
struct Patient<'a> {
    args: &'a Args,
    settings: &'a Settings,
    target: Arc<Target>,
    http: Http,
    now: Wall,
}

/// Looks and prints.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let settings = args.site.settings(env)?;
    let target = match (&args.target, settings.targets.len()) {
        (Some(name), _) => settings.targets.get(name.as_str()).cloned(),
        (None, 1) => settings.targets.values().next().cloned(),
        (None, _) => None,
    };
    let known: Vec<&str> = settings.targets.keys().map(crate::engine::TargetId::as_str).collect();
    let target = target.ok_or_else(|| Misuse(format!("name one of the targets: {}", known.join(", "))))?;
    let patient = Patient { args, settings: &settings, target, http: Http::new()?, now: clock::machine()().wall };
    let looking = format!("looking at all that is around {}", patient.target.id);
    let lines = block_on(async { Ok(print::during(&looking, examine(&patient)).await) })?;
    let is_well = lines.iter().all(|line| line.finding != Finding::NotWell);
    match args.format {
        Format::Text => tell(&lines)?,
        Format::Json => {
            let name = &patient.target.id;
            print::line(&json!({ "target": name, "well": is_well, "lines": lines }).to_string())?;
        }
    }
    Ok(if is_well { Outcome::Well } else { Outcome::NotWell })
}

/// Looks at everything at once, and tells it in the order in which a person would look.
async fn examine(patient: &Patient<'_>) -> Vec<Line> {
    let (gateway, container, network, past) =
        tokio::join!(gateway::lines(patient), container::lines(patient), network::lines(patient), house::past(patient));
    let (tokens, house) = (token::lines(patient), house::lines(patient));
    [gateway, tokens, container, network, house, past].concat()
}

fn tell(lines: &[Line]) -> std::io::Result<()> {
    let (width, colours) = (print::Window::width(), print::colours(&std::io::stdout()));
    for line in lines {
        let (mark, ink) = match line.finding {
            Finding::Well => ("well", print::Ink::Green),
            Finding::NotWell => ("not well", print::Ink::Red),
            Finding::CouldNotLook => ("could not look", print::Ink::Dim),
        };
        let seen = format!("{mark:MARK_COLUMNS$}  {}: {}", line.check, line.seen);
        let mut parts = print::hang(&seen, MARK_COLUMNS + 2, width);
        // The mark is dipped after the text has found its lines: ink takes no room.
        if let Some(first) = parts.first_mut() {
            let rest = first.get(mark.len()..).unwrap_or_default();
            *first = format!("{}{rest}", print::ink(mark, ink, colours));
        }
        if let Some(advice) = &line.advice {
            parts.extend(print::hang(&format!("{:MARK_COLUMNS$}  -> {advice}", ""), MARK_COLUMNS + 5, width));
        }
        parts.iter().try_for_each(|part| print::line(part))?;
    }
    let count = |finding| lines.iter().filter(|line| line.finding == finding).count();
    print::line(&format!(
        "{} well, {} not well, {} could not be looked at",
        count(Finding::Well),
        count(Finding::NotWell),
        count(Finding::CouldNotLook)
    ))
}
