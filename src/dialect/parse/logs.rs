//! `[[log]]`: lines that mean something.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::file::{Item, Report, Section};
use super::{phase, state};
use crate::dialect::log::{LineMeaning, LogRule};

/// Largest compiled pattern, in bytes.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Reads every log rule, in order.
pub(super) fn rules(report: &mut Report<'_>, root: &Section<'_, '_>) -> Vec<LogRule> {
    let items = root.get("log").map(|item| item.one_or_more()).unwrap_or_default();
    let mut rules = Vec::new();
    for item in items {
        let section = item.section(report, &["match", "words", "state", "phase"]);
        rules.extend(section.and_then(|section| rule(report, &section)));
    }
    rules
}

fn rule(report: &mut Report<'_>, section: &Section<'_, '_>) -> Option<LogRule> {
    let matches = section.need(report, "match", "write a regular expression").and_then(|item| regex(report, &item));
    let otherwise = section.get("state").is_some().then(|| meaning(report, section)).flatten();
    let words = words(report, section);
    let matches = matches?;
    let captures_a_word = matches.capture_names().flatten().any(|name| name == "state");
    if words.is_empty() && otherwise.is_none() {
        section.fault(report, "says nothing", "write a state, or words for what (?<state>…) captures");
        return None;
    }
    if captures_a_word == words.is_empty() {
        section.fault(report, "needs both or neither of words and (?<state>…)", "words are looked up by that capture");
        return None;
    }
    Some(LogRule { matches, words, otherwise })
}

fn regex(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Regex> {
    let text = item.text(report)?;
    RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| {
            let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            item.fault(report, last, "write a regular expression of the Rust regex crate; it has no look-around");
        })
        .ok()
}

/// Reads `words = { CONFLICT = "conflict", OPENING = { state = "connecting", phase = "opening" } }`.
fn words(report: &mut Report<'_>, section: &Section<'_, '_>) -> BTreeMap<String, LineMeaning> {
    let table = section.get("words").and_then(|item| item.open_section(report));
    let mut words = BTreeMap::new();
    for (name, item) in table.iter().flat_map(Section::items) {
        let meaning = match item.value.as_table() {
            Some(_) => item.section(report, &["state", "phase"]).and_then(|inner| meaning(report, &inner)),
            None => state(report, &item).map(|state| (state, None)),
        };
        words.extend(meaning.map(|meaning| (name.to_lowercase(), meaning)));
    }
    words
}

fn meaning(report: &mut Report<'_>, section: &Section<'_, '_>) -> Option<LineMeaning> {
    let phase = section.get("phase").and_then(|item| phase(report, &item));
    let item = section.need(report, "state", "write the state that the line announces")?;
    Some((state(report, &item)?, phase))
}
