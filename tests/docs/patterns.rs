//! The generated parts of docs/patterns.md, docs/remedies.md and docs/dialects.md: numbers from the code, sentences from recordings.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;
use wa_watchdog::dialect::builtins;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::policy::{FleetLimits, Limits};
use wa_watchdog::engine::refusal::Refusal;

use crate::keys;
use crate::{assert_generated_part, read};

/// A recording in tests/corpus/ for each pattern.
const EXAMPLES: [(Pattern, &str); 9] = [
    (Pattern::Conflict, "conflict-baileys-440"),
    (Pattern::SessionExpired, "expired-evolution-401-device-removed"),
    (Pattern::Repeated404, "gone-waha-session"),
    (Pattern::Unreachable, "down-mixed"),
    (Pattern::StateLoop, "loop-waha-list-form"),
    (Pattern::StuckQr, "qr-waha-failed-unscanned"),
    (Pattern::NeverReady, "notready-loading-100"),
    (Pattern::SilentSession, "silent-waha-deep-timeout"),
    (Pattern::MemoryPressure, "mem-reconnect-leak"),
];

/// What each guard keeps.
const GUARDS: [(Refusal, &str); 14] = [
    (Refusal::Paused, "A person paused the target, or all of them."),
    (Refusal::Mode, "It only observes."),
    (Refusal::HandOff, "A live QR code is on the screen, or a person was just asked to scan one."),
    (Refusal::Storm, "Many targets turned bad together, or a network path is down: the cause is elsewhere."),
    (Refusal::CannotHelp, "The remedy cannot help this pattern, or a gentler one must fail first."),
    (Refusal::NoHook, "Nobody said how it is carried out."),
    (Refusal::Cooldown, "The last attempt was too recent."),
    (Refusal::Budget, "Too many within an hour, a day, or since the last reset; of this target or of all."),
    (Refusal::QuietHours, "It ends in a scan, and nobody is awake."),
    (Refusal::UnderlyingProblem, "Resets do not last: a person must look."),
    (Refusal::GaveUp, "Resets do not help: a person must look."),
    (Refusal::Busy, "Another attempt is under way for this target, its host group, or the fleet's share."),
    (Refusal::Unapproved, "A person must release it, and has not."),
    (Refusal::Ledger, "The ledger cannot be written, so that nobody would know of it."),
];

#[test]
fn every_pattern_has_its_numbers_its_ladder_and_a_sentence_that_was_proven() {
    let sections = keys::read(&read("config/watchdog.toml"));
    for pattern in Pattern::ALL {
        let section = sections.iter().find(|section| section.name == format!("policy.{pattern}")).unwrap();
        let mut text = String::from("| threshold | default | |\n|---|---|---|\n");
        for key in section.keys.iter().filter(|key| !key.name.starts_with("ladder")) {
            let value = if key.value.starts_with('{') { key.value.clone() } else { key.value.replace('"', "") };
            writeln!(text, "| `{}` | {} | {} |", key.name, value, key.words).unwrap();
        }
        text.push('\n');
        for key in section.keys.iter().filter(|key| key.name.starts_with("ladder")) {
            let dead = if key.name == "ladder_dead" { " while the code is dead" } else { "" };
            writeln!(text, "Ladder{dead}: {}.", rungs(&key.value)).unwrap();
        }
        let never: Vec<&str> =
            Remedy::RUNGS.into_iter().filter(|remedy| !pattern.allows(*remedy)).map(Remedy::as_str).collect();
        if !never.is_empty() {
            writeln!(text, "Never, whatever a ladder says: {}.", never.join(", ")).unwrap();
        }
        if let Some((_, recording)) = EXAMPLES.iter().find(|(other, _)| *other == pattern) {
            writeln!(text, "\n> {}\n", proven(pattern, recording)).unwrap();
        } else {
            text.push('\n');
        }
        assert_generated_part("docs/patterns.md", pattern.as_str(), &text);
    }
}

#[test]
fn the_patterns_stand_in_their_order() {
    let text = read("docs/patterns.md");
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, Pattern::ALL.map(Pattern::as_str));
}

/// The table of the README is written by hand.
#[test]
fn the_readme_names_every_pattern_in_their_order() {
    let text = read("README.md");
    let (_, table) = text.split_once("\n| pattern | when | fits first |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let names: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(names, Pattern::ALL.map(Pattern::as_str));
}

#[test]
fn every_guard_stands_in_its_place() {
    assert_eq!(GUARDS.map(|(refusal, _)| refusal), Refusal::ALL);
    let mut text = String::from("| refusal | why |\n|---|---|\n");
    for (refusal, why) in GUARDS {
        writeln!(text, "| `{refusal}` | {why} |").unwrap();
    }
    assert_generated_part("docs/remedies.md", "guards", &text);
}

#[test]
fn the_budgets_are_those_of_the_code() {
    let (budget, cooldown, fleet) = (Limits::default().budget, Limits::default().cooldown, FleetLimits::default());
    let words = |span| humantime::format_duration(span).to_string();
    let mut text = String::from("| of one target | |\n|---|---|\n");
    let rows = [
        ("reconnects", format!("{} an hour, {} a day", budget.reconnects_hourly, budget.reconnects_daily)),
        ("restarts", format!("{} an hour, {} a day", budget.restarts_hourly, budget.restarts_daily)),
        ("resets", format!("one in {}, {} a day", words(budget.reset_every), budget.resets_daily)),
        ("resets in a week that did not last", format!("{}, then a person looks", budget.resets_weekly)),
        ("resets in a row that did not help", format!("{}, then a person looks", budget.gives_up_after)),
        ("cooldown", format!("{}, doubled up to {}", words(cooldown.first), words(cooldown.longest))),
    ];
    for (what, how) in rows {
        writeln!(text, "| {what} | {how} |").unwrap();
    }
    text.push_str("\n| of all targets | |\n|---|---|\n");
    writeln!(text, "| attempts at once | {}, one in a host group |", fleet.attempts).unwrap();
    writeln!(text, "| restarts | {} an hour |", fleet.restarts_hourly).unwrap();
    writeln!(text, "| resets | {} a day |", fleet.resets_daily).unwrap();
    let storm = format!("{} targets and {} % of those that were well", fleet.storm_targets, fleet.storm_percent);
    writeln!(text, "| a storm | {storm} turn bad together; over after {} |", words(fleet.storm_exit)).unwrap();
    assert_generated_part("docs/remedies.md", "budgets", &text);
}

#[test]
fn every_dialect_is_listed() {
    let mut text = String::from("| dialect | speaks to | asks |\n|---|---|---|\n");
    for (name, file) in builtins() {
        let dialect: toml::Table = file.parse().unwrap();
        let path = dialect.get("path").and_then(toml::Value::as_str).unwrap_or("–");
        writeln!(text, "| `{name}` | {} | `{path}` |", dialect["title"].as_str().unwrap()).unwrap();
    }
    assert_generated_part("docs/dialects.md", "dialects", &text);
}

fn rungs(list: &str) -> String {
    list.trim_matches(['[', ']']).replace('"', "").replace(", ", ", then ")
}

/// Returns the sentence with which a recording proves a pattern.
fn proven(pattern: Pattern, recording: &str) -> String {
    let file = crate::root().join(format!("tests/corpus/{recording}.jsonl"));
    let done = Command::new(env!("CARGO_BIN_EXE_wa-watchdog")).args(["replay", "--format", "json"]).arg(file).output();
    let text = String::from_utf8(done.unwrap().stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = lines.into_iter().find(|line| line["event"] == "verdict" && line["pattern"] == pattern.as_str());
    found.unwrap_or_else(|| panic!("{recording} does not prove {pattern}"))["evidence"].as_str().unwrap().to_owned()
}
