//! A target of a recording: what its header says of it.

use std::path::Path;
use std::sync::Arc;

use super::Problem;
use super::dialects::Dialects;
use super::node::{self, Place};
use super::policy::{self, Thresholds};
use super::problem::Report;
use super::section::Section;
use super::target::{session, status_path};
use crate::dialect::Dialect;
use crate::engine::policy::Limits;

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
}

/// Reads one target of a recording's header; thresholds that it does not say are those of `base`.
///
/// Relative paths of dialects begin at the working directory.
pub fn recording_target(
    header: &serde_json::Map<String, serde_json::Value>,
    base: &Limits,
) -> Result<RecordingTarget, Vec<Problem>> {
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
    section.finish(&mut report);
    match dialect {
        Some(dialect) => Ok(report.finish(RecordingTarget { dialect, session, status_path, limits })?.0),
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
          hint: known here: poll_every, deep_every, qr_every, settle, steady, gap, quiet_hours, timeout, body_max, budget, cooldown, attempt, hand_off, conflict, session_expired, repeated_404, unreachable, state_loop, stuck_qr, never_ready, silent_session, memory_pressure, credentials_refused, dialect, session, status_path
        header: url: unknown key
          hint: known here: poll_every, deep_every, qr_every, settle, steady, gap, quiet_hours, timeout, body_max, budget, cooldown, attempt, hand_off, conflict, session_expired, repeated_404, unreachable, state_loop, stuck_qr, never_ready, silent_session, memory_pressure, credentials_refused, dialect, session, status_path
        "#);
    }

    #[test]
    fn a_header_without_a_dialect_is_a_problem() {
        let problems = recording_target(&header("{}"), &Limits::default()).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["dialect"]);
    }

    fn header(json: &str) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(json).unwrap()
    }
}
