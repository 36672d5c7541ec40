//! What `check` says of discoveries: what each is, and with `--live` what it would watch.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::{Format, print};
use crate::config::{Discovery, Problem, Settings};
use crate::discover::{self, Heard, Held};
use crate::driver::clock;
use crate::http::Http;

/// Describes each, one line a section.
pub(super) fn describe(discoveries: &[Discovery]) -> Vec<String> {
    let line = |discovery: &Discovery| {
        let Discovery { name, from, every, max, prefix, .. } = discovery;
        let (kind, place, every) = (from.kind(), from.place(), humantime::format_duration(*every));
        format!("discover.{name}: {kind} at {place}, every {every}, at most {max} targets, named {prefix}…")
    };
    discoveries.iter().map(line).collect()
}

/// The same for programs.
pub(super) fn as_json(discoveries: &[Discovery]) -> Value {
    let one = |discovery: &Discovery| {
        let Discovery { name, from, every, max, prefix, .. } = discovery;
        let every = every.as_secs();
        json!({ "name": name, "kind": from.kind(), "place": from.place(), "every_seconds": every, "max": max, "prefix": prefix })
    };
    discoveries.iter().map(one).collect()
}

/// Asks each once, and lists what it would watch; true if all could be asked, and everything found can be watched.
pub(super) async fn ask_all(settings: &Settings, http: &Http, format: Format) -> anyhow::Result<bool> {
    let mut is_well = true;
    for discovery in &settings.discoveries {
        let asking = format!("asking discover.{}", discovery.name);
        let (known, clock) = (BTreeMap::new(), clock::machine());
        let told = match print::during(&asking, discover::ask(discovery, http, &clock, &known)).await {
            Ok(heard) => list(settings, discovery.clone(), heard).await?,
            Err(why) => Told { lines: vec![(Some(false), why.to_string())], sessions: Vec::new() },
        };
        is_well &= told.lines.iter().all(|(is_well, _)| *is_well != Some(false));
        match format {
            Format::Text => {
                for (is_well, line) in &told.lines {
                    super::told(*is_well, &format!("discover.{}: {line}", discovery.name))?;
                }
            }
            Format::Json => print::line(&told.json(&discovery.name).to_string())?,
        }
    }
    Ok(is_well)
}

/// What a discovery would watch, in words and as data.
struct Told {
    lines: Vec<(Option<bool>, String)>,
    sessions: Vec<Value>,
}

impl Told {
    fn json(&self, name: &str) -> Value {
        let problems = self.lines.iter().filter(|(is_well, _)| *is_well == Some(false)).map(|(_, line)| line);
        let problems: Vec<&String> = problems.collect();
        json!({ "discovery": name, "good": problems.is_empty(), "sessions": self.sessions, "problems": problems })
    }
}

async fn list(settings: &Settings, discovery: Discovery, heard: Heard) -> anyhow::Result<Told> {
    let Heard { found, odd } = heard;
    let (named, over) = discover::name(&BTreeMap::new(), found, &discovery.prefix, discovery.max);
    let max = discovery.max;
    // Files of tokens and dialects may be read for a target.
    let (held, problems) = spawn_blocking(move || discover::read_all(&discovery, named, &Held::new())).await?;
    let by_hand: BTreeSet<_> = settings.targets.values().map(|target| (&target.url, &target.session)).collect();
    let mut told = Told { lines: Vec::new(), sessions: Vec::new() };
    for (id, entry) in &held {
        let Some(ready) = &entry.ready else { continue };
        let target = &ready.target;
        let (dialect, session) = (target.dialect.name(), target.session.as_deref());
        let is_by_hand = settings.targets.contains_key(id) || by_hand.contains(&(&target.url, &target.session));
        let note = if is_by_hand { "; not watched twice: it is configured by hand" } else { "" };
        let whose = session.map_or_else(String::new, |session| format!(", session {session}"));
        told.lines.push((Some(true), format!("{id}: {dialect} at {}{whose}{note}", target.url)));
        told.sessions.push(json!({
            "target": id, "dialect": dialect, "url": target.url, "session": session, "by_hand": is_by_hand,
        }));
    }
    if told.lines.is_empty() {
        told.lines.push((None, "finds nothing".to_owned()));
    }
    if 0 < over {
        told.lines.push((Some(false), format!("finds {over} more than max = {max}, which are not watched")));
    }
    told.lines.extend(odd.into_iter().map(|(what, why)| (Some(false), format!("{what}: {why}"))));
    for (id, problems) in problems {
        let why: Vec<String> = problems.into_iter().map(|Problem { key, what, .. }| format!("{key}: {what}")).collect();
        told.lines.push((Some(false), format!("{id}: {}", why.join("; "))));
    }
    Ok(told)
}
