//! The dashboard as the rules read it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::promql::{self, Reading};

/// What stands for Grafana's own times while an expression is read: lengths that nobody writes by hand.
const TIMES: [(&str, &str); 4] =
    [("$__rate_interval", "7919s"), ("$__range_s", "7927"), ("$__range", "7933s"), ("$__interval", "7937s")];
/// What stands for `$__rate_interval`, in seconds.
pub(crate) const RATE_INTERVAL_SECS: u64 = 7919;

/// What an expression names, or what is wrong with it.
type Read = Result<Arc<Reading>, String>;

/// What was read already: the rules read the same expressions again and again, and the parser is slow without optimization.
static READ: Mutex<BTreeMap<String, Read>> = Mutex::new(BTreeMap::new());

/// A dashboard.
pub(crate) struct Board(pub(crate) Value);

/// One expression and where it stands.
pub(crate) struct Query<'a> {
    /// Of which panel or annotation.
    pub(crate) place: &'a str,
    /// As it is written.
    pub(crate) text: &'a str,
    /// What names its series; empty where nothing does.
    pub(crate) legend: &'a str,
}

impl Board {
    /// Returns what a list holds; nothing where there is none.
    pub(crate) fn list(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
    }

    /// Returns the panels, without the rows.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        self.list("/panels").filter(|panel| panel["type"] != "row")
    }

    /// Returns the variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Value> {
        self.list("/templating/list")
    }

    /// Returns the variable with that name.
    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables().find(|variable| variable["name"] == name)
    }

    /// Returns the annotations that are queries of our own.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = &Value> {
        self.list("/annotations/list").filter(|annotation| annotation["builtIn"] != 1)
    }

    /// Returns every expression of panels and annotations.
    pub(crate) fn queries(&self) -> Vec<Query<'_>> {
        let of_panel = |panel| {
            list(panel, "targets").map(move |target| Query {
                place: word(panel, "title"),
                text: word(target, "expr"),
                legend: word(target, "legendFormat"),
            })
        };
        let of_annotation = |annotation| Query {
            place: word(annotation, "name"),
            text: word(annotation, "expr"),
            legend: word(annotation, "textFormat"),
        };
        self.panels().flat_map(of_panel).chain(self.annotations().map(of_annotation)).collect()
    }

    /// Returns every expression that can be read, with what it names.
    pub(crate) fn readings(&self) -> Vec<(Query<'_>, Arc<Reading>)> {
        self.queries().into_iter().filter_map(|query| query.read().ok().map(|reading| (query, reading))).collect()
    }

    /// Returns every value mapping, as the text that is shown and its colour.
    pub(crate) fn mappings(&self) -> Vec<(&Value, &str, &str)> {
        let mut found = Vec::new();
        for panel in self.panels() {
            let defaults = list(&panel["fieldConfig"]["defaults"], "mappings");
            let overrides = list(&panel["fieldConfig"], "overrides").flat_map(|one| list(one, "properties"));
            let overridden = overrides.filter(|property| property["id"] == "mappings");
            for mapping in defaults.chain(overridden.flat_map(|property| list(property, "value"))) {
                let options = mapping["options"].as_object().into_iter().flat_map(|options| options.values());
                found.extend(options.map(|shown| (panel, word(shown, "text"), word(shown, "color"))));
            }
        }
        found
    }
}

impl Query<'_> {
    /// Reads the expression with times in the places of Grafana's own.
    pub(crate) fn read(&self) -> Read {
        let mut read = READ.lock().expect("no test has ended in here");
        let read = read.entry(self.text.to_owned());
        read.or_insert_with(|| promql::read(&with_times(self.text)).map(Arc::new)).clone()
    }
}

/// Writes times in the places of Grafana's own.
pub(crate) fn with_times(text: &str) -> String {
    TIMES.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Returns what a list of an object holds; nothing where there is none.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// Returns a text of an object; empty where there is none.
pub(crate) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
