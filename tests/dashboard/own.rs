//! Rules of our own: what the catalogue of metrics, the words of the engine and the grid ask for.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use wa_watchdog::engine::sample::SessionState;
use wa_watchdog::engine::snapshot::Grade;
use wa_watchdog::metrics::catalogue;

use crate::Rule;
use crate::board::{Board, list, word};
use crate::labels::{Values, values};
use crate::promql::declared;
use crate::upstream::{choice, lacking, title, unless};

/// Every rule.
pub(crate) const RULES: &[Rule] = &[
    ("stable uid", stable_uid),
    ("unique ids", unique_ids),
    ("grid", grid),
    ("target variable", target_variable),
    ("narrowed to the target", narrowed_to_target),
    ("of the watchdog alone", of_the_watchdog_alone),
    ("pages for people", pages_for_people),
    ("metric exists", metric_exists),
    ("label exists", label_exists),
    ("value exists", value_exists),
    ("every metric is shown", every_metric_is_shown),
    ("variable exists", variable_exists),
    ("words of states", words_of_states),
    ("words of grades", words_of_grades),
    ("one word, one colour", one_word_one_colour),
];

/// Metrics that are not ours: of the process, and of the scrape itself.
const OTHERS: [&str; 9] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_threads",
    "process_start_time_seconds",
];

/// Labels that Prometheus gives every series.
const GIVEN: [&str; 2] = ["job", "instance"];

/// Metrics that no panel shows, and why.
const NOT_SHOWN: [(&str, &str); 0] = [];

/// Columns of the grid.
const COLUMNS: u64 = 24;

/// Longest uid that Grafana takes.
const UID_CHARS_MAX: usize = 40;

fn stable_uid(board: &Board) -> Vec<String> {
    let (dashboard, uid) = (&board.0, word(&board.0, "uid"));
    let mut faults = unless(uid == "wa-watchdog" && uid.len() <= UID_CHARS_MAX, "the uid is not that of the file");
    // Grafana gives the number; the others are for the dialog of an import, and a provisioned dashboard keeps them as they are.
    let foreign = ["__inputs", "__requires", "iteration"].into_iter().filter(|key| dashboard.get(key).is_some());
    faults.extend(foreign.map(|key| format!("{key} is of one Grafana alone")));
    faults.extend(unless(dashboard["id"].is_null(), "id is of one Grafana alone"));
    faults
}

fn unique_ids(board: &Board) -> Vec<String> {
    let mut faults = repeated(board.list("/panels").map(|panel| panel["id"].to_string()));
    faults.extend(repeated(board.variables().map(|variable| word(variable, "name").to_owned())));
    for panel in board.panels() {
        faults.extend(repeated(list(panel, "targets").map(|target| format!("{}: {}", title(panel), target["refId"]))));
    }
    faults
}

fn repeated(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| name == "null" || !seen.insert(name.clone())).collect()
}

fn grid(board: &Board) -> Vec<String> {
    let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for panel in board.list("/panels") {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or(0));
        if w == 0 || h == 0 || COLUMNS < x + w {
            faults.push(format!("{} is not within the {COLUMNS} columns", title(panel)));
        }
        let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        let others: BTreeSet<&str> = cells.filter_map(|cell| taken.insert(cell, word(panel, "title"))).collect();
        faults.extend(others.iter().map(|other| format!("{} lies upon {other}", title(panel))));
    }
    faults
}

fn target_variable(board: &Board) -> Vec<String> {
    choice(board, "target")
}

fn narrowed_to_target(board: &Board) -> Vec<String> {
    lacking(board, "target", |series| declared(series).is_some_and(|metric| metric.labels.contains(&"target")))
}

/// Every job of a Prometheus has these series: without one of ours beside them, all of them would be shown as watchdogs.
fn of_the_watchdog_alone(board: &Board) -> Vec<String> {
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        let is_ours = reading.selectors.iter().any(|selector| declared(&selector.series).is_some());
        let others = reading.selectors.iter().filter(|selector| OTHERS.contains(&selector.series.as_str()));
        let alone = others.filter(|_| !is_ours || !query.text.contains("and on (job, instance)"));
        faults.extend(alone.map(|selector| format!("{}: {} of every job", query.place, selector.series)));
    }
    faults
}

/// Links into the watchdog lead to what a person can read.
fn pages_for_people(board: &Board) -> Vec<String> {
    let text = board.0.to_string();
    let links = text.split('"').filter(|text| text.starts_with("${status_page}"));
    links.filter(|link| link.contains("/api/")).map(str::to_owned).collect()
}

fn metric_exists(board: &Board) -> Vec<String> {
    let exists = |series: &str| OTHERS.contains(&series) || declared(series).is_some();
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        let unknown = reading.selectors.iter().filter(|selector| !exists(&selector.series));
        faults.extend(unknown.map(|selector| format!("{}: {}", query.place, selector.series)));
    }
    for variable in board.variables().filter(|variable| variable["type"] == "query") {
        let series = word(variable, "query").trim_start_matches("label_values(");
        let series = series.split(['{', ',']).next().unwrap_or_default();
        faults.extend(unless(exists(series), &format!("{}: {series}", word(variable, "name"))));
    }
    faults
}

/// A label is one of the metric's own, wherever it is named: in a selector, in a grouping, in a legend.
fn label_exists(board: &Board) -> Vec<String> {
    let in_legend = Regex::new(r"\{\{(\w+)\}\}").expect("a pattern");
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        let mut known: BTreeSet<&str> = GIVEN.into_iter().chain(["le"]).collect();
        for selector in &reading.selectors {
            let own = declared(&selector.series).map_or(&[][..], |metric| metric.labels);
            known.extend(own);
            let named = selector.matchers.iter().map(|(label, ..)| label.as_str());
            let foreign = named.filter(|label| !own.contains(label) && !GIVEN.contains(label));
            faults.extend(foreign.map(|label| format!("{}: {} has no label {label}", query.place, selector.series)));
        }
        let shown = in_legend.captures_iter(query.legend).map(|label| label[1].to_owned());
        let named = reading.labels.iter().cloned().chain(shown);
        let unknown = named.filter(|label| !known.contains(label.as_str()));
        faults.extend(unknown.map(|label| format!("{}: nothing has a label {label}", query.place)));
    }
    faults
}

/// What a selector asks of a label is a value that it can have.
fn value_exists(board: &Board) -> Vec<String> {
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        for selector in &reading.selectors {
            let Some(metric) = declared(&selector.series) else { continue };
            for (label, _, asked) in
                selector.matchers.iter().filter(|(label, ..)| metric.labels.contains(&label.as_str()))
            {
                let Values::Closed(words) = values(metric.name, label) else { continue };
                let is_value = |asked: &str| {
                    let pattern = Regex::new(&format!("^(?:{asked})$")).expect("Prometheus takes it");
                    words.iter().any(|word| pattern.is_match(word))
                };
                let unknown = asked.split('|').filter(|asked| !is_value(asked));
                faults.extend(unknown.map(|asked| format!("{}: {label} is never {asked}", query.place)));
            }
        }
    }
    faults
}

fn every_metric_is_shown(board: &Board) -> Vec<String> {
    let readings = board.readings();
    let read = readings.iter().flat_map(|(_, reading)| reading.selectors.iter());
    let shown: BTreeSet<&str> =
        read.filter_map(|selector| declared(&selector.series)).map(|metric| metric.name).collect();
    let excused: BTreeSet<&str> = NOT_SHOWN.iter().map(|(metric, _)| *metric).collect();
    let hidden =
        catalogue().iter().map(|metric| metric.name).filter(|name| !shown.contains(name) && !excused.contains(name));
    let unneeded =
        excused.iter().filter(|name| shown.contains(*name)).map(|name| format!("{name} is shown, and excused"));
    hidden.map(|name| format!("no panel shows {name}")).chain(unneeded).collect()
}

/// Grafana's own begin with two lines below.
fn variable_exists(board: &Board) -> Vec<String> {
    let used = Regex::new(r"\$\{?([A-Za-z]\w*)").expect("a pattern");
    let text = board.0.to_string();
    let names: BTreeSet<&str> = used.captures_iter(&text).map(|name| name.extract::<1>().1[0]).collect();
    names.into_iter().filter(|name| board.variable(name).is_none()).map(str::to_owned).collect()
}

fn words_of_states(board: &Board) -> Vec<String> {
    all_words(board, "state", "wa_watchdog_session_state", &SessionState::ALL.map(SessionState::as_str))
}

fn words_of_grades(board: &Board) -> Vec<String> {
    all_words(board, "grade", "wa_watchdog_reset_frequency", &Grade::ALL.map(Grade::as_str))
}

/// A panel that makes numbers of a state set knows every word of it, and shows every one.
fn all_words(board: &Board, label: &str, metric: &str, words: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        let selectors = reading.selectors.iter().filter(|selector| selector.series == metric);
        let asked: BTreeSet<&str> =
            selectors.flat_map(|selector| selector.matchers_of(label)).map(|(_, word)| word).collect();
        if asked.is_empty() {
            continue;
        }
        let mappings = board.mappings();
        let of_panel = mappings.iter().filter(|(panel, ..)| word(panel, "title") == query.place);
        let shown: BTreeSet<&str> = of_panel.map(|(_, text, _)| *text).collect();
        let lost = words.iter().filter(|word| !asked.contains(**word) || !shown.contains(**word));
        faults.extend(lost.map(|word| format!("{}: {word} is not shown", query.place)));
        faults.extend(
            asked.iter().filter(|word| !words.contains(word)).map(|word| format!("{}: no {word}", query.place)),
        );
    }
    faults
}

fn one_word_one_colour(board: &Board) -> Vec<String> {
    let mut colours: BTreeMap<&str, &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for (panel, text, colour) in board.mappings() {
        let first = *colours.entry(text).or_insert(colour);
        if text.is_empty() || colour.is_empty() || first != colour {
            faults.push(format!("{}: {text:?} is {colour:?}, elsewhere {first:?}", title(panel)));
        }
    }
    faults
}
