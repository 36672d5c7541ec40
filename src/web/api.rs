//! The snapshot as JSON. The shapes here are the contract with clients; times are RFC 3339, unknown values are null.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use crate::engine::attempt::Outcome;
use crate::engine::day::Day;
use crate::engine::explain::{explain, pending, pending_until};
use crate::engine::incident::{Incident, IncidentId};
use crate::engine::ladder::Remedy;
use crate::engine::moment::Wall;
use crate::engine::pattern::Pattern;
use crate::engine::policy::Mode;
use crate::engine::refusal::Refusal;
use crate::engine::sample::{Memory, SessionState, Word};
use crate::engine::snapshot::{
    AlertView, CareView, Counts, FindingView, FleetView, PathView, PauseView, RunView, Snapshot, TargetView,
};
use crate::engine::target::TargetId;
use crate::engine::verdict::Verdict;

use super::Desk;
use super::query::{self, BadQuery, Query};
use super::reply::{Answer, json, problem};

/// How many incidents are listed when nobody says.
const INCIDENTS_DEFAULT: usize = 100;
/// Most incidents that are listed.
const INCIDENTS_MAX: usize = 1000;

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    ready: bool,
    at: Wall,
    started: Wall,
    uptime_seconds: f64,
    fleet: FleetView,
    pause: Option<&'a PauseView>,
    paths: &'a [PathView],
    modes: BTreeMap<&'static str, u32>,
    states: BTreeMap<&'static str, u32>,
    unseen: u32,
    dropped: &'a BTreeMap<&'static str, u64>,
    ledger_errors: u64,
    suspensions: u64,
}

#[derive(Serialize)]
struct Roll<'a> {
    at: Wall,
    pause: Option<&'a PauseView>,
    storm: bool,
    paths: &'a [PathView],
    targets: Vec<Brief<'a>>,
}

#[derive(Serialize)]
struct Brief<'a> {
    target: &'a TargetId,
    state: Option<SessionState>,
    word: Option<&'a Word>,
    since: Option<Wall>,
    last_connected: Option<Wall>,
    up: Option<bool>,
    #[serde(flatten)]
    session: Belief<'a>,
    memory: Belief<'a>,
    open: Vec<IncidentId>,
    mode: Mode,
    paused: bool,
    /// What runs, waits for a person or is held back, in a few words.
    pending: Option<String>,
    /// Until when a person can do it.
    pending_until: Option<Wall>,
    /// Whether something waits for a person.
    waits_for_person: bool,
    next_poll: Option<Wall>,
}

/// A verdict without the samples behind it.
#[derive(Serialize)]
struct Belief<'a> {
    verdict: &'static str,
    pattern: Option<Pattern>,
    evidence: Option<&'a str>,
    missing: Option<&'a str>,
}

#[derive(Serialize)]
struct Detail<'a> {
    at: Wall,
    target: &'a TargetId,
    state: Option<SessionState>,
    word: Option<&'a Word>,
    since: Option<Wall>,
    last_connected: Option<Wall>,
    up: Option<bool>,
    version: Option<&'a Word>,
    image: Option<&'a Word>,
    health: Option<&'a Word>,
    verdict: &'a Verdict,
    memory_verdict: &'a Verdict,
    explain: Vec<String>,
    findings: &'a [FindingView],
    open: Vec<Told<'a>>,
    memory: Option<Memory>,
    memory_minimum_bytes: Option<u64>,
    day: &'a Day,
    timeline: &'a [RunView],
    log: &'a [RunView],
    alerts: &'a [AlertView],
    evidence_since: Wall,
    next_poll: Option<Wall>,
    held_until: Option<Wall>,
    care: &'a CareView,
    counts: Counted,
}

/// What is counted of a target, by the words that metrics use.
#[derive(Serialize)]
struct Counted {
    polls: BTreeMap<&'static str, u64>,
    poll_seconds_sum: f64,
    state_changes: BTreeMap<&'static str, u64>,
    connected_seconds: f64,
    detections: BTreeMap<&'static str, u64>,
    incidents: BTreeMap<&'static str, u64>,
    oom_kills: u64,
    signals: u64,
    remedies: Vec<Finished>,
    refusals: Vec<Refused>,
}

/// Attempts that came to an end.
#[derive(Serialize)]
struct Finished {
    remedy: Remedy,
    pattern: Option<Pattern>,
    outcome: Outcome,
    count: u64,
}

/// Remedies that were due and not carried out.
#[derive(Serialize)]
struct Refused {
    remedy: Remedy,
    reason: Refusal,
    count: u64,
}

#[derive(Serialize)]
struct Listing<'a> {
    at: Wall,
    /// How many fit the query, also those beyond the limit.
    found: usize,
    incidents: Vec<Told<'a>>,
}

/// An incident, and how long it lasted or has lasted so far.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    incident: &'a Incident,
    duration_seconds: f64,
}

/// Which incidents are asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    target: Option<&'a str>,
    open: Option<bool>,
    limit: usize,
}

/// Answers with the fleet in numbers.
pub(super) fn status(desk: &Desk) -> Answer {
    let snapshot = desk.snapshot();
    let mut states = BTreeMap::from(SessionState::ALL.map(|state| (state.as_str(), 0_u32)));
    let mut unseen: u32 = 0;
    for view in &snapshot.targets {
        let count = view.state.and_then(|state| states.get_mut(state.as_str())).unwrap_or(&mut unseen);
        *count = count.saturating_add(1);
    }
    let mut modes = BTreeMap::from(Mode::ALL.map(|mode| (mode.as_str(), 0_u32)));
    for view in &snapshot.targets {
        let count = modes.entry(view.care.mode.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    let body = Status {
        version: env!("CARGO_PKG_VERSION"),
        ready: desk.state.ready.is_open(),
        at: snapshot.at,
        started: snapshot.started,
        uptime_seconds: snapshot.at.since(snapshot.started).as_secs_f64(),
        fleet: snapshot.fleet,
        pause: snapshot.pause.as_ref(),
        paths: &snapshot.paths,
        modes,
        states,
        unseen,
        dropped: &snapshot.dropped,
        ledger_errors: snapshot.ledger_errors,
        suspensions: snapshot.suspensions,
    };
    json(StatusCode::OK, &body)
}

/// Answers with every target in short.
pub(super) fn targets(snapshot: &Snapshot) -> Answer {
    let (at, pause, storm) = (snapshot.at, snapshot.pause.as_ref(), snapshot.fleet.storm);
    let targets = snapshot.targets.iter().map(|view| Brief::of(view, pause.is_some())).collect();
    json(StatusCode::OK, &Roll { at, pause, storm, paths: &snapshot.paths, targets })
}

/// Answers with all that is known of one target.
pub(super) fn target(desk: &Desk, name: &str) -> Answer {
    let snapshot = desk.snapshot();
    match snapshot.target(name) {
        Some(view) => json(StatusCode::OK, &Detail::of(view, &snapshot)),
        None => no_such_target(),
    }
}

/// Answers with the incidents that fit a query, newest first.
pub(super) fn incidents(desk: &Desk, query: &Query<'_>) -> Result<Answer, BadQuery> {
    let wanted = Wanted::of(query)?;
    let snapshot = desk.snapshot();
    let fits: Vec<&Arc<Incident>> = snapshot.incidents.iter().filter(|incident| wanted.fits(incident)).collect();
    let unknown = wanted.target.filter(|name| fits.is_empty() && snapshot.target(name).is_none());
    if unknown.is_some() {
        return Ok(no_such_target());
    }
    let incidents = fits.iter().take(wanted.limit).map(|incident| Told::of(incident, snapshot.at)).collect();
    Ok(json(StatusCode::OK, &Listing { at: snapshot.at, found: fits.len(), incidents }))
}

pub(super) fn no_such_target() -> Answer {
    problem(StatusCode::NOT_FOUND, "no target has this name", "GET /api/v1/targets lists every name")
}

impl<'a> Brief<'a> {
    fn of(view: &'a TargetView, all_paused: bool) -> Self {
        Self {
            target: &view.target,
            state: view.state,
            word: view.word.as_ref(),
            since: view.since,
            last_connected: view.last_connected,
            up: view.up,
            session: Belief::of(&view.verdict),
            memory: Belief::of(&view.memory_verdict),
            open: view.open.iter().map(|incident| incident.id).collect(),
            mode: view.care.mode,
            paused: all_paused || view.care.pause.is_some(),
            pending: pending(&view.care),
            pending_until: pending_until(&view.care),
            waits_for_person: view.care.wants_person(),
            next_poll: view.next_poll,
        }
    }
}

impl<'a> Belief<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        let (evidence, missing) = match verdict {
            Verdict::Healthy => (None, None),
            Verdict::Suspect { missing, .. } => (None, Some(missing.as_str())),
            Verdict::Failing { evidence, .. } => (Some(evidence.sentence.as_str()), None),
        };
        Self { verdict: verdict.as_str(), pattern: verdict.pattern(), evidence, missing }
    }
}

impl<'a> Detail<'a> {
    fn of(view: &'a TargetView, snapshot: &Snapshot) -> Self {
        Self {
            at: snapshot.at,
            target: &view.target,
            state: view.state,
            word: view.word.as_ref(),
            since: view.since,
            last_connected: view.last_connected,
            up: view.up,
            version: view.version.as_ref(),
            image: view.image.as_ref(),
            health: view.health.as_ref(),
            verdict: &view.verdict,
            memory_verdict: &view.memory_verdict,
            explain: explain(view, snapshot.pause.as_ref(), snapshot.at),
            findings: &view.findings,
            open: view.open.iter().map(|incident| Told::of(incident, snapshot.at)).collect(),
            memory: view.memory_at(snapshot.at),
            memory_minimum_bytes: view.memory_minimum,
            day: &view.day,
            timeline: &view.timeline,
            log: &view.log,
            alerts: &view.alerts,
            evidence_since: view.evidence_since,
            next_poll: view.next_poll,
            held_until: view.held_until,
            care: &view.care,
            counts: Counted::of(&view.counts, &view.care),
        }
    }
}

impl Counted {
    fn of(counts: &Counts, care: &CareView) -> Self {
        let by_pattern =
            |numbers: [u64; Pattern::ALL.len()]| Pattern::ALL.map(Pattern::as_str).into_iter().zip(numbers);
        Self {
            polls: counts.outcomes().collect(),
            poll_seconds_sum: counts.probe_durations.sum_seconds(),
            state_changes: SessionState::ALL.map(SessionState::as_str).into_iter().zip(counts.state_changes).collect(),
            connected_seconds: counts.connected.as_secs_f64(),
            detections: by_pattern(counts.detections).collect(),
            incidents: by_pattern(counts.incidents).collect(),
            oom_kills: counts.oom_kills,
            signals: counts.signals,
            remedies: care
                .finished
                .iter()
                .map(|((remedy, pattern, outcome), count)| Finished {
                    remedy: *remedy,
                    pattern: *pattern,
                    outcome: *outcome,
                    count: *count,
                })
                .collect(),
            refusals: care
                .refusals
                .iter()
                .map(|((remedy, reason), count)| Refused { remedy: *remedy, reason: *reason, count: *count })
                .collect(),
        }
    }
}

impl<'a> Told<'a> {
    fn of(incident: &'a Incident, now: Wall) -> Self {
        Self { incident, duration_seconds: incident.duration(now).as_secs_f64() }
    }
}

impl<'a> Wanted<'a> {
    fn of(query: &Query<'a>) -> Result<Self, BadQuery> {
        let [target, open, limit] = query.only(&["target", "open", "limit"])?;
        let open = match open {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => return Err(BadQuery::value("open", other, "use true or false")),
        };
        Ok(Self { target, open, limit: query::limit(limit, INCIDENTS_DEFAULT, INCIDENTS_MAX)? })
    }

    fn fits(self, incident: &Incident) -> bool {
        self.target.is_none_or(|name| incident.target.as_str() == name)
            && self.open.is_none_or(|open| incident.closed.is_none() == open)
    }
}
