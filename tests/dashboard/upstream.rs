//! The rules of grafana/dashboard-linter, under its names; those for logs do not concern us.

use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::Rule;
use crate::board::{Board, Query, RATE_INTERVAL_SECS, list, with_times, word};
use crate::promql::{self, Reading};

/// Every rule.
pub(crate) const RULES: &[Rule] = &[
    ("template-datasource-rule", template_datasource),
    ("template-job-rule", template_job),
    ("template-instance-rule", template_instance),
    ("template-label-promql-rule", template_label_promql),
    ("template-on-time-change-reload-rule", template_on_time_change_reload),
    ("panel-datasource-rule", panel_datasource),
    ("panel-title-description-rule", panel_title_description),
    ("panel-units-rule", panel_units),
    ("panel-no-targets-rule", panel_no_targets),
    ("target-promql-rule", target_promql),
    ("target-rate-interval-rule", target_rate_interval),
    ("target-job-rule", target_job),
    ("target-instance-rule", target_instance),
    ("target-counter-agg-rule", target_counter_agg),
    ("uneditable-dashboard", uneditable),
];

/// Counters that have no series until it happened: an increase would never see the first time. They are shown as they are.
pub(crate) const SINCE_START: [&str; 2] = ["wa_watchdog_remedies_total", "wa_watchdog_refusals_total"];

/// The units that are used, of those that Grafana has.
const UNITS: [&str; 6] = ["none", "s", "bytes", "percentunit", "reqps", "cps"];

fn template_datasource(board: &Board) -> Vec<String> {
    let variable = board.variable("datasource");
    let is_well = variable.is_some_and(|variable| {
        variable["type"] == "datasource" && variable["query"] == "prometheus" && variable["label"] == "Data source"
    });
    unless(is_well, "no variable datasource with the label Data source that asks for prometheus")
}

fn template_job(board: &Board) -> Vec<String> {
    choice(board, "job")
}

fn template_instance(board: &Board) -> Vec<String> {
    choice(board, "instance")
}

/// Finds what is wrong with a variable that chooses among the values of a label.
pub(crate) fn choice(board: &Board, name: &str) -> Vec<String> {
    let Some(variable) = board.variable(name) else { return vec![format!("no variable {name}")] };
    let is_well = variable["type"] == "query"
        && variable["label"] == name
        && variable["multi"] == true
        && variable["includeAll"] == true
        && variable["allValue"] == ".+"
        && is_from_variable(variable);
    unless(is_well, "a variable is not as it should be: query, label like its name, multi, all is .+, $datasource")
}

fn template_label_promql(board: &Board) -> Vec<String> {
    let form = Regex::new(r"^label_values\((.+), ([a-z_]+)\)$").expect("a pattern");
    let mut faults = Vec::new();
    for variable in board.variables().filter(|variable| variable["type"] == "query") {
        // The form as an object is what the UI writes; the schema wants a text.
        let query = word(variable, "query");
        match form.captures(query) {
            Some(parts) if promql::read(&with_times(&parts[1])).is_ok() => {}
            Some(_) | None => faults.push(format!("{}: {query:?}", word(variable, "name"))),
        }
    }
    faults
}

fn template_on_time_change_reload(board: &Board) -> Vec<String> {
    let queries = board.variables().filter(|variable| variable["type"] == "query");
    queries.filter(|variable| variable["refresh"] != 2).map(|variable| word(variable, "name").to_owned()).collect()
}

fn panel_datasource(board: &Board) -> Vec<String> {
    let of_targets = board.panels().flat_map(|panel| list(panel, "targets").map(move |target| (panel, target)));
    let asked = board.panels().map(|panel| (panel, panel)).chain(of_targets);
    let asked = asked.chain(board.annotations().map(|annotation| (annotation, annotation)));
    asked.filter(|(_, asks)| !is_from_variable(asks)).map(|(place, _)| title(place)).collect()
}

fn panel_title_description(board: &Board) -> Vec<String> {
    let is_bare = |panel: &&Value| word(panel, "title").is_empty() || word(panel, "description").is_empty();
    board.panels().filter(is_bare).map(title).collect()
}

fn panel_units(board: &Board) -> Vec<String> {
    let mut faults = Vec::new();
    for panel in board.panels() {
        let overrides = list(&panel["fieldConfig"], "overrides").flat_map(|one| list(one, "properties"));
        let overridden = overrides.filter(|property| property["id"] == "unit").map(|property| word(property, "value"));
        let units = std::iter::once(word(&panel["fieldConfig"]["defaults"], "unit")).chain(overridden);
        faults.extend(units.filter(|unit| !UNITS.contains(unit)).map(|unit| format!("{}: {unit:?}", title(panel))));
    }
    faults
}

fn panel_no_targets(board: &Board) -> Vec<String> {
    board.panels().filter(|panel| list(panel, "targets").next().is_none()).map(title).collect()
}

fn target_promql(board: &Board) -> Vec<String> {
    let fault = |query: &Query<'_>| query.read().err().map(|why| format!("{}: {why}: {}", query.place, query.text));
    board.queries().iter().filter_map(fault).collect()
}

/// Rates are over `$__rate_interval`, and that stands nowhere but right in a function.
fn target_rate_interval(board: &Board) -> Vec<String> {
    let interval = Duration::from_secs(RATE_INTERVAL_SECS);
    let is_well = |query: &Query<'_>, reading: &Reading| {
        let of_rate = |function: &Option<String>| matches!(function.as_deref(), Some("rate" | "irate"));
        let rates = reading.selectors.iter().filter(|selector| of_rate(&selector.function));
        let (used, written) = (
            reading.selectors.iter().filter(|selector| selector.range == Some(interval) && selector.function.is_some()),
            query.text.matches("$__rate_interval").count(),
        );
        rates.clone().all(|selector| selector.range == Some(interval)) && used.count() == written
    };
    board.readings().iter().filter(|(query, reading)| !is_well(query, reading)).map(|(query, _)| at(query)).collect()
}

fn target_job(board: &Board) -> Vec<String> {
    without(board, "job")
}

fn target_instance(board: &Board) -> Vec<String> {
    without(board, "instance")
}

fn without(board: &Board, label: &str) -> Vec<String> {
    lacking(board, label, |_| true)
}

/// Finds the selectors that should be narrowed by the variable of a label and are not.
pub(crate) fn lacking(board: &Board, label: &str, should: impl Fn(&str) -> bool) -> Vec<String> {
    let value = format!("${label}");
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        for selector in reading.selectors.iter().filter(|selector| should(&selector.series)) {
            if selector.matchers_of(label).collect::<Vec<_>>() != [("=~", value.as_str())] {
                faults.push(format!("{}: {} lacks {label}=~\"{value}\"", query.place, selector.series));
            }
        }
    }
    faults
}

fn target_counter_agg(board: &Board) -> Vec<String> {
    let mut faults = Vec::new();
    for (query, reading) in board.readings() {
        for selector in reading.selectors.iter().filter(|selector| selector.series.ends_with("_total")) {
            let is_rate = matches!(selector.function.as_deref(), Some("rate" | "irate" | "increase"));
            if !is_rate && !SINCE_START.contains(&selector.series.as_str()) {
                faults.push(format!("{}: {}", query.place, selector.series));
            }
        }
    }
    faults
}

fn uneditable(board: &Board) -> Vec<String> {
    unless(board.0["editable"] == false, "the dashboard can be edited")
}

fn is_from_variable(asks: &Value) -> bool {
    asks["datasource"]["type"] == "prometheus" && asks["datasource"]["uid"] == "${datasource}"
}

/// Names a panel, an annotation or a variable.
pub(crate) fn title(place: &Value) -> String {
    let named = ["title", "name"].map(|key| word(place, key));
    format!("{} ({})", named.concat(), place["id"])
}

fn at(query: &Query<'_>) -> String {
    format!("{}: {}", query.place, query.text)
}

/// Says what is wrong, unless nothing is.
pub(crate) fn unless(is_well: bool, fault: &str) -> Vec<String> {
    if is_well { Vec::new() } else { vec![fault.to_owned()] }
}
