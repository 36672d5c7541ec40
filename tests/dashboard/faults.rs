//! One fault or more a rule, each planted in the good dashboard.

use serde_json::{Value, json};

use crate::{Board, rules, shipped};

/// A fault: the rule that must find it, where it is planted, and what it is.
struct Fault(&'static str, At, Plant);

/// Where a fault is planted.
enum At {
    /// In the dashboard itself.
    Board,
    /// In the panel with this title.
    Panel(&'static str),
    /// In the variable with this name.
    Variable(&'static str),
    /// In the annotation with this name.
    Annotation(&'static str),
}

/// What is planted, at a JSON Pointer below that place.
enum Plant {
    /// Another value.
    Set(&'static str, Value),
    /// Nothing where something was.
    Remove(&'static str),
    /// Another text in a text.
    Write(&'static str, &'static str, &'static str),
}

use At::{Annotation, Panel, Variable};
use Plant::{Remove, Set, Write};

const EXPR: &str = "/targets/0/expr";
const LINK: &str = "/fieldConfig/defaults/links/0/url";

fn faults() -> Vec<Fault> {
    vec![
        Fault("template-datasource-rule", Variable("datasource"), Set("/label", json!("Source"))),
        Fault("template-datasource-rule", Variable("datasource"), Set("/name", json!("source"))),
        Fault("template-job-rule", Variable("job"), Set("/allValue", json!(".*"))),
        Fault("template-job-rule", Variable("job"), Set("/multi", json!(false))),
        Fault("template-instance-rule", Variable("instance"), Set("/label", json!("Instance"))),
        Fault("template-instance-rule", Variable("instance"), Set("/datasource/uid", json!("prometheus"))),
        Fault("template-label-promql-rule", Variable("target"), Write("/query", "}, ", ", ")),
        Fault(
            "template-label-promql-rule",
            Variable("job"),
            Set("/query", json!({ "query": "label_values(up, job)" })),
        ),
        Fault("template-on-time-change-reload-rule", Variable("job"), Set("/refresh", json!(1))),
        Fault("panel-datasource-rule", Panel("Memory"), Set("/datasource/uid", json!("P1809F7CD0C75ACF3"))),
        Fault("panel-datasource-rule", Panel("Memory"), Remove("/targets/2/datasource")),
        Fault("panel-datasource-rule", Annotation("Storms"), Set("/datasource/uid", json!("prometheus"))),
        Fault("panel-title-description-rule", Panel("Memory"), Set("/title", json!(""))),
        Fault("panel-title-description-rule", Panel("Active now"), Remove("/description")),
        Fault("panel-units-rule", Panel("Memory"), Set("/fieldConfig/defaults/unit", json!("byte"))),
        Fault("panel-units-rule", Panel("Cooldowns"), Set("/fieldConfig/overrides/0/properties/0/value", json!("sec"))),
        Fault("panel-no-targets-rule", Panel("Memory"), Set("/targets", json!([]))),
        Fault("target-promql-rule", Panel("Failing"), Write(EXPR, "sum(", "sum((")),
        Fault("target-promql-rule", Annotation("Storms"), Write("/expr", "== 1", "= 1")),
        Fault("target-rate-interval-rule", Panel("Processor"), Write(EXPR, "$__rate_interval", "5m")),
        Fault("target-rate-interval-rule", Panel("Processor"), Write(EXPR, "$__rate_interval]", "$__rate_interval:]")),
        Fault("target-job-rule", Panel("Storm"), Write(EXPR, "job=~\"$job\", ", "")),
        Fault("target-job-rule", Panel("Watchdog"), Write(EXPR, "job=~\"$job\"", "job=\"$job\"")),
        Fault("target-instance-rule", Panel("Memory"), Write("/targets/2/expr", "instance=~\"$instance\", ", "")),
        Fault("target-counter-agg-rule", Panel("Ledger errors"), Write(EXPR, "increase", "max_over_time")),
        Fault("target-counter-agg-rule", Panel("Changes of state"), Write(EXPR, "increase", "changes")),
        Fault("uneditable-dashboard", At::Board, Set("/editable", json!(true))),
        Fault("stable uid", At::Board, Set("/uid", json!("adz8t3kq1"))),
        Fault("stable uid", At::Board, Set("/id", json!(7))),
        Fault("stable uid", At::Board, Set("/__inputs", json!([]))),
        Fault("unique ids", Panel("Memory"), Set("/id", json!(2))),
        Fault("unique ids", Panel("Memory"), Set("/targets/1/refId", json!("A"))),
        Fault("grid", Panel("Memory"), Set("/gridPos/y", json!(0))),
        Fault("grid", Panel("Series"), Set("/gridPos/w", json!(25))),
        Fault("grid", Panel("Series"), Set("/gridPos/h", json!(0))),
        Fault("target variable", Variable("target"), Set("/includeAll", json!(false))),
        Fault("narrowed to the target", Panel("Polls answered"), Write(EXPR, ", target=~\"$target\"", "")),
        Fault("of the watchdog alone", Panel("Watchdog"), Write(EXPR, "wa_watchdog_build_info", "up")),
        Fault(
            "of the watchdog alone",
            Panel("Processor"),
            Write(EXPR, " and on (job, instance) ", " + on (job, instance) "),
        ),
        Fault("pages for people", Panel("Polls answered"), Write(LINK, "/targets/", "/api/v1/targets/")),
        Fault("metric exists", Panel("Memory"), Write(EXPR, "memory_used_bytes", "memory_usage_bytes")),
        Fault("metric exists", Panel("Probe latency"), Write(EXPR, "seconds_bucket", "seconds_buckets")),
        Fault("metric exists", Variable("job"), Write("/query", "build_info", "info")),
        Fault("label exists", Panel("Refusals by reason"), Write(EXPR, "by (reason", "by (why")),
        Fault("label exists", Panel("Resets"), Write(EXPR, "window=\"24h\"", "span=\"24h\"")),
        Fault("label exists", Panel("Incidents opened"), Set("/targets/0/legendFormat", json!("{{patern}}"))),
        Fault("value exists", Panel("Resets"), Write(EXPR, "window=\"24h\"", "window=\"1d\"")),
        Fault("every metric is shown", Panel("Hard stops"), Write(EXPR, "hard_stops", "foreign_restarts")),
        Fault("variable exists", At::Board, Set("/links/0/url", json!("${page}"))),
        Fault("words of states", Panel("State of every session"), Write(EXPR, "state=\"blocked\"", "state=\"banned\"")),
        Fault(
            "words of states",
            Panel("State of every session"),
            Set("/fieldConfig/defaults/mappings/0/options/4/text", json!("offline")),
        ),
        Fault(
            "words of grades",
            Panel("How often resets are needed"),
            Set("/fieldConfig/defaults/mappings/0/options/2/text", json!("after update")),
        ),
        Fault(
            "one word, one colour",
            Panel("Waits for a person"),
            Set("/fieldConfig/defaults/mappings/0/options/1/color", json!("red")),
        ),
    ]
}

#[test]
fn every_rule_finds_the_faults_that_are_planted_for_it() {
    let good = shipped();
    for Fault(name, at, plant) in faults() {
        let (_, rule) = rules().find(|(rule, _)| *rule == name).unwrap_or_else(|| panic!("no rule {name}"));
        let mut board = Board(good.0.clone());
        let what = plant.into_board(&mut board, &at);
        assert!(!rule(&board).is_empty(), "{name} does not find {what}");
    }
}

#[test]
fn every_rule_has_a_fault() {
    let planted = faults();
    let without = rules().map(|(name, _)| name).filter(|name| planted.iter().all(|Fault(rule, ..)| rule != name));
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
}

impl Plant {
    /// Plants the fault; returns what it is, in words.
    fn into_board(self, board: &mut Board, at: &At) -> String {
        let place = at.find(&mut board.0);
        let (pointer, before) = match &self {
            Set(pointer, _) | Remove(pointer) | Write(pointer, ..) => (*pointer, place.clone()),
        };
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = place.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        let old = parent.remove(key);
        match self {
            Set(_, value) => {
                parent.insert(key.to_owned(), value);
            }
            Remove(_) => assert!(old.is_some(), "nothing at {pointer}"),
            Write(_, from, to) => {
                let old = old.as_ref().and_then(Value::as_str).expect("a text");
                parent.insert(key.to_owned(), old.replacen(from, to, 1).into());
            }
        }
        assert_ne!(*place, before, "nothing is planted at {pointer}");
        format!("{pointer} of {}", before["title"])
    }
}

impl At {
    fn find<'a>(&self, board: &'a mut Value) -> &'a mut Value {
        let (list, key, name) = match self {
            Self::Board => return board,
            Panel(title) => ("/panels", "title", title),
            Variable(name) => ("/templating/list", "name", name),
            Annotation(name) => ("/annotations/list", "name", name),
        };
        let list = board.pointer_mut(list).and_then(Value::as_array_mut).expect("a list");
        list.iter_mut().find(|one| one[key] == *name).unwrap_or_else(|| panic!("no {name}"))
    }
}
