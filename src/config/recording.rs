//! A recording's header: what it says of all targets, and of each; read and written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::dialects::Dialects;
use super::node::{self, Place};
use super::policy::{self, Thresholds};
use super::problem::Report;
use super::section::{Item, Section};
use super::target::{group, session, status_path};
use super::{Problem, Target, fleet, mode, unit};
use crate::dialect::Dialect;
use crate::engine::ladder::Remedy;
use crate::engine::policy::{FleetLimits, Limits, Mode, Policy, TOGETHER, Watch};
use crate::engine::target::TargetId;

/// What problems call a header.
const SOURCE: &str = "header";

/// One target of a recording.
#[derive(Clone, Debug)]
pub struct RecordingTarget {
    /// Its gateway's wire language.
    pub dialect: Arc<Dialect>,
    /// The session's name or number at the gateway.
    pub session: Option<String>,
    /// A status path other than the dialect's own.
    pub status_path: Option<String>,
    /// Its thresholds.
    pub limits: Limits,
    /// What the watchdog that recorded it was allowed to do; none where the recording does not say.
    pub mode: Option<Mode>,
    /// The remedies that it had a hook for.
    pub remedies: Vec<Remedy>,
    /// Its host group, if it is said.
    pub group: Option<String>,
    /// Whether the link to the phone survives a restart.
    pub restart_keeps_session: bool,
}

/// What a recording says of all its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingHead {
    /// The mode of targets that say nothing else; none where the recording does not say.
    pub mode: Option<Mode>,
    /// Targets that turn bad within this time of each other turned bad together.
    pub together: Duration,
    /// What holds for all targets taken together.
    pub fleet: FleetLimits,
}

/// Reads what a recording's header says of all its targets. Keys that it does not know are left to others.
pub fn recording_head(header: &Map<String, Value>) -> Result<RecordingHead, Vec<Problem>> {
    let mut report = Report::default();
    let at = Place::file(SOURCE, None);
    let own = ["mode", "together", "fleet"];
    let header = header.iter().filter(|(key, _)| own.contains(&key.as_str()));
    let tree = node::of_json(&header.map(|(key, value)| (key.clone(), value.clone())).collect(), &at);
    let mut section = Section::root(at, tree);
    let mode = section.take("mode").and_then(|item| mode::read(&item, &mut report));
    let together = policy::together(&mut section, &mut report).unwrap_or(TOGETHER);
    let fleet = fleet::take(&mut section, &mut report);
    section.finish(&mut report);
    Ok(report.finish(RecordingHead { mode, together, fleet })?.0)
}

/// Writes a header for what is watched: all that a replay needs to judge as the daemon does. A session stands in it as it is.
#[must_use]
pub fn recording_header(policy: &Policy, targets: &BTreeMap<TargetId, Arc<Target>>) -> Map<String, Value> {
    let watched = || targets.iter().filter_map(|(id, target)| Some((id, target, policy.targets.get(id)?)));
    // The most careful one stands at the top, and whoever may do more says so.
    let mode = watched().map(|(_, _, watch)| watch.mode).min().unwrap_or_default();
    let mut header = Map::from_iter([("mode".to_owned(), mode.as_str().into())]);
    if policy.together != TOGETHER {
        header.insert("together".to_owned(), unit::in_words(policy.together).into());
    }
    let fleet = fleet::write(&policy.fleet);
    if !fleet.is_empty() {
        header.insert("fleet".to_owned(), fleet.into());
    }
    let keys = watched().map(|(id, target, watch)| (id.as_str().to_owned(), target_keys(target, watch, mode).into()));
    header.insert("targets".to_owned(), keys.collect::<Map<_, Value>>().into());
    header
}

fn target_keys(target: &Target, watch: &Watch, mode: Mode) -> Map<String, Value> {
    let mut keys = Map::from_iter([("dialect".to_owned(), target.dialect_at.clone().into())]);
    let mut add = |key: &str, value: Option<Value>| keys.extend(value.map(|value| (key.to_owned(), value)));
    add("session", target.session.clone().map(Value::from));
    add("status_path", target.status_path.clone().map(Value::from));
    // It follows every recording, also where it is the usual one.
    add("poll_every", Some(unit::in_words(watch.limits.poll_every).into()));
    if watch.mode != mode {
        add("mode", Some(watch.mode.as_str().into()));
    }
    if watch.mode != Mode::Observe {
        let remedies: Vec<&str> = watch.plans.keys().map(|remedy| remedy.as_str()).collect();
        add("remedies", Some(remedies.into()));
        add("group", Some(watch.group.as_ref().into()));
    }
    if !watch.restart_keeps_session {
        add("restart_keeps_session", Some(false.into()));
    }
    keys.extend(policy::write(&watch.limits));
    keys
}

fn remedies(item: &Item, report: &mut Report) -> Vec<Remedy> {
    let hint = "write them as in [\"restart\", \"reset\"]";
    let known = |word: &str| Remedy::ALL.into_iter().find(|remedy| remedy.as_str() == word);
    let words = item.words(report, hint).unwrap_or_default();
    words.iter().filter_map(|item| item.word(report, known, "a remedy", hint)).collect()
}

/// Reads one target of a recording's header; thresholds that it does not say are those of `base`.
///
/// Relative paths of dialects begin at the working directory.
pub fn recording_target(header: &Map<String, Value>, base: &Limits) -> Result<RecordingTarget, Vec<Problem>> {
    let mut report = Report::default();
    let at = Place::file(SOURCE, None);
    let tree = node::of_json(header, &at);
    let mut section = Section::root(at, tree);
    let limits = policy::read(&mut section, &mut report, &Thresholds::of(base)).limits;
    let hint = "name the dialect in which the answers are written, as in \"dialect\":\"whatsapp-service\"";
    let item = section.need(&mut report, "dialect", hint);
    let dialect = item.and_then(|item| Dialects::new(Path::new("")).find(&item, &mut report));
    let session = section.take("session").and_then(|item| session(&item, &mut report));
    let status_path = section.take("status_path").and_then(|item| status_path(&item, &mut report));
    let mode = section.take("mode").and_then(|item| mode::read(&item, &mut report));
    let remedies = section.take("remedies").map(|item| remedies(&item, &mut report)).unwrap_or_default();
    let group = section.take("group").and_then(|item| group(&item, &mut report));
    let keeps = section.take("restart_keeps_session").and_then(|item| item.flag(&mut report));
    let restart_keeps_session = keeps.unwrap_or(true);
    section.finish(&mut report);
    match dialect {
        Some(dialect) => {
            let read =
                RecordingTarget { dialect, session, status_path, limits, mode, remedies, group, restart_keeps_session };
            Ok(report.finish(read)?.0)
        }
        None => Err(report.into_problems()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::ladder::{Ladder, Remedy};

    #[test]
    fn a_header_names_dialect_route_and_thresholds() {
        let header = header(
            r#"{"dialect":"waha","session":16548,"status_path":"/api/sessions","poll_every":"30s","timeout":"5s",
                "state_loop":{"returns_min":4,"ladder":["notify","restart"]},"stuck_qr":{"ladder_dead":"notify"}}"#,
        );
        let mut base = Limits { settle: Duration::from_secs(7), ..Limits::default() };
        let target = recording_target(&header, &base).unwrap();
        assert_eq!(target.dialect.name(), "waha");
        assert_eq!(target.session.as_deref(), Some("16548"));
        assert_eq!(target.status_path.as_deref(), Some("/api/sessions"));
        base.poll_every = Duration::from_secs(30);
        base.state_loop.returns_min = 4;
        base.state_loop.ladder = Ladder::new(Remedy::Notify, &[Remedy::Restart]);
        base.stuck_qr.ladder_dead = Ladder::new(Remedy::Notify, &[]);
        assert_eq!(target.limits, base);
    }

    #[test]
    fn a_header_needs_no_session_and_no_url() {
        let target = recording_target(&header(r#"{"dialect":"wasender"}"#), &Limits::default()).unwrap();
        assert_eq!((target.session, target.limits), (None, Limits::default()));
    }

    #[test]
    fn every_problem_of_a_header_is_told() {
        let header = header(
            r#"{"dialect":"wahaa","url":"http://h","poll_every":30,"state_loop":{"returns_min":"4","within":null},
                "status_path":7,"conflict":[],"policy":{},"memory_pressure":{"percent_min":0.9}}"#,
        );
        let problems = recording_target(&header, &Limits::default()).unwrap_err();
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        header: poll_every: 30 is not a time span
          hint: write a number and a unit, as in "15s", "10m" or "1h 30m"
        header: conflict: is a list, not a table
          hint: write it as a section, [conflict]
        header: state_loop.returns_min: "4" is not a whole number
          hint: write digits alone, as in 3
        header: state_loop.within: is nothing, not a time span
          hint: write a number and a unit, as in "15s", "10m" or "1h 30m"
        header: memory_pressure.percent_min: is a decimal number, not a share from 1% to 100%
          hint: write it as in "90%"
        header: dialect: "wahaa" is not a built-in dialect
          hint: did you mean "waha"?
        header: status_path: 7 is not a text
          hint: write it in quotes
        header: policy: unknown key
          hint: known here: poll_every, deep_every, qr_every, settle, steady, gap, quiet_hours, timeout, body_max, budget, cooldown, attempt, hand_off, conflict, session_expired, repeated_404, unreachable, state_loop, stuck_qr, never_ready, silent_session, memory_pressure, credentials_refused, dialect, session, status_path, mode, remedies, group, restart_keeps_session
        header: url: unknown key
          hint: known here: poll_every, deep_every, qr_every, settle, steady, gap, quiet_hours, timeout, body_max, budget, cooldown, attempt, hand_off, conflict, session_expired, repeated_404, unreachable, state_loop, stuck_qr, never_ready, silent_session, memory_pressure, credentials_refused, dialect, session, status_path, mode, remedies, group, restart_keeps_session
        "#);
    }

    #[test]
    fn a_header_without_a_dialect_is_a_problem() {
        let problems = recording_target(&header("{}"), &Limits::default()).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["dialect"]);
    }

    #[test]
    fn a_header_that_was_written_reads_as_what_is_watched() {
        let text = r#"
            mode = "observe"
            fleet.storm_targets = 7
            fleet.storm_share = "80%"
            fleet.storm_exit = "7s"
            policy.together = "3m"
            policy.poll_every = "7s"
            policy.quiet_hours = { from = "22:00", to = "06:00", zone = "Europe/Berlin" }
            policy.budget.restarts_daily = 0
            policy.stuck_qr.ladder_dead = ["restart"]
            policy.memory_pressure.percent_min = "80%"
            [target.shop]
            dialect = "waha"
            url = "http://gateway"
            session = "default"
            status_path = "/api/sessions?all=true"
            [target.other]
            mode = "act"
            dialect = "whatsapp-service"
            url = "http://other"
            restart_keeps_session = false
            remedy.restart.exec.argv = ["/bin/true"]
            remedy.restart.allow_destructive = true
        "#;
        let settings = super::super::parse(text, "f", Path::new(""), &BTreeMap::new()).unwrap();
        let header = recording_header(&settings.policy, &settings.targets);
        let head = recording_head(&header).unwrap();
        let policy = &settings.policy;
        let expected =
            RecordingHead { mode: Some(Mode::Observe), together: policy.together, fleet: policy.fleet.clone() };
        assert_eq!(head, expected);
        let read =
            |name: &str| recording_target(header["targets"][name].as_object().unwrap(), &Limits::default()).unwrap();
        let (shop, other) = (read("shop"), read("other"));
        assert_eq!(shop.limits, *policy.targets["shop"].limits);
        assert_eq!((shop.dialect.name(), shop.session.as_deref()), ("waha", Some("default")));
        assert_eq!((shop.mode, shop.remedies.len(), shop.group.as_deref()), (None, 0, None));
        assert_eq!((other.mode, other.remedies.as_slice()), (Some(Mode::Act), &[Remedy::Restart][..]));
        assert_eq!((other.group.as_deref(), other.restart_keeps_session), (Some("other"), false));
        let plain = super::super::parse(
            "[target.shop]\ndialect = \"generic\"\nurl = \"http://shop\"",
            "f",
            Path::new(""),
            &BTreeMap::new(),
        )
        .unwrap();
        let header = recording_header(&plain.policy, &plain.targets);
        let expected = r#"{"mode":"observe","targets":{"shop":{"dialect":"generic","poll_every":"15s"}}}"#;
        assert_eq!(Value::from(header).to_string(), expected);
    }

    fn header(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }
}
