//! `[[rule]]`: what must be so, and what is meant then.

use toml::de::DeValue;

use super::file::{Item, Report, Section};
use super::places::Places;
use super::{one_of, phase, state};
use crate::dialect::rule::{Meaning, Rule, Test, Token, When};
use crate::engine::sample::{Effort, SessionState};

const RULE_KEYS: [&str; 6] = ["when", "state", "phase", "effort", "outcome", "word"];
const EFFORTS: [(&str, Effort); 4] =
    [("trying", Effort::Trying), ("gave_up", Effort::GaveUp), ("idle", Effort::Idle), ("stopped", Effort::Stopped)];
const OUTCOMES: [(&str, Meaning); 5] = [
    ("missing", Meaning::Missing),
    ("refused", Meaning::Refused),
    ("throttled", Meaning::Throttled),
    ("down", Meaning::Down),
    ("unclear", Meaning::Unclear),
];
const TESTS_HINT: &str =
    "write a value, a list of values, { present = true }, { absent = true } or { contains = \"text\" }";

/// Reads every rule, in order.
pub(super) fn rules(report: &mut Report<'_>, root: &Section<'_, '_>, places: &mut Places) -> Vec<Rule> {
    let Some(items) = root.need(report, "rule", "write at least one [[rule]] with when and state") else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    for item in items.one_or_more() {
        let section = item.section(report, &RULE_KEYS);
        rules.extend(section.and_then(|section| rule(report, &section, places)));
    }
    rules
}

fn rule(report: &mut Report<'_>, section: &Section<'_, '_>, places: &mut Places) -> Option<Rule> {
    let when = section.need(report, "when", "write what must be so, as in when = { state = \"open\" }");
    let when = when.and_then(|item| conditions(report, &item, places));
    let word = section.get("word").map(|item| places.several(report, &item));
    let meaning = meaning(report, section);
    Some(Rule { when: when?, meaning: meaning?, word })
}

fn meaning(report: &mut Report<'_>, section: &Section<'_, '_>) -> Option<Meaning> {
    let phase = section.get("phase").and_then(|item| phase(report, &item));
    let effort = section.get("effort").and_then(|item| one_of(report, &item, &EFFORTS));
    match (section.get("state"), section.get("outcome")) {
        (Some(item), None) => {
            let state = state(report, &item)?;
            if state == SessionState::Missing {
                item.fault(report, "is no state that an answer can have", "write outcome = \"missing\"");
                return None;
            }
            Some(Meaning::State { state, phase, effort: effort.unwrap_or_default() })
        }
        (None, Some(item)) if phase.is_none() && effort.is_none() => one_of(report, &item, &OUTCOMES),
        (None, Some(item)) => {
            item.fault(report, "has a phase or an effort", "only a state has these; leave them out");
            None
        }
        (None, None) => {
            section.fault(report, "says nothing", "write a state or an outcome");
            None
        }
        (Some(_), Some(item)) => {
            item.fault(report, "stands beside a state", "write either a state or an outcome");
            None
        }
    }
}

/// Reads the conditions of a rule.
pub(super) fn conditions(report: &mut Report<'_>, item: &Item<'_, '_>, places: &mut Places) -> Option<When> {
    let section = item.open_section(report)?;
    let mut when = When::default();
    for (name, item) in section.items() {
        if item.one_or_more().is_empty() {
            item.fault(report, "is an empty list, which nothing matches", TESTS_HINT);
        } else if name == "status" {
            when.status = Some(item.one_or_more().iter().filter_map(|item| statuses(report, item)).collect());
        } else {
            let place = places.id(report, &item, name);
            let test = test(report, &item, places);
            when.conditions.extend(place.zip(test));
        }
    }
    let finds_something = when.conditions.iter().any(|(_, test)| !matches!(test, Test::Absent));
    if when.status.is_none() && !finds_something {
        section.fault(report, "would hold for any answer that lacks these", "name something that must be there");
        return None;
    }
    Some(when)
}

fn test(report: &mut Report<'_>, item: &Item<'_, '_>, places: &mut Places) -> Option<Test> {
    if item.value.as_table().is_none() {
        return Some(Test::OneOf(item.one_or_more().iter().filter_map(|item| scalar(report, item, places)).collect()));
    }
    let section = item.section(report, &["present", "absent", "contains"])?;
    let tests: Vec<_> = section.items().collect();
    let [(name, inner)] = tests.as_slice() else {
        item.fault(report, "needs exactly one test", TESTS_HINT);
        return None;
    };
    match *name {
        "contains" => {
            let parts = section.texts(report, "contains");
            Some(Test::Contains(parts.into_iter().map(str::to_owned).collect()))
        }
        "present" | "absent" => {
            let wants_something = inner.flag(report)? == (*name == "present");
            Some(if wants_something { Test::Present } else { Test::Absent })
        }
        _ => None,
    }
}

fn scalar(report: &mut Report<'_>, item: &Item<'_, '_>, places: &mut Places) -> Option<Token> {
    match item.value {
        DeValue::Boolean(flag) => Some(places.token(if *flag { "true" } else { "false" })),
        DeValue::String(_) => item.text(report).map(|text| places.token(text)),
        DeValue::Integer(number) if number.radix() == 10 => Some(places.token(number.as_str())),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            item.fault(report, format!("is of type {}", item.value.type_str()), TESTS_HINT);
            None
        }
    }
}

/// Reads an HTTP status, 404, or a class of them, `"5xx"`.
fn statuses(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<(u16, u16)> {
    let class = |text: &str| {
        let digit: u16 = text.strip_suffix("xx")?.parse().ok()?;
        Some((digit.checked_mul(100)?, digit.checked_mul(100)?.checked_add(99)?))
    };
    let one = |text: &str| text.parse().ok().map(|status: u16| (status, status));
    let range = match (item.value.as_str(), item.value.as_integer()) {
        (Some(text), _) => class(text).or_else(|| one(text)),
        (None, Some(number)) => one(number.as_str()),
        (None, None) => None,
    };
    let range = range.filter(|(from, to)| 100 <= *from && *to <= 599);
    if range.is_none() {
        item.fault(report, "is no HTTP status", "write a number from 100 to 599, a class such as \"5xx\", or a list");
    }
    range
}
