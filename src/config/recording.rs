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
    let mut section = open(header);
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

/// Reads the thresholds of one target of a recording's header alone.
pub fn limits_of_recording(
    header: &serde_json::Map<String, serde_json::Value>,
    base: &Limits,
) -> Result<Limits, Vec<Problem>> {
    let mut report = Report::default();
    let mut section = open(header);
    let limits = policy::read(&mut section, &mut report, &Thresholds::of(base)).limits;
    for other in ["dialect", "session", "status_path"] {
        section.take(other);
    }
    section.finish(&mut report);
    Ok(report.finish(limits)?.0)
}

fn open(header: &serde_json::Map<String, serde_json::Value>) -> Section {
    let at = Place::file(SOURCE, None);
    let tree = node::of_json(header, &at);
    Section::root(at, tree)
}
