//! The lines of a ledger in words. What belongs to an attempt stands indented below it, and a step is one line once it has ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::print::Ink::{self, Dim, Green, Red, Yellow};
use crate::engine::Wall;
use crate::engine::attempt::{Act, AttemptId, Outcome, RunEnd, StepEnd, StepOutcome};
use crate::engine::ladder::Remedy;
use crate::engine::ledger::{Fact, LedgerEntry, ScanNews};
use crate::engine::moment::words;
use crate::engine::plan::StepName;
use crate::engine::sample::Word;
use crate::engine::tell;

/// One act of one step of one attempt.
type ActKey = (AttemptId, StepName, Act);

/// Tells entries in words, oldest first: a look at as many as are known comes before the first of them is told.
#[derive(Debug, Default)]
pub(super) struct Teller {
    remedies: BTreeMap<AttemptId, Remedy>,
    begun: BTreeMap<AttemptId, Wall>,
    ended: BTreeSet<ActKey>,
    started: BTreeMap<ActKey, Wall>,
}

impl Teller {
    /// Looks at what will be told.
    pub(super) fn look<'a>(&mut self, entries: impl Iterator<Item = &'a LedgerEntry>) {
        for entry in entries {
            if let Fact::Intended { attempt, remedy, .. } | Fact::Proposed { attempt, remedy, .. } = &entry.fact {
                self.remedies.insert(*attempt, *remedy);
            }
            if let Fact::Intended { attempt, .. } = &entry.fact {
                self.begun.insert(*attempt, entry.at);
            }
            if let Fact::StepEnded { attempt, step, act, .. } = &entry.fact {
                self.ended.insert((*attempt, step.clone(), *act));
            }
        }
    }

    /// Tells an entry; none where a later one tells it too.
    pub(super) fn tell(&mut self, entry: &LedgerEntry) -> Option<(Ink, String)> {
        Some(match &entry.fact {
            Fact::StateChanged { from, to, word } => {
                let from = from.map_or("first seen", |state| state.as_str());
                let word = word.as_ref().map_or_else(String::new, |word| format!(" (\"{word}\")"));
                (Dim, format!("{from} -> {to}{word}"))
            }
            Fact::VerdictChanged { verdict, pattern, why } => {
                let pattern = pattern.map_or_else(String::new, |pattern| format!(" {pattern}: {why}"));
                (Dim, format!("{verdict}{pattern}"))
            }
            Fact::IncidentOpened { incident, pattern, remedy, evidence } => {
                (Red, format!("incident {incident} opened, {pattern}: {} (fits first: {remedy})", evidence.sentence))
            }
            Fact::PatternChanged { incident, from, to, remedy, evidence } => {
                let why = &evidence.sentence;
                (Yellow, format!("incident {incident} is no {from} but {to}: {why} (fits first: {remedy})"))
            }
            Fact::IncidentClosed { incident, pattern, opened, how } => {
                let lasted = words(entry.at.since(*opened));
                (Green, format!("incident {incident} closed, {pattern} {} after {lasted}", how.as_str()))
            }
            Fact::Intended { attempt, remedy, destroys, reason, by, .. } => {
                let destroys = if *destroys { " (destroys the session)" } else { "" };
                let by = by.as_ref().map_or_else(String::new, |who| format!(", ordered or released by {who}"));
                (Yellow, format!("attempt {attempt}: {remedy}{destroys}{by}: {reason}"))
            }
            Fact::StepStarted { attempt, step, act, retry, .. } => {
                let key = (*attempt, step.clone(), *act);
                self.started.insert(key.clone(), entry.at);
                if self.ended.contains(&key) {
                    return None;
                }
                (Dim, format!("  {} begins{}", done(*act, step), again(*retry)))
            }
            Fact::StepEnded { attempt, step, act, end, .. } => {
                let began = self.started.remove(&(*attempt, step.clone(), *act));
                step_ended(entry.at, *act, step, end, began)
            }
            Fact::RunEnded { attempt, end, note, .. } => {
                let ink = if *end == RunEnd::Done { Dim } else { Yellow };
                let lasted = self.begun.get(attempt).map(|begun| entry.at.since(*begun));
                let lasted = lasted.map_or_else(String::new, |lasted| format!(" after {}", words(lasted)));
                (ink, format!("  {} {}{lasted}{}", self.named(*attempt), end.as_str(), noted(note.as_ref())))
            }
            Fact::Verified { attempt, outcome, note, .. } => {
                let ink = match outcome {
                    Outcome::Helped => Green,
                    Outcome::DidNotHelp | Outcome::Failed | Outcome::Interrupted => Red,
                    Outcome::Unmet | Outcome::Aborted => Yellow,
                };
                let outcome = outcome.as_str().replace('_', " ");
                (ink, format!("  {} {outcome}{}", self.named(*attempt), noted(note.as_ref())))
            }
            Fact::Refused { remedy, reason, why, times, .. } => {
                let times = if 1 < *times { format!(", {times} times") } else { String::new() };
                (Yellow, format!("{remedy} is due and not done{times}, {reason}: {why}"))
            }
            Fact::Proposed { attempt, remedy, until, .. } => {
                (Yellow, format!("attempt {attempt}: {remedy} waits for a person to release it until {until}"))
            }
            Fact::Commanded { command } => (Yellow, tell::commanded(command)),
            Fact::HandedOff { scan, deadline, .. } => handed_off(*scan, *deadline),
            Fact::ForeignRestart => (Yellow, String::from("the service was restarted by somebody else")),
            Fact::Path { path, down } => {
                (if down.is_some() { Red } else { Green }, tell::network_path(path, down.as_ref()))
            }
            Fact::VersionChanged { from, to, of_image } => {
                let what = if *of_image { "image" } else { "version" };
                let from = from.as_ref().map_or_else(String::new, |from| format!("{from} -> "));
                (Dim, format!("{what} {from}{to}"))
            }
            Fact::SmallLimit { limit, minimum } => (Yellow, tell::small_limit(*limit, *minimum)),
            Fact::TrafficLearned { week, .. } => {
                (Dim, format!("learned what usually passes; it is known for {} of 168 hours of the week", week.known()))
            }
            Fact::Began { watched_until } => {
                let gap = |until| format!("; nobody watched since {until} ({})", words(entry.at.since(until)));
                (Dim, format!("the watchdog begins to watch{}", watched_until.map_or_else(String::new, gap)))
            }
            Fact::Storm { on: true, bad, well } => {
                let what = format!(
                    "storm: {bad} targets turned bad together and {well} are well; nothing is done until it is over"
                );
                (Red, what)
            }
            Fact::Storm { on: false, .. } => (Green, String::from("the storm is over")),
        })
    }

    /// Names an attempt by its remedy, where that is among what is told, and by its number.
    fn named(&self, attempt: AttemptId) -> String {
        let remedy = self.remedies.get(&attempt).map_or("attempt", |remedy| remedy.as_str());
        format!("{remedy} {attempt}")
    }
}

fn step_ended(at: Wall, act: Act, step: &StepName, end: &StepEnd, began: Option<Wall>) -> (Ink, String) {
    let ink = match end.outcome {
        StepOutcome::Done => Dim,
        StepOutcome::Unmet | StepOutcome::Unknown => Yellow,
        StepOutcome::Failed => Red,
    };
    let took = began.map_or_else(String::new, |began| format!(" in {}", words(at.since(began))));
    let what = format!("  {} {}{took}{}", done(act, step), end.outcome.as_str(), noted(end.note.as_ref()));
    (ink, what)
}

fn done(act: Act, step: &StepName) -> String {
    match act {
        Act::Do => format!("{step}:"),
        Act::Look | Act::Check | Act::Undo => format!("{step}, {}:", act.as_str()),
    }
}

fn again(retry: u32) -> String {
    if retry == 0 { String::new() } else { format!(" again ({retry} before)") }
}

fn noted(note: Option<&Word>) -> String {
    note.map_or_else(String::new, |note| format!(": {note}"))
}

fn handed_off(scan: ScanNews, deadline: Option<Wall>) -> (Ink, String) {
    let by = deadline.map_or_else(String::new, |at| format!(", by {}", at.clock()));
    match scan {
        ScanNews::Wanted => (Yellow, format!("a person must scan the QR code{by}")),
        ScanNews::Reminder => (Yellow, format!("a person must still scan the QR code{by}")),
        ScanNews::Done => (Green, String::from("the QR code was scanned")),
        ScanNews::Expired => (Red, String::from("nobody scanned the QR code in time")),
        ScanNews::Withdrawn => (Dim, String::from("no QR code is shown any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TargetId;
    use crate::engine::command::{OperatorCommand, Wish};

    /// Reads entries as they stand in a ledger, and tells them without time and name.
    fn told(lines: &[&str]) -> Vec<String> {
        let entry = |(second, line): (usize, &&str)| {
            let head = format!(r#"{{"at":"2026-02-04T09:00:{second:02}Z","target":"shop",{line}}}"#);
            serde_json::from_str::<LedgerEntry>(&head).unwrap()
        };
        let entries: Vec<LedgerEntry> = lines.iter().enumerate().map(entry).collect();
        let mut teller = Teller::default();
        teller.look(entries.iter());
        entries.iter().filter_map(|entry| teller.tell(entry)).map(|(_, what)| what).collect()
    }

    #[test]
    fn an_attempt_reads_as_its_story() {
        let id = r#""attempt":"19c27e14280","incident":7"#;
        let step = |kind: &str, more: &str| format!(r#""kind":"{kind}",{id},{more}"#);
        let lines = [
            step(
                "intended",
                r#""pattern":"never_ready","remedy":"restart","destroys":false,"plan":1,"reason":"not usable","by":null"#,
            ),
            step("step_started", r#""step":"run","act":"look","retry":0"#),
            step("step_ended", r#""step":"run","act":"look","end":{"outcome":"done","note":null,"world":"a"}"#),
            step("step_started", r#""step":"run","act":"do","retry":0"#),
            step("step_ended", r#""step":"run","act":"do","end":{"outcome":"done","note":"restarted","world":null}"#),
            step("run_ended", r#""end":"done","spent":true,"note":null"#),
            step("verified", r#""outcome":"helped","note":"connected steadily since""#),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(
            told(&lines),
            [
                "attempt 19c27e14280: restart: not usable",
                "  run, look: done in 1 s",
                "  run: done in 1 s: restarted",
                "  restart 19c27e14280 done after 5 s",
                "  restart 19c27e14280 helped: connected steadily since",
            ]
        );
    }

    #[test]
    fn a_step_that_has_not_ended_is_told_as_begun() {
        let line =
            r#""kind":"step_started","attempt":"19c27e14280","incident":null,"step":"stop","act":"do","retry":1"#;
        assert_eq!(told(&[line]), ["  stop: begins again (1 before)"]);
        let line = r#""kind":"run_ended","attempt":"19c27e14280","incident":null,"end":"interrupted","spent":true,"note":null"#;
        assert_eq!(told(&[line]), ["  attempt 19c27e14280 interrupted"]);
    }

    #[test]
    fn an_order_is_read_back_as_it_was_written() {
        let target = TargetId::new("shop").unwrap();
        let [who, reason] = ["ana", "deploy"].map(Word::new);
        let command = OperatorCommand { target: Some(target.clone()), who, reason, what: Wish::Pause { until: None } };
        let entry = LedgerEntry { at: Wall::from_secs(0), target, fact: Fact::Commanded { command } };
        let line = serde_json::to_string(&entry).unwrap();
        let read: LedgerEntry = serde_json::from_str(&line).unwrap();
        assert_eq!(Teller::default().tell(&read).unwrap().1, "ana paused it: deploy", "{line}");
        assert_eq!(read.target, entry.target);
    }

    #[test]
    fn what_was_refused_asked_for_and_ordered_is_told() {
        let lines = [
            r#""kind":"refused","incident":7,"remedy":"reset","reason":"budget","why":"the budget is spent","times":3"#,
            r#""kind":"proposed","attempt":"19c27e14280","incident":7,"remedy":"reset","plan":1,"until":"2026-02-04T10:00:00Z""#,
            r#""kind":"commanded","who":"ana","reason":"agreed","command":"approve","attempt":"19c27e14280""#,
            r#""kind":"handed_off","incident":7,"scan":"wanted","deadline":"2026-02-04T09:03:00Z""#,
            r#""kind":"version_changed","from":"1.0","to":"1.1""#,
            r#""kind":"foreign_restart""#,
            r#""kind":"storm","on":true,"bad":3,"well":2"#,
        ];
        assert_eq!(
            told(&lines),
            [
                "reset is due and not done, 3 times, budget: the budget is spent",
                "attempt 19c27e14280: reset waits for a person to release it until 2026-02-04T10:00:00.000Z",
                "ana released attempt 19c27e14280: agreed",
                "a person must scan the QR code, by 09:03:00",
                "version 1.0 -> 1.1",
                "the service was restarted by somebody else",
                "storm: 3 targets turned bad together and 2 are well; nothing is done until it is over",
            ]
        );
    }
}
